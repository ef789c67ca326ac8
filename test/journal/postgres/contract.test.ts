import { afterAll, beforeAll, test } from 'vitest'
import { postgresJournal } from 'echelon/journal'
import { hasPostgres, postgresOrSkip, startPostgres, type PostgresServer } from '../../support/postgres.ts'
import { systemClock } from '../../../src/core/clock.ts'
import { describeJournal } from '../contract.ts'
import { query } from './material.ts'

if (hasPostgres) {
  let server: PostgresServer
  let made = 0
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  describeJournal({
    kind: 'postgres',
    histories: 15,
    fresh: async (options) => {
      made += 1
      const { url } = server
      return {
        source: postgresJournal({ url, schema: `journal_${made}`, ...options }),
        clock: systemClock,
        // Leases expire by the clock of the server, so it is the server that waits.
        passTime: async (ms) => {
          await query(url, `SELECT pg_sleep(${ms / 1000})`)
        },
        [Symbol.asyncDispose]: async () => undefined,
      }
    },
  })
} else
  test('the postgres journal', (context) => {
    postgresOrSkip(context)
  })
