import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import { createTestRuntime, VirtualClock, type TestRuntime } from 'echelon/testing'
import type { Append } from '../../../src/core/journal.ts'
import { disk, observed, type Disk } from '../../actors/durable/disk.ts'

const never = new Promise<never>(() => undefined)
const nowMs = Date.UTC(2026, 0, 1)

const sleeper = defineActor({
  name: 'sleeper',
  durable: { passivateAfterMs: 1000 },
  protocol: { note: message({ fails: z.boolean().optional() }), total: question({}, z.int()) },
  state: () => 0,
  on: {
    note: ({ state, message: { fails } }) => {
      if (fails === true) throw new Error('boom')
      return state + 1
    },
    total: ({ state, reply }) => {
      reply(state)
    },
  },
})

/** The stream of an actor that has a message which was not handled. */
const unfinished = (key: string, wakeAtMs: number | null = nowMs, type = '"note"', name = 'sleeper'): Append => ({
  stream: `/durable/${name}/${key}`,
  expectedSeq: 0,
  entries: [
    { kind: 'created', version: 1, atMs: nowMs, body: `{"definition":"${name}"}` },
    { kind: 'received', version: 1, atMs: nowMs, body: `{"id":"${key}","message":{"type":${type}}}` },
  ],
  wakeAtMs,
})

async function diskWith(...appends: readonly Append[]): Promise<Disk> {
  const world = disk()
  const journal = await world.journal.open({ node: 'before', clock: new VirtualClock() })
  for (const append of appends) await journal.append([append])
  await journal.close()
  return world
}

const isUp = (t: TestRuntime, key: string): boolean => t.runtime.get(sleeper, key).isRunning

describe('unfinished work', () => {
  test('given it on disk, when a node knows the definition, then it is done before anybody asks, earliest first', async () => {
    const world = await diskWith(unfinished('b', nowMs - 1), unfinished('c', nowMs), unfinished('a', nowMs - 2))
    await using t = await createTestRuntime({ journal: world.journal, definitions: [sleeper] })
    const order: string[] = []
    t.runtime.on('recovered', ({ path }) => order.push(path))
    await t.settle()
    for (const key of ['a', 'b', 'c']) expect(t.runtime.get(sleeper, key).snapshot.context).toBe(1)
    // The first may have been there before anybody listened.
    expect(order).toEqual(['a', 'b', 'c'].map((key) => `/durable/sleeper/${key}`).slice(3 - order.length))
  })

  test('given it on disk and a wall clock that was set back by three hours, when a node starts, then it is done all the same', async () => {
    const world = disk()
    const earlier = new VirtualClock({ epochMs: nowMs - 3 * 3_600_000 })
    await using before = await createTestRuntime({
      journal: world.journal,
      clock: new VirtualClock({ epochMs: nowMs }),
    })
    world.dieAfter(1)
    void before.runtime.get(sleeper, 'a').tell({ type: 'note' }, { durable: true, id: 'x' })
    await before.settle()
    expect(world.commits).toBe(1) // it is received, and was not handled when the process died
    world.endProcess()

    await using t = await createTestRuntime({ journal: world.journal, definitions: [sleeper], clock: earlier })
    await t.settle()

    expect(t.runtime.get(sleeper, 'a').snapshot.context).toBe(1)
  })

  test('given more streams than are looked at in one go, then all are woken', async () => {
    const world = await diskWith(...Array.from({ length: 350 }, (_, i) => unfinished(`k${i}`)))
    await using t = await createTestRuntime({ journal: world.journal, definitions: [sleeper] })
    await t.settle()
    for (let i = 0; i < 350; i += 1) expect(t.runtime.get(sleeper, `k${i}`).snapshot.context).toBe(1)
  })

  test('given a definition that nobody knows, then others are woken all the same, however many of those there are', async () => {
    const strangers = Array.from({ length: 150 }, (_, i) => unfinished(`s${i}`, nowMs - 1000, '"note"', 'stranger'))
    const world = await diskWith(...strangers, unfinished('a'))
    await using t = await createTestRuntime({ journal: world.journal, definitions: [sleeper] })
    await t.settle()
    expect(isUp(t, 'a')).toBe(true)
  })

  test('given a definition that becomes known, then what waits for it is woken', async () => {
    const world = await diskWith(unfinished('a'))
    await using t = await createTestRuntime({ journal: world.journal })
    await t.advance(10_000)
    expect(t.runtime.stats.actors).toBe(2)
    t.runtime.get(sleeper, 'another')
    await t.settle()
    expect(t.runtime.get(sleeper, 'a').snapshot.context).toBe(1)
  })

  test('given streams that are not of keys, then they are left to their supervisors', async () => {
    const streams = ['/user/a', '/tree/branch/leaf', '/durable', '/durable/sleeper', 'odd']
    const world = await diskWith(...streams.map((stream) => ({ ...unfinished('x'), stream })), unfinished('b'))
    await using t = await createTestRuntime({ journal: world.journal, definitions: [sleeper] })
    await t.settle()
    expect(isUp(t, 'b')).toBe(true)
    expect(t.runtime.stats.actors).toBe(4)
  })

  test('given a stream below an actor, then that actor is woken, which starts what is below it', async () => {
    const world = await diskWith({ ...unfinished('x'), stream: '/durable/sleeper/a/child' })
    await using t = await createTestRuntime({ journal: world.journal, definitions: [sleeper] })
    await t.settle()
    expect(isUp(t, 'a')).toBe(true)
    // And not again and again.
    await t.advance(3_600_000)
    expect(isUp(t, 'a')).toBe(false)
  })
})

