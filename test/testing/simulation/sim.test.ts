/* eslint-disable no-restricted-properties, no-restricted-globals -- in a world they are virtual */
import * as z from 'zod'
import { expect, test } from 'vitest'
import { defineActor, message, question, type Ref } from 'echelon'
import { fromPromise } from 'xstate'
import { EscapedSimulationError, faults, sim, wrap } from 'echelon/testing'
import { counter } from './actors.ts'

const approval = defineActor({
  name: 'approval',
  protocol: { 'approval.grant': message(), 'approval.state': question({}, z.string()) },
  machine: ({ setup }) =>
    setup({}).createMachine({
      initial: 'waiting',
      states: {
        waiting: { on: { 'approval.grant': 'granted' }, after: { 86_400_000: 'expired' } },
        granted: {},
        expired: {},
      },
    }),
})

test('given an approval that nobody gives, when a day has passed, then it has expired', async () => {
  await using world = sim({ seed: 1 })
  const ref = world.spawn(approval)
  expect(ref.state).toBe('waiting')

  await world.advance('24h')

  expect(ref.state).toBe('expired')
  expect(world.nowMs).toBe(86_400_000)
})

test('given an approval that is given in time, then it does not expire', async () => {
  await using world = sim()
  const ref = world.spawn(approval)
  await world.advance('23h')
  ref.tell({ type: 'approval.grant' })
  await world.settle()

  await world.advance('2h')

  expect(ref.state).toBe('granted')
})

test('given a durable actor, when it is told and asked, then awaiting is all it takes', async () => {
  await using world = sim({ definitions: [counter] })
  await world.ready
  const ref = world.get(counter, 'a')
  await ref.tell({ type: 'counter.add', by: 2 }, { durable: true })
  ref.tell({ type: 'counter.add', by: 3 })

  const totals = await Promise.all([ref.ask({ type: 'counter.total' }), ref.ask({ type: 'counter.total' })])

  expect(totals).toEqual([5, 5])
  expect(ref.state).toEqual({ total: 5 })
})

test('given a slow disk, then time passes while it writes', async () => {
  await using world = sim({ definitions: [counter], faults: faults.only({ diskSlow: 1, swarm: false }) })
  await world.ready

  await world.get(counter, 'a').tell({ type: 'counter.add', by: 2 }, { durable: true })

  expect(world.nowMs).toBeGreaterThan(5)
})

test('given a promise that nothing settles, then until says so', async () => {
  await using world = sim()

  await expect(world.until(new Promise(() => undefined))).rejects.toThrow(/nothing in this world brings about/)
})

test('given timers of a handler, then they ring while time is advanced, and not before', async () => {
  const rung: number[] = []
  const ringer = defineActor({
    name: 'ringer',
    protocol: { 'ringer.set': message() },
    on: {
      'ringer.set': ({ clock }) => {
        setTimeout(() => rung.push(clock.now()), 1000)
        clock.setTimeout(() => rung.push(clock.now()), 2000)
      },
    },
  })
  await using world = sim()
  world.spawn(ringer).tell({ type: 'ringer.set' })
  await world.advance(999)
  expect(rung).toEqual([])

  await world.advance('3s')

  expect(rung).toEqual([1000, 2000])
})

test('given code that reaches for the network, then whoever drives the world learns of it', async () => {
  const caller = defineActor({
    name: 'caller',
    protocol: { 'caller.go': message() },
    on: {
      'caller.go': async () => {
        await fetch('http://127.0.0.1:1/')
      },
    },
  })
  const world = sim()
  world.spawn(caller).tell({ type: 'caller.go' })

  const failure: unknown = await world.settle().catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(EscapedSimulationError)
  expect(String(failure)).toMatch(/fetch in a simulated world, at .*sim\.test\.ts:\d+/)
  // Who was told is not told again: `await using` would hide what the test says behind it.
  await world[Symbol.asyncDispose]()
})

test('given a world that breaks and nobody drives, then its disposal tells of it', async () => {
  const breaker = defineActor({
    name: 'breaker',
    protocol: { 'breaker.go': message() },
    on: { 'breaker.go': () => void fetch('http://127.0.0.1:1/').catch(() => undefined) },
  })
  const world = sim()
  world.spawn(breaker).tell({ type: 'breaker.go' })

  await expect(world[Symbol.asyncDispose]()).rejects.toThrow(/fetch/)
})

test('given a world that is disposed of twice, then the one that was opened since stays open', async () => {
  const first = sim()
  await first[Symbol.asyncDispose]()
  await using second = sim()

  await first[Symbol.asyncDispose]()

  expect(() => sim()).toThrow(/another simulated world is open/)
  await second.advance(1)
})

