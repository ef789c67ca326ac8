import { describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import {
  child,
  defineActor,
  message,
  question,
  supervisor,
  systemClock,
  type RuntimeEvent,
  type RuntimeEventType,
} from 'echelon'
import { JournalFailedError, memoryJournal, type JournalSource } from 'echelon/journal'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { Cell } from '../../src/actors/cell.ts'
import { eventChannels, runtimeEventTypes } from '../../src/core/events.ts'

const busy = defineActor({
  name: 'busy',
  protocol: { work: message(), 'work.get': question({}, z.number()), crash: message(), linger: message() },
  mailbox: { capacity: 2 },
  state: () => 0,
  on: {
    work: ({ state }) => state + 1,
    'work.get': ({ state, reply }) => {
      reply(state)
    },
    crash: () => {
      throw new Error('boom')
    },
    linger: async ({ self }) => {
      await Promise.resolve()
      self.kill()
      self.tell({ type: 'work' })
    },
  },
})

/** Makes something of every kind happen. */
async function liveThroughEverything(test: TestRuntime): Promise<void> {
  const { runtime } = test
  const ref = runtime.spawn(busy, { name: 'busy' })
  for (let i = 0; i < 4; i += 1) ref.tell({ type: 'work' })
  await test.settle()
  ref.watch(() => {
    throw new Error('a listener of ours')
  })
  for (let i = 0; i < 5; i += 1) {
    ref.tell({ type: 'crash' })
    await test.settle()
  }
  const other = runtime.spawn(busy, { restart: 'temporary' })
  other.tell({ type: 'linger' })
  await test.settle()
  ref.tell({ type: 'nonsense' } as never)
}

const keeper = defineActor({
  name: 'keeper',
  durable: { passivateAfterMs: 1000 },
  protocol: { 'keep.count': message(), 'keep.hang': message() },
  state: () => 0,
  on: {
    'keep.count': ({ state }) => state + 1,
    'keep.hang': async ({ effect }) => {
      await effect('hang', () => new Promise(() => undefined))
    },
  },
})

/** What only durable actors go through, with a journal that already has much of one, and the beginning of an effect. */
async function journalOfALife(): Promise<{ readonly journal: JournalSource; readonly breakDisk: () => void }> {
  let isBroken = false
  const journal = memoryJournal({
    takeOver: true,
    beforeCommit: () => {
      if (isBroken) throw new JournalFailedError('memory', 'the disk broke')
    },
  })
  const open = await journal.open({ node: 'before', clock: systemClock })
  const common = { version: 1, atMs: 0 }
  const counted = { ...common, kind: 'handled', body: '{"message":{"type":"keep.count"}}' } as const
  await open.append([
    {
      stream: '/durable/keeper/a',
      expectedSeq: 0,
      entries: [
        { ...common, kind: 'created', body: '{"definition":"keeper"}' },
        ...Array.from({ length: 10_000 }, () => counted),
        { ...common, kind: 'received', body: '{"message":{"type":"keep.hang"}}' },
        { ...common, kind: 'intent', body: '{"key":"hang","of":10002,"atMs":0}' },
      ],
      wakeAtMs: 0,
    },
  ])
  await open.close()
  return {
    journal,
    breakDisk: () => {
      isBroken = true
    },
  }
}

/** As `liveThroughEverything`, for durable actors. */
async function liveDurably(test: TestRuntime, breakDisk: () => void): Promise<void> {
  const { runtime } = test
  runtime.get(keeper, 'a').tell({ type: 'keep.count' })
  await test.settle()
  runtime.inDoubt[0]?.settle({ kind: 'value', value: 'done' })
  await test.advance(60_000)
  breakDisk()
  runtime.get(keeper, 'b').tell({ type: 'keep.count' })
  await test.settle()
}

describe('events', () => {
  test('given a listener for everything, then every type comes, with its origin', async () => {
    const { journal, breakDisk } = await journalOfALife()
    const test = await createTestRuntime({ node: 'here', journal })
    const events: RuntimeEvent[] = []
    test.runtime.onAny((event) => events.push(event))
    await liveThroughEverything(test)
    await liveDurably(test, breakDisk)
    await test.until(test.runtime.shutdown())
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(runtimeEventTypes))
    for (const event of events) {
      expect(event).toMatchObject({ node: 'here', path: expect.any(String) as string })
      expect(event.atMs).toBeLessThanOrEqual(test.clock.wallNow())
      expect(event.incarnation).toBeGreaterThanOrEqual(1)
    }
    const ofBusy = events.filter(
      ({ path, type }) =>
        path === '/user/busy' && ['spawned', 'started', 'failed', 'restarted', 'stopped'].includes(type),
    )
    expect(ofBusy.slice(0, 7).map(({ type, incarnation }) => `${type} ${incarnation}`)).toEqual([
      'spawned 1',
      'started 1',
      'failed 1',
      'stopped 1',
      'spawned 2',
      'started 2',
      'restarted 2',
    ])
  })

  test('given two runtimes in one process, then each tells its own events only', async () => {
    const one = await createTestRuntime({ node: 'one' })
    const two = await createTestRuntime({ node: 'two' })
    const heard: RuntimeEvent[] = []
    one.runtime.onAny((event) => heard.push(event))
    one.runtime.spawn(busy)
    two.runtime.spawn(busy)
    await liveThroughEverything(two)
    expect(heard.length).toBeGreaterThan(0)
    expect(new Set(heard.map(({ node }) => node))).toEqual(new Set(['one']))
    await one.until(one.runtime.shutdown())
    await two.until(two.runtime.shutdown())
  })

  test('given a listener that throws, then others hear all the same, the actor goes on, and the failure is told once for each event', async () => {
    const test = await createTestRuntime()
    const { runtime } = test
    const failures: unknown[] = []
    const heard: string[] = []
    runtime.on('handled', () => {
      throw new Error('bad listener')
    })
    runtime.on('handled', ({ messageType }) => heard.push(messageType))
    runtime.on('observer-failed', ({ observer }) => {
      failures.push(observer)
      throw new Error('even here') // does not come back
    })
    const ref = runtime.spawn(busy)
    ref.tell({ type: 'work' })
    ref.tell({ type: 'work' })
    await test.settle()
    expect(heard).toEqual(['work', 'work'])
    expect(ref.snapshot.context).toBe(2)
    expect(failures).toEqual(["listener for 'handled'", "listener for 'handled'"])
    await test.until(test.runtime.shutdown())
  })

  test('given a handled message, then it says from whom it came and how long it took', async () => {
    const test = await createTestRuntime()
    const slow = defineActor({
      name: 'slow',
      protocol: { work: message() },
      state: () => undefined,
      on: { work: ({ clock }) => new Promise<void>((resolve) => void clock.setTimeout(resolve, 40)) },
    })
    const target = test.runtime.spawn(slow)
    const sender = defineActor({
      name: 'sender',
      protocol: { go: message() },
      state: () => undefined,
      on: {
        go: () => {
          target.tell({ type: 'work' })
        },
      },
    })
    const handled: unknown[] = []
    test.runtime.on('handled', ({ path, messageType, from, durationMs }) =>
      handled.push([path, messageType, from, durationMs]),
    )
    test.runtime.spawn(sender, { name: 'sender' }).tell({ type: 'go' })
    await test.advance(100)
    expect(handled).toEqual([
      ['/user/sender', 'go', undefined, 0],
      [target.path, 'work', '/user/sender', 40],
    ])
    await test.until(test.runtime.shutdown())
  })

  test('given a listener that was taken off, or a runtime that closed, then no channel has a subscriber left', async () => {
    const test = await createTestRuntime()
    const listening = (): RuntimeEventType[] => runtimeEventTypes.filter((type) => eventChannels[type].hasSubscribers)
    expect(listening()).toEqual([])
    const off = test.runtime.onAny(() => undefined)
    test.runtime.on('failed', () => undefined)
    expect(listening()).toEqual(runtimeEventTypes)
    off()
    off()
    expect(listening()).toEqual(['failed'])
    await test.until(test.runtime.shutdown())
    expect(listening()).toEqual([])
  })
})

