/**
 * Ten durable effects in a row, one actor each time: every effect has its intent on disk before it runs. One caller, and
 * 32 at once. The raw limit writes a line and calls fdatasync for each step, 32 callers sharing one call. In the notes of
 * their authors, measured elsewhere: Restate 102 and 390 a second, DBOS 71 and 215.
 */

import type { JournalSource } from 'echelon/journal'
import type { Bench } from './frame/bench.ts'
import { temporaryFolder } from './frame/at-end.ts'
import { perSecond } from './frame/measure.ts'

const steps = 10

const raw = (callers: number) => async () => {
  const { open } = await import('node:fs/promises')
  const file = await open(`${temporaryFolder()}/raw`, 'a')
  const line = `${JSON.stringify({ key: 'step-1', value: 1, note: 'x'.repeat(40) })}\n`
  const perRun = callers * 4
  return (ms: number) =>
    perSecond(ms, perRun, async () => {
      for (let n = 0; n < (perRun / callers) * steps; n++) {
        await file.write(line.repeat(callers))
        await file.datasync()
      }
    })
}

const through = (open: () => Promise<JournalSource>, callers: number) => async () => {
  const { createRuntime, defineActor, question } = await import('echelon')
  const z = await import('zod')
  const flow = defineActor({
    name: 'flow',
    durable: true,
    protocol: { 'flow.run': question({}, z.int()) },
    state: () => ({ sum: 0 }),
    on: {
      'flow.run': async ({ effect, reply }) => {
        let sum = 0
        for (let step = 0; step < steps; step++) sum += await effect(`step-${step}`, () => step)
        reply(sum)
        return { sum }
      },
    },
  })
  const runtime = await createRuntime({ journal: await open() })
  let n = 0
  const perCaller = callers === 1 ? 20 : 10
  const call = async (): Promise<void> => {
    for (let i = 0; i < perCaller; i++)
      await runtime.get(flow, `flow-${n++}`).ask({ type: 'flow.run' }, { timeoutMs: 60_000 })
  }
  return (ms: number) => perSecond(ms, callers * perCaller, () => Promise.all(Array.from({ length: callers }, call)))
}

const sqlite = async (): Promise<JournalSource> => {
  const { sqliteJournal } = await import('echelon/journal')
  return sqliteJournal(`${temporaryFolder()}/journal.db`)
}

const memory = async (): Promise<JournalSource> => {
  const { memoryJournal } = await import('echelon/journal')
  return memoryJournal()
}

export default {
  name: 'durable-effects',
  question: `How many runs of ${steps} durable effects in a row are done?`,
  unit: 'runs/s',
  goals: [{ subject: 'Echelon, 32 at once', atLeast: 5_000, aim: 12_000 }],
  subjects: {
    'fdatasync per step': raw(1),
    'Echelon, in memory': through(memory, 1),
    Echelon: through(sqlite, 1),
    'fdatasync per step, 32 at once': raw(32),
    'Echelon, in memory, 32 at once': through(memory, 32),
    'Echelon, 32 at once': through(sqlite, 32),
  },
} satisfies Bench