/** Milliseconds since worlds begin: few in a world, many in what is real. */
const age = (): number => Date.now() - Date.UTC(2026, 0, 1)
const dayMs = 86_400_000
const ages: number[] = []
const noteAges = async (): Promise<void> => {
  await Promise.resolve()
  await Promise.resolve()
  ages.push(age())
  await new Promise((resolve) => setTimeout(resolve, 5000))
  ages.push(age())
}
const early = defineActor({
  name: 'early',
  protocol: {},
  machine: ({ setup }) =>
    setup({ actors: { job: fromPromise(noteAges) } }).createMachine({
      initial: 'working',
      states: { working: { invoke: { src: 'job', onDone: 'done' } }, done: {} },
    }),
})

test.each(['spawn', 'runtime.spawn'] as const)(
  'given work that begins with %s, when it has awaited something, then it is still in the world, and the test is not',
  async (how) => {
    ages.length = 0
    await using world = sim()
    const ref = how === 'spawn' ? world.spawn(early) : world.runtime.spawn(early)
    expect(age()).toBeGreaterThan(dayMs)
    await Promise.resolve()
    expect(age()).toBeGreaterThan(dayMs)

    await world.advance('5s')

    expect(ages).toEqual([0, 5000])
    expect(ref.getSnapshot().value).toBe('done')
  },
)

const sum = defineActor({
  name: 'sum',
  protocol: { 'sum.of': question({ values: z.array(z.number()) }, z.number()) },
  on: { 'sum.of': ({ message, reply }) => reply(message.values.reduce((a, b) => a + b, 0)) },
})
const peers: Pick<Ref<typeof sum.protocol>, 'ask' | 'watch'>[] = []

test('given the ref of an actor, when another one is given it and asks, then it is answered in that step of the world', async () => {
  const asker = defineActor({
    name: 'asker',
    protocol: { 'asker.go': question({}, z.tuple([z.number(), z.number()])) },
    on: {
      'asker.go': async ({ reply }) => {
        const answer = await peers[0]?.ask({ type: 'sum.of', values: [3, 4] })
        reply([answer ?? 0, age()])
      },
    },
  })
  await using world = sim()
  peers[0] = world.spawn(sum)

  const [answer, ageMs] = await world.spawn(asker).ask({ type: 'asker.go' })

  expect(answer).toBe(7)
  expect(ageMs).toBe(0)
})

test('given faults that would kill the process, then it lives, since nobody would start it again', async () => {
  for (const seed of [1, 2, 3]) {
    await using world = sim({ seed, definitions: [counter], faults: faults.only({ crash: 1, crashAtCommit: 1 }) })
    await world.ready
    await world.get(counter, 'a').tell({ type: 'counter.add', by: 2 }, { durable: true })
    expect(await world.get(counter, 'a').ask({ type: 'counter.total' })).toBe(2)
  }
})

test('given a promise that nothing settles in a world that goes on for ever, then until says so', async () => {
  const ticker = defineActor({
    name: 'ticker',
    protocol: { 'ticker.go': message() },
    on: { 'ticker.go': () => void setInterval(() => undefined, dayMs) },
  })
  await using world = sim()
  world.spawn(ticker).tell({ type: 'ticker.go' })

  await expect(world.until(new Promise(() => undefined))).rejects.toThrow(/not come about after 30 days/)
})

test('given a rate for calls, then it holds for each seed: no kind is left out', async () => {
  const shop = wrap({ buy: () => Promise.resolve('bought') })
  const buyer = defineActor({
    name: 'buyer',
    protocol: { 'buyer.buy': question({}, z.string()) },
    on: {
      'buyer.buy': async ({ reply }) => {
        reply(await shop.buy().catch(() => 'failed'))
      },
    },
  })
  for (let seed = 0; seed < 12; seed += 1) {
    await using world = sim({ seed, faults: faults.only({ call: 1 }) })
    const answer = await world
      .spawn(buyer)
      .ask({ type: 'buyer.buy' })
      .catch(() => 'not answered')
    expect(answer).not.toBe('bought')
  }
})

test.each(['1 day', '-1s', -5, NaN])('given a duration of %s, then it is refused', async (duration) => {
  await using world = sim()

  expect(() => world.advance(duration as number)).toThrow(/advance/)
})

test('given a world that was closed, then another can be opened, and time and chance are those of its seed', async () => {
  const draws: number[][] = []
  const drawer = defineActor({
    name: 'drawer',
    protocol: { 'drawer.draw': question({}, z.array(z.number())) },
    on: { 'drawer.draw': ({ random, reply }) => reply([random.next(), Math.random(), Date.now()]) },
  })
  for (const seed of [1, 1, 2]) {
    await using world = sim({ seed })
    draws.push(await world.spawn(drawer).ask({ type: 'drawer.draw' }))
  }

  expect(draws[0]).toEqual(draws[1])
  expect(draws[0]).not.toEqual(draws[2])
})

test('given a world with a journal that is not open yet, when a durable actor is asked for, then the error says what to await', async () => {
  await using world = sim({ definitions: [counter] })
  expect(() => world.get(counter, 'a')).toThrow(/await `ready` first/)
  await world.ready
  expect(await world.get(counter, 'a').ask({ type: 'counter.total' })).toBe(0)
})
