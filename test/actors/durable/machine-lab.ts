import { cellOf } from '../../../src/actors/ref.ts'
import { memoryJournal, type MemoryJournalOptions } from '../../../src/journal/memory.ts'
import type { Journal, JournalEntry, JournalSource, Snapshot } from '../../../src/core/journal.ts'
import { createTestRuntime, VirtualClock, type TestRuntime, type TestRuntimeOptions } from 'echelon/testing'

/** Where a process dies: just before it writes its append of this number (from 1), or just after, before it learns of it. */
export interface Cut {
  readonly append: number
  readonly written: boolean
}

/**
 * One disk and the processes that use it, one after another. Each has a clock of its own that begins when the one
 * before ended. A process that dies writes nothing more and learns nothing more; none of its timers fires.
 */
export class Lab {
  readonly #source: JournalSource
  #clock = new VirtualClock()
  #isDead = (): boolean => true
  #cut: Cut | undefined
  #journal: Journal | undefined
  /** Appends of the current process. */
  appends = 0

  constructor(options: MemoryJournalOptions = {}) {
    this.#source = memoryJournal({ ...options, takeOver: true })
  }

  get clock(): VirtualClock {
    return this.#clock
  }

  /** Whether the process has come to where it dies. */
  get isDead(): boolean {
    return this.#isDead()
  }

  /** Starts the next process, `downMs` milliseconds after the last one ended, or with its clock at `epochMs`. */
  async start(
    options: Omit<TestRuntimeOptions, 'journal' | 'clock'> = {},
    { downMs = 0, cut, epochMs }: { readonly downMs?: number; readonly cut?: Cut; readonly epochMs?: number } = {},
  ): Promise<TestRuntime> {
    this.kill()
    this.#clock = new VirtualClock({ epochMs: epochMs ?? this.#clock.wallNow() + downMs })
    this.#cut = cut
    this.appends = 0
    return createTestRuntime({ ...options, journal: this.#mortal(), clock: this.#clock })
  }

  /** The process is gone: nothing of it has an effect any more. */
  kill = (): void => undefined

  async entries(stream: string): Promise<readonly JournalEntry[]> {
    const journal = await this.#source.openReadOnly({ node: 'reader', clock: this.#clock })
    return journal.read(stream, 0)
  }

  async snapshot(stream: string): Promise<Snapshot | undefined> {
    const journal = await this.#source.openReadOnly({ node: 'reader', clock: this.#clock })
    return (await journal.load(stream)).snapshot
  }

  async wakeAtMs(stream: string): Promise<number | null> {
    const journal = await this.#source.openReadOnly({ node: 'reader', clock: this.#clock })
    return (await journal.load(stream)).wakeAtMs
  }

  /** Removes what snapshots cover, as a command for people would. */
  async compact(): Promise<void> {
    await this.#journal?.compact()
  }

  #mortal(): JournalSource {
    let isDead = false
    this.#isDead = () => isDead
    this.kill = () => {
      isDead = true
    }
    const never = new Promise<never>(() => undefined)
    const append =
      (inner: Journal): Journal['append'] =>
      async (appends) => {
        if (isDead) return never
        this.appends += 1
        const isLast = this.appends === this.#cut?.append
        if (isLast) isDead = true
        if (isLast && this.#cut?.written === false) return never
        await inner.append(appends)
        return isLast ? never : undefined
      }
    return {
      ...this.#source,
      open: async (host) => {
        const inner = await this.#source.open(host)
        this.#journal = inner
        return new Proxy(inner, {
          get: (target, name): unknown => {
            if (name === 'append') return append(target)
            const member: unknown = Reflect.get(target, name, target)
            if (typeof member !== 'function') return member
            return (...given: unknown[]): unknown => (isDead ? never : Reflect.apply(member, target, given))
          },
        })
      },
    }
  }
}

/** The delays that a chart in memory waits for: by name and event, when each is due, in epoch milliseconds. */
export function delaysOf(t: TestRuntime, path: string): Readonly<Record<string, number>> {
  const ref = t.runtime.ref(path)
  const timers = ref === undefined ? [] : (cellOf(ref).record?.ledger.timers ?? [])
  return Object.fromEntries(Array.from(timers, ([name, { dueMs, message }]) => [`${name}: ${message.type}`, dueMs]))
}
