import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { arrivalTimes, constant, poisson, ramp, spike, steps, type Arrival } from '../../../src/testing/load/arrival.ts'

const times = (plan: Arrival, durationMs: number, seed = 1): number[] => [
  ...arrivalTimes(plan, durationMs, seededRandom(seed)),
]

const countIn = (all: readonly number[], fromMs: number, toMs: number): number =>
  all.filter((ms) => ms >= fromMs && ms < toMs).length

describe('plans with even gaps', () => {
  test('given a constant rate, when times are asked for, then they are that far apart, without drift', () => {
    expect(times(constant(100), 50)).toEqual([0, 10, 20, 30, 40])
    expect(times(constant(3), 60_000).at(-1)).toBeCloseTo((179 * 1000) / 3, 9)
    expect(times(constant(0.5), 5000)).toEqual([0, 2000, 4000])
  })

  test('given a ramp from 0, when times are asked for, then the k-th comes when the area under the rate is k', () => {
    const all = times(ramp({ from: 0, to: 200 }), 1000)
    expect(all).toHaveLength(100)
    // Half of the square of time, in seconds, times 200.
    expect(Math.max(...all.map((ms, k) => Math.abs(100 * (ms / 1000) ** 2 - k)))).toBeLessThan(1e-9)
  })

  test('given a ramp down to 0, when times are asked for, then all come before it is there', () => {
    const all = times(ramp({ from: 200, to: 0 }), 1000)
    expect(all).toHaveLength(100)
    expect(countIn(all, 0, 500)).toBe(75)
  })

  test('given steps, when times are asked for, then each step has its rate, nothing comes between and after', () => {
    const all = times(
      steps([
        { perSecond: 10, forMs: 1000 },
        { perSecond: 0, forMs: 1000 },
        { perSecond: 100, forMs: 1000 },
      ]),
      10_000,
    )
    expect([countIn(all, 0, 1000), countIn(all, 1000, 2000), countIn(all, 2000, 3000), all.length]).toEqual([
      10, 0, 100, 110,
    ])
    expect(all[10]).toBe(2000)
  })

  test('given a spike, when times are asked for, then the peak is where it should be', () => {
    const plan = spike({ base: 10, peak: 100, atMs: 2000, lastsMs: 500 })
    const all = times(plan, 5000)
    expect([countIn(all, 0, 2000), countIn(all, 2000, 2500), countIn(all, 2500, 5000)]).toEqual([20, 50, 25])
    expect(plan.calmFromMs).toBe(2500)
  })

  test('given a spike that outlasts the test, when times are asked for, then they end with the test', () => {
    const all = times(spike({ base: 10, peak: 100, atMs: 1000, lastsMs: 5000 }), 2000)
    expect(all).toHaveLength(110)
    expect(times(spike({ base: 10, peak: 100, atMs: 3000, lastsMs: 5000 }), 2000)).toHaveLength(20)
  })
})

describe('plans with random gaps', () => {
  test('given a seed, when times are asked for twice, then they are the same, and another seed has others', () => {
    expect(times(poisson(100), 1000, 7)).toEqual(times(poisson(100), 1000, 7))
    expect(times(poisson(100), 1000, 7)).not.toEqual(times(poisson(100), 1000, 8))
  })

  test('given poisson arrivals, when gaps are looked at, then mean and deviation are those of an exponential', () => {
    const all = times(poisson(1000), 100_000)
    const gaps = all.map((ms, index) => ms - (all[index - 1] ?? 0))
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length)
    expect(mean).toBeCloseTo(1, 1)
    expect(deviation).toBeCloseTo(1, 1)
  })

  test('given random gaps over a spike, when times are asked for, then its rates hold on average', () => {
    const all = times(poisson(spike({ base: 100, peak: 2000, atMs: 10_000, lastsMs: 5000 })), 30_000)
    expect(countIn(all, 10_000, 15_000) / 5).toBeGreaterThan(1900)
    expect(countIn(all, 10_000, 15_000) / 5).toBeLessThan(2100)
    expect(countIn(all, 15_000, 30_000) / 15).toBeGreaterThan(85)
    expect(countIn(all, 15_000, 30_000) / 15).toBeLessThan(115)
  })
})

test('given any plan, when times are asked for, then they ascend within the duration', () => {
  const rate = fc.double({ min: 0.1, max: 500, noNaN: true })
  const plan = fc.oneof(
    rate.map(constant),
    fc.record({ from: rate, to: rate }).map(ramp),
    fc.array(fc.record({ perSecond: rate, forMs: fc.integer({ min: 1, max: 500 }) }), { minLength: 1 }).map(steps),
    fc.record({ base: rate, peak: rate, atMs: fc.nat(900), lastsMs: fc.integer({ min: 1, max: 900 }) }).map(spike),
  )
  fc.assert(
    fc.property(plan, fc.boolean(), fc.integer({ min: 1, max: 1500 }), (even, isRandom, durationMs) => {
      const all = times(isRandom ? poisson(even) : even, durationMs)
      expect(all.every((ms, index) => ms >= (all[index - 1] ?? 0) && ms < durationMs)).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test.each([
  ['a rate of 0', () => constant(0)],
  ['a rate that is no number', () => poisson(NaN)],
  ['an infinite rate', () => constant(Infinity)],
  ['a ramp of nothing', () => ramp({ from: 0, to: 0 })],
  ['a ramp from below 0', () => ramp({ from: -1, to: 5 })],
  ['no steps', () => steps([])],
  ['a step without length', () => steps([{ perSecond: 1, forMs: 0 }])],
  ['a spike before the start', () => spike({ base: 1, peak: 2, atMs: -1, lastsMs: 5 })],
])('given %s, when a plan is made of it, then it is refused', (_what, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
})
