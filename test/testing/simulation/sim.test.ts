/* eslint-disable no-restricted-properties, no-restricted-globals -- in a world they are virtual */
import * as z from 'zod'
import { expect, test } from 'vitest'
import { defineActor, message, question } from 'echelon'
import { faults, sim } from 'echelon/testing'
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

  await expect(world.settle()).rejects.toThrow(/fetch/)
  await expect(world[Symbol.asyncDispose]()).rejects.toThrow(/fetch/)
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
