import type { CompactReport } from '../../core/journal.ts'
import { corrupt } from './faults.ts'
import type { Reading } from './reading.ts'
import type { Writer } from './writer.ts'

/** Entries that one transaction removes, about; streams that it cares for; pages that it gives back. */
const entriesAtOnce = 1000
const streamsAtOnce = 200
const pagesAtOnce = 500
/** Entries that are walked along between two looks at what else there is to do. */
const stepEntries = 2000

/** What is to be removed of a stream: positions of entries, oldest first, and ids of blobs. */
interface Removal {
  readonly name: string
  readonly positions: readonly number[]
  readonly blobs: readonly string[]
}

/**
 * Removes what snapshots cover, oldest entries first, in transactions that each leave a whole journal: with the entries
 * that it removes, a transaction raises the base of their stream. One at a time, while appends go on between its steps.
 */
export function* compactSteps(writer: Writer, reading: Reading, only?: string): Generator<undefined, CompactReport> {
  const { tables } = writer
  const bytesBefore = reading.bytes()
  // So that no entry is removed that finding the heads again would need.
  yield* writer.flush()
  let [streams, entriesRemoved, blobsRemoved] = [0, 0, 0]
  for (let after = 0; ;) {
    const page = only === undefined ? tables.headsById(after, streamsAtOnce) : [{ id: 0, name: only }]
    const removals: Removal[] = []
    for (const { name } of page) {
      const removal = yield* removalOf(writer, name)
      if (removal !== undefined) removals.push(removal)
    }
    for (const some of inBatches(removals)) {
      writer.transaction(() => {
        for (const removal of some) remove(writer, removal)
      })
      for (const { positions, blobs } of some) {
        entriesRemoved += positions.length
        blobsRemoved += blobs.length
      }
      yield
    }
    streams += page.length
    after = page.at(-1)?.id ?? 0
    if (page.length < streamsAtOnce) break
  }
  yield* giveBack(writer)
  return { streams, entriesRemoved, blobsRemoved, bytesBefore, bytesAfter: reading.bytes() }
}

function* removalOf({ tables, heads }: Writer, name: string): Generator<undefined, Removal | undefined> {
  const head = heads.find(name)
  if (head === undefined || head.snapshotSeq === 0) return undefined
  const { id, baseSeq } = head
  let { seq, position } = head
  const snapshot = tables.snapshot(id)
  if (snapshot === undefined) throw corrupt(`snapshot of ${name}`, 'it is missing')
  const positions: number[] = []
  // What is removed lies behind: neither appends nor newer snapshots change that.
  for (let steps = 1; seq > baseSeq; seq -= 1, steps += 1) {
    const link = tables.link(position)
    if (link?.stream !== id || link.seq !== seq) throw corrupt(`stream ${name} at ${seq}`, 'it is missing')
    if (seq <= snapshot.seq) positions.push(position)
    position = link.prev
    if (steps % stepEntries === 0) yield
  }
  const blobs = tables.coveredBlobs(id, snapshot)
  return positions.length + blobs.length === 0 ? undefined : { name, positions: positions.reverse(), blobs }
}

/** Parts of what is to be removed, each small enough for a transaction. */
function* inBatches(removals: readonly Removal[]): Generator<readonly Removal[]> {
  let batch: Removal[] = []
  let size = 0
  for (const { name, positions, blobs } of removals)
    for (let from = 0; from === 0 || from < positions.length; from += entriesAtOnce) {
      const part = positions.slice(from, from + entriesAtOnce)
      // As long as an entry is there, so are its blobs.
      const isLast = from + entriesAtOnce >= positions.length
      batch.push({ name, positions: part, blobs: isLast ? blobs : [] })
      size += part.length
      if (size < entriesAtOnce) continue
      yield batch
      batch = []
      size = 0
    }
  if (batch.length > 0) yield batch
}

function remove({ tables, heads }: Writer, { name, positions, blobs }: Removal): void {
  const head = heads.find(name)
  if (head === undefined) throw corrupt(`stream ${name}`, 'it is missing')
  heads.touch(head, true)
  for (const position of positions) {
    const entry = tables.entry(position)
    if (entry?.stream !== head.id) throw corrupt(`stream ${name} after ${head.baseSeq}`, 'an entry is missing')
    head.baseSeq = entry.seq
    head.baseCrc = entry.crc
    tables.removeEntry(position)
  }
  for (const id of blobs) tables.removeBlob(head.id, id)
}

function* giveBack(writer: Writer): Generator<undefined, void> {
  const { tables } = writer
  while (tables.pragma('freelist_count') > 0) {
    writer.transaction(() => {
      tables.db.exec(`PRAGMA incremental_vacuum(${pagesAtOnce})`)
    })
    yield
  }
  writer.checkpoint()
}
