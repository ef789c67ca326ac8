import { JournalCorruptError } from '../../core/journal-errors.ts'
import type { Append, Journal, JournalHost, JournalReader, JournalSource, Problem } from '../../core/journal.ts'
import { memoryJournalOn } from '../../journal/memory.ts'
import { MemoryStore } from '../../journal/memory-store.ts'
import type { FaultRates } from './faults.ts'
import { delay, location, readMs, SimulatedJournal } from './simulated-journal.ts'
import type { Zone } from './zone.ts'

const otherChecksum = 'the checksum is another one'

/** What a disk tells the world that it is in. */
export interface DiskObserver {
  readonly rates: FaultRates
  /** Appends are on disk from here on. */
  written(appends: readonly Append[]): void
  /** Something happened that belongs into the trace. */
  note(what: string): void
  /** `zone`, which has it open, dies here and now. */
  crash(zone: Zone, why: string): void
  /** A fault was injected. */
  fault(kind: string): void
}

/**
 * What a node keeps over its crashes: the store behind its journal. Damage is noticed, as a journal with checksums does.
 */
export class SimulatedDisk {
  readonly #observer: DiskObserver
  #store = new MemoryStore()
  /** Streams with a damaged entry, and where. */
  readonly #damaged = new Map<string, number>()
  /** World milliseconds until which there is no space. */
  fullUntilMs = 0

  constructor(observer: DiskObserver) {
    this.#observer = observer
  }

  /** What is on disk. */
  get store(): MemoryStore {
    return this.#store
  }

  get damaged(): ReadonlyMap<string, number> {
    return this.#damaged
  }

  /** Damages one entry, picked by `place` of all that there are. False when there is none. */
  corrupt(place: (n: number) => number): boolean {
    const { log } = this.#store
    const entry = log[place(log.length)]
    if (entry === undefined) return false
    this.#damaged.set(entry.stream, entry.seq)
    return true
  }

  /** What is damaged, as a look at all of it finds it. */
  get problems(): readonly Problem[] {
    return [...this.#damaged].map(([stream, seq]) => ({ where: `stream ${stream} at ${seq}`, problem: otherChecksum }))
  }

  /** Entries that are gone are not damaged any more. */
  forgetRemoved(): void {
    for (const [stream, seq] of this.#damaged)
      if (!this.#store.log.some((entry) => entry.stream === stream && entry.seq === seq)) this.#damaged.delete(stream)
  }

  /** Everything is gone. */
  lose(): void {
    this.#store = new MemoryStore()
    this.#damaged.clear()
  }

  /** The journal on it, for a process of `zone`. */
  source(zone: Zone): JournalSource {
    const source = memoryJournalOn(this.#store, { takeOver: true })
    const open = async (host: JournalHost): Promise<Journal> => {
      await delay(zone, `disk ${zone.name}`, readMs)
      return new SimulatedJournal(this, this.#observer, zone, host, await source.open(host))
    }
    return {
      kind: 'journal',
      open,
      openReadOnly: (host): Promise<JournalReader> => source.openReadOnly(host),
    }
  }

  /** @throws {JournalCorruptError} `JOURNAL_CORRUPT` when an entry of the stream is damaged. */
  check(stream: string): void {
    const seq = this.#damaged.get(stream)
    if (seq !== undefined) throw new JournalCorruptError(location, `stream ${stream} at ${seq}`, otherChecksum)
  }
}
