import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type ActorContext } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { clockAfter, disk, entriesOf } from './disk.ts'
import { atEveryCommit } from './lives.ts'

type Context = Pick<ActorContext, 'effect'>

/** Does `work`, and keeps in its state what came of it and in which order. */
function seer(work: (context: Context, see: (what: unknown) => void) => Promise<unknown>) {
  return defineActor({
    name: 'seer',
    durable: true,
    protocol: { go: message(), seen: question({}, z.array(z.unknown())) },
    state: (): readonly unknown[] => [],
    on: {
      go: async (context) => {
        const seen: unknown[] = [...context.state]
        const see = (what: unknown): void => void seen.push(what)
        see(await work(context, see))
        // Losers of a race go on seeing.
        return [...seen]
      },
      seen: ({ state, reply }) => {
        reply([...state])
      },
    },
  })
}

/** Results of effects, which come in the order of `times`. */
function slowly(times: Readonly<Record<string, number>>) {
  let clock: { setTimeout(fn: () => void, ms: number): unknown } | undefined
  return {
    on: (given: typeof clock) => {
      clock = given
    },
    call: (key: string) => (): Promise<string> =>
      new Promise((resolve, reject) => {
        clock?.setTimeout(() => {
          if (key.startsWith('bad')) reject(new Error(key))
          else resolve(`did ${key}`)
        }, times[key] ?? 0)
      }),
  }
}

const order = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'bad e', 'bad f'), { minLength: 1, maxLength: 6 })
const patterns = {
  all: (runs: Promise<unknown>[]): Promise<unknown> => Promise.all(runs).catch(String),
  allSettled: (runs: Promise<unknown>[]): Promise<unknown> =>
    Promise.allSettled(runs).then((all) => all.map(({ status }) => status)),
  race: (runs: Promise<unknown>[]): Promise<unknown> => Promise.race(runs).catch(String),
  any: (runs: Promise<unknown>[]): Promise<unknown> => Promise.any(runs).catch(String),
} as const

test('given effects side by side that end in any order, then a replay sees them end in that order', async () => {
  await fc.assert(
    fc.asyncProperty(
      order,
      fc.array(fc.nat({ max: 50 }), { minLength: 6, maxLength: 6 }),
      fc.constantFrom(...(Object.keys(patterns) as (keyof typeof patterns)[])),
      async (keys, times, pattern) => {
        const world = slowly(Object.fromEntries(keys.map((key, i) => [key, times[i] ?? 0])))
        let runs = 0
        const definition = seer((context, see) =>
          patterns[pattern](
            keys.map(async (key) => {
              const value = await context.effect(key, () => {
                runs += 1
                return world.call(key)()
              })
              see(value)
              return value
            }),
          ),
        )
        const { journal } = disk()
        const first = await createTestRuntime({ journal })
        world.on(first.clock)
        const ref = first.runtime.get(definition, 'a')
        ref.tell({ type: 'go' })
        await first.advance(100)
        ref.tell({ type: 'go' })
        await first.advance(100)
        const seen = await first.until(ref.ask({ type: 'seen' }))
        const ran = runs
        const next = await createTestRuntime({ journal, clock: clockAfter(first.clock) })
        expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'seen' }))).toEqual(seen)
        expect(runs).toBe(ran)
      },
    ),
    { numRuns: 100 },
  )
})

test('given effects side by side, when the process ends at any commit, then what was known stays so, in its order', async () => {
  const keys = ['a', 'b', 'c', 'd']
  let runs: string[] = []
  let world = slowly({})
  const definition = seer((context, see) =>
    Promise.all(
      keys.map(async (key) => {
        see(
          await context.effect(key, () => {
            runs.push(key)
            return world.call(key)()
          }),
        )
      }),
    ),
  )
  const doubts: number[] = []
  await atEveryCommit({
    begin: () => {
      runs = []
      world = slowly({ a: 4, b: 3, c: 2, d: 1 })
    },
    act: (t) => {
      world.on(t.clock)
      void t.runtime.get(definition, 'a').tell({ type: 'go' }, { durable: true })
    },
    livesMs: 10,
    onInDoubt: ({ key }) => ({ kind: 'value', value: `found ${key}` }),
    check: async (t, { isWhole, disk: { journal } }) => {
      world.on(t.clock)
      const [, ...entries] = await entriesOf(journal, '/durable/seer/a')
      const seen = await t.until(t.runtime.get(definition, 'a').ask({ type: 'seen' }))
      expect(new Set(runs).size).toBe(runs.length)
      if (seen.length === 0) expect(runs).toEqual([])
      else {
        // Those whose outcome was on disk first.
        const told = seen.slice(0, -1) as string[]
        const known = told.filter((text) => text.startsWith('did'))
        doubts.push(told.length - known.length)
        expect(known).toEqual(['d', 'c', 'b', 'a'].slice(0, known.length).map((key) => `did ${key}`))
        expect(told.toSorted()).toHaveLength(keys.length)
      }
      if (isWhole) expect(entries).toHaveLength(10)
      // And a replay of what went on after the crash sees the same.
      await using later = await createTestRuntime({ journal, clock: clockAfter(t.clock) })
      expect(await later.until(later.runtime.get(definition, 'a').ask({ type: 'seen' }))).toEqual(seen)
    },
  })
  expect(new Set(doubts)).toEqual(new Set([0, 1, 2, 3, 4]))
})

