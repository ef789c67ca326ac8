import { DefinitionInvalidError } from '../core/errors.ts'
import { EntryTooLargeError } from '../core/journal-errors.ts'
import type { Append, Snapshot } from '../core/journal.ts'

/** UTF-8 bytes of the largest body, snapshot or blob that an adapter takes, unless it is told otherwise. */
export const defaultMaxEntryBytes = 16 * 1024 * 1024

/** UTF-8 bytes that wait to be written at most, unless an adapter is told otherwise. One append alone may have more. */
export const defaultMaxWaitingBytes = 64 * 1024 * 1024

/** Longest name of a stream, a blob or a lease, in UTF-8 bytes: what the indexes of every adapter can hold. */
const longestNameBytes = 2000

/**
 * What every adapter asks of an append before it looks at what is there. Answers its UTF-8 bytes.
 *
 * @throws {EntryTooLargeError} `ENTRY_TOO_LARGE`.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID` for one that could not be written as it is meant: nothing in it,
 * a snapshot of entries that do not exist, a base without one, a time that is no number, a text that is no Unicode.
 */
export function checkAppends(appends: readonly Append[], maxEntryBytes: number): number {
  let total = 0
  for (const { stream, expectedSeq, baseSeq, entries, snapshot, blobs = [], wakeAtMs } of appends) {
    checkName('the name of a stream', stream)
    const lastSeq = expectedSeq + entries.length
    if (!isCount(expectedSeq)) throw wrong(stream, `expectedSeq is a count of entries, not ${expectedSeq}`)
    if (!isCount(lastSeq)) throw wrong(stream, `there is no entry ${lastSeq}: it is more than can be counted`)
    if (baseSeq !== undefined) checkBase(stream, baseSeq, expectedSeq, snapshot)
    if (entries.length === 0 && snapshot === undefined) throw wrong(stream, 'there is neither an entry nor a snapshot')
    if (wakeAtMs !== null && !Number.isFinite(wakeAtMs))
      throw wrong(stream, `wakeAtMs is a time or null, not ${wakeAtMs}`)
    for (const [index, { version, atMs, body }] of entries.entries()) {
      if (!isCount(version)) throw wrong(stream, `a version is a whole number, not ${version}`)
      if (!Number.isFinite(atMs)) throw wrong(stream, `atMs is a time, not ${atMs}`)
      total += bytesOf(body, maxEntryBytes, () => `entry ${expectedSeq + index + 1} of ${stream}`)
    }
    if (snapshot !== undefined) {
      const { seq, version, atMs, body } = snapshot
      if (!isCount(seq) || seq < 1 || seq > lastSeq)
        throw wrong(stream, `its snapshot covers entry ${seq} of ${lastSeq}`)
      if (!isCount(version)) throw wrong(stream, `a version is a whole number, not ${version}`)
      if (!Number.isFinite(atMs)) throw wrong(stream, `atMs is a time, not ${atMs}`)
      total += bytesOf(body, maxEntryBytes, () => `the snapshot of ${stream}`)
    }
    for (const { id, text } of blobs) {
      checkName('the id of a blob', id)
      total += bytesOf(text, maxEntryBytes, () => `the blob ${id} of ${stream}`)
    }
  }
  return total
}

function checkBase(stream: string, baseSeq: number, expectedSeq: number, snapshot: Snapshot | undefined): void {
  if (!isCount(baseSeq) || baseSeq < 1) throw wrong(stream, `baseSeq is a count of entries from 1, not ${baseSeq}`)
  if (expectedSeq !== baseSeq)
    throw wrong(stream, `it begins after entry ${baseSeq}, and expectedSeq is ${expectedSeq}`)
  if (snapshot === undefined || snapshot.seq < baseSeq)
    throw wrong(stream, `it begins after entry ${baseSeq}, so it needs a snapshot that covers that entry`)
}

/** Where a stream has to end for an append: 0, as one that does not exist, when the append begins it. */
export const endBefore = ({ expectedSeq, baseSeq }: Append): number => (baseSeq === undefined ? expectedSeq : 0)

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for what no adapter could keep as a name. */
export function checkName(what: string, name: string): void {
  if (name.length > 0 && Buffer.byteLength(name) <= longestNameBytes && isText(name)) return
  const given = JSON.stringify(name.slice(0, 100))
  throw new DefinitionInvalidError(what, `it has 1 to ${longestNameBytes} bytes of Unicode without NUL, not ${given}`)
}

/** A replacement of a snapshot by an older one: entries that only the newer one knows of may be gone. */
export const olderSnapshot = (stream: string, seq: number, presentSeq: number): Error =>
  wrong(stream, `its snapshot covers entry ${seq}, and there is one that covers entry ${presentSeq}`)

function bytesOf(text: string, maxBytes: number, what: () => string): number {
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) throw new EntryTooLargeError(what(), bytes, maxBytes)
  if (!isText(text)) throw new DefinitionInvalidError(what(), 'it is Unicode without NUL, as JSON.stringify writes it')
  return bytes
}

const wrong = (stream: string, problem: string): DefinitionInvalidError =>
  new DefinitionInvalidError(`append to ${stream}`, problem)

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/** What databases keep as it is. JSON.stringify escapes everything else. */
const isText = (text: string): boolean => text.isWellFormed() && !text.includes('\0')
