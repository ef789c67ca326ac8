import type { CompactReport } from '../../core/journal.ts'
import type { Reading } from './reading.ts'
import { corrupt } from './faults.ts'
import type { Head } from './tables.ts'
import type { Writer } from './writer.ts'

/** Entries that one transaction removes about, and pages that it gives back. */
const entriesAtOnce = 1000
const pagesAtOnce = 500

/**
 * Removes what snapshots cover, oldest entries first, in transactions that each leave a whole journal: with the entries
 * that it removes, a transaction raises the base of their stream.
 */
export function* compactSteps(writer: Writer, reading: Reading, only?: string): Generator<undefined, CompactReport> {
  const { tables, heads } = writer
  const bytesBefore = reading.bytes()
  // So that no entry is removed that finding the heads again would need.
  yield* writer.flush()
  let [streams, entriesRemoved, blobsRemoved] = [0, 0, 0]
  for (let page = first(); page.length > 0; page = next(page)) {
    streams += page.length
    for (const head of page) {
      if (head.snapshotSeq === 0) continue
      const work = covered(writer, head)
      for (let from = 0; from < work.length || from === 0; from += entriesAtOnce) {
        const some = work.slice(from, from + entriesAtOnce)
        blobsRemoved += writer.transaction(() => remove(writer, head, some))
        entriesRemoved += some.length
        yield
      }
    }
  }
  yield* giveBack(writer)
  return { streams, entriesRemoved, blobsRemoved, bytesBefore, bytesAfter: reading.bytes() }

  function first(): Head[] {
    if (only === undefined) return next([])
    const head = heads.find(only)
    return head === undefined ? [] : [head]
  }

  function next(page: readonly Head[]): Head[] {
    if (only !== undefined && page.length > 0) return []
    const rows = tables.headsById(page.at(-1)?.id ?? 0, 500)
    return rows.flatMap(({ name }) => heads.find(name) ?? [])
  }
}

/** Positions of the entries that the snapshot of a stream covers, oldest first. */
function covered({ tables }: Writer, head: Head): number[] {
  const positions: number[] = []
  let position = head.position
  for (let seq = head.seq; seq > head.baseSeq; seq -= 1) {
    const link = tables.link(position)
    if (link?.stream !== head.id || link.seq !== seq) throw corrupt(`stream ${head.name} at ${seq}`, 'it is missing')
    if (seq <= head.snapshotSeq) positions.push(position)
    position = link.prev
  }
  return positions.reverse()
}

function remove({ tables, heads }: Writer, head: Head, positions: readonly number[]): number {
  heads.touch(head, true)
  for (const position of positions) {
    const entry = tables.entry(position)
    if (entry === undefined) throw corrupt(`stream ${head.name}`, 'an entry is missing')
    head.baseSeq = entry.seq
    head.baseCrc = entry.crc
    tables.removeEntry(position)
  }
  const snapshot = tables.snapshot(head.id)
  return snapshot === undefined ? 0 : tables.removeBlobs(head.id, snapshot)
}

function* giveBack(writer: Writer): Generator<undefined, void> {
  const { tables } = writer
  for (;;) {
    const free = Object.values(tables.get<Record<string, number>>('PRAGMA freelist_count') ?? {})[0] ?? 0
    if (free === 0) break
    writer.transaction(() => {
      tables.db.exec(`PRAGMA incremental_vacuum(${pagesAtOnce})`)
    })
    yield
  }
  writer.checkpoint('TRUNCATE')
}
