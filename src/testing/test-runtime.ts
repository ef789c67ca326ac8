import { createRuntime, type Runtime, type RuntimeOptions } from '../runtime/runtime.ts'
import { ManualScheduler } from './manual-scheduler.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Timers at one point in time, after which a test that lets time pass gives up. */
const mostTimersAtOnce = 100_000

/** A runtime whose time and turns belong to the test. `await using` shuts it down, letting pass what time that takes. */
export interface TestRuntime extends AsyncDisposable {
  readonly runtime: Runtime
  readonly clock: VirtualClock
  readonly scheduler: ManualScheduler
  /** Lets everything happen that needs no time to pass. */
  settle(): Promise<void>
  /** Lets `ms` milliseconds pass, settling before, after and at every timer. */
  advance(ms: number): Promise<void>
  /**
   * Lets time pass until `promise` has settled, from timer to timer, and gives what it gives.
   * @throws {Error} when no timer is left that could settle it.
   */
  until<T>(promise: Promise<T>): Promise<T>
}

/**
 * Creates a runtime under virtual time; the seed is fixed unless `options` names one. Tests with it never sleep:
 * ```ts
 * await using test = await createTestRuntime()
 * const counter = test.runtime.spawn(counterActor)
 * counter.tell({ type: 'count.add' })
 * await test.settle()
 * ```
 * Rejects as `createRuntime` does.
 */
export async function createTestRuntime(
  options: Omit<RuntimeOptions, 'clock' | 'scheduler'> = {},
): Promise<TestRuntime> {
  const clock = new VirtualClock()
  const scheduler = new ManualScheduler()
  const settle = (): Promise<void> => scheduler.settle()
  const advance = async (ms: number): Promise<void> => {
    const untilMs = clock.now() + ms
    await settle()
    const pass = passTime(clock)
    while ((clock.nextDueMs ?? Infinity) <= untilMs) {
      pass()
      await settle()
    }
    clock.advanceTo(untilMs)
    await settle()
  }
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    let isSettled = false
    const note = (): void => {
      isSettled = true
    }
    promise.then(note, note)
    await settle()
    const pass = passTime(clock)
    while (!isSettled) {
      pass()
      await settle()
    }
    return promise
  }
  const runtime = await until(createRuntime({ seed: 1, ...options, clock, scheduler }))
  const dispose = async (): Promise<void> => {
    await until(runtime.shutdown())
  }
  return { runtime, clock, scheduler, settle, advance, until, [Symbol.asyncDispose]: dispose }
}

/** Goes to the next timer each time it is called. Throws when there is none, or when time does not get on. */
function passTime(clock: VirtualClock): () => void {
  let timersAtOnce = 0
  return () => {
    const dueMs = clock.nextDueMs
    if (dueMs === undefined) throw new Error('waits for something that no timer brings about')
    timersAtOnce = dueMs > clock.now() ? 0 : timersAtOnce + 1
    if (timersAtOnce > mostTimersAtOnce)
      throw new Error(`${mostTimersAtOnce} timers at ${dueMs} ms: time does not get on`)
    clock.advanceTo(dueMs)
  }
}
