import { JournalConflictError, JournalFencedError } from '../core/journal-errors.ts'
import type { Append, CompactReport, JournalEntry, Lease, LeaseOwner, Snapshot } from '../core/journal.ts'
import { endBefore, olderSnapshot } from './append-check.ts'

export const memoryLocation = 'memory'
const pageBytes = 4 * 1024 * 1024

export interface MemoryStream {
  lastSeq: number
  atMs: number
  wakeAtMs: number | null
  snapshot: Snapshot | undefined
  /** Those that are not compacted: without gaps up to `lastSeq`. */
  readonly entries: JournalEntry[]
  /** With the last entry of the append that each came with. */
  readonly blobs: Map<string, { readonly text: string; readonly seq: number }>
}

/** What is kept, whoever has it open. */
export class MemoryStore {
  readonly streams = new Map<string, MemoryStream>()
  readonly leases = new Map<string, Lease>()
  /** All entries, ascending by position. */
  log: JournalEntry[] = []
  #position = 0
  readonly #waiting = new Set<() => void>()
  #names: readonly string[] | undefined

  /** Ascending by code points, as databases sort them by their UTF-8 bytes. */
  names(): readonly string[] {
    this.#names ??= [...this.streams.keys()].sort(byCodePoints)
    return this.#names
  }

  grant(name: string, owner: LeaseOwner, expiresAtMs: number): Lease {
    const lease = { name, owner, epoch: this.epochOf(name) + 1, expiresAtMs }
    this.leases.set(name, lease)
    return lease
  }

  /** @throws {JournalFencedError} `JOURNAL_FENCED` when the lease is over. */
  checkLease({ name, epoch }: Lease): void {
    const current = this.epochOf(name)
    if (current !== epoch) throw new JournalFencedError(memoryLocation, name, epoch, current)
  }

  epochOf(name: string): number {
    return this.leases.get(name)?.epoch ?? 0
  }

  /** Ends a lease, so that it is nobody's. */
  release(lease: Lease): void {
    if (this.epochOf(lease.name) === lease.epoch)
      this.leases.set(lease.name, { ...lease, epoch: lease.epoch + 1, expiresAtMs: 0 })
  }

  /** Writes all, or throws and writes nothing. */
  write(appends: readonly Append[]): void {
    const heads = new Map<string, { lastSeq: number; snapshotSeq: number }>()
    for (const append of appends) {
      const { stream, expectedSeq, entries, snapshot, lease } = append
      if (lease !== undefined) this.checkLease(lease)
      const present = this.streams.get(stream)
      const head = heads.get(stream) ?? { lastSeq: present?.lastSeq ?? 0, snapshotSeq: present?.snapshot?.seq ?? 0 }
      const end = endBefore(append)
      if (head.lastSeq !== end) throw new JournalConflictError(stream, end, head.lastSeq)
      if (snapshot !== undefined && snapshot.seq < head.snapshotSeq)
        throw olderSnapshot(stream, snapshot.seq, head.snapshotSeq)
      heads.set(stream, { lastSeq: expectedSeq + entries.length, snapshotSeq: snapshot?.seq ?? head.snapshotSeq })
    }
    for (const append of appends) this.#writeOne(append)
    this.wake()
  }

  compact(names: readonly string[]): Omit<CompactReport, 'bytesBefore' | 'bytesAfter'> {
    const [entriesBefore, blobsBefore] = [this.log.length, this.#blobs()]
    for (const name of names) {
      const stream = this.streams.get(name)
      if (stream?.snapshot === undefined) continue
      const { seq: covered, blobs: kept } = stream.snapshot
      stream.entries.splice(0, stream.entries.findLastIndex(({ seq }) => seq <= covered) + 1)
      for (const [id, { seq }] of stream.blobs) if (seq <= covered && !kept.includes(id)) stream.blobs.delete(id)
    }
    const left = new Set([...this.streams.values()].flatMap(({ entries }) => entries))
    this.log = this.log.filter((entry) => left.has(entry))
    return {
      streams: names.length,
      entriesRemoved: entriesBefore - this.log.length,
      blobsRemoved: blobsBefore - this.#blobs(),
    }
  }

  /** Bytes of all texts. */
  bytes(): number {
    const texts = [...this.streams.values()].flatMap(({ entries, snapshot, blobs }) => [
      ...entries.map(({ body }) => body),
      snapshot?.body ?? '',
      ...[...blobs.values()].map(({ text }) => text),
    ])
    return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  }

  firstAfter(position: number): JournalEntry | undefined {
    let [low, high] = [0, this.log.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.log[middle]?.position ?? Infinity) > position) high = middle
      else low = middle + 1
    }
    return this.log[low]
  }

  /** Resolves after the next write or close, or when `signal` aborts. */
  async change(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => {
      resolve()
    }
    this.#waiting.add(wake)
    signal?.addEventListener('abort', wake)
    await promise
    this.#waiting.delete(wake)
    signal?.removeEventListener('abort', wake)
  }

  wake(): void {
    for (const wake of this.#waiting) wake()
  }

  #blobs(): number {
    return [...this.streams.values()].reduce((sum, { blobs }) => sum + blobs.size, 0)
  }

  #writeOne({ stream: name, baseSeq = 0, entries, snapshot, blobs = [], wakeAtMs }: Append): void {
    let stream = this.streams.get(name)
    if (stream === undefined) {
      const atMs = snapshot?.atMs ?? 0
      stream = { lastSeq: baseSeq, atMs, wakeAtMs, snapshot: undefined, entries: [], blobs: new Map() }
      this.streams.set(name, stream)
      this.#names = undefined
    }
    for (const { kind, version, atMs, body } of entries) {
      this.#position += 1
      stream.lastSeq += 1
      const entry = { stream: name, seq: stream.lastSeq, position: this.#position, kind, version, atMs, body }
      this.log.push(entry)
      stream.entries.push(entry)
      stream.atMs = atMs
    }
    stream.wakeAtMs = wakeAtMs
    stream.snapshot = snapshot ?? stream.snapshot
    for (const { id, text } of blobs) stream.blobs.set(id, { text, seq: stream.lastSeq })
  }
}

/** Entries after `afterSeq`: at most `limit`, and one at least, unless there is none, however large it is. */
export function pageOf(stream: MemoryStream | undefined, afterSeq: number, limit: number): readonly JournalEntry[] {
  const first = stream?.entries[0]
  if (stream === undefined || first === undefined) return []
  const start = Math.max(0, afterSeq + 1 - first.seq)
  const page = stream.entries.slice(start, start + limit)
  let bytes = 0
  const tooMany = page.findIndex(({ body }, index) => {
    bytes += Buffer.byteLength(body)
    return index > 0 && bytes > pageBytes
  })
  return tooMany < 0 ? page : page.slice(0, tooMany)
}

export const byCodePoints = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
