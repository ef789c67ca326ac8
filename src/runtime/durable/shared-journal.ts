import type { ActorJournal } from '../../actors/durable/port.ts'
import type { Clock } from '../../core/clock.ts'
import { JournalConflictError, JournalOverloadedError } from '../../core/journal-errors.ts'
import type { Append, Journal, JournalEntry, Loaded } from '../../core/journal.ts'

/** Milliseconds until what there was no room for is tried again. */
const retryMs = 5

/** An append that there was no room for. */
interface Late {
  readonly number: number
  readonly appends: readonly Append[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The journal as all actors of a runtime write to it. What it has no room for waits until it has: whoever made it waits
 * for the disk anyway, and takes no more messages than it may have on its way.
 *
 * 1. Appends of one stream are written in the order in which they were made.
 * 2. While one waits for room, those that were made after it wait behind it: a large one finds its place too.
 */
export class SharedJournal implements ActorJournal {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #later: (task: () => void) => void
  /** Those that there was no room for, until they are written or refused for good. */
  readonly #late = new Set<Late>()
  /** Those of them that the journal has not taken yet, in the order in which they were made. */
  readonly #inLine: Late[] = []
  #made = 0
  #isTrying = false
  #onNoneLate: () => void = () => undefined

  /** `later` runs a task as a macrotask. */
  constructor(journal: Journal, clock: Clock, later: (task: () => void) => void) {
    this.#journal = journal
    this.#clock = clock
    this.#later = later
  }

  get maxEntryBytes(): number {
    return this.#journal.maxEntryBytes
  }

  append(appends: readonly Append[]): Promise<void> {
    this.#made += 1
    const number = this.#made
    if (this.#isTrying) return this.#wait(number, appends)
    return this.#journal.append(appends).catch((error: unknown) => {
      if (!this.#isForRoom(number, error)) throw error
      return this.#wait(number, appends)
    })
  }

  load(stream: string): Promise<Loaded> {
    return this.#journal.load(stream)
  }

  read(stream: string, afterSeq: number): Promise<readonly JournalEntry[]> {
    return this.#journal.read(stream, afterSeq)
  }

  blob(stream: string, id: string): Promise<string> {
    return this.#journal.blob(stream, id)
  }

  /** Closes the journal after all that waits for room is written, or when `signal` aborts. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#late.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onNoneLate = resolve
      signal.addEventListener('abort', () => {
        resolve()
      })
      await promise
    }
    await this.#journal.close()
  }

  /** Whether an append is refused for want of room, its own or that of one before it in its stream. */
  #isForRoom(number: number, error: unknown): boolean {
    if (error instanceof JournalOverloadedError) return true
    if (!(error instanceof JournalConflictError)) return false
    for (const late of this.#late)
      if (late.number < number && late.appends.some(({ stream }) => stream === error.stream)) return true
    return false
  }

  #wait(number: number, appends: readonly Append[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = { number, appends, resolve, reject }
      this.#late.add(late)
      this.#putInLine(late)
    })
  }

  #putInLine(late: Late): void {
    const place = this.#inLine.findLastIndex(({ number }) => number < late.number) + 1
    this.#inLine.splice(place, 0, late)
    if (!this.#isTrying) void this.#tryAgain()
  }

  async #tryAgain(): Promise<void> {
    this.#isTrying = true
    while (this.#inLine.length > 0) {
      await new Promise<void>((resolve) => {
        this.#clock.setTimeout(resolve, retryMs)
      })
      await this.#handOn()
    }
    this.#isTrying = false
  }

  /** Hands on those that there is room for. Want of room is known at once: who is not back in line by then was taken. */
  async #handOn(): Promise<void> {
    for (let late = this.#inLine.shift(); late !== undefined; late = this.#inLine.shift()) {
      void this.#write(late)
      await new Promise<void>((resolve) => {
        this.#later(resolve)
      })
      if (this.#inLine[0] === late) return
    }
  }

  async #write(late: Late): Promise<void> {
    try {
      await this.#journal.append(late.appends)
      late.resolve()
    } catch (error) {
      if (this.#isForRoom(late.number, error)) {
        this.#putInLine(late)
        return
      }
      late.reject(error)
    }
    this.#late.delete(late)
    if (this.#late.size === 0) this.#onNoneLate()
  }
}
