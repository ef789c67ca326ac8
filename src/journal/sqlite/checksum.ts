import { crc32 } from 'node:zlib'
import type { EntryKind } from '../../core/journal.ts'

/** A row of `entries`, as far as its checksum covers it. */
export interface Checked {
  readonly position: number
  /** Id of its stream. */
  readonly stream: number
  readonly seq: number
  /** Position of the entry before it in its stream; 0 for the first. */
  readonly prev: number
  readonly atMs: number
  readonly kind: EntryKind
  readonly version: number
  /** When its append wanted the stream to be woken. */
  readonly wakeAtMs: number | null
  readonly body: string
}

export const kinds: readonly EntryKind[] = ['created', 'received', 'handled', 'failed', 'intent', 'outcome']
const numberOfKind: Readonly<Record<string, number>> = Object.fromEntries(kinds.map((kind, index) => [kind, index]))

const header = new Uint8Array(64)
const view = new DataView(header.buffer)

/** What the chain of a stream begins with: it ties the id of a stream to its name. */
export const seedOf = (name: string): number => crc32(name)

/**
 * The chain of a stream after one more entry: CRC-32 over everything that was ever appended to it. So an entry that was
 * changed, exchanged or lost, or that belongs elsewhere, does not fit to the one after it.
 */
export function chained(before: number, entry: Checked): number {
  view.setFloat64(0, entry.position, true)
  view.setFloat64(8, entry.stream, true)
  view.setFloat64(16, entry.seq, true)
  view.setFloat64(24, entry.prev, true)
  view.setFloat64(32, entry.atMs + 0, true) // -0 comes back as 0
  view.setFloat64(40, numberOfKind[entry.kind] ?? -1, true)
  view.setFloat64(48, entry.version, true)
  view.setFloat64(56, entry.wakeAtMs === null ? -Infinity : entry.wakeAtMs + 0, true)
  return crc32(entry.body, crc32(header, before >>> 0)) // what is damaged may be no checksum at all
}

/** Whether an entry that was read is the one that was written after `before`. Damage can turn a text into bytes, too. */
export const fits = (before: number, entry: Checked & { readonly crc: number }): boolean =>
  typeof entry.body === 'string' && chained(before, entry) === entry.crc

/** The checksum of a row of any other table. */
export const rowCrc = (...values: readonly (string | number | null)[]): number => crc32(JSON.stringify(values))
