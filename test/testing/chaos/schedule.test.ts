import { describe, expect, test } from 'vitest'
import { VirtualClock } from 'echelon/testing'
import { chaosSchedule, planChaos, type ChaosAction } from '../../../src/testing/chaos/schedule.ts'
import { until } from '../load/virtual-time.ts'

const action = (name: string, more: Partial<ChaosAction> = {}): ChaosAction => ({
  name,
  start: () => undefined,
  ...more,
})

describe('a plan', () => {
  const actions = [action('kill'), action('partition', { lastsMs: [100, 500] })]
  const options = { durationMs: 60_000, everyMs: 1000 }

  test('given a seed, when a plan is made twice, then it is the same, and another seed gives another', () => {
    expect(planChaos(actions, { ...options, seed: 1 })).toEqual(planChaos(actions, { ...options, seed: 1 }))
    expect(planChaos(actions, { ...options, seed: 1 })).not.toEqual(planChaos(actions, { ...options, seed: 2 }))
  })

  test('given many seeds, when plans are made, then faults do not overlap, last as they may, and end in time', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const plan = planChaos(actions, { ...options, seed })
      plan.forEach(({ atMs, lastsMs, action: name }, index) => {
        const { atMs: beforeMs, lastsMs: lastedMs } = plan[index - 1] ?? { atMs: 0, lastsMs: 0 }
        expect(atMs).toBeGreaterThanOrEqual(beforeMs + lastedMs)
        expect(name === 'kill' ? lastsMs === 0 : lastsMs >= 100 && lastsMs <= 500).toBe(true)
        expect(atMs + lastsMs).toBeLessThanOrEqual(60_000)
      })
    }
  })

  test('given weights, when many are drawn, then they come as often, and there are no more than may be', () => {
    const weighted = [action('often', { weight: 9 }), action('seldom')]
    const plan = planChaos(weighted, { seed: 1, durationMs: 1e9, everyMs: 1, most: 5000 })
    expect(plan).toHaveLength(5000)
    expect(plan.filter(({ action: name }) => name === 'seldom').length / 5000).toBeCloseTo(0.1, 1)
  })

  test.each<[string, readonly ChaosAction[], Partial<typeof options>]>([
    ['no action', [], {}],
    ['two of one name', [action('a'), action('a')], {}],
    ['a weight of 0', [action('a', { weight: 0 })], {}],
    ['a length that descends', [action('a', { lastsMs: [5, 1] })], {}],
    ['no duration', [action('a')], { durationMs: 0 }],
    ['no time between faults', [action('a')], { everyMs: NaN }],
  ])('given %s, when a schedule is asked for, then it is refused', (_what, wrong, more) => {
    expect(() => chaosSchedule(wrong, { ...options, ...more })).toThrow(
      expect.objectContaining({ code: 'DEFINITION_INVALID' }),
    )
  })
})

describe('a schedule that runs', () => {
  test('given actions, when time passes, then each is started and ended when it was planned, and the report says so', async () => {
    const clock = new VirtualClock()
    const seen: [string, number][] = []
    const note = (what: string) => () => {
      seen.push([what, clock.now()])
    }
    const schedule = chaosSchedule(
      [
        action('cut', { start: note('cut') }),
        action('stall', { start: note('stall'), end: note('flow'), lastsMs: [50, 200] }),
      ],
      { seed: 3, durationMs: 5000, everyMs: 500, clock },
    )
    const report = await until(clock, schedule.done)
    const expected = schedule.planned.flatMap(({ action: name, atMs, lastsMs }) =>
      name === 'cut'
        ? [[name, atMs]]
        : [
            ['stall', atMs],
            ['flow', atMs + lastsMs],
          ],
    )
    expect(expected.length).toBeGreaterThan(5)
    expect(seen.map(([what]) => what)).toEqual(expected.map(([what]) => what))
    seen.forEach(([, atMs], index) => expect(atMs).toBeCloseTo(Number(expected[index]?.[1]), 6))
    expect(report.done.map(({ action: name, startedMs }) => [name, Math.round(startedMs)])).toEqual(
      schedule.planned.map(({ action: name, atMs }) => [name, Math.round(atMs)]),
    )
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
    expect(clock.pending).toBe(0)
  })

  test('given an action that draws, when the schedule runs again, then it draws the same', async () => {
    const run = async (): Promise<number[]> => {
      const clock = new VirtualClock()
      const drawn: number[] = []
      const draws = action('draw', { start: (random) => drawn.push(random.int(1000)) })
      await until(clock, chaosSchedule([draws], { seed: 1, durationMs: 1000, everyMs: 100, clock }).done)
      return drawn
    }
    const drawn = await run()
    expect(new Set(drawn).size).toBeGreaterThan(3)
    expect(await run()).toEqual(drawn)
  })

  test('given actions that fail or hang, when the schedule runs, then it goes on and the report has their errors', async () => {
    const clock = new VirtualClock()
    const schedule = chaosSchedule(
      [
        action('fails', { start: () => Promise.reject(new Error('no such process')) }),
        action('hangs', { end: () => new Promise(() => undefined) }),
      ],
      { seed: 1, durationMs: 10_000, everyMs: 500, withinMs: 200, clock },
    )
    const { done } = await until(clock, schedule.done)
    expect(done).toHaveLength(schedule.planned.length)
    expect(new Set(done.map(({ action: name, error }) => `${name}: ${String(error)}`))).toEqual(
      new Set(['fails: start: no such process', 'hangs: end: not done within 200 ms']),
    )
    expect(clock.pending).toBe(0)
  })

  test('given a fault that is on, when the schedule is stopped, then it is ended at once and no other begins', async () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    const started = Promise.withResolvers<undefined>()
    const long = action('long', {
      lastsMs: [1000, 1000],
      start: () => {
        seen.push('start')
        started.resolve(undefined)
      },
      end: () => seen.push('end'),
    })
    const schedule = chaosSchedule([long], { seed: 1, durationMs: 60_000, everyMs: 100, clock })
    await until(clock, started.promise)
    const { done, planned } = await schedule.stop()
    expect(seen).toEqual(['start', 'end'])
    expect(done).toHaveLength(1)
    expect(planned.length).toBeGreaterThan(10)
    expect(done[0]?.endedMs).toBeLessThan(1000 + (done[0]?.startedMs ?? 0))
    expect(clock.pending).toBe(0)
  })
})
