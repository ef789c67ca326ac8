import type { Due, JournalEntry, Loaded, StreamInfo } from '../../core/journal.ts'
import { fits } from './checksum.ts'
import { corrupt } from './faults.ts'
import type { Heads } from './heads.ts'
import { entryProblem } from './verify.ts'
import { badCrc, type EntryRow, type Head, type Tables } from './tables.ts'

/** Entries of a page when nothing else is said, and at most. */
const pageEntries = 1000
const mostEntries = 10_000
const pageBytes = 4 * 1024 * 1024
/** Entries that are walked along between two looks at what else there is to do. */
const stepEntries = 2000
/** How far apart places are remembered of a stream that is read page by page, and of how many streams. */
const markEvery = 512
const markedStreams = 8

/**
 * Reads streams from their heads backwards, since that is how they are linked, and answers them forwards. Everything
 * that is answered has been checked.
 */
export class Reading {
  readonly #tables: Tables
  readonly #heads: Heads
  /** Positions along the streams that were walked last, by seq: a long stream is not walked again for each page. */
  readonly #marks = new Map<number, Map<number, number>>()

  constructor(tables: Tables, heads: Heads) {
    this.#tables = tables
    this.#heads = heads
  }

  load(name: string): Generator<undefined, Loaded> {
    return steady(() => this.#load(name))
  }

  read(name: string, afterSeq: number, limit = pageEntries): Generator<undefined, readonly JournalEntry[]> {
    return steady(() => this.#read(name, afterSeq, Math.min(limit, mostEntries)))
  }

  *#load(name: string): Generator<undefined, Loaded> {
    const head = this.#heads.find(name)
    if (head === undefined) return { lastSeq: 0, wakeAtMs: null, snapshot: undefined, entries: [] }
    const { seq: lastSeq, wakeAtMs, snapshotSeq } = head
    if (snapshotSeq === 0)
      return { lastSeq, wakeAtMs, snapshot: undefined, entries: yield* this.#page(head, 0, pageEntries) }
    const row = this.#tables.snapshot(head.id)
    if (row?.seq !== snapshotSeq) throw corrupt(`snapshot of ${name}`, `the one at entry ${snapshotSeq} is missing`)
    const { seq, version, atMs, body, blobs, entryCrc } = row
    const entries = yield* this.#page(head, seq, pageEntries, entryCrc)
    // It is what `putSnapshot` wrote: its checksum fits.
    return { lastSeq, wakeAtMs, snapshot: { seq, version, atMs, body, blobs: JSON.parse(blobs) as string[] }, entries }
  }

  *#read(name: string, afterSeq: number, limit: number): Generator<undefined, readonly JournalEntry[]> {
    const head = this.#heads.find(name)
    return head === undefined ? [] : yield* this.#page(head, afterSeq, limit)
  }

  /** Entries after `afterSeq`, checked against `before`, the chain there, which is looked up when it is not given. */
  *#page(head: Head, afterSeq: number, limit: number, before?: number): Generator<undefined, JournalEntry[]> {
    const from = Math.max(afterSeq, head.baseSeq)
    const to = Math.min(head.seq, from + limit)
    if (from >= to) return []
    const { positions, prev } = yield* this.#walk(head, from, to)
    let crc = before !== undefined && from === afterSeq ? before : this.#chainAt(head, from, prev)
    return positions.map((position, index) => {
      const entry = this.#entry(head, position, from + index + 1)
      if (!fits(crc, entry)) throw corrupt(`stream ${head.name} at ${entry.seq}`, badCrc)
      crc = entry.crc
      return publicEntry(head.name, entry)
    })
  }

  /** Positions of the entries from after `from` on: up to `to`, or to where they are too large for a page. */
  *#walk(head: Head, from: number, to: number): Generator<undefined, { positions: number[]; prev: number }> {
    const marks = this.#marksOf(head)
    let [seq, position] = [head.seq, head.position]
    for (const [markedSeq, marked] of marks)
      if (markedSeq >= to && markedSeq < seq) [seq, position] = [markedSeq, marked]
    const found: { readonly position: number; readonly bytes: number }[] = []
    for (let steps = 1; seq > from; steps += 1) {
      const link = this.#tables.link(position)
      if (link?.stream !== head.id || link.seq !== seq) throw corrupt(`stream ${head.name} at ${seq}`, 'it is missing')
      if (seq <= to) found.push({ position, bytes: link.bytes })
      if (seq % markEvery === 0) marks.set(seq, position)
      position = link.prev
      seq -= 1
      if (steps % stepEntries === 0) {
        yield
        if ((this.#heads.find(head.name)?.baseSeq ?? 0) > from) throw new Moved()
      }
    }
    let bytes = 0
    found.reverse()
    const tooMany = found.findIndex((one, index) => (bytes += one.bytes) > pageBytes && index > 0)
    const page = tooMany < 0 ? found : found.slice(0, tooMany)
    return { positions: page.map((one) => one.position), prev: position }
  }

  #marksOf({ id }: Head): Map<number, number> {
    let marks = this.#marks.get(id)
    if (marks === undefined) {
      marks = new Map()
      this.#marks.set(id, marks)
      const [oldest] = this.#marks.keys()
      if (this.#marks.size > markedStreams && oldest !== undefined) this.#marks.delete(oldest)
    }
    return marks
  }

  #chainAt(head: Head, seq: number, position: number): number {
    return seq === head.baseSeq ? head.baseCrc : this.#entry(head, position, seq).crc
  }

