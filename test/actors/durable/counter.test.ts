import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import { memoryJournal } from '../../../src/journal/memory.ts'
import { createTestRuntime } from 'echelon/testing'

const counter = defineActor({
  name: 'counter',
  durable: true,
  protocol: { 'count.add': message({ by: z.int() }), 'count.total': question({}, z.int()) },
  state: () => ({ total: 0 }),
  on: {
    'count.add': ({ state, message }) => ({ total: state.total + message.by }),
    'count.total': ({ state, reply }) => {
      reply(state.total)
    },
  },
})

test('given a durable actor, when its process is gone, then the next one goes on with its state', async () => {
  const journal = memoryJournal()
  {
    await using t = await createTestRuntime({ journal })
    const ref = t.runtime.get(counter, 'a')
    ref.tell({ type: 'count.add', by: 2 })
    await t.until(ref.tell({ type: 'count.add', by: 3 }, { durable: true }))
    expect(await t.until(ref.ask({ type: 'count.total' }))).toBe(5)
  }
  await using t = await createTestRuntime({ journal })
  expect(await t.until(t.runtime.get(counter, 'a').ask({ type: 'count.total' }))).toBe(5)
  expect(await t.until(t.runtime.get(counter, 'b').ask({ type: 'count.total' }))).toBe(0)
})

const order = defineActor({
  name: 'order',
  durable: true,
  protocol: { 'order.pay': question({ card: z.string() }, z.string()) },
  state: () => ({ receipt: undefined as string | undefined }),
  on: {
    'order.pay': async ({ state, message, effect, reply }) => {
      const receipt = await effect('charge', ({ idempotencyKey }) => {
        charged.push(`${message.card} ${idempotencyKey}`)
        return 'receipt 1'
      })
      reply(receipt)
      return { ...state, receipt }
    },
  },
})
const charged: string[] = []

test('given an order that was paid, when it is paid again after a restart, then it is charged once and answered', async () => {
  const journal = memoryJournal()
  for (let process = 0; process < 3; process += 1) {
    await using t = await createTestRuntime({ journal })
    const ref = t.runtime.get(order, 'order-17')
    expect(await t.until(ref.ask({ type: 'order.pay', card: '4711' }))).toBe('receipt 1')
    expect(ref.snapshot).toMatchObject({ context: { receipt: 'receipt 1' } })
  }
  expect(charged).toHaveLength(1)
})

test('given a clean end, then it leaves a snapshot, and the next one reads nothing else', async () => {
  const journal = memoryJournal()
  {
    await using t = await createTestRuntime({ journal })
    await t.until(t.runtime.get(counter, 'a').tell({ type: 'count.add', by: 3 }, { durable: true }))
  }
  await using t = await createTestRuntime({ journal })
  const recovered: number[] = []
  t.runtime.on('recovered', ({ entries, snapshotSeq }) => recovered.push(entries, snapshotSeq))
  expect(await t.until(t.runtime.get(counter, 'a').ask({ type: 'count.total' }))).toBe(3)
  expect(recovered).toEqual([0, 3])
})

test('given an effect that asks back the actor that waits for it, then that is found at once', async () => {
  await using t = await createTestRuntime({ journal: memoryJournal() })
  let askBack = (): Promise<string> => Promise.resolve('nobody')
  const asker = defineActor({
    name: 'asker',
    durable: true,
    protocol: { 'ask.self': question({}, z.string()) },
    on: {
      'ask.self': async ({ effect, reply }) => {
        reply(await effect('round', () => askBack()).catch((error: unknown) => String(error)))
      },
    },
  })
  const ref = t.runtime.get(asker, 'a')
  askBack = () => ref.ask({ type: 'ask.self' })
  expect(await t.until(ref.ask({ type: 'ask.self' }))).toMatch(/can never be answered/)
})

test('given a large result that is asked for again at once, then it is there though the disk has not got it yet', async () => {
  await using t = await createTestRuntime({ journal: memoryJournal() })
  const large = defineActor({
    name: 'large',
    durable: { inlineResultBytes: 10 },
    protocol: { 'large.make': question({}, z.int()) },
    on: {
      'large.make': async ({ effect, reply }) => {
        const make = (): Promise<string> => effect('make', () => 'x'.repeat(100))
        reply((await make()).length + (await make()).length)
      },
    },
  })
  expect(await t.until(t.runtime.get(large, 'a').ask({ type: 'large.make' }))).toBe(200)
  expect(await t.until(t.runtime.get(large, 'a').ask({ type: 'large.make' }))).toBe(200)
})
