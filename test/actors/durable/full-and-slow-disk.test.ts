import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { JournalFailedError, JournalFullError, JournalOverloadedError } from '../../../src/core/journal-errors.ts'
import { clockAfter, disk, kindsOf, observed } from './disk.ts'

describe('a full disk', () => {
  const counter = defineActor({
    name: 'counter',
    durable: true,
    protocol: { add: message(), total: question({}, z.int()), later: message() },
    state: () => 0,
    on: {
      add: ({ state }) => state + 1,
      total: ({ state, reply }) => {
        reply(state)
      },
      later: ({ timers }) => {
        timers.after('k', 1000, { type: 'add' })
      },
    },
  })
  const total = (t: TestRuntime, definition: typeof counter = counter): Promise<number> =>
    t.until(t.runtime.get(definition, 'a').ask({ type: 'total' }))

  test('given no space, then durable senders learn it, reads go on, and when there is space again so does everything', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal })
    const ref = t.runtime.get(counter, 'a')
    const tell = (): Promise<unknown> =>
      t.until(ref.tell({ type: 'add' }, { durable: true }).catch((error: unknown) => error))
    expect(await tell()).toBeUndefined()
    world.fail(new JournalFullError('memory'))
    for (let i = 0; i < 10; i += 1) {
      expect(await tell()).toMatchObject({ code: 'JOURNAL_FULL', retryable: true })
      expect(await total(t)).toBe(1)
    }
    // Plain messages have nobody who waits: they come to nothing.
    ref.tell({ type: 'add' })
    await t.settle()
    expect(await total(t)).toBe(1)
    world.mend()
    expect(await tell()).toBeUndefined()
    expect(await total(t)).toBe(2)
    expect(await kindsOf(world.journal, '/durable/counter/a')).toEqual([
      ...['created', 'received', 'handled'],
      ...['received', 'handled'],
    ])
  })

  test('given a timer that is due meanwhile, then its tick is tried again until there is space, and not in a loop', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal })
    t.runtime.get(counter, 'a').tell({ type: 'later' })
    await t.settle()
    world.fail(new JournalFullError('memory'))
    const tried = world.tried.length
    await t.advance(10 * 60_000)
    expect(world.tried.length - tried).toBeGreaterThanOrEqual(5)
    expect(world.tried.length - tried).toBeLessThanOrEqual(25)
    world.mend()
    await t.advance(60_000)
    expect(await total(t)).toBe(1)
    expect(await kindsOf(world.journal, '/durable/counter/a')).toEqual(['created', 'handled', 'handled'])
  })

  test('given messages that were acknowledged before, then they are handled when there is space again', async () => {
    const world = disk()
    const gate = Promise.withResolvers<void>()
    const slow = defineActor({
      name: 'slow',
      durable: true,
      protocol: { add: message() },
      state: () => 0,
      on: {
        add: async ({ state }) => {
          if (state === 0) await gate.promise
          return state + 1
        },
      },
    })
    await using t = await createTestRuntime({ journal: world.journal })
    const ref = t.runtime.get(slow, 'a')
    for (let i = 0; i < 3; i += 1) await t.until(ref.tell({ type: 'add' }, { durable: true }))
    world.fail(new JournalFullError('memory'))
    gate.resolve()
    await t.advance(5000)
    world.mend()
    await t.advance(60_000)
    expect(ref.snapshot.context).toBe(3)
  })
})

describe('a slow disk', () => {
  const counter = (capacity: number) =>
    defineActor({
      name: 'counter',
      durable: true,
      mailbox: { capacity },
      protocol: { add: message(), total: question({}, z.int()) },
      state: () => 0,
      on: {
        add: ({ state }) => state + 1,
        total: ({ state, reply }) => {
          reply(state)
        },
      },
    })

  test('given more messages than it keeps up with, then the actor waits, and neither memory nor mailbox grows without bound', async () => {
    const world = disk()
    const { source, appended } = observed(world.journal)
    await using t = await createTestRuntime({ journal: source })
    const ref = t.runtime.get(counter(2000), 'a')
    await t.until(ref.ask({ type: 'total' }))
    world.hold()
    for (let i = 0; i < 10_000; i += 1) {
      ref.tell({ type: 'add' })
      if (i % 10 === 0) await t.settle()
    }
    await t.settle()
    const underway = appended.reduce((sum, { entries }) => sum + entries.length, 0)
    expect(underway).toBeGreaterThan(1000)
    // A turn may be at its end when it is noticed.
    expect(underway).toBeLessThanOrEqual(1024 + 100)
    const dropped = t.runtime.deadLetters.byReason.get('mailbox-full') ?? 0
    // All but those that are in its mailbox or on their way.
    expect(dropped).toBeGreaterThanOrEqual(10_000 - 2000 - underway)
    world.letGo()
    await t.settle()
    expect(await t.until(ref.ask({ type: 'total' }))).toBe(10_000 - dropped)
  })

  test('given durable messages beyond the mailbox, then they are refused, and the others are all there', async () => {
    const world = disk()
    const definition = counter(100)
    const t = await createTestRuntime({ journal: world.journal })
    const ref = t.runtime.get(definition, 'a')
    await t.until(ref.ask({ type: 'total' }))
    world.hold()
    let acknowledged = 0
    let refused = 0
    for (let i = 0; i < 5000; i += 1) {
      void ref.tell({ type: 'add' }, { durable: true }).then(
        () => (acknowledged += 1),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'MAILBOX_FULL', retryable: true })
          refused += 1
        },
      )
      if (i % 50 === 0) await t.settle()
    }
    await t.settle()
    expect(acknowledged).toBe(0)
    expect(refused).toBeGreaterThan(0)
    world.letGo()
    await t.settle()
    expect(acknowledged + refused).toBe(5000)
    await using next = await createTestRuntime({ journal: world.journal, clock: clockAfter(t.clock) })
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'total' }))).toBe(acknowledged)
  })
})

