import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTestRuntime, type VirtualClock } from 'echelon/testing'
import { after, clockwork, dayMs, ringsOf, type Timers } from './clockwork.ts'
import { clockAfter, disk, kindsOf } from './disk.ts'

const at = (clock: VirtualClock, ms: number): number => clock.wallNow() + ms

describe('after and at', () => {
  test('given a timer, when it is due, then it rings once, whatever process is there then', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), ms: fc.nat({ max: 100 }) }), { maxLength: 6 }),
        fc.array(fc.record({ livesMs: fc.nat({ max: 60 }), awayMs: fc.nat({ max: 60 }), isClean: fc.boolean() }), {
          maxLength: 4,
        }),
        async (timers, processes) => {
          const world = disk()
          const definition = clockwork(
            Object.fromEntries(
              timers.map(({ name, ms }, i) => [
                `${i}`,
                (given: Timers) => {
                  given.after(name, ms, { type: 'ring', of: name })
                },
              ]),
            ),
          )
          let t = await createTestRuntime({ journal: world.journal })
          const startMs = t.clock.wallNow()
          // The last one of a name counts.
          const due = new Map(timers.map(({ name, ms }) => [name, startMs + ms]))
          const up: [number, number][] = []
          for (const i of timers.keys()) t.runtime.get(definition, 'x').tell({ type: 'set', name: `${i}` })
          await t.settle()
          for (const { livesMs, awayMs, isClean } of processes) {
            const fromMs = t.clock.wallNow()
            await t.advance(livesMs)
            up.push([fromMs, t.clock.wallNow()])
            if (isClean) await t.until(t.runtime.shutdown())
            t = await after(t, world, definition, awayMs)
          }
          const lastMs = t.clock.wallNow()
          await t.advance(1000)
          up.push([lastMs, Infinity])
          const rings = await ringsOf(t, definition, 'x')
          // Each at its time, or when there was a process again.
          const expected = [...due].map(([name, dueMs]) => {
            const [from = 0] = up.find(([, to]) => to >= dueMs) ?? []
            return `${name} ${Math.max(dueMs, from)}`
          })
          expect(rings.toSorted()).toEqual(expected.toSorted())
          const times = rings.map((ring) => Number(ring.split(' ')[1]))
          expect(times).toEqual(times.toSorted((a, b) => a - b))
        },
      ),
      { numRuns: 100 },
    )
  })

  test('given several timers that were due while nobody was there, then they ring in the order of their times', async () => {
    const world = disk()
    const definition = clockwork({
      all: (timers) => {
        for (const ms of [50, 10, 40, 20, 30]) timers.after(`in ${ms}`, ms, { type: 'ring', of: `${ms}` })
      },
    })
    const first = await createTestRuntime({ journal: world.journal })
    first.runtime.get(definition, 'a').tell({ type: 'set', name: 'all' })
    await first.settle()
    await using t = await after(first, world, definition, 1000)
    await t.settle()
    const rings = await ringsOf(t, definition)
    expect(rings.map((ring) => ring.split(' ')[0])).toEqual(['10', '20', '30', '40', '50'])
  })

  test('given timers of many actors that nobody addresses, then each is woken at its time, in their order', async () => {
    const world = disk()
    const definition = clockwork(
      Object.fromEntries(
        Array.from({ length: 60 }, (_, i) => [
          `${i}`,
          (timers: Timers) => {
            timers.after('k', 1000 + ((i * 37) % 60) * 100_000, { type: 'ring', of: `${i}` })
          },
        ]),
      ),
    )
    const first = await createTestRuntime({ journal: world.journal })
    const startMs = first.clock.wallNow()
    for (let i = 0; i < 60; i += 1) first.runtime.get(definition, `${i}`).tell({ type: 'set', name: `${i}` })
    await first.until(first.runtime.shutdown())
    await using t = await after(first, world, definition)
    const recovered: string[] = []
    t.runtime.on('recovered', ({ path, atMs }) => recovered.push(`${path} ${atMs - startMs}`))
    await t.advance(60 * 100_000 + 1000)
    const due = Array.from({ length: 60 }, (_, i) => ({ i, ms: 1000 + ((i * 37) % 60) * 100_000 }))
    expect(recovered).toEqual(due.toSorted((a, b) => a.ms - b.ms).map(({ i, ms }) => `/durable/clockwork/${i} ${ms}`))
  })

  test.each<[string, (timers: Timers, nowMs: number) => void, number]>([
    [
      'no delay',
      (timers) => {
        timers.after('k', 0, { type: 'ring', of: 'k' })
      },
      0,
    ],
    [
      'a moment that has passed',
      (timers) => {
        timers.at('k', 5, { type: 'ring', of: 'k' })
      },
      0,
    ],
    [
      'a date',
      (timers, nowMs) => {
        timers.at('k', new Date(nowMs + 500), { type: 'ring', of: 'k' })
      },
      500,
    ],
    [
      'a delay of ten years',
      (timers) => {
        timers.after('k', 3652 * dayMs, { type: 'ring', of: 'k' })
      },
      3652 * dayMs,
    ],
  ])(
    'given %s, then it rings when that is over',
    async (_, set, dueMs) => {
      const world = disk()
      const first = await createTestRuntime({ journal: world.journal })
      const startMs = first.clock.wallNow()
      const definition = clockwork({
        set: (timers) => {
          set(timers, startMs)
        },
      })
      first.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
      await first.settle()
      await using t = await after(first, world, definition)
      await t.advance(Math.max(0, dueMs - 1))
      if (dueMs > 0) expect(await ringsOf(t, definition)).toEqual([])
      await t.advance(1)
      expect(await ringsOf(t, definition)).toEqual([`k ${startMs + dueMs}`])
    },
    30_000,
  )

  test('given keys, then equal ones are one timer, and what is no text is refused, since it could be taken for one', async () => {
    const world = disk()
    const answers: unknown[] = []
    const definition = clockwork({
      all: (timers) => {
        timers.after('1', 10, { type: 'ring', of: 'first' })
        timers.after('1', 20, { type: 'ring', of: 'second' })
        answers.push(timers.active('1'), timers.active('2'))
        for (const key of [1, { order: 1n }, undefined]) {
          try {
            timers.after(key, 1, { type: 'ring', of: 'never' })
          } catch (error) {
            answers.push((error as { code: string }).code)
          }
        }
      },
    })
    await using t = await createTestRuntime({ journal: world.journal })
    t.runtime.get(definition, 'a').tell({ type: 'set', name: 'all' })
    await t.advance(1000)
    expect((await ringsOf(t, definition)).map((ring) => ring.split(' ')[0])).toEqual(['second'])
    expect(answers).toEqual([true, false, 'DEFINITION_INVALID', 'DEFINITION_INVALID', 'DEFINITION_INVALID'])
  })
})

