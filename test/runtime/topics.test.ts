import { expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { defineActor, defineTopic, message } from 'echelon'
import { createTestRuntime } from 'echelon/testing'

const logLine = defineTopic('log-line', z.object({ ip: z.string(), bytes: z.number().default(0) }))

const collector = defineActor({
  name: 'collector',
  protocol: { start: message(), seen: message({ ip: z.string() }) },
  state: () => [] as string[],
  on: {
    start: ({ subscribe }) => {
      subscribe(logLine, ({ ip }) => ({ type: 'seen', ip }))
    },
    seen: ({ state, message: { ip } }) => [...state, ip],
  },
})

test('given subscribers, when something is published, then each gets it, as the schema gives it, in the order in which they came', async () => {
  await using test = await createTestRuntime()
  const { runtime } = test
  const got: unknown[] = []
  runtime.subscribe(logLine, (line) => {
    expectTypeOf(line).toEqualTypeOf<{ ip: string; bytes: number }>()
    got.push(['first', line])
  })
  runtime.subscribe(logLine, (line) => got.push(['second', line]))
  // The default is the schema's.
  runtime.publish(logLine, { ip: '10.0.0.1' } as never)
  expect(got).toEqual([
    ['first', { ip: '10.0.0.1', bytes: 0 }],
    ['second', { ip: '10.0.0.1', bytes: 0 }],
  ])
})

test('given a wrong payload, when it is published, then the publisher is told what is wrong and nobody gets it', async () => {
  await using test = await createTestRuntime()
  let got = 0
  test.runtime.subscribe(logLine, () => (got += 1))
  expect(() => {
    test.runtime.publish(logLine, { ip: 7 } as never)
  }).toThrow(expect.objectContaining({ code: 'MESSAGE_INVALID', issues: [expect.stringContaining('ip')] }))
  expect(got).toBe(0)
})

test('given a listener that throws, when something is published, then the others get it and it is reported', async () => {
  await using test = await createTestRuntime()
  const { runtime } = test
  const reports: unknown[] = []
  let got = 0
  runtime.on('observer-failed', ({ observer, error }) => reports.push([observer, error]))
  const boom = new Error('boom')
  runtime.subscribe(logLine, () => {
    throw boom
  })
  runtime.subscribe(logLine, () => (got += 1))
  runtime.publish(logLine, { ip: '::1', bytes: 1 })
  runtime.publish(logLine, { ip: '::1', bytes: 2 })
  expect(got).toBe(2)
  expect(reports).toEqual([
    ["topic 'log-line'", boom],
    ["topic 'log-line'", boom],
  ])
})

test('given the same listener twice, then it gets all twice until each is taken off; taking off twice changes nothing', async () => {
  await using test = await createTestRuntime()
  const { runtime } = test
  let got = 0
  const listener = (): void => {
    got += 1
  }
  const off = runtime.subscribe(logLine, listener)
  runtime.subscribe(logLine, listener)
  const publish = (): void => {
    runtime.publish(logLine, { ip: '::1', bytes: 1 })
  }
  publish()
  expect(got).toBe(2)
  off()
  off()
  publish()
  expect(got).toBe(3)
})

test('given a listener that subscribes and unsubscribes while it is told, then that counts from the next time on', async () => {
  await using test = await createTestRuntime()
  const { runtime } = test
  const got: string[] = []
  const offLast = { off: (): void => undefined }
  runtime.subscribe(logLine, () => {
    got.push('first')
    if (got.length === 1) runtime.subscribe(logLine, () => got.push('new'))
    offLast.off()
  })
  offLast.off = runtime.subscribe(logLine, () => got.push('last'))
  runtime.publish(logLine, { ip: '::1', bytes: 1 })
  runtime.publish(logLine, { ip: '::1', bytes: 1 })
  expect(got).toEqual(['first', 'last', 'first', 'new'])
})

test('given an actor that subscribed, when it ends, then it gets nothing more and nothing becomes a dead letter', async () => {
  await using test = await createTestRuntime()
  const { runtime } = test
  const ref = runtime.spawn(collector)
  ref.tell({ type: 'start' })
  await test.settle()
  runtime.publish(logLine, { ip: 'a', bytes: 1 })
  runtime.publish(logLine, { ip: 'b', bytes: 1 })
  await test.settle()
  expect(ref.snapshot.context).toEqual(['a', 'b'])
  await test.until(ref.stop())
  runtime.publish(logLine, { ip: 'c', bytes: 1 })
  await test.settle()
  expect(runtime.deadLetters.count).toBe(0)
})

test('given two runtimes, then a topic of one is not heard in the other', async () => {
  await using one = await createTestRuntime()
  await using other = await createTestRuntime()
  let got = 0
  other.runtime.subscribe(logLine, () => (got += 1))
  one.runtime.publish(logLine, { ip: '::1', bytes: 1 })
  expect(got).toBe(0)
})
