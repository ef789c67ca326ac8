import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, supervisor } from 'echelon'
import { createTestRuntime, ManualScheduler } from 'echelon/testing'

const ticker = defineActor({
  name: 'ticker',
  protocol: { start: message({ everyMs: z.number() }), tick: message() },
  state: () => [] as number[],
  on: {
    start: ({ message: { everyMs }, timers }) => {
      timers.every('tick', everyMs, { type: 'tick' })
    },
    tick: ({ state, clock }) => [...state, clock.now()],
  },
})

describe('createTestRuntime', () => {
  test('given a periodic timer, when time passes, then each tick is handled at its own time', async () => {
    await using test = await createTestRuntime()
    const ref = test.runtime.spawn(ticker)
    ref.tell({ type: 'start', everyMs: 10 })
    await test.advance(35)
    expect(ref.snapshot.context).toEqual([10, 20, 30])
    expect(test.clock.now()).toBe(35)
  })

  test('given no settle, then nothing happens', async () => {
    await using test = await createTestRuntime()
    const ref = test.runtime.spawn(ticker)
    ref.tell({ type: 'tick' })
    await Promise.resolve()
    expect(ref.snapshot.context).toEqual([])
    await test.settle()
    expect(ref.snapshot.context).toEqual([0])
  })

  test('given handlers that await each other, when it settles, then all promises have gone on', async () => {
    const adder = defineActor({
      name: 'adder',
      protocol: { add: question({ n: z.number() }, z.number()) },
      state: () => undefined,
      on: {
        add: async ({ message: { n }, reply }) => {
          let sum = 0
          for (let i = 1; i <= n; i += 1) sum = await Promise.resolve(sum + i)
          reply(sum)
        },
      },
    })
    await using test = await createTestRuntime()
    let answer = 0
    void test.runtime
      .spawn(adder)
      .ask({ type: 'add', n: 1000 })
      .then((sum) => {
        answer = sum
      })
    await test.settle()
    expect(answer).toBe(500_500)
  })

  test('given an ask that is never answered, then until lets just the time pass that it takes', async () => {
    const silent = defineActor({
      name: 'silent',
      protocol: { get: question({}, z.number()) },
      state: () => undefined,
      on: { get: () => undefined },
    })
    await using test = await createTestRuntime()
    const ref = test.runtime.spawn(silent)
    await expect(test.until(ref.ask({ type: 'get' }, { timeoutMs: 800 }))).rejects.toMatchObject({
      code: 'ASK_TIMEOUT',
    })
    expect(test.clock.now()).toBe(800)
  })

  test('given a promise that no timer can settle, then until says so', async () => {
    await using test = await createTestRuntime()
    await expect(test.until(new Promise(() => undefined))).rejects.toThrow('no timer')
  })

  test('given timers that keep time from passing, then advance gives up', async () => {
    await using test = await createTestRuntime()
    let on = true
    const again = (): void => {
      if (on) test.clock.setTimeout(again, 0)
    }
    again()
    await expect(test.advance(1)).rejects.toThrow('does not get on')
    on = false
  }, 30_000)

  test('given the same seed, then the same numbers, also for the default', async () => {
    const dice = defineActor({
      name: 'dice',
      protocol: { roll: question({}, z.number()) },
      state: () => undefined,
      on: {
        roll: ({ random, reply }) => {
          reply(random.next())
        },
      },
    })
    const roll = async (seed?: number): Promise<number> => {
      await using test = await createTestRuntime(seed === undefined ? {} : { seed })
      return await test.until(test.runtime.spawn(dice).ask({ type: 'roll' }))
    }
    expect(await roll()).toBe(await roll())
    expect(await roll(7)).toBe(await roll(7))
    expect(await roll(7)).not.toBe(await roll(8))
  })

  test('given a root that cannot start, then it rejects as createRuntime does', async () => {
    const broken = defineActor({
      name: 'broken',
      protocol: { ping: message() },
      state: () => {
        throw new Error('no')
      },
      on: { ping: () => undefined },
    })
    await expect(createTestRuntime({ root: supervisor('app', { children: [broken] }) })).rejects.toMatchObject({
      code: 'START_FAILED',
    })
  })
})

describe('ManualScheduler', () => {
  test('turns run in the order in which they were asked for, soon before later', async () => {
    const scheduler = new ManualScheduler()
    const ran: string[] = []
    scheduler.later(() => ran.push('later 1'))
    scheduler.soon(() => {
      ran.push('soon 1')
      scheduler.soon(() => ran.push('soon 2'))
    })
    expect(scheduler.idle).toBe(false)
    await scheduler.settle()
    expect(ran).toEqual(['soon 1', 'soon 2', 'later 1'])
    expect(scheduler.idle).toBe(true)
    expect(scheduler.runOne()).toBe(false)
  })

  test('turns that beget turns for ever are given up', async () => {
    const scheduler = new ManualScheduler()
    const again = (): void => {
      scheduler.later(again)
    }
    again()
    await expect(scheduler.settle(1000)).rejects.toThrow('not settled after 1000 turns')
  })

  test('a turn that throws is seen by the test, and the others are still there', async () => {
    const scheduler = new ManualScheduler()
    let ran = false
    scheduler.soon(() => {
      throw new Error('boom')
    })
    scheduler.soon(() => {
      ran = true
    })
    await expect(scheduler.settle()).rejects.toThrow('boom')
    await scheduler.settle()
    expect(ran).toBe(true)
  })
})
