import { describe, expect, test } from 'vitest'
import type { MissedTicks } from 'echelon'
import { createTestRuntime, VirtualClock, type TestRuntime } from 'echelon/testing'
import { clockwork, minuteMs, ringsOf, type Clockwork } from './clockwork.ts'
import { disk, observed, type Disk } from './disk.ts'

/* The wall clock of a machine may be wrong when it starts, and is set right later. */

const hourMs = 3_600_000
const start2026 = Date.UTC(2026, 0, 1)

/** A clock whose wall clock can be set. */
function settable(epochMs: number) {
  const clock = new VirtualClock({ epochMs })
  const { wallNow } = clock
  let offsetMs = 0
  clock.wallNow = () => wallNow() + offsetMs
  return {
    clock,
    set: (toMs: number): void => {
      offsetMs = toMs - wallNow()
    },
  }
}

const everyMinute = (missed: MissedTicks): Clockwork =>
  clockwork({
    set: (timers) => {
      timers.every('k', minuteMs, { type: 'ring', of: 'k' }, { missed })
    },
  })

/** A disk with an actor that rings each minute, and did so a few times in 2026. */
async function rungIn2026(definition: Clockwork): Promise<Disk> {
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal, clock: new VirtualClock({ epochMs: start2026 }) })
  t.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
  await t.advance(2 * minuteMs)
  await t.until(t.runtime.shutdown())
  return world
}

const times = async (t: TestRuntime, definition: Clockwork): Promise<string[]> =>
  (await ringsOf(t, definition)).map((ring) => new Date(Number(ring.split(' ')[1])).toISOString().slice(0, 16))

describe.each<MissedTicks>(['skip', 'one', 'all'])('given ticks each minute, missed ones: %s', (missed) => {
  const definition = everyMinute(missed)
  const before = ['2026-01-01T00:01', '2026-01-01T00:02']

  test('when a process starts in 1970, then it ticks there, and goes on when the clock is right', async () => {
    const { journal } = await rungIn2026(definition)
    const wall = settable(0)
    await using t = await createTestRuntime({ journal, clock: wall.clock, definitions: [definition] })
    // Somebody has to ask: for the journal its time is far off.
    expect(await times(t, definition)).toEqual(before)
    await t.advance(2 * minuteMs)
    expect(await times(t, definition)).toEqual([...before, '1970-01-01T00:01', '1970-01-01T00:02'])
    wall.set(start2026 + hourMs)
    await t.advance(minuteMs)
    const caughtUp = await times(t, definition)
    expect(caughtUp.length).toBeLessThanOrEqual(4 + 1002)
    await t.advance(5 * minuteMs)
    const later = await times(t, definition)
    expect(later.length - caughtUp.length).toBe(5)
    expect(later.at(-1)).toBe('2026-01-01T01:06')
  })

  test('when nobody asks, then it is woken within an hour after the clock was set right', async () => {
    const { journal } = await rungIn2026(definition)
    const wall = settable(0)
    await using t = await createTestRuntime({ journal, clock: wall.clock, definitions: [definition] })
    await t.advance(minuteMs)
    expect(t.runtime.get(definition, 'a').incarnation).toBe(0)
    wall.set(start2026 + 2 * hourMs)
    await t.advance(hourMs + 2 * minuteMs)
    expect(t.runtime.get(definition, 'a').incarnation).toBe(1)
    expect((await times(t, definition)).at(-1)).toMatch(/^2026-01-01T03:0[12]$/)
  })

  test('when a process starts in 2099, then there is no storm, and it goes on when the clock is right', async () => {
    const { journal } = await rungIn2026(definition)
    const wall = settable(Date.UTC(2099, 0, 1))
    await using t = await createTestRuntime({ journal, clock: wall.clock, definitions: [definition] })
    await t.advance(minuteMs + 1)
    const then = await times(t, definition)
    const ticks = then.length - before.length
    expect(ticks).toBeGreaterThanOrEqual(1)
    // The first, a thousand that are made up for, that of now and that of the minute.
    expect(ticks).toBeLessThanOrEqual(missed === 'all' ? 1003 : 2)
    wall.set(start2026 + hourMs)
    await t.advance(hourMs)
    const after = await times(t, definition)
    // It may have noticed at its next tick only, and from then on there is one each minute.
    expect(after.at(-1)).toMatch(/^2026-01-01T0(1:59|2:00)$/)
    expect(after.length - then.length).toBeGreaterThanOrEqual(58)
    expect(after.length - then.length).toBeLessThanOrEqual(60)
  })

  test('when a process lived in 2099, then the next one that knows the time goes on as soon as somebody asks', async () => {
    const { journal } = await rungIn2026(definition)
    const future = await createTestRuntime({
      journal,
      clock: new VirtualClock({ epochMs: Date.UTC(2099, 0, 1) }),
      definitions: [definition],
    })
    await future.advance(minuteMs)
    await future.until(future.runtime.shutdown())
    const clock = new VirtualClock({ epochMs: start2026 + hourMs })
    await using t = await createTestRuntime({ journal, clock, definitions: [definition] })
    const { length } = await times(t, definition)
    await t.advance(3 * minuteMs)
    expect((await times(t, definition)).slice(length)).toEqual([
      '2026-01-01T01:01',
      '2026-01-01T01:02',
      '2026-01-01T01:03',
    ])
  })
})

test('given many actors whose timers are due at once, then they are brought back one after another', async () => {
  const definition = everyMinute('one')
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  for (let i = 0; i < 200; i += 1) first.runtime.get(definition, `a-${i}`).tell({ type: 'set', name: 'set' })
  await first.until(first.runtime.shutdown())
  const { source, calls, hold } = observed(world.journal)
  const release = hold('load')
  const clock = new VirtualClock({ epochMs: Date.UTC(2099, 0, 1) })
  await using t = await createTestRuntime({ journal: source, clock, definitions: [definition] })
  const loads = (): number => calls.filter((call) => call === 'load').length
  await t.settle()
  expect(loads()).toBe(1)
  release(1)
  await t.settle()
  expect(loads()).toBe(2)
  release()
  await t.settle()
  expect(loads()).toBe(200)
  // Who is there looks after itself.
  const { length } = calls
  await t.advance(10 * minuteMs)
  expect(calls.slice(length).filter((call) => call === 'load')).toEqual([])
})

test('given a clock that is set while an actor waits, then it rings by the new time within an hour', async () => {
  const definition = clockwork({
    set: (timers) => {
      timers.after('k', 100 * hourMs, { type: 'ring', of: 'k' })
    },
  })
  const wall = settable(start2026)
  await using t = await createTestRuntime({ journal: disk().journal, clock: wall.clock })
  t.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
  await t.settle()
  // As after a night in which the machine slept.
  wall.set(start2026 + 100 * hourMs)
  await t.advance(hourMs)
  expect(await ringsOf(t, definition)).toHaveLength(1)
})
