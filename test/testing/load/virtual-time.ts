import { ManualScheduler, type VirtualClock } from 'echelon/testing'
import {
  loadTest,
  type LoadResult,
  type LoadScenario,
  type LoadTestOptions,
} from '../../../src/testing/load/load-test.ts'

/** Lets time pass, from timer to timer, until `promise` has settled. */
export async function until<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  const promises = new ManualScheduler()
  const state = { isSettled: false }
  const note = (): void => {
    state.isSettled = true
  }
  promise.then(note, note)
  // What is imported when it is used takes more than one turn: nothing is due before it is there.
  for (;;) {
    await promises.settle()
    if (state.isSettled) return promise
    if (clock.nextDueMs !== undefined) clock.advanceTo(clock.nextDueMs)
  }
}

/** A load test in virtual time. */
export function virtualLoadTest<Context>(
  clock: VirtualClock,
  scenario: LoadScenario<Context>,
  options: Omit<LoadTestOptions, 'clock' | 'seed'>,
): Promise<LoadResult> {
  return until(clock, loadTest(scenario, { seed: 1, ...options, clock }))
}

/** Answers one request after the other, each after `serviceMs`: a queue without a bound, or with one. */
export class ModelServer {
  readonly #clock: VirtualClock
  readonly #serviceMs: (n: number) => number
  readonly #capacity: number
  #freeAtMs = 0
  #waiting = 0
  served = 0

  constructor(clock: VirtualClock, serviceMs: number | ((n: number) => number), capacity = Infinity) {
    this.#clock = clock
    this.#serviceMs = typeof serviceMs === 'number' ? () => serviceMs : serviceMs
    this.#capacity = capacity
  }

  request = async (): Promise<void> => {
    if (this.#waiting >= this.#capacity) throw Object.assign(new Error('full'), { code: 'MAILBOX_FULL' })
    this.#waiting += 1
    const endMs = Math.max(this.#freeAtMs, this.#clock.now()) + this.#serviceMs(this.served)
    this.#freeAtMs = endMs
    this.served += 1
    await new Promise<void>((resolve) => void this.#clock.setTimeout(resolve, endMs - this.#clock.now()))
    this.#waiting -= 1
  }
}
