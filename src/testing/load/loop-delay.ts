import type { Clock, TimerHandle } from '../../core/clock.ts'
import type { Latencies } from './latencies.ts'

/** Milliseconds between two looks. */
const everyMs = 10

/**
 * How long this thread keeps timers waiting: what the system under test, the generator or the garbage collector does in
 * one go. Requests are neither sent nor seen to be answered meanwhile.
 */
export class LoopDelay {
  readonly #clock: Clock
  readonly #delays: Latencies
  #timer: TimerHandle | undefined

  constructor(clock: Clock, delays: Latencies) {
    this.#clock = clock
    this.#delays = delays
  }

  start(): void {
    const dueMs = this.#clock.now() + everyMs
    this.#timer = this.#clock.setTimeout(() => {
      this.#delays.record(this.#clock.now() - dueMs)
      this.start()
    }, everyMs)
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer)
  }
}
