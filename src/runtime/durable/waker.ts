import type { Clock, TimerHandle } from '../../core/clock.ts'
import type { Journal } from '../../core/journal.ts'

/** Streams that are looked at in one go. */
const pageSize = 100
/** Milliseconds that are waited for at once at least and at most: the wall clock may be set meanwhile. */
const shortestStretchMs = 60_000
const longestStretchMs = 3_600_000
/** Milliseconds that the others wait for one who is woken. */
const wakingMs = 1000

/**
 * Brings durable actors back for what they have to do by themselves: unfinished work, and timers. The journal says who
 * is wanted when; who is in memory looks after itself.
 *
 * 1. Whoever is due is woken once, earliest first, one after another: a clock that is wrong makes no storm. One who takes
 *    long is not waited for by the others.
 * 2. Whoever failed is not woken again by itself, but when somebody asks for it.
 */
export class Waker {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #activate: (stream: string) => Promise<void> | undefined
  readonly #onError: (error: unknown) => void
  /** In memory, or not to be woken. */
  readonly #up = new Set<string>()
  readonly #gaveUp = new Set<string>()
  readonly #unknown = new Set<string>()
  #handle: TimerHandle | undefined
  /** Bounds how long one who is woken is waited for. */
  #waking: TimerHandle | undefined
  /** For those who were lost to the journal. */
  #retry: TimerHandle | undefined
  #state: 'stopped' | 'idle' | 'looking' | 'look-again' = 'stopped'

  constructor(
    journal: Journal,
    clock: Clock,
    activate: (stream: string) => Promise<void> | undefined,
    onError: (error: unknown) => void,
  ) {
    this.#journal = journal
    this.#clock = clock
    this.#activate = activate
    this.#onError = onError
  }

  start(): void {
    this.#state = 'idle'
    this.look()
  }

  stop(): void {
    this.#state = 'stopped'
    this.#clock.clearTimeout(this.#handle)
    this.#clock.clearTimeout(this.#waking)
    this.#clock.clearTimeout(this.#retry)
  }

  isUp(stream: string): void {
    this.#up.add(stream)
    this.#gaveUp.delete(stream)
  }

  /** It has ended. `hasWork`: it is wanted back by itself. `lost`: since its journal took no more, which may pass. */
  isDown(stream: string, hasFailed: boolean, hasWork: boolean, lost: boolean): void {
    this.#up.delete(stream)
    if (hasFailed) this.#gaveUp.add(stream)
    else if (lost) this.#lookWithin(shortestStretchMs)
    else if (hasWork) this.look()
  }

  /** Looks again after so many milliseconds at the latest, even when nobody is due by then. */
  #lookWithin(ms: number): void {
    if (this.#state === 'stopped' || this.#retry !== undefined) return
    this.#retry = this.#clock.setTimeout(() => {
      this.#retry = undefined
      this.look()
    }, ms)
  }

  /** Looks for streams that are due, now or after the look that is going on. */
  look(): void {
    if (this.#state === 'looking') this.#state = 'look-again'
    if (this.#state !== 'idle') return
    this.#state = 'looking'
    this.#unknown.clear()
    this.#clock.clearTimeout(this.#handle)
    void this.#lookThrough()
  }

  async #lookThrough(): Promise<void> {
    let nextMs: number | undefined
    try {
      nextMs = await this.#wakeDue()
    } catch (error) {
      if (this.#isStopped()) return
      this.#onError(error)
      nextMs = this.#clock.wallNow() + shortestStretchMs
    }
    if (this.#isStopped()) return
    const again = this.#wantsAgain
    this.#state = 'idle'
    if (again) this.look()
    else if (nextMs !== undefined) this.#wait(nextMs - this.#clock.wallNow())
  }

  // Read anew: they change while something is awaited.
  #isStopped(): boolean {
    return this.#state === 'stopped'
  }

  get #wantsAgain(): boolean {
    return this.#state === 'look-again'
  }

  /** Wakes who is due, and gives the time of the next. */
  async #wakeDue(): Promise<number | undefined> {
    for (;;) {
      const aside = this.#up.size + this.#gaveUp.size + this.#unknown.size
      const due = await this.#journal.due(Infinity, { limit: aside + pageSize })
      if (this.#isStopped()) return undefined
      const others = due.filter(({ stream }) => !this.#isAside(stream))
      const nowMs = this.#clock.wallNow()
      for (const { stream, wakeAtMs } of others) {
        if (wakeAtMs > nowMs) return wakeAtMs
        if (!this.#isAside(stream)) await this.#wake(stream)
        if (this.#isStopped()) return undefined
      }
      if (due.length < aside + pageSize) return undefined
    }
  }

  #isAside(stream: string): boolean {
    return this.#up.has(stream) || this.#gaveUp.has(stream) || this.#unknown.has(stream)
  }

  async #wake(stream: string): Promise<void> {
    const activated = this.#activate(stream)
    if (activated === undefined) {
      this.#unknown.add(stream)
      return
    }
    // Until it is up; one that takes long is not woken again meanwhile.
    this.#up.add(stream)
    const isThere = activated.catch(() => {
      // Its supervisor has been told.
      this.#up.delete(stream)
      this.#gaveUp.add(stream)
    })
    const { promise: late, resolve } = Promise.withResolvers<void>()
    this.#waking = this.#clock.setTimeout(resolve, wakingMs)
    await Promise.race([isThere, late])
    this.#clock.clearTimeout(this.#waking)
  }

  #wait(delayMs: number): void {
    const stretchMs = Math.min(delayMs, longestStretchMs, Math.max(shortestStretchMs, delayMs / 2))
    this.#clock.clearTimeout(this.#handle)
    this.#handle = this.#clock.setTimeout(() => {
      this.look()
    }, stretchMs)
  }
}
