import { ReplayDivergedError } from '../../actors/durable/errors.ts'
import type { DurableRecord } from '../../actors/durable/record.ts'
import type { Clock, TimerHandle } from '../../core/clock.ts'
import type { Journal } from '../../core/journal.ts'
import type { Random } from '../../core/random.ts'
import { Patience, type Terms } from './patience.ts'

/** Streams that are looked at in one go. */
const pageSize = 100
/** Milliseconds that are waited for at once at least and at most: the wall clock may be set meanwhile. */
const shortestStretchMs = 60_000
const longestStretchMs = 3_600_000
/** Milliseconds that the others wait for one who is woken. */
const wakingMs = 1000
/** For those who failed when they were up. Whoever asks for them does not wait. */
const afterFailure: Terms = { minMs: 1000, maxMs: 60_000, resetAfterMs: 60_000, free: 0 }
/** Milliseconds within which those whose waits end are looked for in one go. */
const togetherMs = 1000

/**
 * Brings durable actors back for what they have to do by themselves: unfinished work, and timers. The journal says who
 * is wanted when; who is in memory looks after itself.
 *
 * 1. Whoever is due is woken once, earliest first, one after another: a clock that is wrong makes no storm. One who takes
 *    long is not waited for by the others.
 * 2. Whoever failed when it was up is woken again after a wait, which grows: the message at which it failed is given up, and
 *    a journal that was full may take more.
 * 3. Whoever cannot be brought back, or cannot go on with the message that it is at, is not woken again by itself, but when
 *    somebody asks for it: only another program helps.
 */
export class Waker {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #activate: (stream: string) => Promise<void> | undefined
  readonly #onError: (error: unknown) => void
  readonly #patience: Patience
  readonly #up = new Set<string>()
  /** Woken, and not up yet. Whoever is of no use to wake, as the child of one that is up, stays here. */
  readonly #woken = new Set<string>()
  readonly #gaveUp = new Set<string>()
  readonly #unknown = new Set<string>()
  #handle: TimerHandle | undefined
  /** Monotonic milliseconds of the next look. */
  #nextLookMs = Infinity
  /** Bounds how long one who is woken is waited for. */
  #waking: TimerHandle | undefined
  #state: 'stopped' | 'idle' | 'looking' | 'look-again' = 'stopped'

  constructor(
    journal: Journal,
    clock: Clock,
    random: Random,
    activate: (stream: string) => Promise<void> | undefined,
    onError: (error: unknown) => void,
  ) {
    this.#journal = journal
    this.#clock = clock
    this.#patience = new Patience(afterFailure, clock, random)
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
  }

  isUp(stream: string): void {
    this.#up.add(stream)
    this.#woken.delete(stream)
    this.#gaveUp.delete(stream)
  }

  /** It has ended, and what it wrote is on disk or lost. */
  isDown({ stream, cell: { exit }, isLost, ledger }: DurableRecord): void {
    const wasUp = this.#up.delete(stream)
    this.#woken.delete(stream)
    const hasCrashed = exit?.kind === 'crash'
    if (hasCrashed && (!wasUp || exit.error instanceof ReplayDivergedError)) {
      this.#gaveUp.add(stream)
      return
    }
    // What a journal does not have may have been the end of some work that it has.
    const hasWork = isLost || ledger.wakeAtMs !== null
    if (hasCrashed || isLost) {
      this.#patience.failed(stream)
      if (hasWork) this.#wait(this.#patience.leftMs(stream))
    } else if (hasWork) this.look()
  }

  /** Looks for streams that are due, now or after the look that is going on. */
  look(): void {
    if (this.#state === 'looking') this.#state = 'look-again'
    if (this.#state !== 'idle') return
    this.#state = 'looking'
    this.#unknown.clear()
    this.#clock.clearTimeout(this.#handle)
    this.#nextLookMs = Infinity
    void this.#lookThrough()
  }

  async #lookThrough(): Promise<void> {
    let nextMs: number
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
    else if (nextMs < Infinity) this.#wait(nextMs - this.#clock.wallNow())
  }

  // Read anew: they change while something is awaited.
  #isStopped(): boolean {
    return this.#state === 'stopped'
  }

  get #wantsAgain(): boolean {
    return this.#state === 'look-again'
  }

  /** Wakes who is due, and gives the time at which the next is. */
  async #wakeDue(): Promise<number> {
    for (;;) {
      const aside = this.#up.size + this.#woken.size + this.#gaveUp.size + this.#unknown.size + this.#patience.size
      const due = await this.#journal.due(Infinity, { limit: aside + pageSize })
      if (this.#isStopped()) return Infinity
      const others = due.filter(({ stream }) => !this.#isAside(stream))
      const nowMs = this.#clock.wallNow()
      let nextMs = Infinity
      for (const { stream, wakeAtMs } of others) {
        if (wakeAtMs > nowMs) return Math.min(wakeAtMs, nextMs)
        const waitMs = this.#patience.leftMs(stream)
        if (waitMs > 0) nextMs = Math.min(nextMs, nowMs + Math.max(waitMs, togetherMs))
        else if (!this.#isAside(stream)) await this.#wake(stream)
        if (this.#isStopped()) return Infinity
      }
      if (due.length < aside + pageSize) return nextMs
    }
  }

  #isAside(stream: string): boolean {
    return this.#up.has(stream) || this.#woken.has(stream) || this.#gaveUp.has(stream) || this.#unknown.has(stream)
  }

  async #wake(stream: string): Promise<void> {
    const activated = this.#activate(stream)
    if (activated === undefined) {
      this.#unknown.add(stream)
      return
    }
    // One that takes long is not woken again meanwhile.
    this.#woken.add(stream)
    const isThere = activated.catch(() => {
      // Its supervisor has been told.
      this.#woken.delete(stream)
      this.#gaveUp.add(stream)
    })
    const { promise: late, resolve } = Promise.withResolvers<void>()
    this.#waking = this.#clock.setTimeout(resolve, wakingMs)
    await Promise.race([isThere, late])
    this.#clock.clearTimeout(this.#waking)
  }

  /** Looks again when so many milliseconds are over, or on the way there, unless it does before. */
  #wait(delayMs: number): void {
    const stretchMs = Math.min(delayMs, longestStretchMs, Math.max(shortestStretchMs, delayMs / 2))
    const lookMs = this.#clock.now() + stretchMs
    if (this.#state === 'stopped' || lookMs >= this.#nextLookMs) return
    this.#nextLookMs = lookMs
    this.#clock.clearTimeout(this.#handle)
    this.#handle = this.#clock.setTimeout(() => {
      this.#nextLookMs = Infinity
      this.look()
    }, stretchMs)
  }
}
