import { expect, test } from 'vitest'
import { campaign, goalsOf } from './kill/campaign.ts'
import { goalTable, isMet } from './support/goals.ts'

/** A short run of what `npm run crash:kill` does a thousand times. */
const kills = 25

test('given processes that are killed at any moment, then nothing acknowledged is lost, and nothing is done twice', async () => {
  const result = await campaign({ kills, seed: 'short', lanes: 2, killsPerJournal: 13 })
  expect(result.problems).toEqual([])
  expect(result.acknowledgements).toBeGreaterThan(kills)
  const goals = goalsOf(result, { kills, minutes: 2, isWhole: false })
  expect(goals.every(isMet), goalTable(goals)).toBe(true)
}, 120_000)
