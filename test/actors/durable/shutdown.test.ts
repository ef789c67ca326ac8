import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type EffectRun } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, kindsOf, loaded, type Disk } from './disk.ts'

const never = new Promise<never>(() => undefined)

/** What ends when it is told to. */
const untilAborted = ({ signal }: EffectRun): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      // The reason of a signal is anybody's.
      reject(signal.reason as Error)
    })
  })

const next = (t: TestRuntime, { journal }: Disk, definitions: Parameters<typeof createTestRuntime>[0] = {}) =>
  createTestRuntime({ journal, clock: clockAfter(t.clock, 5000), ...definitions })

test('given a handler in an effect, when its process ends cleanly, then it goes on in the next one where it was', async () => {
  const runs: string[] = []
  const saga = (undo: (run: EffectRun) => unknown) =>
    defineActor({
      name: 'saga',
      durable: true,
      protocol: { go: message() },
      state: () => 'new',
      on: {
        go: async ({ effect, clock }) => {
          // The time is a part of the key: it stands still for a message, over any restart.
          const at = clock.wallNow()
          const run = (key: string, fn: (run: EffectRun) => unknown, idempotent = false): Promise<unknown> =>
            effect(
              `${key} at ${at}`,
              (given) => {
                runs.push(key)
                return fn(given)
              },
              { idempotent },
            )
          await run('reserve', () => 1)
          try {
            await run('charge', () => {
              if (runs.filter((key) => key === 'charge').length > 1) return 'charged at the second attempt'
              throw new Error('declined')
            })
            return 'charged'
          } catch {
            await run('release', undo, true)
            return 'released'
          }
        },
      },
    })
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  first.runtime.get(saga(untilAborted), 'a').tell({ type: 'go' })
  await first.settle()
  const report = await first.until(first.runtime.shutdown())
  expect(report.killed).toEqual([])
  expect(runs).toEqual(['reserve', 'charge', 'release'])
  const definition = saga(() => 1)
  await using t = await next(first, world, { definitions: [definition] })
  await t.settle()
  expect(t.runtime.inDoubt).toEqual([])
  expect(t.runtime.get(definition, 'a').snapshot.context).toBe('released')
  expect(runs).toEqual(['reserve', 'charge', 'release', 'release'])
})

test('given effects that had not begun when their process ended, then they are not in doubt in the next one', async () => {
  const gate = Promise.withResolvers<void>()
  const runs: string[] = []
  const definition = defineActor({
    name: 'steps',
    durable: true,
    protocol: { go: message() },
    state: () => 0,
    on: {
      go: async ({ effect }) => {
        for (const key of ['one', 'two', 'three'])
          await effect(key, async () => {
            runs.push(key)
            if (key === 'one') await gate.promise
          })
        return 3
      },
    },
  })
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  first.runtime.get(definition, 'a').tell({ type: 'go' })
  await first.settle()
  const closing = first.runtime.shutdown()
  // The time to drain is over, that of the tree is not.
  await first.advance(7000)
  gate.resolve()
  const report = await first.until(closing)
  expect(report.killed).toEqual([])
  expect(runs).toEqual(['one'])
  await using t = await next(first, world, { definitions: [definition] })
  await t.settle()
  expect(t.runtime.inDoubt).toEqual([])
  expect(runs).toEqual(['one', 'two', 'three'])
  expect(t.runtime.get(definition, 'a').snapshot.context).toBe(3)
})

test('given an effect that does not heed its signal, then it is killed in time, and in doubt in the next process', async () => {
  const definition = defineActor({
    name: 'deaf',
    durable: true,
    protocol: { go: message() },
    on: {
      go: async ({ effect }) => {
        await effect('e', () => never)
      },
    },
  })
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  first.runtime.get(definition, 'a').tell({ type: 'go' })
  await first.settle()
  const { killed } = await first.until(first.runtime.shutdown({ deadlineMs: 1000 }))
  expect(killed).toContain('/durable/deaf/a')
  await using t = await next(first, world, { definitions: [definition] })
  await t.settle()
  expect(t.runtime.inDoubt.map(({ key }) => key)).toEqual(['e'])
})

const counter = defineActor({
  name: 'counter',
  durable: true,
  protocol: { add: message(), total: question({}, z.int()) },
  state: () => 0,
  on: {
    add: ({ state }) => state + 1,
    total: ({ state, reply }) => {
      reply(state)
    },
  },
})