describe('one that fails', () => {
  test('given one whose recovery fails, then others are woken, and it is not tried in a loop, but when somebody asks', async () => {
    const world = await diskWith(unfinished('bad', nowMs - 1), unfinished('good'))
    const { source, calls, fail } = observed(world.journal)
    const mend = fail('load', new Error('unreadable'))
    await using t = await createTestRuntime({ journal: source, definitions: [sleeper] })
    await t.settle()
    mend()
    const loads = calls.filter((call) => call === 'load').length
    await t.advance(3_600_000)
    expect(calls.filter((call) => call === 'load').length - loads).toBe(0)
    expect(await t.until(t.runtime.get(sleeper, 'bad').ask({ type: 'total' }))).toBe(1)
  })

  test('given messages that fail, then each is given up, and the next ones are handled', async () => {
    const append = unfinished('a')
    const [created, received] = append.entries
    if (created === undefined || received === undefined) throw new Error('they are there')
    const bodies = ['true', 'false', 'true', 'false'].map(
      (fails, i) => `{"id":"m${i}","message":{"type":"note","fails":${fails}}}`,
    )
    const world = await diskWith({ ...append, entries: [created, ...bodies.map((body) => ({ ...received, body }))] })
    await using t = await createTestRuntime({ journal: world.journal, definitions: [sleeper] })
    await t.advance(10_000)
    expect(await t.until(t.runtime.get(sleeper, 'a').ask({ type: 'total' }))).toBe(2)
  })

  test('given a journal that cannot be read for a while, then it is looked at again', async () => {
    const world = await diskWith(unfinished('a'))
    const { source, calls, fail } = observed(world.journal)
    const mend = fail('due', new Error('busy'))
    await using t = await createTestRuntime({ journal: source, definitions: [sleeper] })
    const problems: unknown[] = []
    t.runtime.on('observer-failed', ({ observer }) => problems.push(observer))
    await t.advance(120_000)
    expect(isUp(t, 'a')).toBe(false)
    expect(problems.length).toBeGreaterThan(0)
    expect(calls.length).toBeLessThan(10)
    mend()
    await t.advance(60_000)
    expect(await t.until(t.runtime.get(sleeper, 'a').ask({ type: 'total' }))).toBe(1)
  })

  test('given one that is killed while it is being woken, then others are woken, and it comes back', async () => {
    const world = await diskWith(unfinished('a', nowMs - 1), unfinished('b'))
    const { source, hold } = observed(world.journal)
    const release = hold('load')
    await using t = await createTestRuntime({ journal: source, definitions: [sleeper] })
    await t.settle()
    t.runtime.get(sleeper, 'a').kill()
    await t.settle()
    release()
    await t.settle()
    expect(t.runtime.get(sleeper, 'b').snapshot.context).toBe(1)
    expect(await t.until(t.runtime.get(sleeper, 'a').ask({ type: 'total' }))).toBe(1)
  })
})

describe('one that is there', () => {
  test('given an actor in memory with work of its own, then it is not looked for', async () => {
    const { source, calls } = observed(disk().journal)
    const busy = defineActor({
      name: 'busy',
      durable: true,
      protocol: { go: message() },
      on: {
        go: async ({ effect }) => {
          await effect('e', () => never)
        },
      },
    })
    await using t = await createTestRuntime({ journal: source })
    void t.runtime.get(busy, 'a').tell({ type: 'go' }, { durable: true })
    await t.advance(3_600_000)
    expect(calls.filter((call) => call === 'load')).toHaveLength(1)
    t.runtime.get(busy, 'a').kill()
    await t.settle()
    // What it was at is not forgotten: it comes back for it, to ask what became of it.
    expect(t.runtime.inDoubt.map(({ stream }) => stream)).toEqual(['/durable/busy/a'])
  })

  test('given a runtime that ends, then nobody is woken any more', async () => {
    const world = await diskWith(unfinished('a', nowMs + 5000))
    const { source, calls } = observed(world.journal)
    const t = await createTestRuntime({ journal: source, definitions: [sleeper] })
    await t.until(t.runtime.shutdown())
    const { length } = calls
    await t.advance(60_000)
    expect(calls.length).toBe(length)
    expect(t.clock.pending).toBe(0)
  })
})
