import { crc32 } from 'node:zlib'
import type { EntryKind } from '../../core/journal.ts'

/** A row of `entries`. */
export interface EntryRow {
  readonly position: number
  readonly stream: string
  readonly seq: number
  readonly kind: EntryKind
  readonly version: number
  readonly atMs: number
  /** When its append wanted the stream to be woken. */
  readonly wakeAtMs: number | null
  readonly body: string
  /** `crc` of the entry before it in its stream; 0 for the first. */
  readonly prev: number
  readonly crc: number
}

export const entryColumns =
  'e.position, e.stream, e.seq, e.kind, e.version, e.at_ms AS "atMs", e.wake_ms AS "wakeAtMs", e.body, e.prev, e.crc'

/** A row of `streams`: where a stream ends, and from where on it is kept. */
export interface Head {
  readonly lastSeq: number
  /** `crc` of the last entry. */
  readonly chain: number
  readonly lastAtMs: number
  /** Last entry that was compacted; 0 when all are there. */
  readonly baseSeq: number
  readonly snapshotSeq: number
  readonly nextWakeMs: number | null
}

export const headColumns =
  's.last_seq AS "lastSeq", s.chain, s.at_ms AS "lastAtMs", s.base_seq AS "baseSeq", s.snapshot_seq AS "snapshotSeq", ' +
  's.wake_ms AS "nextWakeMs", s.crc AS "headCrc"'

export const noHead: Head = { lastSeq: 0, chain: 0, lastAtMs: 0, baseSeq: 0, snapshotSeq: 0, nextWakeMs: null }

/** A row of `snapshots`. */
export interface SnapshotRow {
  readonly stream: string
  readonly seq: number
  readonly version: number
  readonly atMs: number
  /** JSON: a list of ids. */
  readonly blobs: string
  readonly crc: number
  readonly body: string
}

/** A row of `blobs`. */
export interface BlobRow {
  readonly stream: string
  readonly id: string
  /** Last entry of the append that it came with. */
  readonly seq: number
  readonly crc: number
  readonly text: string
}

export type Nullable<Row> = { readonly [Column in keyof Row]: Row[Column] | null }

/** The checksum of an entry: over itself and, by `prev`, over all that was ever appended to its stream before it. */
export function chained({
  stream,
  seq,
  kind,
  version,
  atMs,
  wakeAtMs,
  prev,
  body,
}: Omit<EntryRow, 'position' | 'crc'>): number {
  return crc32(body, crc32(JSON.stringify([stream, seq, kind, version, atMs, wakeAtMs]), prev))
}

export const headCrc = (stream: string, head: Head): number =>
  crcOf(stream, head.lastSeq, head.chain, head.lastAtMs, head.baseSeq, head.snapshotSeq, head.nextWakeMs)

export const snapshotCrc = ({ stream, seq, version, atMs, blobs, body }: Omit<SnapshotRow, 'crc'>): number =>
  crcOf(stream, seq, version, atMs, blobs, body)

export const blobCrc = ({ stream, id, seq, text }: Omit<BlobRow, 'crc'>): number => crcOf(stream, id, seq, text)

const crcOf = (...values: readonly (string | number | null)[]): number => crc32(JSON.stringify(values))

/** Columns of rows, each written as the server reads an array. */
export function columns<Column extends string>(
  rows: readonly Readonly<Record<Column, string | number | null>>[],
  names: readonly Column[],
): readonly string[] {
  return names.map((name) => `{${rows.map((row) => literal(row[name])).join(',')}}`)
}

function literal(value: string | number | null): string {
  if (typeof value === 'string') return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  return value === null ? 'NULL' : String(value)
}