describe('cancel and replace', () => {
  const sets = {
    set: (timers: Timers) => {
      timers.after('k', 100, { type: 'ring', of: 'old' })
    },
    cancel: (timers: Timers) => {
      results.push(timers.cancel('k'), timers.active('k'), timers.cancel('k'))
    },
    replace: (timers: Timers) => {
      timers.after('k', 0, { type: 'ring', of: 'new' })
    },
    crash: (timers: Timers) => {
      timers.after('k', 5, { type: 'ring', of: 'of a failed message' })
      throw new Error('boom')
    },
  }
  const results: unknown[] = []

  test('given a timer that is cancelled, then it never rings, in no process', async () => {
    const world = disk()
    const definition = clockwork(sets)
    const first = await createTestRuntime({ journal: world.journal })
    const ref = first.runtime.get(definition, 'a')
    ref.tell({ type: 'set', name: 'set' })
    ref.tell({ type: 'set', name: 'cancel' })
    await first.settle()
    expect(results).toEqual([true, false, false])
    await using t = await after(first, world, definition, 1000)
    await t.advance(1000)
    expect(await ringsOf(t, definition)).toEqual([])
  })

  test.each(['cancel', 'replace'] as const)(
    'given a tick that waits in the mailbox, when its timer is %sd, then it does not count',
    async (what) => {
      const world = disk()
      const definition = clockwork(sets)
      await using t = await createTestRuntime({ journal: world.journal })
      const ref = t.runtime.get(definition, 'a')
      const startMs = t.clock.wallNow()
      ref.tell({ type: 'set', name: 'set' })
      await t.settle()
      // Both at the same moment: what is told is before the tick in the mailbox.
      t.clock.setTimeout(() => undefined, 100)
      t.clock.advanceTo(99)
      ref.tell({ type: 'set', name: what })
      t.clock.advanceTo(100)
      await t.settle()
      const rings = await ringsOf(t, definition)
      expect(rings).toEqual(what === 'cancel' ? [] : [`new ${startMs + 100}`])
      await t.advance(1000)
      expect(await ringsOf(t, definition)).toEqual(rings)
    },
  )

  test('given a message that fails, then the timers that it set are gone with it, and those before are there', async () => {
    const world = disk()
    const definition = clockwork(sets)
    await using t = await createTestRuntime({ journal: world.journal })
    const startMs = t.clock.wallNow()
    const ref = t.runtime.get(definition, 'a')
    ref.tell({ type: 'set', name: 'set' })
    ref.tell({ type: 'set', name: 'crash' })
    await t.advance(1000)
    expect(await ringsOf(t, definition)).toEqual([`old ${startMs + 100}`])
  })
})

test('given a message that fails in an actor that goes on all the same, then nothing of it is left, now and later', async () => {
  const world = disk()
  const definition = clockwork({
    fail: (timers) => {
      timers.after('k', 5, { type: 'ring', of: 'a failed message' })
      throw new Error('boom')
    },
    set: (timers) => {
      timers.after('other', 50, { type: 'ring', of: 'other' })
    },
  })
  const first = await createTestRuntime({ journal: world.journal })
  const startMs = first.clock.wallNow()
  const ref = first.runtime.spawn(definition, { name: 'a', decide: () => 'resume' })
  for (const name of ['fail', 'set']) ref.tell({ type: 'set', name })
  await first.advance(10)
  expect(ref.incarnation).toBe(1)
  const root = { journal: world.journal, clock: clockAfter(first.clock) }
  await using t = await createTestRuntime(root)
  const again = t.runtime.spawn(definition, { name: 'a' })
  await t.advance(100)
  expect(again.snapshot.context).toEqual({ rings: [`other ${startMs + 50}`], sets: 1 })
  expect(await kindsOf(world.journal, '/user/a')).toEqual(['created', 'failed', 'handled', 'handled'])
})

test('given timers of an actor that nobody knows yet, then they wait for its definition', async () => {
  const world = disk()
  const definition = clockwork({
    set: (timers) => {
      timers.after('k', 1000, { type: 'ring', of: 'k' })
    },
  })
  const first = await createTestRuntime({ journal: world.journal })
  first.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
  await first.settle()
  await using t = await after(first, world, undefined)
  await t.advance(5000)
  const startMs = at(first.clock, 5000)
  // Another key is enough to know it by.
  await ringsOf(t, definition, 'other')
  await t.settle()
  expect(await ringsOf(t, definition)).toEqual([`k ${startMs}`])
})
