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

/** The checksum of a row. */
export const crcOf = (...values: readonly (string | number | null)[]): number => crc32(JSON.stringify(values))

/** The checksum of an entry: over itself and, by `prev`, over all that was ever appended to its stream before it. */
export const chained = (entry: Omit<EntryRow, 'position' | 'crc'>): number =>
  crc32(
    entry.body,
    crc32(JSON.stringify([entry.stream, entry.seq, entry.kind, entry.version, entry.atMs, entry.wakeAtMs]), entry.prev),
  )

export const headCrc = (stream: string, head: Head): number =>
  crcOf(stream, head.lastSeq, head.chain, head.lastAtMs, head.baseSeq, head.snapshotSeq, head.nextWakeMs)

/** A list of numbers as the server reads an array. */
export const numbers = (list: readonly (number | null)[]): string => `{${list.map((one) => one ?? 'NULL').join(',')}}`

/** A list of texts as the server reads an array. */
export const texts = (list: readonly string[]): string => `{${list.map(quoted).join(',')}}`

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
