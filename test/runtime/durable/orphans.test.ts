import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, kindsOf, type Disk } from '../../actors/durable/disk.ts'

const never = new Promise<never>(() => undefined)
let runs: string[] = []

const racer = defineActor({
  name: 'racer',
  durable: { passivateAfterMs: 1000 },
  protocol: {
    race: message({ idempotent: z.boolean().optional() }),
    fail: message(),
    again: question({}, z.string()),
  },
  state: () => 0,
  on: {
    race: async ({ state, effect, message: { idempotent = false } }) => {
      await Promise.race([effect('slow', () => never, { idempotent }), effect('fast', () => 1)])
      return state + 1
    },
    fail: async ({ effect }) => {
      void effect('slow', () => never)
      await effect('fast', () => 1)
      throw new Error('boom')
    },
    again: async ({ effect, reply }) => {
      reply(
        await effect('slow', () => {
          runs.push('slow')
          return 'run'
        }),
      )
    },
  },
})

const chart = defineActor({
  name: 'chart',
  durable: { passivateAfterMs: 1000 },
  protocol: { next: message() },
  machine: ({ setup, effect }) =>
    setup({ actors: { slow: effect('slow', () => never) } }).createMachine({
      initial: 'working',
      states: { working: { invoke: { src: 'slow' }, on: { next: 'left' } }, left: {} },
    }),
})

type Lasting = typeof racer | typeof chart

/** A process that is gone while an effect runs whose message is over. */
async function gone(tell: (t: TestRuntime) => void | Promise<void>): Promise<{ world: Disk; first: TestRuntime }> {
  runs = []
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  await tell(first)
  await first.settle()
  world.endProcess()
  return { world, first }
}

const race = (t: TestRuntime): void => {
  t.runtime.get(racer, 'a').tell({ type: 'race' })
}

const next = (world: Disk, before: TestRuntime, definition: Lasting = racer): Promise<TestRuntime> =>
  createTestRuntime({ journal: world.journal, clock: clockAfter(before.clock), definitions: [definition] })

const doubts = (t: TestRuntime): readonly string[] => t.runtime.inDoubt.map(({ stream, key }) => `${stream} ${key}`)

describe('an effect without an outcome whose message is over', () => {
  test.each<[string, (t: TestRuntime) => void | Promise<void>, Lasting, string]>([
    ['was handled', race, racer, '/durable/racer/a slow'],
    ['failed', (t) => void t.runtime.get(racer, 'a').tell({ type: 'fail' }), racer, '/durable/racer/a slow'],
    [
      'was that of a chart which has left',
      async (t) => {
        t.runtime.get(chart, 'a').subscribe(() => undefined)
        await t.settle()
        t.runtime.get(chart, 'a').tell({ type: 'next' })
      },
      chart,
      '/durable/chart/a slow',
    ],
  ])(
    'given a message that %s, then the next process asks about it once, and never again',
    async (_, tell, definition, doubt) => {
      const { world, first } = await gone(tell)
      const t = await next(world, first, definition)
      let recovered = 0
      t.runtime.on('recovered', () => (recovered += 1))
      await t.advance(60_000)
      expect(doubts(t)).toEqual([doubt])
      expect(recovered).toBeLessThanOrEqual(1)
      t.runtime.inDoubt[0]?.settle({ kind: 'value', value: 'paid' })
      await t.advance(60_000)
      expect(doubts(t)).toEqual([])
      expect(t.runtime.ref(doubt.split(' ')[0] ?? '')?.isRunning ?? false).toBe(false)
      await t.until(t.runtime.shutdown())
      await using last = await next(world, t, definition)
      await last.advance(60_000)
      expect([doubts(last), last.runtime.stats.actors]).toEqual([[], 2])
    },
  )

  test('given nobody who answers, then it stays there to be answered, and the actor takes messages', async () => {
    const { world, first } = await gone(race)
    await using t = await next(world, first)
    await t.advance(600_000)
    expect(doubts(t)).toEqual(['/durable/racer/a slow'])
    t.runtime.get(racer, 'a').tell({ type: 'race' })
    await t.settle()
    expect(t.runtime.get(racer, 'a').incarnation).toBe(1)
  })

  test('given a message that asks for it meanwhile, then that waits for the answer and gets it', async () => {
    const { world, first } = await gone(race)
    await using t = await next(world, first)
    await t.settle()
    const answer = t.runtime.get(racer, 'a').ask({ type: 'again' })
    await t.settle()
    expect(doubts(t)).toEqual(['/durable/racer/a slow'])
    t.runtime.inDoubt[0]?.settle({ kind: 'value', value: 'paid' })
    expect(await t.until(answer)).toBe('paid')
    expect(runs).toEqual([])
  })

  test('given the answer to try again, then it is forgotten, and runs when a message asks for it', async () => {
    const { world, first } = await gone(race)
    await using t = await next(world, first)
    await t.settle()
    t.runtime.inDoubt[0]?.settle({ kind: 'retry' })
    await t.settle()
    expect(runs).toEqual([])
    expect((await kindsOf(world.journal, '/durable/racer/a')).at(-1)).toBe('outcome')
    expect(await t.until(t.runtime.get(racer, 'a').ask({ type: 'again' }))).toBe('run')
    expect(runs).toEqual(['slow'])
  })

  test('given one that may run again, then nobody is asked, and nobody is woken for it again', async () => {
    const { world, first } = await gone((t) => {
      t.runtime.get(racer, 'a').tell({ type: 'race', idempotent: true })
    })
    await using t = await next(world, first)
    await t.advance(10_000)
    expect([doubts(t), t.runtime.get(racer, 'a').isRunning]).toEqual([[], false])
  })
})