describe('when nobody listens', () => {
  test('given a whole life, then no event is published, none is built, and no time is read for one', async () => {
    const published = runtimeEventTypes.map((type) => vi.spyOn(eventChannels[type], 'publish'))
    // Every event about an actor is built from this.
    const origins = vi.spyOn(Cell.prototype, 'origin', 'get')
    const root = supervisor('app', { children: [child(busy)] })
    const test = await createTestRuntime({ root })
    const now = vi.spyOn(test.clock, 'now')
    const ref = test.runtime.spawn(busy)
    for (let i = 0; i < 100; i += 1) {
      ref.tell({ type: 'work' })
      if (i % 2 === 1) await test.settle()
    }
    // The dispatcher's own look at the time, twice a turn at most: none for a message.
    const reads = now.mock.calls.length
    expect(reads).toBeLessThanOrEqual(100)
    await liveThroughEverything(test)
    await test.until(test.runtime.shutdown())
    for (const publish of published) expect(publish).not.toHaveBeenCalled()
    expect(origins).not.toHaveBeenCalled()
    vi.restoreAllMocks()
  })

  test('given a listener for one type, then events of the others are not built', async () => {
    const test = await createTestRuntime()
    const failed: unknown[] = []
    test.runtime.on('failed', ({ error }) => failed.push(error))
    const published = runtimeEventTypes
      .filter((type) => type !== 'failed')
      .map((type) => vi.spyOn(eventChannels[type], 'publish'))
    await liveThroughEverything(test)
    for (const publish of published) expect(publish).not.toHaveBeenCalled()
    expect(failed.length).toBeGreaterThan(0)
    vi.restoreAllMocks()
    await test.until(test.runtime.shutdown())
  })
})

test('given a runtime that has closed, when somebody listens, then no channel keeps the listener', async () => {
  const test = await createTestRuntime()
  await test.until(test.runtime.shutdown())
  const off = [test.runtime.on('stopped', () => undefined), test.runtime.onAny(() => undefined)]
  for (const type of runtimeEventTypes) expect(eventChannels[type].hasSubscribers).toBe(false)
  for (const take of off) take()
})

test('given listeners for dead letters that write to a dead actor, then those letters are kept but not announced', async () => {
  await using test = await createTestRuntime()
  const { runtime } = test
  const ref = runtime.spawn(busy, { name: 'busy' })
  await test.until(ref.stop())
  const heard: string[] = []
  const offs = [
    runtime.deadLetters.subscribe(() => {
      heard.push('subscriber')
      ref.tell({ type: 'work' })
    }),
    runtime.on('dead-letter', () => {
      heard.push('event')
      ref.tell({ type: 'work' })
    }),
  ]
  ref.tell({ type: 'crash' })
  expect(heard).toEqual(['subscriber', 'event'])
  expect(runtime.deadLetters.count).toBe(3)
  expect(runtime.deadLetters.recent().map(({ message }) => message)).toEqual([
    { type: 'crash' },
    { type: 'work' },
    { type: 'work' },
  ])
  ref.tell({ type: 'crash' })
  expect(heard).toHaveLength(4) // the next one is announced again
  for (const off of offs) off()
})
