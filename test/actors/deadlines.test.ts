import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from 'echelon/testing'
import { Deadlines, type Deadlined } from '../../src/actors/deadlines.ts'

interface Entry extends Deadlined {
  expiredAtMs: number | undefined
}

/** Deadlines over a virtual clock, whose tasks for later run when the test says so. */
function open() {
  const clock = new VirtualClock()
  const tasks: (() => void)[] = []
  const deadlines = new Deadlines(clock, (task) => tasks.push(task))
  const entry = (timeoutMs: number): Entry => {
    const made: Entry = {
      timeoutMs,
      deadlineMs: clock.now() + timeoutMs,
      earlier: undefined,
      later: undefined,
      expiredAtMs: undefined,
      expire: () => {
        made.expiredAtMs = clock.now()
      },
    }
    deadlines.add(made)
    return made
  }
  const runTasks = (): void => {
    for (const task of tasks.splice(0)) task()
  }
  return { clock, deadlines, entry, runTasks }
}

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('add' as const), timeoutMs: fc.constantFrom(5, 10, 50, Infinity) }),
    fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 30 }) }),
    fc.constant({ kind: 'tasks' as const }),
  ),
  { maxLength: 200 },
)

test('each entry expires exactly at its deadline, unless it was removed before', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const { clock, deadlines, entry, runTasks } = open()
      const entries: Entry[] = []
      const removed = new Set<Entry>()
      for (const step of script) {
        if (step.kind === 'add') entries.push(entry(step.timeoutMs))
        else if (step.kind === 'pass') clock.advanceBy(step.ms)
        else if (step.kind === 'tasks') runTasks()
        else {
          const chosen = entries[step.at % Math.max(1, entries.length)]
          if (chosen === undefined) continue
          deadlines.remove(chosen)
          if (chosen.expiredAtMs === undefined) removed.add(chosen)
        }
      }
      for (const made of entries) {
        const isDue = !removed.has(made) && made.deadlineMs <= clock.now()
        expect(made.expiredAtMs).toBe(isDue ? made.deadlineMs : undefined)
      }
    }),
    { numRuns: 500 },
  )
})

test('given that nobody waits any more, when what is at hand is done, then no timer keeps the process alive', () => {
  const { clock, deadlines, entry, runTasks } = open()
  for (const made of [entry(5000), entry(5000), entry(70)]) deadlines.remove(made)
  expect(clock.pending).toBe(2)
  runTasks()
  expect(clock.pending).toBe(0)
})

test('given asks one after another, then one timer serves them all', () => {
  const { clock, deadlines, entry } = open()
  for (let n = 0; n < 1000; n += 1) deadlines.remove(entry(5000))
  entry(5000)
  expect(clock.pending).toBe(1)
})
