import type { Problem, VerifyReport } from '../../core/journal.ts'
import type { Database } from './database.ts'
import { badCrc } from './heads.ts'
import {
  blobCrc,
  chained,
  entryColumns,
  headColumns,
  headCrc,
  snapshotCrc,
  type BlobRow,
  type EntryRow,
  type Head,
  type Nullable,
  type SnapshotRow,
} from './rows.ts'

/** A stream with its snapshot, either of which may be missing. */
type StreamRow = Nullable<Head> &
  Nullable<Omit<SnapshotRow, 'stream'>> & { readonly name: string; readonly headCrc: number; readonly count: number }

/** An entry with the one before it and with where its stream begins and ends. */
type NeighbourRow = EntryRow &
  Nullable<Pick<Head, 'lastSeq' | 'chain' | 'baseSeq'> & { readonly beforeSeq: number; readonly beforeCrc: number }>

const rowsAtOnce = 200

/** Reads everything as it was at one moment, in pages, and checks it. Rejects with the reason of `signal` when it aborts. */
export async function verify(database: Database, signal: AbortSignal | undefined): Promise<VerifyReport> {
  const [streamTable, entryTable] = [database.table('streams'), database.table('entries')]
  const problems: Problem[] = []
  const note = (where: string, problem: string | undefined): void => {
    if (problem !== undefined) problems.push({ where, problem })
  }
  let [streams, entries, snapshots] = [0, 0, 0]
  await database.transaction('isolation level repeatable read read only', async ({ pages }) => {
    for await (const page of pages<StreamRow>(
      `SELECT coalesce(s.stream, n.stream) AS name, ${headColumns}, n.seq, n.version, n.at_ms AS "atMs", n.blobs, n.crc, n.body,
       (SELECT count(*) FROM ${entryTable} e WHERE e.stream = s.stream) AS count
       FROM ${streamTable} s FULL JOIN ${database.table('snapshots')} n ON n.stream = s.stream`,
      rowsAtOnce,
    )) {
      signal?.throwIfAborted()
      for (const row of page) {
        if (row.lastSeq !== null) streams += 1
        if (row.seq !== null) snapshots += 1
        note(`stream ${row.name}`, problemOfHead(row))
        note(`snapshot of ${row.name}`, problemOfSnapshot(row))
      }
    }
    for await (const page of pages<NeighbourRow>(
      `SELECT ${entryColumns}, s.last_seq AS "lastSeq", s.chain, s.base_seq AS "baseSeq",
       lag(e.seq) OVER w AS "beforeSeq", lag(e.crc) OVER w AS "beforeCrc"
       FROM ${entryTable} e LEFT JOIN ${streamTable} s ON s.stream = e.stream
       WINDOW w AS (PARTITION BY e.stream ORDER BY e.seq)`,
      rowsAtOnce,
    )) {
      signal?.throwIfAborted()
      entries += page.length
      for (const row of page) note(`stream ${row.stream} at ${row.seq}`, problemOfEntry(row))
    }
    for await (const page of pages<BlobRow & { readonly lastSeq: number | null }>(
      `SELECT b.stream, b.id, b.seq, b.crc, b.text, s.last_seq AS "lastSeq"
       FROM ${database.table('blobs')} b LEFT JOIN ${streamTable} s ON s.stream = b.stream`,
      rowsAtOnce,
    )) {
      signal?.throwIfAborted()
      for (const row of page) note(`blob ${row.id} of ${row.stream}`, problemOfBlob(row))
    }
  })
  return { streams, entries, snapshots, problems }
}

const noStream = 'its stream is missing'

function problemOfHead(row: StreamRow): string | undefined {
  const { name, count, lastSeq, chain, lastAtMs, baseSeq, snapshotSeq, nextWakeMs } = row
  if (lastSeq === null || chain === null || lastAtMs === null || baseSeq === null || snapshotSeq === null)
    return noStream
  if (headCrc(name, { lastSeq, chain, lastAtMs, baseSeq, snapshotSeq, nextWakeMs }) !== row.headCrc) return badCrc
  if (count !== lastSeq - baseSeq) return `it has ${count} entries, not those from ${baseSeq + 1} to ${lastSeq}`
  if (snapshotSeq < baseSeq) return `its entries up to ${baseSeq} are gone, and its snapshot covers ${snapshotSeq}`
  return undefined
}

function problemOfSnapshot({ name, snapshotSeq, seq, version, atMs, blobs, crc, body }: StreamRow): string | undefined {
  if (seq === null || version === null || atMs === null || blobs === null || crc === null || body === null)
    return snapshotSeq === 0 || snapshotSeq === null ? undefined : 'it is missing'
  if (snapshotCrc({ stream: name, seq, version, atMs, blobs, body }) !== crc) return badCrc
  return seq === snapshotSeq ? undefined : `it covers entry ${seq}, not ${snapshotSeq}`
}

function problemOfEntry(row: NeighbourRow): string | undefined {
  if (row.lastSeq === null) return noStream
  if (chained(row) !== row.crc) return badCrc
  if (row.seq !== (row.beforeSeq ?? row.baseSeq ?? 0) + 1) return 'the one before it is missing'
  if (row.prev !== (row.beforeCrc ?? row.prev)) return 'it does not follow the one before it'
  if (row.seq === 1 && row.prev !== 0) return 'it is not the first that was written'
  return row.seq === row.lastSeq && row.crc !== row.chain ? 'it is not the last that was written' : undefined
}

const problemOfBlob = (row: BlobRow & { readonly lastSeq: number | null }): string | undefined =>
  row.lastSeq === null ? noStream : blobCrc(row) === row.crc ? undefined : badCrc
