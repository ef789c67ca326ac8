import { createRuntime, type Runtime, type RuntimeOptions } from '../runtime/runtime.ts'
import { ManualScheduler } from './manual-scheduler.ts'
import { VirtualClock } from './virtual-clock.ts'

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

export interface TestRuntimeOptions extends Omit<RuntimeOptions, 'clock' | 'scheduler'> {
  /** Default: a new one. Give the one of an earlier runtime to go on in its time, as after a restart. */
  readonly clock?: VirtualClock
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
export async function createTestRuntime({
  clock = new VirtualClock(),
  ...options
}: TestRuntimeOptions = {}): Promise<TestRuntime> {
  const scheduler = new ManualScheduler()
  const settle = (): Promise<void> => scheduler.settle()
  const advance = async (ms: number): Promise<void> => {
    const untilMs = clock.now() + ms
    await settle()
    for (let dueMs = clock.nextDueMs; dueMs !== undefined && dueMs <= untilMs; dueMs = clock.nextDueMs) {
      clock.advanceTo(dueMs)
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
    while (!isSettled) {
      if (clock.nextDueMs === undefined) throw new Error('waits for something that no timer brings about')
      clock.advanceTo(clock.nextDueMs)
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
