import type { Cell } from '../../actors/cell.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { backoffDelayMs, FailureStreak, type Backoff } from '../../supervisors/backoff.ts'

/** From the second time on: who tells and asks meanwhile waits for it, so not long. */
const backoff = { minMs: 50, maxMs: 2000, resetAfterMs: 10_000 } satisfies Backoff

interface Losses {
  readonly streak: FailureStreak
  /** Monotonic milliseconds until which its next incarnation waits. */
  readonly untilMs: number
}

/**
 * Lets an actor that lost its journal, and is started again and again, wait before it comes back: at once at first, then
 * longer each time. A disk that stays full is not kept busy by those who have something to write as soon as they are up.
 */
export class Patience {
  readonly #clock: Clock
  readonly #random: Random
  /** By stream; who lost it last is last. */
  readonly #losses = new Map<string, Losses>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** The journal took no more of an incarnation of this stream, which has ended. */
  lost(stream: string): void {
    const nowMs = this.#clock.now()
    const { streak, untilMs } = this.#losses.get(stream) ?? { streak: new FailureStreak(backoff), untilMs: nowMs }
    const before = streak.next(nowMs, untilMs)
    const waitMs = before === 0 ? 0 : backoffDelayMs(backoff, before - 1, this.#random)
    this.#losses.delete(stream)
    this.#losses.set(stream, { streak, untilMs: nowMs + waitMs })
    this.#forget(nowMs)
  }

  /** Who is through with it is not kept in mind. */
  #forget(nowMs: number): void {
    for (const [stream, { untilMs }] of this.#losses) {
      if (nowMs - untilMs < backoff.resetAfterMs) return
      this.#losses.delete(stream)
    }
  }

  /** Resolves when the actor may be brought back, or has ended; undefined when it may at once. */
  wait(cell: Cell): Promise<void> | undefined {
    if (this.#losses.size === 0) return undefined
    const waitMs = (this.#losses.get(cell.path)?.untilMs ?? 0) - this.#clock.now()
    if (waitMs <= 0) return undefined
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
