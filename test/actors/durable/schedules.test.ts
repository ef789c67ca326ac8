import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MissedTicks } from 'echelon'
import { createTestRuntime, VirtualClock } from 'echelon/testing'
import { after, clockwork, dayMs, minuteMs, ringsOf, type Clockwork } from './clockwork.ts'
import { disk } from './disk.ts'

describe('again and again', () => {
  const every = (missed: MissedTicks) =>
    clockwork({
      set: (timers) => {
        timers.every('k', minuteMs, { type: 'ring', of: 'k' }, { missed })
      },
    })
  const minutes = (rings: readonly string[], startMs: number): number[] =>
    rings.map((ring) => (Number(ring.split(' ')[1]) - startMs) / minuteMs)

  test.each<[MissedTicks, number[]]>([
    // Down from 2.5 to 7.5.
    ['skip', [1, 2, 8.5, 9.5]],
    ['one', [1, 2, 7.5, 8.5, 9.5]],
    ['all', [1, 2, 7.5, 7.5, 7.5, 7.5, 7.5, 8, 9, 10]],
  ])(
    'given ticks that were missed, when the policy is %s, then that is what becomes of them',
    async (missed, expected) => {
      const world = disk()
      const definition = every(missed)
      const first = await createTestRuntime({ journal: world.journal })
      const startMs = first.clock.wallNow()
      first.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
      await first.advance(2.5 * minuteMs)
      await using t = await after(first, world, definition, 5 * minuteMs)
      await t.advance(2.5 * minuteMs)
      expect(minutes(await ringsOf(t, definition), startMs)).toEqual(expected)
    },
  )

  test('given more missed ticks than are made up for, then they are a thousand, and it stays on its grid', async () => {
    const world = disk()
    const definition = every('all')
    const first = await createTestRuntime({ journal: world.journal })
    const startMs = first.clock.wallNow()
    first.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
    await first.settle()
    await using t = await after(first, world, definition, 5000.5 * minuteMs)
    await t.settle()
    expect(minutes(await ringsOf(t, definition), startMs)).toEqual(Array.from({ length: 1000 }, () => 5000.5))
    await t.advance(3 * minuteMs)
    expect(minutes(await ringsOf(t, definition), startMs).slice(1000)).toEqual([5001, 5002, 5003])
  })

  test('given restarts at random moments, then a minute has one tick, however often', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 150_000 }), { maxLength: 6 }), fc.boolean(), async (lives, isClean) => {
        const world = disk()
        const definition = every('all')
        let t = await createTestRuntime({ journal: world.journal })
        const startMs = t.clock.wallNow()
        t.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
        await t.settle()
        for (const livesMs of lives) {
          await t.advance(livesMs)
          if (isClean) await t.until(t.runtime.shutdown())
          t = await after(t, world, definition)
        }
        await t.advance(minuteMs)
        const passed = Math.floor((t.clock.wallNow() - startMs) / minuteMs)
        expect(minutes(await ringsOf(t, definition), startMs).map(Math.floor)).toEqual(
          Array.from({ length: passed }, (_, i) => i + 1),
        )
      }),
      { numRuns: 40 },
    )
  })
})

describe('cron', () => {
  const cron = (pattern: string, timezone: string, missed: MissedTicks = 'one') =>
    clockwork({
      set: (timers) => {
        timers.cron('k', pattern, { type: 'ring', of: 'k' }, { timezone, missed })
      },
    })

  async function run(definition: Clockwork, fromMs: number, forMs: number, awayMs = 0): Promise<string[]> {
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal, clock: new VirtualClock({ epochMs: fromMs }) })
    first.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
    await first.settle()
    await using t = await after(first, world, definition, awayMs)
    await t.advance(forMs)
    return (await ringsOf(t, definition)).map((ring) => new Date(Number(ring.split(' ')[1])).toISOString().slice(0, 16))
  }

  test('given a time of day in a time zone, then it rings at that time there, in winter and in summer', async () => {
    // 29 March 2026: from 02:00 to 03:00.
    expect(await run(cron('30 9 * * *', 'Europe/Berlin'), Date.UTC(2026, 2, 27, 12), 4 * dayMs)).toEqual([
      '2026-03-28T08:30',
      '2026-03-29T07:30',
      '2026-03-30T07:30',
      '2026-03-31T07:30',
    ])
  })

  test('given a time that a day has twice, then it rings once', async () => {
    // 25 October 2026: 03:00 is 02:00 again.
    const rings = await run(cron('30 2 * * *', 'Europe/Berlin'), Date.UTC(2026, 9, 24, 12), 3 * dayMs)
    expect(rings).toHaveLength(3)
    expect(rings[0]).toBe('2026-10-25T00:30')
    expect(rings.slice(1)).toEqual(['2026-10-26T01:30', '2026-10-27T01:30'])
  })

  test('given a time that a day has not, then that day is not left out', async () => {
    const rings = await run(cron('30 2 * * *', 'Europe/Berlin'), Date.UTC(2026, 2, 28, 12), 2 * dayMs)
    expect(rings).toHaveLength(2)
    expect(rings[0]).toMatch(/^2026-03-29T01:/)
    expect(rings[1]).toBe('2026-03-30T00:30')
  })

  test('given ticks that were missed, then each policy does its part', async () => {
    const from = Date.UTC(2026, 0, 1, 12)
    const rings = (missed: MissedTicks) => run(cron('0 * * * *', 'UTC', missed), from, 3_600_000, 5.5 * 3_600_000)
    expect(await rings('skip')).toEqual(['2026-01-01T18:00'])
    expect(await rings('one')).toEqual(['2026-01-01T17:30', '2026-01-01T18:00'])
    expect(await rings('all')).toEqual([...Array.from({ length: 5 }, () => '2026-01-01T17:30'), '2026-01-01T18:00'])
  })

  test.each([
    ['* * * * *', 3 * minuteMs],
    ['* * * * * *', 3000],
  ])(
    'given more missed ticks of %s than are made up for, then they are a thousand, and it goes on',
    async (pattern, forMs) => {
      const awayMs = 30 * dayMs + 59.5 * minuteMs
      const rings = await run(cron(pattern, 'UTC', 'all'), Date.UTC(2026, 0, 1), forMs, awayMs)
      expect(rings).toHaveLength(1003)
      expect(new Set(rings.slice(0, 1000))).toEqual(new Set(['2026-01-31T00:59']))
    },
  )

  test.each([999, 1000, 1001])('given %i missed ticks, then none is lost of the last thousand', async (missed) => {
    const rings = await run(cron('* * * * *', 'UTC', 'all'), Date.UTC(2026, 0, 1), 0, missed * minuteMs)
    expect(rings).toHaveLength(Math.min(missed, 1000))
  })

  test.each(['61 * * * *', '* * * * mon-', 'nonsense', '0 0 31 2 *'])(
    'given %j, then it is refused by name',
    async (pattern) => {
      const refused: unknown[] = []
      const definition = clockwork({
        set: (timers) => {
          try {
            timers.cron('k', pattern, { type: 'ring', of: 'k' })
          } catch (error) {
            refused.push(error)
          }
        },
      })
      await using t = await createTestRuntime({ journal: disk().journal })
      t.runtime.get(definition, 'a').tell({ type: 'set', name: 'set' })
      await t.settle()
      expect(refused).toMatchObject([{ code: 'DEFINITION_INVALID' }])
    },
  )
})
