import * as z from 'zod'
import { defineActor, message, question, type ActorTimers } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, type Disk } from './disk.ts'

export const minuteMs = 60_000
export const dayMs = 86_400_000

const protocol = {
  set: message({ name: z.string() }),
  ring: message({ of: z.string() }),
  rings: question({}, z.array(z.string())),
}
export type Timers = ActorTimers<{ type: 'ring'; of: string }>

/** Notes when which timer rang; what timers there are, a test says by name. */
export const clockwork = (sets: Readonly<Record<string, (timers: Timers) => unknown>>) =>
  defineActor({
    name: 'clockwork',
    durable: { passivateAfterMs: 1000 },
    protocol,
    state: () => ({ rings: [] as readonly string[], sets: 0 }),
    on: {
      set: ({ state, message: { name }, timers }) => {
        sets[name]?.(timers)
        return { ...state, sets: state.sets + 1 }
      },
      ring: ({ state, message: { of }, clock }) => ({ ...state, rings: [...state.rings, `${of} ${clock.wallNow()}`] }),
      rings: ({ state, reply }) => {
        reply([...state.rings])
      },
    },
  })
export type Clockwork = ReturnType<typeof clockwork>

export const ringsOf = (t: TestRuntime, definition: Clockwork, key = 'a'): Promise<string[]> =>
  t.until(t.runtime.get(definition, key).ask({ type: 'rings' }))

/** The next process, after some time without any. */
export const after = (
  t: TestRuntime,
  { journal }: Disk,
  definition: Clockwork | undefined,
  awayMs = 0,
): Promise<TestRuntime> =>
  createTestRuntime({
    journal,
    clock: clockAfter(t.clock, awayMs),
    definitions: definition === undefined ? [] : [definition],
  })
