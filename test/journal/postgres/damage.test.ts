import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postgresJournal } from 'echelon/journal'
import { hasPostgres, postgresOrSkip, startPostgres, type PostgresServer } from '../../support/postgres.ts'
import { append, ending, readAll, snapshot } from '../contract/material.ts'
import { host, query } from './material.ts'

/** What is done to the tables of a journal behind its back. Each is found by `verify`, and by reading what it touches. */
const damages: readonly [what: string, statement: string][] = [
  ['the body of an entry', `UPDATE entries SET body = '"x"' WHERE stream = 'a' AND seq = 4`],
  ['the kind of an entry', `UPDATE entries SET kind = 'failed' WHERE stream = 'a' AND seq = 4`],
  ['the version of an entry', `UPDATE entries SET version = 2 WHERE stream = 'a' AND seq = 4`],
  ['the time of an entry', `UPDATE entries SET at_ms = at_ms + 1 WHERE stream = 'a' AND seq = 4`],
  ['the wake-up of an entry', `UPDATE entries SET wake_ms = 1 WHERE stream = 'a' AND seq = 4`],
  ['the checksum of an entry', `UPDATE entries SET crc = crc + 1 WHERE stream = 'a' AND seq = 4`],
  ['the predecessor of an entry', `UPDATE entries SET prev = prev + 1 WHERE stream = 'a' AND seq = 4`],
  ['the place of an entry', `UPDATE entries SET seq = 9 WHERE stream = 'a' AND seq = 5`],
  ['the stream of an entry', `UPDATE entries SET stream = 'b' WHERE stream = 'a' AND seq = 5`],
  ['a middle entry is gone', `DELETE FROM entries WHERE stream = 'a' AND seq = 4`],
  ['the first entry after the snapshot is gone', `DELETE FROM entries WHERE stream = 'a' AND seq = 3`],
  ['the last entry is gone', `DELETE FROM entries WHERE stream = 'a' AND seq = 5`],
  ['all entries are gone', `DELETE FROM entries WHERE stream = 'a'`],
  ['an entry too many', `UPDATE streams SET last_seq = 4 WHERE stream = 'a'`],
  ['the head of a stream', `UPDATE streams SET chain = chain + 1 WHERE stream = 'a'`],
  ['the wake-up of a stream', `UPDATE streams SET wake_ms = wake_ms + 1 WHERE stream = 'a'`],
  ['the wake-up of a stream is gone', `UPDATE streams SET wake_ms = NULL WHERE stream = 'a'`],
  ['what is compacted of a stream', `UPDATE streams SET base_seq = 2 WHERE stream = 'a'`],
  ['what the snapshot of a stream covers', `UPDATE streams SET snapshot_seq = 0 WHERE stream = 'a'`],
  ['a snapshot', `UPDATE snapshots SET body = '"x"' WHERE stream = 'a'`],
  ['the blobs of a snapshot', `UPDATE snapshots SET blobs = '[]' WHERE stream = 'a'`],
  ['the place of a snapshot', `UPDATE snapshots SET seq = 1 WHERE stream = 'a'`],
  ['a snapshot is gone', `DELETE FROM snapshots WHERE stream = 'a'`],
  ['a blob', `UPDATE blobs SET text = 'x' WHERE stream = 'a'`],
  ['the id of a blob', `UPDATE blobs SET id = 'other' WHERE stream = 'a'`],
]

describe('damage to a Postgres journal', () => {
  let server: PostgresServer
  let schemas = 0
  beforeEach(postgresOrSkip)
  beforeAll(async () => {
    if (hasPostgres) server = await startPostgres()
  })
  afterAll(async () => {
    if (hasPostgres) await server[Symbol.asyncDispose]()
  })

  test.each(damages)('%s', async (_, statement) => {
    schemas += 1
    const schema = `damage_${schemas}`
    const source = postgresJournal({ url: server.url, schema })
    const writer = await source.open(host())
    await writer.append([
      append('a', 0, [1, 2], { snapshot: snapshot(2, { blobs: ['x'] }), blobs: [{ id: 'x', text: 'X' }] }),
      append('b', 0, [1]),
    ])
    await writer.append([append('a', 2, [3, 4, 5], { wakeAtMs: 7 })])
    await writer.close()
    await query(server.url, `SET search_path = ${schema}; ALTER TABLE entries ALTER seq DROP NOT NULL; ${statement}`)

    const reader = await source.openReadOnly(host())
    const { problems } = await reader.verify()
    expect(problems.length).toBeGreaterThan(0)
    const endings = await Promise.all([
      ending(reader.load('a')),
      ending(readAll(reader, 'a', 2)),
      ending(reader.blob('a', 'x')),
      ending(reader.list()),
    ])
    expect(endings).toContain('JOURNAL_CORRUPT')
    expect(endings.filter((end) => end !== 'ok' && end !== 'JOURNAL_CORRUPT')).toEqual([])
    await reader.close()
  })
})
