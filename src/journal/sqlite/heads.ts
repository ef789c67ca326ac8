import { crc32 } from 'node:zlib'
import { fits, seedOf } from './checksum.ts'
import { corrupt } from './faults.ts'
import { Head, type EntryRow, type Tables } from './tables.ts'

/** How much of the heads is kept in memory, and how much late. */
export interface HeadBounds {
  /** Heads that are in memory though they are on disk, at least; up to twice as many. */
  readonly kept: number
  /** Entries that are late before writing their heads begins. What a start has to scan is little more. */
  readonly late: number
}

const usualBounds: HeadBounds = { kept: 100_000, late: 200_000 }
const scanned = 1000

/**
 * The ends of the streams. Owns which of them are newer than their rows.
 *
 * Rows of streams are all over the file. If each commit wrote those of the streams it appends to, it would write a page
 * for each. So heads are written late and many at a time, and are found again from the entries.
 *
 * 1. A head that is not late equals its row.
 * 2. All entries up to `indexed` are covered by the rows.
 * 3. A transaction that is rolled back leaves the heads as they were before it.
 */
export class Heads {
  readonly #tables: Tables
  /** Another process writes: only what is late is kept, and rows are read each time. */
  readonly #shared: boolean
  readonly #bounds: HeadBounds
  #young = new Map<string, Head>()
  #old = new Map<string, Head>()
  /** Newer than their rows. */
  readonly #late = new Map<number, Head>()
  /** Being written, by id: those that were late when it began. */
  #flushing: readonly Head[] = []
  #flushed = 0
  /** All entries up to here will be covered when `#flushing` is done. */
  #flushingUpTo = 0
  #indexed = 0
  #nextId = 1
  /** Of the running transaction: what it changed, and how that was before; what is new; what must be written in it. */
  readonly #changed: Head[] = []
  readonly #before: Head[] = []
  readonly #created: Head[] = []
  readonly #urgent = new Set<Head>()
  #flushedNow = 0
  #transaction = 1
  #scannedTo = 0

  constructor(tables: Tables, shared: boolean, bounds = usualBounds) {
    this.#bounds = bounds
    this.#tables = tables
    this.#shared = shared
  }

  get late(): ReadonlyMap<number, Head> {
    return this.#late
  }

