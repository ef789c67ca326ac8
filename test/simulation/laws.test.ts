import { describe, expect, test } from 'vitest'
import { missing } from './campaign/goals.ts'
import { runSlice } from './campaign/slice.ts'
import { laws } from './laws/all.ts'

/** Worlds of each law: a small part of the campaign of `npm run sim`. */
const rounds = 150

describe('laws', () => {
  test.each(laws.map((law) => [law.scenario.name, law] as const))(
    'given the law of %s, when a few worlds are run, then nothing breaks and all that it is about has come up',
    async (_, law) => {
      const tally = await runSlice([law], { rounds, seed: 1, first: 0, step: 1, twice: false, folder: false })

      expect(tally.findings.map(({ report }) => report)).toEqual([])
      expect(missing(tally)).toEqual([])
    },
  )

  test('given all laws, then they look for at least sixty things that have to come up', () => {
    expect(laws.flatMap(({ scenario }) => scenario.sometimes).length).toBeGreaterThanOrEqual(60)
  })
})
