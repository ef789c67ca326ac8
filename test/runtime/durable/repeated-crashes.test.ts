import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { JournalFullError } from '../../../src/core/journal-errors.ts'
import { clockAfter, disk, entriesOf } from '../../actors/durable/disk.ts'

const never = new Promise<never>(() => undefined)

/** Adds numbers, but those below zero. */
const adder = defineActor({
  name: 'adder',
  durable: true,
  protocol: { add: message({ n: z.int() }), remind: message({ atMs: z.int() }) },
  state: () => [] as readonly number[],
  on: {
    add: ({ state, message: { n } }) => {
      if (n < 0) throw new Error('boom')
      return [...state, n]
    },
    remind: ({ timers, message: { atMs } }) => {
      timers.at('reminder', atMs, { type: 'add', n: 7 })
    },
  },
})

/** Undefined while it is not in memory. */
function stateOf(t: TestRuntime): readonly number[] | undefined {
  const { isRunning, snapshot } = t.runtime.get(adder, 'a')
  return isRunning ? snapshot.context : undefined
}

/** All are acknowledged. */
async function tellAll(t: TestRuntime, numbers: readonly number[]): Promise<void> {
  const ref = t.runtime.get(adder, 'a')
  await t.until(Promise.all(numbers.map((n) => ref.tell({ type: 'add', n }, { durable: true }))))
}

const fourBad = [-1, -2, -3, -4]

describe('an actor that has crashed too often', () => {
  test('given messages that were acknowledged, then each is handled or given up, though nobody asks', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal })
    await tellAll(t, [...fourBad, -5, 5, 6, -6, 7])
    await t.settle()
    expect(t.runtime.get(adder, 'a').isRunning).toBe(false)
    await t.advance(2000)
    expect(stateOf(t)).toEqual([5, 6, 7])
    const entries = await entriesOf(world.journal, '/durable/adder/a')
    expect(entries.filter(({ kind }) => kind === 'failed')).toHaveLength(6)
    expect(entries.filter(({ kind }) => kind === 'handled')).toHaveLength(3)
  })

  test('given it fails whenever it is up, then it is woken after longer and longer waits, a minute at last', async () => {
    const startsMs: number[] = []
    const broken = defineActor({
      name: 'broken',
      durable: true,
      protocol: { note: message() },
      on: {
        'actor.started': ({ clock }) => {
          startsMs.push(clock.now())
          throw new Error('boom')
        },
        note: () => undefined,
      },
    })
    await using t = await createTestRuntime({ journal: disk().journal })
    await t.until(t.runtime.get(broken, 'a').tell({ type: 'note' }, { durable: true }))
    await t.advance(3_600_000)
    const wokenMs = [...new Set(startsMs)]
    const waitsMs = wokenMs.map((ms, i) => ms - (wokenMs[i - 1] ?? 0)).slice(1)
    for (const [i, waitMs] of waitsMs.entries()) {
      const leastMs = Math.min(60_000, 1000 * 2 ** i)
      expect(waitMs).toBeGreaterThanOrEqual(leastMs)
      // With up to a fifth at random, and up to a second for those whose wait ends at about the same time.
      expect(waitMs).toBeLessThanOrEqual(leastMs * 1.2 + 1000)
    }
    expect(waitsMs.length).toBeGreaterThan(50)
    // As often as its supervisor bears it.
    expect(startsMs.length).toBe(wokenMs.length * 4)
  })

  test('given somebody tells it something meanwhile, then it is there at once', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    await tellAll(t, [...fourBad, 1])
    await t.settle()
    expect(stateOf(t)).toBeUndefined()
    const ms = t.clock.now()
    await tellAll(t, [2])
    await t.settle()
    expect(t.clock.now()).toBe(ms)
    expect(stateOf(t)).toEqual([1, 2])
  })

  test('given it was well for a while, then it waits as little as at first', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    for (let i = 0; i < 5; i += 1) {
      await tellAll(t, [...fourBad, i])
      await t.settle()
      expect(t.runtime.get(adder, 'a').isRunning).toBe(false)
      await t.advance(1200)
      expect(stateOf(t)).toHaveLength(i + 1)
      await t.advance(70_000)
    }
  })

  test('given a timer, then it is there when that is due', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    const atMs = t.clock.wallNow() + 86_400_000
    await t.until(t.runtime.get(adder, 'a').tell({ type: 'remind', atMs }, { durable: true }))
    await tellAll(t, fourBad)
    await t.advance(86_399_000)
    expect(stateOf(t)).toBeUndefined()
    await t.advance(2000)
    expect(stateOf(t)).toEqual([7])
  })

  test('given the journal is full too, then it comes back when there is space', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal })
    await tellAll(t, [...fourBad, -5, 1])
    world.fail(new JournalFullError('memory'))
    await t.advance(10_000)
    expect(stateOf(t)).toBeUndefined()
    world.mend()
    await t.advance(61_000)
    expect(stateOf(t)).toEqual([1])
  })

  test('given a message that its code cannot go on with, then it is not woken again and again', async () => {
    const effects = (keys: readonly string[]) =>
      defineActor({
        name: 'effects',
        durable: true,
        protocol: { go: message() },
        on: {
          go: async ({ effect }) => {
            for (const key of keys) await effect(key, () => (key === 'second' ? never : key), { idempotent: true })
          },
        },
      })
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal })
    void first.runtime.get(effects(['first', 'second']), 'a').tell({ type: 'go' }, { durable: true })
    await first.settle()
    world.endProcess()
    const clock = clockAfter(first.clock)
    await using t = await createTestRuntime({ journal: world.journal, clock })
    const codes: unknown[] = []
    t.runtime.on('failed', ({ error }) => codes.push((error as { code?: unknown }).code))
    t.runtime.get(effects([]), 'a')
    await t.advance(3_600_000)
    expect(codes).toEqual(Array.from({ length: 4 }, () => 'REPLAY_DIVERGED'))
  })

  test('given the runtime ends meanwhile, then that waits for nothing, and nobody is woken any more', async () => {
    const world = disk()
    const t = await createTestRuntime({ journal: world.journal })
    await tellAll(t, [...fourBad, 1])
    await t.settle()
    const ms = t.clock.now()
    await t.until(t.runtime.shutdown())
    expect(t.clock.now()).toBe(ms)
    expect(t.clock.pending).toBe(0)
    const { commits } = world
    await t.advance(60_000)
    expect(world.commits).toBe(commits)
    await using next = await createTestRuntime({
      journal: world.journal,
      definitions: [adder],
      clock: clockAfter(t.clock),
    })
    await next.settle()
    expect(stateOf(next)).toEqual([1])
  })
})
