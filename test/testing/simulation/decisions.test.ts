import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { Decisions, type Deviation } from '../../../src/testing/simulation/decisions.ts'
import { drawnStrategy, strategyOf, type StrategyName } from '../../../src/testing/simulation/strategy.ts'

const strategy = strategyOf('random', seededRandom(1))

/** What a world asks: which stream, of how many. */
const asked = fc.array(fc.record({ stream: fc.constantFrom('a', 'b', 'c'), n: fc.integer({ min: 1, max: 5 }) }), {
  maxLength: 60,
})

const answers = (decisions: Decisions, asks: readonly { readonly stream: string; readonly n: number }[]): number[] =>
  asks.map(({ stream, n }) => decisions.stream(stream, 'schedule').uniform(n))

test('given a seed, when the same is asked, then the same is decided', () => {
  fc.assert(
    fc.property(fc.integer(), asked, (seed, asks) => {
      const twice = [1, 2].map(() => answers(new Decisions({ seed, strategy }), asks))
      expect(twice[0]).toEqual(twice[1])
    }),
  )
})

test('given the deviations of a run, when they are all that is known, then they decide the same', () => {
  fc.assert(
    fc.property(fc.integer(), asked, (seed, asks) => {
      const drawn = new Decisions({ seed, strategy })
      const first = answers(drawn, asks)
      const replayed = new Decisions({ seed: 0, strategy, overrides: drawn.deviations })

      expect(answers(replayed, asks)).toEqual(first)
      expect(replayed.deviations).toEqual(drawn.deviations)
    }),
  )
})

test('given one stream is asked more, then those of the others are the same', () => {
  const some = new Decisions({ seed: 7, strategy })
  const more = new Decisions({ seed: 7, strategy })
  for (let n = 0; n < 10; n += 1) more.stream('b', 'schedule').uniform(4)

  const take = (decisions: Decisions): number[] =>
    Array.from({ length: 20 }, () => decisions.stream('a', 'schedule').uniform(9))
  expect(take(some)).toEqual(take(more))
})

test('given an override above what there is, then the last there is is taken', () => {
  const overrides: Deviation[] = [{ kind: 'schedule', stream: 'a', ordinal: 0, value: 9 }]
  const decisions = new Decisions({ seed: 1, strategy, overrides })

  expect(answers(decisions, [{ stream: 'a', n: 3 }])).toEqual([2])
})

test.each([0.01, 0.1, 0.5])('given a rate of %d, then about so many faults happen', (rate) => {
  const decisions = new Decisions({ seed: 3, strategy })
  const stream = decisions.stream('disk', 'fault')
  const times = 20_000
  const faults = Array.from({ length: times }, () => stream.fault(rate)).filter((value) => value > 0).length

  expect(faults / times).toBeGreaterThan(rate * 0.8)
  expect(faults / times).toBeLessThan(rate * 1.2)
  expect(decisions.faults).toBe(faults)
})

test('given a bound on faults, then no more are drawn, and a replay of them has the same', () => {
  const decisions = new Decisions({ seed: 3, strategy, maxFaults: 4 })
  const draw = (from: Decisions): number[] =>
    Array.from({ length: 500 }, () => from.stream('disk', 'fault').fault(0.3, 3))
  const first = draw(decisions)

  expect(first.filter((value) => value > 0)).toHaveLength(4)
  expect(draw(new Decisions({ seed: 9, strategy, overrides: decisions.deviations }))).toEqual(first)
})

test('given a calm world, then nothing fails', () => {
  const decisions = new Decisions({ seed: 3, strategy })
  decisions.calm()

  expect(
    Array.from({ length: 100 }, () => decisions.stream('disk', 'fault').fault(1)).every((value) => value === 0),
  ).toBe(true)
})

test('given PCT, then a race that needs a change of priority late in one actor is found far more often than by chance', () => {
  // Of thirty steps of a and one of b, b has to come just before the last of a: a coin finds that once in 2^30 or so.
  const found = Array.from({ length: 4000 }, (_, seed) => {
    const pct = strategyOf('pct', seededRandom(seed))
    const left = { a: 30, b: 1 }
    while (left.a > 0) {
      const ready = [...(left.a > 0 ? ['a' as const] : []), ...(left.b > 0 ? ['b' as const] : [])]
      const next = ready[ready.length === 1 ? 0 : pct.pick(ready, seededRandom(seed))] ?? 'a'
      if (next === 'b' && left.a === 1) return true
      left[next] -= 1
    }
    return false
  }).filter(Boolean).length

  expect(found).toBeGreaterThan(3)
})

test('given seeds, then every strategy gets its share, and all pick what is there', () => {
  const counts = new Map<StrategyName, number>()
  for (let seed = 0; seed < 2000; seed += 1) {
    const name = drawnStrategy(seededRandom(seed))
    counts.set(name, (counts.get(name) ?? 0) + 1)
    const picked = strategyOf(name, seededRandom(seed)).pick(['a', 'b', 'a'], seededRandom(seed))
    expect([0, 1, 2]).toContain(picked)
  }

  expect([...counts.keys()].toSorted()).toEqual(['fifo', 'pct', 'procrastinate', 'random', 'sticky'])
  expect(counts.get('pct')).toBeGreaterThan(700)
})
