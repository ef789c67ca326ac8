import { createRuntime, type Runtime, type RuntimeOptions } from '../runtime/runtime.ts'
import { ManualScheduler } from './manual-scheduler.ts'
import { VirtualClock } from './virtual-clock.ts'

/** A runtime whose time and turns belong to the test. */
export interface TestRuntime extends AsyncDisposable {
  readonly runtime: Runtime
  readonly clock: VirtualClock
  readonly scheduler: ManualScheduler
  /** Lets everything happen that needs no time to pass. */
  settle(): Promise<void>
  /** Lets `ms` milliseconds pass, settling before, after and at every timer. */
  advance(ms: number): Promise<void>
}

/** Creates a runtime under virtual time; the seed is fixed unless `options` names one. Tests with it never sleep. */
export async function createTestRuntime(options: Omit<RuntimeOptions, 'clock' | 'scheduler'> = {}): Promise<TestRuntime> {
  const clock = new VirtualClock()
  const scheduler = new ManualScheduler()
  const creating = createRuntime({ seed: 1, ...options, clock, scheduler })
  creating.catch(() => undefined) // it is awaited below, when it had its turns
  await scheduler.settle()
  const runtime = await creating
  const settle = (): Promise<void> => scheduler.settle()
  const advance = async (ms: number): Promise<void> => {
    await settle()
    const untilMs = clock.now() + ms
    for (;;) {
      const dueMs = clock.nextDueMs
      if (dueMs === undefined || dueMs > untilMs) break
      clock.advanceTo(dueMs)
      await settle()
    }
    clock.advanceTo(untilMs)
    await settle()
  }
  const dispose = async (): Promise<void> => {
    let closed = false
    const closing = runtime.shutdown().finally(() => {
      closed = true
    })
    await settle()
    while (!closed && clock.nextDueMs !== undefined) {
      clock.advanceTo(clock.nextDueMs)
      await settle()
    }
    await closing
  }
  return { runtime, clock, scheduler, settle, advance, [Symbol.asyncDispose]: dispose }
}
