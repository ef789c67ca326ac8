import type { ActorJournal } from '../../actors/durable/port.ts'
import type { Clock, TimerHandle } from '../../core/clock.ts'
import { JournalConflictError, JournalOverloadedError } from '../../core/journal-errors.ts'
import type { Append, Journal, JournalEntry, Loaded } from '../../core/journal.ts'

/** Milliseconds between two tries to write what there was no room for, and how much is tried at once. */
const retryMs = 5
const triedAtOnce = 100

/** An append that there was no room for. */
interface Late {
  readonly number: number
  readonly appends: readonly Append[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
  isUnderway: boolean
}

/**
 * The journal as all actors of a runtime write to it. What it has no room for waits until it has: whoever made it waits
 * for the disk anyway, and takes no more messages than it may have on its way.
 *
 * 1. Appends of one stream are written in the order in which they were made.
 * 2. An append waits for nothing but room, and the one before it in its stream.
 */
export class SharedJournal implements ActorJournal {
  readonly #journal: Journal
  readonly #clock: Clock
  /** In the order in which they were made, until they are written or refused for good. */
  readonly #late: Late[] = []
  #made = 0
  #retry: TimerHandle | undefined
  #onNoneLate: () => void = () => undefined

  constructor(journal: Journal, clock: Clock) {
    this.#journal = journal
    this.#clock = clock
  }

  get maxEntryBytes(): number {
    return this.#journal.maxEntryBytes
  }

  append(appends: readonly Append[]): Promise<void> {
    this.#made += 1
    const number = this.#made
    if (this.#late.length > 0) return this.#wait(number, appends)
    return this.#journal.append(appends).catch((error: unknown) => {
      if (!this.#mayPass(number, error)) throw error
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
    if (this.#late.length > 0) {
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
  #mayPass(number: number, error: unknown): boolean {
    if (error instanceof JournalOverloadedError) return true
    if (!(error instanceof JournalConflictError)) return false
    return this.#late.some((late) => late.number < number && late.appends.some(({ stream }) => stream === error.stream))
  }

  #wait(number: number, appends: readonly Append[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const place = this.#late.findLastIndex((late) => late.number < number) + 1
      this.#late.splice(place, 0, { number, appends, resolve, reject, isUnderway: false })
      this.#tryLater()
    })
  }

  #tryLater(): void {
    this.#retry ??= this.#clock.setTimeout(() => {
      this.#retry = undefined
      for (const late of this.#late.slice(0, triedAtOnce)) if (!late.isUnderway) void this.#try(late)
    }, retryMs)
  }

  async #try(late: Late): Promise<void> {
    late.isUnderway = true
    try {
      await this.#journal.append(late.appends)
      late.resolve()
    } catch (error) {
      late.isUnderway = false
      if (this.#mayPass(late.number, error)) {
        this.#tryLater()
        return
      }
      late.reject(error)
    }
    this.#late.splice(this.#late.indexOf(late), 1)
    if (this.#late.length === 0) this.#onNoneLate()
    else this.#tryLater()
  }
}