test('given an effect that loses a race, when it ends later, then later messages and lives know what it came to', async () => {
  const slow = Promise.withResolvers<string>()
  let asks = 0
  const definition = defineActor({
    name: 'racer',
    durable: true,
    protocol: { race: question({}, z.string()), ask: question({}, z.string()) },
    state: () => '',
    on: {
      race: async ({ effect, reply }) => {
        const first = await Promise.race([effect('quick', () => 'quick'), effect('slow', () => slow.promise)])
        reply(first)
        return first
      },
      ask: async ({ effect, reply }) => {
        const value = await effect('slow', () => `asked ${(asks += 1)}`)
        reply(value)
        return value
      },
    },
  })
  const { journal } = disk()
  const first = await createTestRuntime({ journal })
  expect(await first.until(first.runtime.get(definition, 'a').ask({ type: 'race' }))).toBe('quick')
  // While it is on its way, nobody knows.
  const second = await createTestRuntime({ journal, clock: clockAfter(first.clock) })
  const inDoubt = second.runtime.get(definition, 'a').ask({ type: 'ask' })
  await second.settle()
  expect(second.runtime.inDoubt.map(({ key }) => key)).toEqual(['slow'])
  second.runtime.inDoubt[0]?.settle({ kind: 'value', value: 'told' })
  expect(await second.until(inDoubt)).toBe('told')
  const third = await createTestRuntime({ journal, clock: clockAfter(second.clock) })
  expect(await third.until(third.runtime.get(definition, 'a').ask({ type: 'ask' }))).toBe('told')
  expect(asks).toBe(0)
})

test('given an effect that loses a race and ends before the process does, then the next one has its outcome', async () => {
  const slow = Promise.withResolvers<string>()
  const definition = seer(({ effect }) => Promise.race([effect('quick', () => 1), effect('slow', () => slow.promise)]))
  const again = seer(({ effect }) => effect('slow', () => 'ran again'))
  const { journal } = disk()
  const first = await createTestRuntime({ journal })
  first.runtime.get(definition, 'a').tell({ type: 'go' })
  await first.settle()
  slow.resolve('late')
  await first.until(first.runtime.shutdown())
  await using next = await createTestRuntime({ journal, clock: clockAfter(first.clock) })
  const ref = next.runtime.get(again, 'a')
  ref.tell({ type: 'go' })
  expect(await next.until(ref.ask({ type: 'seen' }))).toEqual([1, 'late'])
})

test.each(['succeeds', 'fails'])(
  'given an effect that lost a race and is asked for while it runs, when it %s, then that is known, or tried again, also in a replay',
  async (how) => {
    const gate = Promise.withResolvers<string>()
    const runs: string[] = []
    const definition = defineActor({
      name: 'racer',
      durable: true,
      protocol: { race: message(), ask: question({}, z.string()), state: question({}, z.string()) },
      state: () => '',
      on: {
        race: ({ effect }) => Promise.race([effect('quick', () => 'quick'), effect('slow', () => gate.promise)]),
        ask: async ({ effect, reply, state }) => {
          const value = await effect('slow', () => `run ${runs.push('again')}`)
          reply(value)
          return `${state} ${value}`
        },
        state: ({ state, reply }) => {
          reply(state)
        },
      },
    })
    const { journal } = disk()
    const first = await createTestRuntime({ journal })
    const ref = first.runtime.get(definition, 'a')
    ref.tell({ type: 'race' })
    await first.settle()
    const asked = ref.ask({ type: 'ask' })
    await first.settle()
    if (how === 'fails') gate.reject(new Error('late and bad'))
    else gate.resolve('late')
    const value = how === 'fails' ? 'run 1' : 'late'
    expect(await first.until(asked)).toBe(value)
    const next = await createTestRuntime({ journal, clock: clockAfter(first.clock) })
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'state' }))).toBe(`quick ${value}`)
  },
)

test('given a handler that begins an effect after its end, then that is refused at once, not in a replay', async () => {
  const refused: unknown[] = []
  const gate = Promise.withResolvers<void>()
  const definition = defineActor({
    name: 'floating',
    durable: true,
    protocol: { go: message() },
    state: () => 0,
    on: {
      go: async ({ effect, state }) => {
        void gate.promise.then(() => effect('late', () => 1)).catch((error: unknown) => refused.push(error))
        await effect('in time', () => 1)
        return state + 1
      },
    },
  })
  await using t = await createTestRuntime({ journal: disk().journal })
  t.runtime.get(definition, 'a').tell({ type: 'go' })
  await t.settle()
  gate.resolve()
  await t.settle()
  expect(refused).toMatchObject([{ code: 'NOT_REPLAYABLE' }])
})

test('given two callers of one key at the same time, then it runs once for both', async () => {
  const run = vi.fn(() => Promise.resolve({ n: 1 }))
  const definition = seer(({ effect }) => Promise.all([effect('e', run), effect('e', run)]))
  const { journal } = disk()
  const first = await createTestRuntime({ journal })
  const ref = first.runtime.get(definition, 'a')
  ref.tell({ type: 'go' })
  expect(await first.until(ref.ask({ type: 'seen' }))).toEqual([[{ n: 1 }, { n: 1 }]])
  const next = await createTestRuntime({ journal, clock: clockAfter(first.clock) })
  expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'seen' }))).toEqual([[{ n: 1 }, { n: 1 }]])
  expect(run).toHaveBeenCalledTimes(1)
})
