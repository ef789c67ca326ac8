import { expect, test } from 'vitest'
import { diskCampaign, diskGoals } from './disk/campaign.ts'
import { temporaryFolder } from './support/folder.ts'
import { goalTable, isMet } from './support/goals.ts'
import { strace } from './support/strace.ts'

test('given disk calls that fail, or at which the process dies, then nothing acknowledged is lost, and errors are typed', async (context) => {
  strace.orSkip(context)
  using folder = temporaryFolder()
  // A few points of each kind of what `npm run crash:disk` does at every call.
  const result = await diskCampaign(folder, { lanes: 3, which: 'sample', seed: 'short' })
  expect(result.problems).toEqual([])
  const goals = diskGoals(result, false)
  expect(goals.every(isMet), goalTable(goals)).toBe(true)
}, 120_000)