test('given messages on their way to a slow disk, then a shutdown waits for them, and the next process has them all', async () => {
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  const ref = first.runtime.get(counter, 'a')
  await first.until(ref.ask({ type: 'total' }))
  world.hold()
  let told = 0
  for (let i = 0; i < 5; i += 1) ref.tell({ type: 'add' })
  for (let i = 0; i < 5; i += 1) void ref.tell({ type: 'add' }, { durable: true }).then(() => (told += 1))
  await first.settle()
  let isOver = false
  const closing = first.runtime.shutdown().then((report) => {
    isOver = true
    return report
  })
  await first.advance(1000)
  expect([told, isOver]).toEqual([0, false])
  world.letGo()
  const { phases } = await first.until(closing)
  expect(phases.every(({ timedOut }) => !timedOut)).toBe(true)
  expect(told).toBe(5)
  await using t = await next(first, world)
  expect(await t.until(t.runtime.get(counter, 'a').ask({ type: 'total' }))).toBe(10)
})

test('given a disk that does not come back, then a shutdown ends in time, and nobody was told that all is well', async () => {
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  const ref = first.runtime.get(counter, 'a')
  world.hold()
  let told = 0
  void ref.tell({ type: 'add' }, { durable: true }).then(
    () => (told += 1),
    () => undefined,
  )
  const { phases } = await first.until(first.runtime.shutdown({ deadlineMs: 1000 }))
  expect(phases.at(-1)).toMatchObject({ phase: 'close', timedOut: true })
  expect(first.clock.now()).toBe(1000)
  expect(told).toBe(0)
})

test('given messages that are told durably while the runtime shuts down, then those that were acknowledged are handled by the next', async () => {
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  const ref = first.runtime.get(counter, 'a')
  ref.tell({ type: 'add' })
  await first.settle()
  let told = 1
  const tell = (): void =>
    void ref.tell({ type: 'add' }, { durable: true }).then(
      () => (told += 1),
      () => undefined,
    )
  for (const phase of ['stop-accepting', 'refuse-asks', 'drain', 'stop-tree', 'close'] as const)
    first.runtime.onShutdown(phase, 'teller', tell)
  first.runtime.on('stopped', tell)
  await first.until(first.runtime.shutdown())
  tell()
  await first.settle()
  expect(told).toBeGreaterThan(3)
  await using t = await next(first, world)
  expect(await t.until(t.runtime.get(counter, 'a').ask({ type: 'total' }))).toBe(told)
})

test('given a handler that needs another actor while the runtime drains, then that is brought back for it', async () => {
  const gate = Promise.withResolvers<void>()
  const passer = defineActor({
    name: 'passer',
    durable: true,
    protocol: { pass: message() },
    state: () => 0,
    on: {
      pass: async ({ state, effect, get }) => {
        await effect('wait', () => gate.promise)
        await get(counter, 'a').tell({ type: 'add' }, { durable: true })
        get(counter, 'b').tell({ type: 'add' })
        return state + 1
      },
    },
  })
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  await first.until(first.runtime.get(passer, 'p').tell({ type: 'pass' }, { durable: true }))
  await first.settle()
  const closing = first.runtime.shutdown()
  await first.advance(100)
  gate.resolve()
  await first.until(closing)
  expect(await kindsOf(world.journal, '/durable/passer/p')).not.toContain('failed')
  await using t = await next(first, world)
  for (const key of ['a', 'b']) expect(await t.until(t.runtime.get(counter, key).ask({ type: 'total' }))).toBe(1)
})

test('given a clean end, then its snapshot covers everything, and is all that the next life reads', async () => {
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  first.runtime.get(counter, 'a').tell({ type: 'add' })
  await first.until(first.runtime.shutdown())
  const { snapshot, lastSeq, entries } = await loaded(world.journal, '/durable/counter/a')
  expect(snapshot?.seq).toBe(lastSeq)
  expect(entries).toEqual([])
  expect(await kindsOf(world.journal, '/durable/counter/a')).toEqual(['created', 'handled'])
  // One that did nothing writes nothing, also no other snapshot.
  const { commits } = world
  const second = await next(first, world)
  await second.until(second.runtime.get(counter, 'a').ask({ type: 'total' }))
  await second.until(second.runtime.shutdown())
  expect(world.commits).toBe(commits)
})
