import { JournalCorruptError } from '../../core/journal-errors.ts'
import type { Due, JournalEntry, JournalInfo, Loaded, Snapshot, StreamInfo } from '../../core/journal.ts'
import { checkName } from '../append-check.ts'
import type { Database } from './database.ts'
import { badCrc, checkedHead } from './heads.ts'
import {
  blobCrc,
  chained,
  entryColumns,
  headColumns,
  noHead,
  snapshotCrc,
  type BlobRow,
  type EntryRow,
  type Head,
  type Nullable,
  type SnapshotRow,
} from './rows.ts'
import { formatVersion } from './schema.ts'

const pageEntries = 1000
/** UTF-8 bytes of the bodies of one answer, unless the first one alone has more. */
const pageBytes = 4 * 1024 * 1024

type HeadRow = Head & { readonly headCrc: number }
/** One for each entry, or one without; the snapshot is in the first. */
type StreamRow = HeadRow & Nullable<EntryRow> & { readonly snapshot: SnapshotRow | null }

/** All that reads, each a single statement: its answer is of one moment. Checks all that it gives. */
export class Reading {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async load(stream: string): Promise<Loaded> {
    const { head, snapshot, entries } = await this.#page(stream, undefined, pageEntries)
    if (head.snapshotSeq !== (snapshot?.seq ?? 0))
      throw this.#corrupt(`snapshot of ${stream}`, `it covers entry ${snapshot?.seq}, not ${head.snapshotSeq}`)
    return { lastSeq: head.lastSeq, wakeAtMs: head.nextWakeMs, snapshot, entries }
  }

  async read(stream: string, afterSeq: number, limit = pageEntries): Promise<readonly JournalEntry[]> {
    return (await this.#page(stream, afterSeq, limit)).entries
  }

  /** What is after a snapshot, with it; or after an entry. */
  async #page(
    stream: string,
    afterSeq: number | undefined,
    limit: number,
  ): Promise<{ head: Head; snapshot: Snapshot | undefined; entries: readonly JournalEntry[] }> {
    checkName('the name of a stream', stream)
    const { location } = this.#database
    const entriesPage = pageOf(
      this.#database,
      'e.stream = s.stream AND e.seq > coalesce($2, s.snapshot_seq)',
      'seq',
      '$3',
    )
    const rows = await this.#database.rows<StreamRow>(
      `SELECT ${headColumns}, ${entryColumns},
         CASE WHEN $2::bigint IS NULL AND coalesce(e.number, 1) = 1 THEN (
           SELECT json_build_object('stream', n.stream, 'seq', n.seq, 'version', n.version, 'atMs', n.at_ms, 'blobs', n.blobs, 'crc', n.crc,
             'body', n.body) FROM ${this.#database.table('snapshots')} n WHERE n.stream = s.stream) END AS snapshot
       FROM ${this.#database.table('streams')} s LEFT JOIN LATERAL (${entriesPage}) e ON true
       WHERE s.stream = $1 ORDER BY e.seq`,
      [stream, afterSeq ?? null, limitOf(limit)],
    )
    const first = rows[0]
    if (first === undefined) return { head: noHead, snapshot: undefined, entries: [] }
    const head = checkedHead(stream, first, location)
    const snapshot = first.snapshot === null ? undefined : this.#snapshot(first.snapshot)
    const entries = rows.filter(hasEntry)
    this.#checkChain(head, Math.max(afterSeq ?? head.snapshotSeq, head.baseSeq), entries, stream)
    return { head, snapshot, entries: entries.map((row) => this.#entry(row)) }
  }

  /** That entries follow `afterSeq` and each other, up to the head of their stream. */
  #checkChain(head: Head, afterSeq: number, entries: readonly EntryRow[], stream: string): void {
    let [seq, prev] = [afterSeq, entries[0]?.prev ?? head.chain]
    for (const entry of entries) {
      if (entry.seq !== seq + 1) throw this.#corrupt(`stream ${stream} at ${seq + 1}`, 'it is missing')
      if (entry.prev !== prev)
        throw this.#corrupt(`stream ${stream} at ${entry.seq}`, `it does not follow entry ${seq}`)
      seq = entry.seq
      prev = entry.crc
    }
    if (entries.length === 0 && seq < head.lastSeq)
      throw this.#corrupt(`stream ${stream} at ${seq + 1}`, 'it is missing')
    if (seq > head.lastSeq && entries.length > 0)
      throw this.#corrupt(`stream ${stream}`, `it has entries after ${head.lastSeq}`)
    if (seq === head.lastSeq && prev !== head.chain) throw this.#corrupt(`stream ${stream} at ${seq}`, badCrc)
  }

  /** Entries after a position, as many as fit into a page. */
  async after(position: number): Promise<readonly JournalEntry[]> {
    const page = pageOf(this.#database, 'e.position > $1', 'position', `${pageEntries}`)
    const rows = await this.#database.rows<EntryRow>(`SELECT ${entryColumns} FROM (${page}) e ORDER BY e.position`, [
      position,
    ])
    return rows.map((row) => this.#entry(row))
  }

