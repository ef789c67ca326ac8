import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Deviation } from '../../../src/testing/simulation/decisions.ts'
import { shrink } from '../../../src/testing/simulation/shrink.ts'

const kinds = ['schedule', 'fault', 'value'] as const

const deviation = (ordinal: number): fc.Arbitrary<Deviation> =>
  fc.record({
    kind: fc.constantFrom(...kinds),
    stream: fc.constantFrom('scenario choice', 'step', 'disk'),
    ordinal: fc.constant(ordinal),
    value: fc.integer({ min: 1, max: 20 }),
  })

/** Decisions, some of which are needed. */
const failures = fc
  .integer({ min: 1, max: 60 })
  .chain((length) =>
    fc.tuple(
      fc.tuple(...Array.from({ length }, (_, ordinal) => deviation(ordinal))),
      fc.subarray([...Array(length).keys()]),
    ),
  )

test('given a failure that needs some of its decisions, then just those are left, at their smallest', async () => {
  await fc.assert(
    fc.asyncProperty(failures, async ([all, needed]) => {
      const { deviations, isMinimal } = await shrink(
        all,
        (some) =>
          Promise.resolve(needed.every((ordinal) => some.some((one) => one.ordinal === ordinal)) ? some : undefined),
        { maxRuns: 5000 },
      )

      expect(deviations.map(({ ordinal }) => ordinal).toSorted((a, b) => a - b)).toEqual(needed)
      expect(deviations.every(({ value }) => value === 1)).toBe(true)
      expect(isMinimal).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('given a failure that needs a value of seven, then it is lowered to seven', async () => {
  const first: Deviation = { kind: 'value', stream: 'x', ordinal: 0, value: 19 }
  const { deviations } = await shrink(
    [first],
    (some) => Promise.resolve((some[0]?.value ?? 0) >= 7 ? some : undefined),
    {
      maxRuns: 100,
    },
  )

  expect(deviations).toEqual([{ ...first, value: 7 }])
})

test('given runs are used up, then the best that was found is given, and said not to be minimal', async () => {
  const all = Array.from({ length: 100 }, (_, ordinal) => ({ kind: 'fault', stream: 'x', ordinal, value: 1 }) as const)
  const { deviations, runs, isMinimal } = await shrink(
    all,
    (some) => Promise.resolve(some.length >= 90 ? some : undefined),
    {
      maxRuns: 10,
    },
  )

  expect([runs, isMinimal]).toEqual([10, false])
  expect(deviations.length).toBeLessThanOrEqual(100)
})

test('given decisions that are not asked any more, then they are left out at once', async () => {
  const all = Array.from(
    { length: 10 },
    (_, ordinal) => ({ kind: 'schedule', stream: 'x', ordinal, value: 1 }) as const,
  )
  const { deviations } = await shrink(
    all,
    (some) =>
      Promise.resolve(
        some.some(({ ordinal }) => ordinal === 3) ? some.filter(({ ordinal }) => ordinal <= 3) : undefined,
      ),
    { maxRuns: 50 },
  )

  expect(deviations.map(({ ordinal }) => ordinal)).toEqual([3])
})

test('given a fault that breaks wherever it comes, then it is moved to the first place, and what led to the later one is left out', async () => {
  const fault = (stream: string, ordinal: number): Deviation => ({ kind: 'fault', stream, ordinal, value: 1 })
  // The n-th restart, and with it the n-th damage, needs n crashes before it.
  const { deviations } = await shrink(
    [fault('crash', 0), fault('crash', 1), fault('crash', 2), fault('damage', 2)],
    (some) => {
      const crashes = some.filter(({ stream }) => stream === 'crash').length
      const breaks = some.some(({ stream, ordinal }) => stream === 'damage' && ordinal < crashes)
      return Promise.resolve(breaks ? some : undefined)
    },
    { maxRuns: 200 },
  )

  expect(deviations).toEqual([fault('crash', 0), fault('damage', 0)])
})
