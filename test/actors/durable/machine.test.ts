import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import { memoryJournal } from '../../../src/journal/memory.ts'
import { createTestRuntime } from 'echelon/testing'

const door = defineActor({
  name: 'door',
  durable: true,
  protocol: { 'door.open': message(), 'door.close': message(), 'door.state': question({}, z.string()) },
  machine: ({ setup, reply }) =>
    setup({}).createMachine({
      initial: 'closed',
      states: {
        closed: { on: { 'door.open': 'open' } },
        open: { after: { 30_000: 'closed' }, on: { 'door.close': 'closed' } },
      },
      on: { 'door.state': { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
    }),
})

test('given a chart with a pending delay, when its process is gone, then the delay is due when it was', async () => {
  const journal = memoryJournal()
  let atMs = 0
  {
    await using t = await createTestRuntime({ journal })
    await t.until(t.runtime.get(door, 'front').tell({ type: 'door.open' }, { durable: true }))
    await t.advance(10_000)
    atMs = t.clock.wallNow()
  }
  await using t = await createTestRuntime({ journal, definitions: [door] })
  expect(t.clock.wallNow()).toBeLessThanOrEqual(atMs)
  const ref = t.runtime.get(door, 'front')
  expect(await t.until(ref.ask({ type: 'door.state' }))).toBe('"open"')
  await t.advance(30_000)
  expect(await t.until(ref.ask({ type: 'door.state' }))).toBe('"closed"')
})

let calls = 0
const shop = defineActor({
  name: 'shop',
  durable: true,
  protocol: { 'shop.buy': message({ item: z.string() }), 'shop.state': question({}, z.string()) },
  machine: ({ setup, reply, effect }) =>
    setup({
      actors: {
        charge: effect('charge', async () => {
          calls += 1
          return await Promise.resolve(`receipt ${calls}`)
        }),
      },
    }).createMachine({
      initial: 'idle',
      states: {
        idle: { on: { 'shop.buy': 'charging' } },
        charging: { invoke: { src: 'charge', onDone: 'done', onError: 'failed' } },
        done: {},
        failed: {},
      },
      on: { 'shop.state': { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
    }),
})

test('given a chart that invokes an effect, then it is done once, and the chart is where it was after a restart', async () => {
  const journal = memoryJournal()
  {
    await using t = await createTestRuntime({ journal })
    const ref = t.runtime.get(shop, 's')
    ref.tell({ type: 'shop.buy', item: 'apple' })
    await t.settle()
    expect(await t.until(ref.ask({ type: 'shop.state' }))).toBe('"done"')
  }
  await using t = await createTestRuntime({ journal })
  expect(await t.until(t.runtime.get(shop, 's').ask({ type: 'shop.state' }))).toBe('"done"')
  expect(calls).toBe(1)
})