  async blob(stream: string, id: string): Promise<string> {
    checkName('the name of a stream', stream)
    checkName('the id of a blob', id)
    const [row] = await this.#database.rows<BlobRow>(
      `SELECT stream, id, seq, crc, text FROM ${this.#database.table('blobs')} WHERE stream = $1 AND id = $2`,
      [stream, id],
    )
    if (row === undefined) throw this.#corrupt(`stream ${stream}`, `there is no blob ${id}`)
    if (row.crc !== blobCrc(row)) throw this.#corrupt(`blob ${id} of ${stream}`, badCrc)
    return row.text
  }

  async list(prefix: string, afterStream: string, limit = pageEntries): Promise<readonly StreamInfo[]> {
    const rows = await this.#database.rows<HeadRow & { readonly stream: string }>(
      `SELECT s.stream, ${headColumns} FROM ${this.#database.table('streams')} s
       WHERE s.stream >= $1 AND s.stream > $2 AND ($3::text IS NULL OR s.stream < $3) ORDER BY s.stream LIMIT $4`,
      [prefix, afterStream, endOf(prefix), limitOf(limit)],
    )
    return rows.map((row) => {
      const { lastSeq, lastAtMs, snapshotSeq, nextWakeMs } = checkedHead(row.stream, row, this.#database.location)
      return { stream: row.stream, lastSeq, atMs: lastAtMs, snapshotSeq, wakeAtMs: nextWakeMs }
    })
  }

  async due(beforeMs: number, limit = pageEntries): Promise<readonly Due[]> {
    const rows = await this.#database.rows<HeadRow & { readonly stream: string }>(
      `SELECT s.stream, ${headColumns} FROM ${this.#database.table('streams')} s
       WHERE s.wake_ms <= $1 ORDER BY s.wake_ms, s.stream LIMIT $2`,
      [beforeMs, limitOf(limit)],
    )
    return rows.flatMap((row) => {
      const { nextWakeMs } = checkedHead(row.stream, row, this.#database.location)
      return nextWakeMs === null ? [] : [{ stream: row.stream, wakeAtMs: nextWakeMs }]
    })
  }

  async info(): Promise<Omit<JournalInfo, 'writer'>> {
    const [counts] = await this.#database.rows<Pick<JournalInfo, 'streams' | 'entries'>>(
      `SELECT (SELECT count(*) FROM ${this.#database.table('streams')}) AS streams,
       (SELECT count(*) FROM ${this.#database.table('entries')}) AS entries`,
    )
    const { streams = 0, entries = 0 } = counts ?? {}
    return {
      kind: 'postgres',
      location: this.#database.location,
      formatVersion,
      streams,
      entries,
      bytes: await this.bytes(),
    }
  }

  async streams(): Promise<number> {
    const [count] = await this.#database.rows<Pick<JournalInfo, 'streams'>>(
      `SELECT count(*) AS streams FROM ${this.#database.table('streams')}`,
    )
    return count?.streams ?? 0
  }

  /** Of all tables with their indexes. */
  async bytes(): Promise<number> {
    const [size] = await this.#database.rows<{ readonly bytes: number }>(
      `SELECT sum(pg_total_relation_size(c.oid))::bigint AS bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`,
      [this.#database.settings.schema],
    )
    return size?.bytes ?? 0
  }

  #entry(row: EntryRow): JournalEntry {
    if (chained(row) !== row.crc) throw this.#corrupt(`stream ${row.stream} at ${row.seq}`, badCrc)
    const { stream, seq, position, kind, version, atMs, body } = row
    return { stream, seq, position, kind, version, atMs, body }
  }

  #snapshot(row: SnapshotRow): Snapshot {
    if (snapshotCrc(row) !== row.crc) throw this.#corrupt(`snapshot of ${row.stream}`, badCrc)
    const { seq, version, atMs, blobs, body } = row
    return { seq, version, atMs, body, blobs: JSON.parse(blobs) as string[] } // what was written: its checksum fits
  }

  #corrupt(where: string, problem: string): JournalCorruptError {
    return new JournalCorruptError(this.#database.location, where, problem)
  }
}

const hasEntry = (row: StreamRow): row is StreamRow & EntryRow => row.seq !== null

/** A number that the server takes as a limit. */
const limitOf = (limit: number): number => Math.max(0, Math.min(Math.floor(limit), 2 ** 31))

/** Entries in order, up to a count and to `pageBytes`, but one at least when there is any. */
const pageOf = (database: Database, where: string, by: 'seq' | 'position', limit: string): string => `
  SELECT * FROM (
    SELECT p.*, row_number() OVER w AS number, sum(octet_length(p.body)) OVER w AS bytes
    FROM (SELECT e.* FROM ${database.table('entries')} e WHERE ${where} ORDER BY e.${by} LIMIT ${limit}) p
    WINDOW w AS (ORDER BY p.${by})) q
  WHERE q.number = 1 OR q.bytes <= ${pageBytes}`

/** The first name after all that begin with `prefix`; none when there is no such name. */
function endOf(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop())
    if (last < 0x10ffff) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  return null
}
