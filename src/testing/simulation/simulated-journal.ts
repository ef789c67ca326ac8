import { JournalFailedError, JournalFullError } from '../../core/journal-errors.ts'
import type { Append, Journal, JournalEntry, JournalHost } from '../../core/journal.ts'
import type { MemoryStore } from '../../journal/memory-store.ts'
import type { DiskObserver, SimulatedDisk } from './disk.ts'
import type { FaultRates } from './faults.ts'
import type { Zone } from './zone.ts'

export const location = 'simulated disk'
/** Milliseconds that a commit and a read take when nothing is odd. */
const commitMs = 0.3
export const readMs = 0.1
/** Milliseconds that a slow disk takes instead, by degree. */
const slowMs = [5, 300, 30_000]
/** Milliseconds that a disk stays full, by degree; 0: it is full once. */
const fullMs = [0, 2000, 60_000]
/** The lease of whoever may write to a journal in memory. */
const writer = 'writer'

interface Pending {
  readonly appends: readonly Append[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A journal on a disk that takes its time and fails, as one process has it open. What the journal means by an append is
 * the business of the journal behind it; this decides when it happens, whether, and whether anybody learns of it.
 *
 * 1. Appends are written in their order. Those that wait together share a commit, and are written whole or not at all.
 * 2. A process that dies may leave the first of what waited on disk, and has told nobody.
 */
export class SimulatedJournal implements Journal {
  readonly maxEntryBytes: number
  readonly #disk: SimulatedDisk
  readonly #observer: DiskObserver
  readonly #zone: Zone
  readonly #host: JournalHost
  readonly #inner: Journal
  /** What it opened, and the right to write to it: another process may take either away. */
  readonly #store: MemoryStore
  readonly #epoch: number
  #pending: Pending[] = []
  #isCommitting = false
  #broken: Error | undefined
  #idle: (() => void)[] = []
  readonly #label: string

  constructor(disk: SimulatedDisk, observer: DiskObserver, zone: Zone, host: JournalHost, inner: Journal) {
    this.#disk = disk
    this.#observer = observer
    this.#zone = zone
    this.#host = host
    this.#inner = inner
    this.#store = disk.store
    this.#epoch = disk.store.epochOf(writer)
    this.#label = `disk ${zone.name}`
    this.maxEntryBytes = inner.maxEntryBytes
    zone.onDeath(() => {
      this.#tear()
    })
  }

  append(appends: readonly Append[]): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#pending.push({ appends, resolve, reject })
    this.#commitSoon()
    return promise
  }

  #commitSoon(): void {
    if (this.#isCommitting || this.#pending.length === 0) return
    this.#isCommitting = true
    this.#zone.kernel.after(this.#zone, this.#label, this.#latency(commitMs), () => {
      void this.#commit()
    })
  }

  async #commit(): Promise<void> {
    const batch = this.#pending
    this.#pending = []
    const error = this.#fault(batch)
    if (!this.#zone.isAlive) return
    if (error === undefined) await this.#write(batch)
    else for (const { reject } of batch) reject(error)
    this.#isCommitting = false
    if (this.#pending.length > 0) this.#commitSoon()
    else for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Writes what is waiting, and tells it after a while: a process may die between the two. */
  async #write(batch: readonly Pending[]): Promise<void> {
    const settle: (() => void)[] = []
    for (const pending of batch) {
      try {
        await this.#inner.append(pending.appends)
        if (this.#isThere) this.#observer.written(pending.appends)
        settle.push(pending.resolve)
      } catch (error) {
        settle.push(() => {
          pending.reject(error)
        })
      }
    }
    this.#observer.note(`wrote ${batch.length}`)
    if (this.#decide('crashAtCommit', 1) === 1) {
      this.#observer.fault('dies after a commit, before its acknowledgement')
      this.#observer.crash(this.#zone, 'after a commit')
      return
    }
    await delay(this.#zone, this.#label, this.#latency(commitMs))
    for (const tell of settle) tell()
  }

  /** What goes wrong with a commit, if anything does. */
  #fault(batch: readonly Pending[]): Error | undefined {
    const { kernel } = this.#zone
    if (kernel.nowMs < this.#disk.fullUntilMs) return new JournalFullError(location)
    if (this.#decide('crashAtCommit', 1) === 1) {
      this.#observer.fault('dies at a commit')
      this.#pending = [...batch]
      this.#observer.crash(this.#zone, 'at a commit')
      return undefined
    }
    const full = this.#decide('diskFull', fullMs.length)
    if (full > 0) {
      this.#observer.fault('disk full')
      this.#disk.fullUntilMs = kernel.nowMs + (fullMs[full - 1] ?? 0)
      return new JournalFullError(location)
    }
    const fails = this.#decide('diskFails', 2)
    if (fails === 0) return undefined
    this.#observer.fault(fails === 1 ? 'a write fails' : 'a write fails and was written')
    if (fails === 2) this.#keep(batch)
    return this.#break(new JournalFailedError(location, 'input/output error'))
  }

  #break(error: Error): Error {
    this.#broken = error
    for (const { reject } of this.#pending.splice(0)) reject(error)
    this.#host.onFailed?.(error)
    return error
  }

  /** The process dies: the first of what waited may have reached the disk. */
  #tear(): void {
    const waiting = this.#pending
    this.#pending = []
    if (this.#broken !== undefined || waiting.length === 0) return
    const { decisions } = this.#zone.kernel
    if (decisions.isCalm) return
    const kept = decisions.stream(`torn ${this.#zone.name}`, 'value').uniform(waiting.length + 1)
    this.#keep(waiting.slice(0, kept))
  }

  /** Whether what it opened is still what is on the disk. */
  get #isThere(): boolean {
    return this.#store === this.#disk.store
  }

  /** On disk, whether anybody learns of it or not. What the journal would have refused is not. */
  #keep(batch: readonly Pending[]): void {
    if (!this.#isThere || this.#store.epochOf(writer) !== this.#epoch) return
    for (const { appends } of batch) {
      try {
        this.#disk.store.write(appends)
      } catch {
        return
      }
      this.#observer.written(appends)
    }
  }

  #decide(kind: keyof FaultRates, kinds: number): number {
    return this.#zone.kernel.decisions
      .stream(`${kind} ${this.#zone.name}`, 'fault')
      .fault(this.#observer.rates[kind], kinds)
  }

  #latency(usualMs: number): number {
    const slow = this.#decide('diskSlow', slowMs.length)
    if (slow === 0) return usualMs
    this.#observer.fault('slow disk')
    return slowMs[slow - 1] ?? usualMs
  }

  async #read<T>(stream: string | undefined, read: () => Promise<T>): Promise<T> {
    await delay(this.#zone, this.#label, this.#latency(readMs))
    if (this.#decide('readFails', 1) === 1) {
      this.#observer.fault('a read fails')
      throw new JournalFailedError(location, 'input/output error')
    }
    if (stream !== undefined) this.#disk.check(stream)
    return read()
  }

  load(stream: string): ReturnType<Journal['load']> {
    return this.#read(stream, () => this.#inner.load(stream))
  }

  read(...args: Parameters<Journal['read']>): ReturnType<Journal['read']> {
    return this.#read(args[0], () => this.#inner.read(...args))
  }

  blob(stream: string, id: string): Promise<string> {
    return this.#read(stream, () => this.#inner.blob(stream, id))
  }

  list(...args: Parameters<Journal['list']>): ReturnType<Journal['list']> {
    return this.#read(undefined, () => this.#inner.list(...args))
  }

  due(...args: Parameters<Journal['due']>): ReturnType<Journal['due']> {
    return this.#read(undefined, () => this.#inner.due(...args))
  }

  tail(...args: Parameters<Journal['tail']>): AsyncIterable<JournalEntry> {
    return this.#inner.tail(...args)
  }

  verify(): ReturnType<Journal['verify']> {
    return this.#read(undefined, async () => {
      const report = await this.#inner.verify()
      return { ...report, problems: [...report.problems, ...this.#disk.problems] }
    })
  }

  info(): ReturnType<Journal['info']> {
    return this.#inner.info()
  }

  compact(...args: Parameters<Journal['compact']>): ReturnType<Journal['compact']> {
    return this.#read(undefined, async () => {
      const report = await this.#inner.compact(...args)
      this.#disk.forgetRemoved()
      return report
    })
  }

  acquire(...args: Parameters<Journal['acquire']>): ReturnType<Journal['acquire']> {
    return this.#read(undefined, () => this.#inner.acquire(...args))
  }

  renew(...args: Parameters<Journal['renew']>): ReturnType<Journal['renew']> {
    return this.#read(undefined, () => this.#inner.renew(...args))
  }

  release(...args: Parameters<Journal['release']>): Promise<void> {
    return this.#read(undefined, () => this.#inner.release(...args))
  }

  async close(): Promise<void> {
    if (this.#isCommitting || this.#pending.length > 0)
      await new Promise<void>((resolve) => {
        this.#idle.push(resolve)
      })
    await this.#inner.close()
  }
}

/** Resolves in a later step of the zone, and never when it is dead by then. */
export function delay(zone: Zone, label: string, ms: number): Promise<void> {
  return new Promise<void>((resolve) => {
    zone.kernel.after(zone, label, ms, resolve)
  })
}