describe('a journal that has no room for what waits', () => {
  const counter = defineActor({
    name: 'counter',
    durable: true,
    protocol: { add: message({ text: z.string() }), total: question({}, z.int()) },
    state: () => 0,
    on: {
      add: ({ state }) => state + 1,
      total: ({ state, reply }) => {
        reply(state)
      },
    },
  })

  test('given more than it takes at once, small and large, then all wait for room, nobody ends, and all is there', async () => {
    const world = disk({ maxWaitingBytes: 4000 })
    await using t = await createTestRuntime({ journal: world.journal })
    const refs = ['a', 'b', 'c'].map((key) => t.runtime.get(counter, key))
    for (const ref of refs) await t.until(ref.ask({ type: 'total' }))
    world.hold()
    const told: Promise<void>[] = []
    for (let i = 0; i < 60; i += 1) {
      for (const ref of refs) {
        const text = 'x'.repeat(i % 3 === 0 ? 3000 : 10)
        told.push(ref.tell({ type: 'add', text }, { durable: true }))
        ref.tell({ type: 'add', text })
      }
      if (i % 4 === 0) await t.settle()
    }
    await t.advance(1000)
    world.letGo()
    await t.until(Promise.all(told))
    for (const ref of refs) {
      expect(await t.until(ref.ask({ type: 'total' }))).toBe(120)
      expect(ref.incarnation).toBe(1)
    }
  })

  test('given a runtime that ends meanwhile, then what waits for room is written before the journal is closed', async () => {
    const world = disk({ maxWaitingBytes: 4000 })
    const t = await createTestRuntime({ journal: world.journal })
    const ref = t.runtime.get(counter, 'a')
    await t.until(ref.ask({ type: 'total' }))
    world.hold()
    const told = Array.from({ length: 3 }, () =>
      ref.tell({ type: 'add', text: 'x'.repeat(3000) }, { durable: true }).catch((error: unknown) => error),
    )
    await t.settle()
    const ended = t.runtime.shutdown()
    await t.settle()
    world.letGo()
    await t.until(ended)
    expect(await t.until(Promise.all(told))).toEqual([undefined, undefined, undefined])
    await using next = await createTestRuntime({ journal: world.journal, clock: clockAfter(t.clock) })
    expect(await next.until(next.runtime.get(counter, 'a').ask({ type: 'total' }))).toBe(3)
  })

  test('given no room until the time for the end is up, then the journal is closed all the same', async () => {
    const world = disk({ takeOver: false })
    const t = await createTestRuntime({ journal: world.journal })
    world.fail(new JournalOverloadedError('memory', 'too much'))
    t.runtime.get(counter, 'a').tell({ type: 'add', text: '' })
    await t.settle()
    await t.until(t.runtime.shutdown())
    await t.settle()
    await (await world.journal.open({ node: 'next', clock: t.clock })).close()
  })

  test('given one that waits and a disk that breaks, then whoever waits learns it', async () => {
    const world = disk({ maxWaitingBytes: 4000 })
    await using t = await createTestRuntime({ journal: world.journal })
    const ref = t.runtime.get(counter, 'a')
    await t.until(ref.ask({ type: 'total' }))
    world.hold()
    const told = Array.from({ length: 5 }, async () => {
      const sent = ref.tell({ type: 'add', text: 'x'.repeat(3000) }, { durable: true })
      await t.settle()
      return sent.catch((error: unknown) => error)
    })
    await t.settle()
    world.fail(new JournalFailedError('memory', 'it is broken'))
    world.letGo()
    for (const one of told) expect(await t.until(one)).toMatchObject({ code: 'JOURNAL_FAILED' })
  })
})
