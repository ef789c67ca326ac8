/** For tests of actors: time and turns that belong to the test. */
export { VirtualClock } from './virtual-clock.ts'
export { ManualScheduler } from './manual-scheduler.ts'
export { createTestRuntime, type TestRuntime, type TestRuntimeOptions } from './test-runtime.ts'
