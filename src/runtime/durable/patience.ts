import type { Cell } from '../../actors/cell.ts'
import type { LocalRef } from '../../actors/ref.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { backoffDelayMs, FailureStreak, type Backoff } from '../../supervisors/backoff.ts'

/** From the second time on: who tells and asks meanwhile waits for it, so not long. */
const backoff: Backoff = { minMs: 50, maxMs: 2000, resetAfterMs: 10_000 }

interface Losses {
  readonly streak: FailureStreak
  /** Monotonic milliseconds until which its next incarnation waits. */
  untilMs: number
}

/**
 * Lets an actor that lost its journal, and is started again and again, wait before it comes back: at once at first, then
 * longer each time. A disk that stays full is not kept busy by those who have something to write as soon as they are up.
 */
export class Patience {
  readonly #clock: Clock
  readonly #random: Random
  readonly #losses = new WeakMap<LocalRef, Losses>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** The journal took no more of an incarnation, which has ended. */
  lost({ ref }: Cell): void {
    const nowMs = this.#clock.now()
    const losses = this.#losses.get(ref) ?? { streak: new FailureStreak(backoff), untilMs: nowMs }
    const before = losses.streak.next(nowMs, losses.untilMs)
    losses.untilMs = nowMs + (before === 0 ? 0 : backoffDelayMs(backoff, before - 1, this.#random))
    this.#losses.set(ref, losses)
  }

  /** Resolves when the actor may be brought back, or has ended; undefined when it may at once. */
  wait(cell: Cell): Promise<void> | undefined {
    const waitMs = (this.#losses.get(cell.ref)?.untilMs ?? 0) - this.#clock.now()
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