  #entry(head: Head, position: number, seq: number): EntryRow {
    const entry = this.#tables.entry(position)
    if (entry?.stream === head.id && entry.seq === seq) return entry
    throw corrupt(`stream ${head.name} at ${seq}`, 'it is missing')
  }

  tail(afterPosition: number): JournalEntry[] {
    let bytes = 0
    const page: JournalEntry[] = []
    for (const row of this.#tables.tailAfter(afterPosition, pageEntries)) {
      const problem = entryProblem(row)
      if (problem !== undefined) throw corrupt(`stream ${row.name ?? row.stream} at ${row.seq}`, problem)
      bytes += row.body.length
      if (bytes > pageBytes && page.length > 0) break
      page.push(publicEntry(row.name ?? '', row))
    }
    return page
  }

  blob(name: string, id: string): string {
    const head = this.#heads.find(name)
    const text = head === undefined ? undefined : this.#tables.blob(head.id, id)
    if (text === undefined) throw corrupt(`stream ${name}`, `there is no blob ${id}`)
    return text
  }

  list(prefix: string, after: string | undefined, limit = pageEntries): StreamInfo[] {
    // Bytes decide the order, so those of a prefix follow each other.
    const [start, orEqual] = after !== undefined && isBefore(prefix, after) ? [after, false] : [prefix, true]
    const rows = this.#tables.headsByName(start, orEqual, limit)
    return rows
      .filter(({ name }) => name.startsWith(prefix))
      .map((row) => {
        const { name: stream, seq: lastSeq, atMs, snapshotSeq, wakeAtMs } = this.#heads.current(row)
        return { stream, lastSeq, atMs, snapshotSeq, wakeAtMs }
      })
  }

  due(beforeMs: number, limit = pageEntries): Due[] {
    const { late } = this.#heads
    const heads = Array.from(late.keys(), (id) => this.#heads.byId(id))
    const most = heads.length + limit
    for (const row of this.#tables.headsByWake(beforeMs)) {
      if (heads.length === most) break
      if (!late.has(row.id)) heads.push(row)
    }
    return heads
      .flatMap(({ name: stream, wakeAtMs }) =>
        wakeAtMs !== null && wakeAtMs <= beforeMs ? [{ stream, wakeAtMs }] : [],
      )
      .sort((a, b) => a.wakeAtMs - b.wakeAtMs || Buffer.compare(Buffer.from(a.stream), Buffer.from(b.stream)))
      .slice(0, limit)
  }

  *count(): Generator<undefined, { streams: number; entries: number; bytes: number }> {
    const counts = this.#tables.get<{ streams: number; entries: number | null }>(
      'SELECT count(*) AS streams, sum(seq - base_seq) AS entries FROM streams',
    )
    let entries = counts?.entries ?? 0
    let steps = 0
    for (const head of this.#heads.late.values()) {
      entries += head.seq - (this.#tables.headById(head.id)?.seq ?? 0)
      steps += 1
      if (steps % stepEntries === 0) yield
    }
    return { streams: counts?.streams ?? 0, entries, bytes: this.bytes() }
  }

  bytes(): number {
    return this.#tables.pragma('page_count') * this.#tables.pragma('page_size')
  }
}

/** What was being read has been compacted in the meantime. */
class Moved extends Error {}

function* steady<T>(read: () => Generator<undefined, T>): Generator<undefined, T> {
  for (;;)
    try {
      return yield* read()
    } catch (error) {
      if (!(error instanceof Moved)) throw error
    }
}

const isBefore = (a: string, b: string): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) <= 0

function publicEntry(stream: string, { seq, position, kind, version, atMs, body }: EntryRow): JournalEntry {
  return { stream, seq, position, kind, version, atMs, body }
}
