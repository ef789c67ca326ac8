import type { CompactReport } from '../../core/journal.ts'
import { heldLeases } from './batch.ts'
import type { Database } from './database.ts'
import { checkedHead, type Heads } from './heads.ts'
import { columns, headColumns, headCrc, type Head } from './rows.ts'

/** Streams and entries that one transaction compacts about: appends wait for it. */
const streamsAtOnce = 100
const entriesAtOnce = 5000

type Removed = Pick<CompactReport, 'entriesRemoved' | 'blobsRemoved'>

/**
 * Removes what the snapshots of some streams cover, oldest first. Answers what it removed, and the stream after which
 * there may be more to do; nothing when another writer took over. Nothing else is written meanwhile: `Writer.exclusive`.
 */
export async function compactSome(
  database: Database,
  heads: Heads,
  writer: { readonly name: string; readonly epoch: number },
  { only, after }: { readonly only: string | undefined; readonly after: string },
): Promise<(Removed & { readonly after: string | undefined }) | undefined> {
  const rows = await database.rows<Head & { readonly stream: string; readonly headCrc: number }>(
    `SELECT s.stream, ${headColumns} FROM ${database.table('streams')} s
     WHERE s.snapshot_seq > 0 AND s.stream > $1 AND ($2::text IS NULL OR s.stream = $2) ORDER BY s.stream LIMIT ${streamsAtOnce}`,
    [after, only ?? null],
  )
  const changed = new Map<string, Head>()
  let [entries, streams, done] = [0, 0, after]
  for (const row of rows) {
    const head = checkedHead(row.stream, row, database.location)
    const baseSeq = Math.min(head.snapshotSeq, head.baseSeq + entriesAtOnce - entries)
    entries += baseSeq - head.baseSeq
    changed.set(row.stream, { ...head, baseSeq })
    if (baseSeq < head.snapshotSeq) break
    streams += 1
    done = row.stream
  }
  const removed = await remove(database, writer, changed)
  if (removed === undefined) return undefined
  heads.keep(changed)
  const isLast = rows.length < streamsAtOnce && streams === rows.length
  return { ...removed, after: isLast ? undefined : done }
}

async function remove(
  database: Database,
  writer: { readonly name: string; readonly epoch: number },
  heads: ReadonlyMap<string, Head>,
): Promise<Removed | undefined> {
  const rows = [...heads].map(([stream, head]) => ({ stream, baseSeq: head.baseSeq, crc: headCrc(stream, head) }))
  const [removed] = await database.rows<Removed & { readonly allowed: boolean }>(
    `WITH ${heldLeases(database)},
     covered AS (
       SELECT * FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS c(stream, base_seq, crc)
       WHERE (SELECT yes FROM allowed)),
     entries AS (
       DELETE FROM ${database.table('entries')} e USING covered c
       WHERE e.stream = c.stream AND e.seq <= c.base_seq RETURNING 1),
     blobs AS (
       DELETE FROM ${database.table('blobs')} b USING covered c JOIN ${database.table('snapshots')} n ON n.stream = c.stream
       WHERE b.stream = c.stream AND b.seq <= n.seq AND NOT n.blobs::jsonb ? b.id RETURNING 1),
     heads AS (
       UPDATE ${database.table('streams')} s SET base_seq = c.base_seq, crc = c.crc FROM covered c
       WHERE s.stream = c.stream)
     SELECT (SELECT count(*) FROM entries) AS "entriesRemoved", (SELECT count(*) FROM blobs) AS "blobsRemoved",
       (SELECT yes FROM allowed) AS allowed`,
    [...columns([writer], ['name', 'epoch']), ...columns(rows, ['stream', 'baseSeq', 'crc'])],
  )
  if (removed?.allowed !== true) return undefined
  const { entriesRemoved, blobsRemoved } = removed
  return { entriesRemoved, blobsRemoved }
}
