import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postgresJournal, type Journal, type PostgresJournalOptions } from 'echelon/journal'
import { VirtualClock } from '../../../src/testing/virtual-clock.ts'
import { hasPostgres, postgresOrSkip, startPostgres, type PostgresServer } from '../../support/postgres.ts'
import { append, bodiesOf, ending } from '../contract/material.ts'
import { host, openSession, query, untilBlocked } from './material.ts'

describe('writers of one Postgres journal', () => {
  let server: PostgresServer
  let schemas = 0
  const fresh = (options: PostgresJournalOptions = {}): PostgresJournalOptions => {
    schemas += 1
    return { url: server.url, schema: `fencing_${schemas}`, ...options }
  }
  beforeEach(postgresOrSkip)
  beforeAll(async () => {
    if (hasPostgres) server = await startPostgres()
  })
  afterAll(async () => {
    if (hasPostgres) await server[Symbol.asyncDispose]()
  })

  test('given two that open a new journal at the same time, then one writes and the other is refused', async () => {
    const options = fresh()
    const opened = await Promise.allSettled(
      ['node-a', 'node-b'].map((node) => postgresJournal(options).open(host(node))),
    )
    const journals = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const refusals = opened.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
    expect(journals).toHaveLength(1)
    expect(refusals).toMatchObject([{ code: 'JOURNAL_LOCKED', retryable: true }])
    await journals[0]?.close()
  })

  test('given a writer whose session has ended without a word, then the next one need not wait for its lease', async () => {
    const options = fresh()
    const failed = Promise.withResolvers<Error>()
    const first = await postgresJournal(options).open(host('node-a', { onFailed: failed.resolve }))
    await first.append([append('a', 0, [1])])
    expect(await ending(postgresJournal(options).open(host('node-b')))).toBe('JOURNAL_LOCKED')
    await query(
      server.url,
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND pid <> pg_backend_pid()`,
    )
    expect(await failed.promise).toMatchObject({ code: 'JOURNAL_FAILED' })
    const second = await postgresJournal(options).open(host('node-b'))
    expect(await ending(first.append([append('a', 1, ['old'])]))).toBe('JOURNAL_FAILED')
    await second.append([append('a', 1, ['new'])])
    expect(await bodiesOf(second, 'a')).toEqual([1, 'new'])
    await first.close()
    await second.close()
  })

  test('given a writer that is paused for longer than its lease, then another takes it, and what the first does is fenced', async () => {
    const options = fresh({ leaseMs: 300 })
    const failures: unknown[] = []
    // Its timers do not fire, as those of a process that is stopped do not.
    const paused = host('node-a', { clock: new VirtualClock(), onFailed: (error) => failures.push(error) })
    const first = await postgresJournal(options).open(paused)
    await first.append([append('a', 0, [1])])
    await query(server.url, 'SELECT pg_sleep(0.35)')
    const second = await postgresJournal(options).open(host('node-b'))
    const late = ['a', 'b'].map((stream) => ending(first.append([append(stream, stream === 'a' ? 1 : 0, ['old'])])))
    expect(await Promise.all(late)).toEqual(['JOURNAL_FENCED', 'JOURNAL_FENCED'])
    expect(failures).toMatchObject([{ code: 'JOURNAL_FENCED' }])
    await second.append([append('a', 1, ['new'])])
    expect((await second.list()).map(({ stream }) => stream)).toEqual(['a'])
    await first.close()
    expect((await second.info()).writer?.owner.node).toBe('node-b')
    await second.close()
  })

  test('given a writer that renews its lease, then nobody else gets it, however long it writes nothing', async () => {
    const options = fresh({ leaseMs: 300 })
    const clock = new VirtualClock()
    const first = await postgresJournal(options).open(host('node-a', { clock }))
    const expiry = async (): Promise<number> => (await first.info()).writer?.expiresAtMs ?? 0
    for (const _ of ['once', 'again']) {
      const before = await expiry()
      do clock.advanceBy(100)
      while ((await expiry()) === before)
    }
    await first.close()
    expect((await (await postgresJournal(options).openReadOnly(host())).info()).writer).toBeUndefined()
  })

  test('given a paused writer that finds out when it renews, then it fails at once', async () => {
    const options = fresh({ leaseMs: 300, takeOver: true })
    const clock = new VirtualClock()
    const failed = Promise.withResolvers<Error>()
    const first = await postgresJournal(options).open(host('node-a', { clock, onFailed: failed.resolve }))
    const second = await postgresJournal(options).open(host('node-b'))
    clock.advanceBy(100)
    expect(await failed.promise).toMatchObject({ code: 'JOURNAL_FENCED' })
    await first.close()
    await second.close()
  })

  test('given a transaction of the writer that runs, then who takes over waits for it', async () => {
    const options = fresh()
    const first = await postgresJournal(options).open(host('node-a'))
    await using session = openSession(server.url)
    const { schema } = options
    await session.sql.unsafe(`BEGIN; SELECT 1 FROM ${schema}.leases WHERE name = 'writer:writer' FOR SHARE`)
    let second: Journal | undefined
    const opening = postgresJournal({ ...options, takeOver: true })
      .open(host('node-b'))
      .then((journal) => (second = journal))
    await untilBlocked(session)
    expect(second).toBeUndefined()
    await session.sql.unsafe('COMMIT')
    await opening
    expect(await ending(first.append([append('a', 0, [1])]))).toBe('JOURNAL_FENCED')
    await first.close()
    await second?.close()
  })

  test('given a take-over that is not committed yet, when an append waits for it, then the append is fenced after it', async () => {
    const options = fresh()
    const first = await postgresJournal(options).open(host('node-a'))
    await first.append([append('a', 0, [1])])
    await using session = openSession(server.url)
    await session.sql.unsafe(`BEGIN; UPDATE ${options.schema}.leases SET epoch = epoch + 1`)
    const late = ending(first.append([append('a', 1, ['old'])]))
    await untilBlocked(session)
    await session.sql.unsafe('COMMIT')
    expect(await late).toBe('JOURNAL_FENCED')
    const reader = await postgresJournal(options).openReadOnly(host())
    expect(await bodiesOf(reader, 'a')).toEqual([1])
    await first.close()
    await reader.close()
  })

  test('given somebody who writes the same stream under another name, then only appends to that stream conflict', async () => {
    const options = fresh()
    const first = await postgresJournal(options).open(host('node-a'))
    const other = await postgresJournal({ ...options, writer: 'other' }).open(host('node-b'))
    await first.append([append('a', 0, ['first'])])
    await other.append([append('a', 1, ['other'])])
    const endings = ['a', 'b', 'c'].map((stream) =>
      ending(first.append([append(stream, stream === 'a' ? 1 : 0, ['late'])])),
    )
    expect(await Promise.all(endings)).toEqual(['JOURNAL_CONFLICT', 'ok', 'ok'])
    await first.append([append('a', 2, ['first again'])])
    expect(await bodiesOf(first, 'a')).toEqual(['first', 'other', 'first again'])
    expect((await first.verify()).problems).toEqual([])
    await first.close()
    await other.close()
  })
})
