/**
 * Entries of 200 bytes that are on disk when they are acknowledged: one at a time, 64 and 1,000 waiting at once, over 1,000
 * streams. The raw limit encodes, sums up and writes a batch to a file and calls fdatasync once for all of it; bare
 * node:sqlite inserts the batch in one transaction with synchronous=FULL on the main thread. Postgres runs as the
 * project's own adapter, on a server that is started here, when one is installed.
 */

import type { Append, JournalSource } from 'echelon/journal'
import type { Bench } from './frame/bench.ts'
import { hasPostgres, startPostgres } from '../test/support/postgres.ts'
import { atEnd, temporaryFolder } from './frame/at-end.ts'
import { perSecond } from './frame/measure.ts'

const streams = 1_000
const padding = 'x'.repeat(130)
const bodyOf = (n: number): string =>
  JSON.stringify({ message: { type: 'order.pay', amount: n, card: '4711', note: padding } })

/** As many batches as make a run worth timing, and its end, at which fewer and fewer wait, a small part of it. */
const batches = 50

const raw = (pending: number) => async () => {
  const { open } = await import('node:fs/promises')
  const { crc32 } = await import('node:zlib')
  const file = await open(`${temporaryFolder()}/raw`, 'a')
  let n = 0
  const batch = async (): Promise<void> => {
    let text = ''
    for (let i = 0; i < pending; i++) {
      const body = bodyOf(n++)
      text += `${crc32(body)} ${body}\n`
    }
    await file.write(text)
    await file.datasync()
  }
  return inBatches(pending, batch)
}

const bareSqlite = (pending: number) => async () => {
  const { DatabaseSync } = await import('node:sqlite')
  const db = new DatabaseSync(`${temporaryFolder()}/bare.db`)
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE entries (pos INTEGER PRIMARY KEY, body TEXT)')
  const insert = db.prepare('INSERT INTO entries (body) VALUES (?)')
  let n = 0
  const batch = (): void => {
    db.exec('BEGIN')
    for (let i = 0; i < pending; i++) insert.run(bodyOf(n++))
    db.exec('COMMIT')
  }
  return inBatches(pending, batch)
}

const inBatches = (pending: number, batch: () => unknown) => (ms: number) =>
  perSecond(ms, pending * batches, async () => {
    for (let i = 0; i < batches; i++) await batch()
  })

/** So many writers, each of which appends to its next stream as soon as its last append is acknowledged. */
const through = (open: () => Promise<JournalSource>, pending: number) => async () => {
  const { systemClock } = await import('echelon')
  const journal = await (await open()).open({ node: 'bench', clock: systemClock })
  const seqs = new Uint32Array(streams)
  let n = 0
  const write = async (): Promise<void> => {
    for (let i = 0; i < batches; i++) {
      const stream = n++ % streams
      await journal.append([appendTo(stream, (seqs[stream] ?? 0) + 1)])
      seqs[stream] = (seqs[stream] ?? 0) + 1
    }
  }
  return (ms: number) => perSecond(ms, pending * batches, () => Promise.all(Array.from({ length: pending }, write)))
}

const appendTo = (stream: number, seq: number): Append => ({
  stream: `/durable/order/${stream}`,
  expectedSeq: seq - 1,
  entries: [{ kind: 'handled', version: 1, atMs: 1_700_000_000_000, body: bodyOf(seq) }],
  wakeAtMs: null,
})

const sqlite = async (): Promise<JournalSource> => {
  const { sqliteJournal } = await import('echelon/journal')
  return sqliteJournal(`${temporaryFolder()}/journal.db`)
}

const postgres = async (): Promise<JournalSource> => {
  const { postgresJournal } = await import('echelon/journal')
  const server = await startPostgres()
  atEnd(() => server[Symbol.asyncDispose]())
  return postgresJournal({ url: server.url })
}

export default {
  name: 'durable-append',
  question: 'How many entries are acknowledged, which means on disk?',
  unit: 'entries/s',
  goals: [
    { subject: 'Echelon, 1 pending', atLeast: 5_000 },
    { subject: 'Echelon, 64 pending', atLeast: 80_000, aim: 200_000 },
    { subject: 'Echelon, 1,000 pending', atLeast: 200_000, aim: 600_000 },
  ],
  subjects: {
    'fdatasync, 1 pending': raw(1),
    'node:sqlite, 1 pending': bareSqlite(1),
    ...(hasPostgres ? { 'Postgres, 1 pending': through(postgres, 1) } : {}),
    'Echelon, 1 pending': through(sqlite, 1),
    'fdatasync, 64 pending': raw(64),
    'node:sqlite, 64 pending': bareSqlite(64),
    ...(hasPostgres ? { 'Postgres, 64 pending': through(postgres, 64) } : {}),
    'Echelon, 64 pending': through(sqlite, 64),
    'fdatasync, 1,000 pending': raw(1_000),
    'node:sqlite, 1,000 pending': bareSqlite(1_000),
    ...(hasPostgres ? { 'Postgres, 1,000 pending': through(postgres, 1_000) } : {}),
    'Echelon, 1,000 pending': through(sqlite, 1_000),
  },
} satisfies Bench