  /** The head of a stream, if there is one. It is the only one only until the next transaction: hold on to the name, not to it. */
  find(name: string): Head | undefined {
    if (this.#shared) return this.#current(this.#row(name))
    let head = this.#young.get(name)
    if (head !== undefined) return head
    head = this.#old.get(name)
    if (head === undefined) {
      const row = this.#row(name)
      head = row === undefined ? undefined : (this.#late.get(row.id) ?? row)
    }
    if (head !== undefined) this.#keep(head)
    return head
  }

  /** @throws {FaultError} `JOURNAL_CORRUPT` when there is none. */
  byId(id: number): Head {
    const late = this.#late.get(id)
    if (late !== undefined && !this.#shared) return late
    const head = this.#current(this.#tables.headById(id))
    if (head === undefined) throw corrupt(`stream ${id}`, 'there are entries of it, but not the stream')
    return head
  }

  /** The newer one of a row and of what is known to be late. */
  #current(row: Head | undefined): Head | undefined {
    const late = row === undefined ? undefined : this.#late.get(row.id)
    if (row === undefined || late === undefined || late.seq <= row.seq) return row
    const { position, seq, entryCrc, atMs, wakeAtMs } = late
    return Object.assign(row, { position, seq, entryCrc, atMs, wakeAtMs })
  }

  /** As `byId`, for a row that was read. */
  current = (row: Head): Head => (this.#shared ? (this.#current(row) ?? row) : (this.#late.get(row.id) ?? row))

  #row(name: string): Head | undefined {
    const row = this.#tables.headByName(name)
    if (row === undefined && this.#tables.isHidden(name, crc32(name)))
      throw corrupt(`stream ${name}`, 'it is missing in the index of names')
    return row
  }

  /** Keeps all that a transaction changes until it is over. */
  #keep(head: Head): void {
    if (this.#young.size >= this.#bounds.kept && !this.hasChanges) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(head.name, head)
  }

  /** Begins a stream after `baseSeq`: its chain begins there, and `atMs` is its time until there is an entry. */
  create(name: string, baseSeq = 0, atMs = 0): Head {
    // A copy: what is cut out of a large message would keep all of it.
    const own = Buffer.from(name).toString()
    const seed = seedOf(own)
    const head = new Head({
      id: this.#nextId,
      name: own,
      position: 0,
      seq: baseSeq,
      entryCrc: seed,
      atMs,
      baseSeq,
      baseCrc: seed,
      snapshotSeq: 0,
      wakeAtMs: null,
    })
    this.#nextId += 1
    this.#created.push(head)
    this.#keep(head)
    return head
  }

  /** Before a head is changed in a transaction. `urgent`: its row has to be written in it. */
  touch(head: Head, urgent: boolean): void {
    if (head.changedIn !== this.#transaction) {
      this.#changed.push(head)
      this.#before.push(new Head(head))
      head.changedIn = this.#transaction
    }
    if (urgent) this.#urgent.add(head)
  }

  get hasChanges(): boolean {
    return this.#changed.length > 0
  }

  /** At the end of a transaction: writes what must be, and at most `some` of what is late. */
  write(some: number): void {
    for (const head of this.#created) {
      this.#urgent.delete(head)
      this.#tables.insertHead(head, crc32(head.name))
    }
    for (const head of this.#urgent) this.#tables.updateHead(head)
    this.#flushSome(some)
  }

  /** Begins to write all that is late; entries up to `position` will be covered. */
  beginFlush(position: number): void {
    this.#flushing = [...this.#late.values()].sort((a, b) => a.id - b.id)
    this.#flushed = 0
    this.#flushingUpTo = position
  }

  get isFlushing(): boolean {
    return this.#flushing.length > 0
  }

  #flushSome(count: number): void {
    const from = this.#flushed + this.#flushedNow
    const some = this.#flushing.slice(from, from + count)
    for (const head of some) this.#tables.updateHead(head)
    this.#flushedNow += some.length
    if (this.#flushingUpTo > this.#indexed && from + some.length >= this.#flushing.length)
      this.#tables.putMeta('indexed', this.#flushingUpTo)
  }

  /** After a transaction that ended at `position`. */
  committed(position: number): void {
    for (const head of this.#changed)
      if (!head.isLate) {
        head.isLate = true
        this.#late.set(head.id, head)
      }
    for (const head of this.#urgent) this.#isWritten(head)
    for (const head of this.#created) this.#isWritten(head)
    const to = this.#flushed + this.#flushedNow
    for (const head of this.#flushing.slice(this.#flushed, to)) this.#isWritten(head)
    this.#flushed = to
    if (to >= this.#flushing.length && this.#flushingUpTo > this.#indexed) {
      this.#indexed = this.#flushingUpTo
      this.#flushing = []
    }
    this.#forget()
    if (this.#flushing.length === 0 && position - this.#indexed > this.#bounds.late) this.beginFlush(position)
  }

  #isWritten(head: Head): void {
    head.isLate = false
    this.#late.delete(head.id)
  }

  rolledBack(): void {
    for (const [index, head] of this.#changed.entries()) {
      const { isLate, changedIn } = head
      Object.assign(head, this.#before[index], { isLate, changedIn })
    }
    for (const { id, name } of this.#created) {
      this.#young.delete(name)
      this.#old.delete(name)
      this.#nextId = Math.min(this.#nextId, id)
    }
    this.#forget()
  }

  #forget(): void {
    this.#changed.length = 0
    this.#before.length = 0
    this.#transaction += 1
    this.#created.length = 0
    this.#urgent.clear()
    this.#flushedNow = 0
  }

  /**
   * Takes in the entries that the rows do not cover, checking each; and when it is done again, forgets what is covered by
   * now. Yields after some, with how many it has done.
   */
  *recover(): Generator<number, void> {
    const indexed = this.#tables.meta('indexed')
    if (indexed > this.#indexed) {
      this.#indexed = indexed
      this.#scannedTo = Math.max(this.#scannedTo, indexed)
      for (const [id, { position }] of this.#late) if (position <= indexed) this.#late.delete(id)
    }
    this.#nextId = (this.#tables.get<{ last: number | null }>('SELECT max(id) AS last FROM streams')?.last ?? 0) + 1
    for (let done = 0; ; yield done) {
      const before = done
      for (const entry of this.#tables.entriesAfter(this.#scannedTo, scanned)) {
        this.#recover(entry)
        this.#scannedTo = entry.position
        done += 1
      }
      if (done < before + scanned) return
    }
  }

  #recover(entry: EntryRow): void {
    const head = this.byId(entry.stream)
    if (entry.seq <= head.seq) return
    const where = `stream ${head.name} at ${entry.seq}`
    if (entry.seq !== head.seq + 1 || entry.prev !== head.position)
      throw corrupt(where, `it does not follow entry ${head.seq}`)
    if (!fits(head.entryCrc, entry)) throw corrupt(where, 'its checksum does not fit')
    const { position, seq, crc: entryCrc, atMs, wakeAtMs } = entry
    this.#late.set(head.id, Object.assign(head, { position, seq, entryCrc, atMs, wakeAtMs, isLate: true }))
  }
}
