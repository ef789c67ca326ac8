import type { Cell } from '../../actors/cell.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { backoffDelayMs, FailureStreak, type Backoff } from '../../supervisors/backoff.ts'

/** How the waits grow. */
export interface Terms extends Backoff {
  readonly resetAfterMs: number
  /** The first so many failures in a row cost no wait. */
  readonly free: number
}

interface Failures {
  readonly streak: FailureStreak
  readonly waitMs: number
  /** Monotonic milliseconds. */
  readonly untilMs: number
}

/**
 * Lets actors that fail again and again wait before they are brought back, longer each time. One that fails while its wait
 * goes on, since somebody else brought it back, waits as long once more.
 */
export class Patience {
  readonly #terms: Terms
  readonly #clock: Clock
  readonly #random: Random
  /** By stream; who failed last is last. */
  readonly #failures = new Map<string, Failures>()

  constructor(terms: Terms, clock: Clock, random: Random) {
    this.#terms = terms
    this.#clock = clock
    this.#random = random
  }

  /** Streams that are kept in mind. */
  get size(): number {
    return this.#failures.size
  }

  /** An incarnation of this stream has ended badly. */
  failed(stream: string): void {
    const nowMs = this.#clock.now()
    const before = this.#failures.get(stream)
    const streak = before?.streak ?? new FailureStreak(this.#terms)
    const waitMs =
      before !== undefined && nowMs < before.untilMs
        ? before.waitMs
        : this.#delayMs(streak.next(nowMs, before?.untilMs ?? nowMs))
    this.#failures.delete(stream)
    this.#failures.set(stream, { streak, waitMs, untilMs: nowMs + waitMs })
    this.#forget(nowMs)
  }

  #delayMs(failures: number): number {
    const { free } = this.#terms
    return failures < free ? 0 : backoffDelayMs(this.#terms, failures - free, this.#random)
  }

  /** Who is through with it is not kept in mind. */
  #forget(nowMs: number): void {
    for (const [stream, { untilMs }] of this.#failures) {
      if (nowMs - untilMs < this.#terms.resetAfterMs) return
      this.#failures.delete(stream)
    }
  }

  /** What is left of the wait of a stream. */
  leftMs(stream: string): number {
    const untilMs = this.#failures.get(stream)?.untilMs
    return untilMs === undefined ? 0 : Math.max(0, untilMs - this.#clock.now())
  }

  /** Resolves when the actor may be brought back, or has ended; undefined when it may at once. */
  wait(cell: Cell): Promise<void> | undefined {
    if (this.#failures.size === 0) return undefined
    const waitMs = this.leftMs(cell.path)
    if (waitMs === 0) return undefined
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => {
        forget()
        resolve()
      }, waitMs)
      const forget = cell.onEnd(() => {
        this.#clock.clearTimeout(timer)
        resolve()
      })
    })
  }
}
