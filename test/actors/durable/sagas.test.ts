import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type EffectRun } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, type Disk } from './disk.ts'

/*
 * A saga does its steps in order; when one fails, it undoes those that were done, last first. Whatever crashes when, it
 * ends as either all of it or nothing.
 */

interface Step {
  readonly key: string
  readonly fails: boolean
  readonly idempotent: boolean
  /** Results are small, or too large for an entry. */
  readonly large: boolean
  /** The process is gone while the step runs, before or after it has done its work. */
  readonly dies: 'no' | 'before' | 'after'
}

/** What is outside of all processes: it does a charge once for each idempotency key, and knows what it did when. */
class Bank {
  readonly done = new Map<string, string>()
  readonly log: string[] = []
  readonly runs = new Map<string, number>()

  do(key: string, { idempotencyKey }: EffectRun): void {
    this.runs.set(key, (this.runs.get(key) ?? 0) + 1)
    if (this.done.has(idempotencyKey)) return
    this.done.set(idempotencyKey, key)
    this.log.push(key)
  }
}

/** Dies once for each step that says so, and each time kills the process that asks. */
class Fate {
  readonly #used = new Set<string>()
  #isDead = false

  get isDead(): boolean {
    return this.#isDead
  }

  revive(): void {
    this.#isDead = false
  }

  /** Whether the process is gone now. */
  strikes(key: string): boolean {
    if (this.#used.has(key)) return false
    this.#used.add(key)
    this.#isDead = true
    return true
  }
}

const never = new Promise<never>(() => undefined)

function saga(steps: readonly Step[], bank: Bank, fate: Fate) {
  const work = async ({ key, fails, dies, large }: Step, run: EffectRun): Promise<unknown> => {
    if (dies === 'before' && fate.strikes(key)) await never
    if (fails) throw new Error(`${key} was refused`)
    bank.do(key, run)
    if (dies === 'after' && fate.strikes(key)) await never
    return large ? key.repeat(100) : key
  }
  return defineActor({
    name: 'saga',
    durable: { inlineResultBytes: 20, snapshotEvery: { entries: 3 } },
    protocol: { go: message(), end: question({}, z.string()) },
    state: () => ({ end: 'none', done: [] as readonly string[] }),
    on: {
      go: async ({ effect, state }) => {
        const done: string[] = []
        try {
          for (const step of steps) {
            const { key, idempotent } = step
            const result = await effect(key, (run) => work(step, run), { idempotent })
            done.push(String(result).slice(0, key.length))
          }
        } catch {
          for (const key of done.toReversed())
            await effect(`undo ${key}`, (run) => work({ ...plain, key: `undo ${key}`, dies: undoDies(key) }, run), {
              idempotent: true,
            })
          return { end: 'undone', done: [] }
        }
        return { end: 'done', done: [...state.done, ...done] }
      },
      end: ({ state, reply }) => {
        reply(`${state.end} ${state.done.join(' ')}`.trim())
      },
    },
  })

  function undoDies(key: string): Step['dies'] {
    return steps.find((step) => step.key === key)?.dies ?? 'no'
  }
}

const plain: Omit<Step, 'key'> = { fails: false, idempotent: true, large: false, dies: 'no' }

const stepsArb: fc.Arbitrary<readonly Step[]> = fc
  .array(
    fc.record({
      fails: fc.boolean(),
      idempotent: fc.boolean(),
      large: fc.boolean(),
      dies: fc.constantFrom('no' as const, 'before' as const, 'after' as const),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((steps) => steps.map((step, i) => ({ ...step, key: `step-${i}` })))

/** One process. Whoever is asked about a doubt looks whether it was done. */
const live = (
  world: Disk,
  definition: ReturnType<typeof saga>,
  bank: Bank,
  before?: TestRuntime,
): Promise<TestRuntime> =>
  createTestRuntime({
    journal: world.journal,
    ...(before === undefined ? {} : { clock: clockAfter(before.clock) }),
    definitions: [definition],
    onInDoubt: ({ key, idempotencyKey }) =>
      bank.done.has(idempotencyKey) ? { kind: 'value', value: key } : { kind: 'retry' },
  })

test('given sagas of random effects, when processes end in effects and at commits, then each ends as all of it or nothing', async () => {
  const ends = new Set<string>()
  await fc.assert(
    fc.asyncProperty(stepsArb, fc.infiniteStream(fc.nat({ max: 6 })), async (steps, lifetimes) => {
      const bank = new Bank()
      const fate = new Fate()
      const definition = saga(steps, bank, fate)
      const world = disk()
      let before: TestRuntime | undefined
      const acknowledged = new Set<string>()
      for (let process = 0; process < 20; process += 1) {
        world.revive()
        // Later ones live for ever, so that it ends.
        const [commits = 0] = [...lifetimes.take(1)]
        if (process < 10) world.dieAfter(commits)
        fate.revive()
        const t = await live(world, definition, bank, before)
        before = t
        // Whoever wants it asks again until it is acknowledged: it is one message.
        if (!acknowledged.has('the one'))
          void t.runtime
            .get(definition, 'a')
            .tell({ type: 'go' }, { durable: true, id: 'the one' })
            .then(() => acknowledged.add('the one'))
        await t.settle()
        if (!fate.isDead && !world.isDead) break
        // Gone without a word.
        world.dieAfter(0)
      }
      if (before === undefined) throw new Error('nobody lived')
      const end = await before.until(before.runtime.get(definition, 'a').ask({ type: 'end' }))
      ends.add(end.split(' ')[0] ?? '')
      const keys = steps.map(({ key }) => key)
      const failing = steps.findIndex(({ fails }) => fails)
      if (failing === -1) {
        expect(end).toBe(`done ${keys.join(' ')}`)
        expect(bank.log).toEqual(keys)
      } else {
        const done = keys.slice(0, failing)
        expect(end).toBe('undone')
        expect(bank.log).toEqual([...done, ...done.toReversed().map((key) => `undo ${key}`)])
      }
      for (const { key, idempotent } of steps) if (!idempotent) expect(bank.runs.get(key) ?? 0).toBeLessThanOrEqual(1)
      await before.until(before.runtime.shutdown())
    }),
    { numRuns: 150 },
  )
  expect(ends).toEqual(new Set(['done', 'undone']))
})
