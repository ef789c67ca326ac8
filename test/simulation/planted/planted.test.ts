import { expect, test } from 'vitest'
import { standardInvariants } from '../../../src/testing/simulation/invariants/standard.ts'
import { bugs } from './bugs.ts'
import { isMeant, promisesOf } from './check-all.ts'
import { searchApart, staleness } from './run.ts'

const quick = bugs.filter(({ isQuick }) => isQuick === true)

test('given the list of planted bugs, then there are 40 at least, each with an id of its own', () => {
  expect(bugs.length).toBeGreaterThanOrEqual(40)
  expect(new Set(bugs.map(({ id }) => id)).size).toBe(bugs.length)
})

test.each(bugs)('given the planted bug $id, then the text that it replaces is in its file once', (bug) => {
  expect(staleness(bug)).toBeUndefined()
})

test('given the promises that planted bugs break, then each is looked at in every world', () => {
  const promises = standardInvariants().flatMap(({ name }) => promisesOf(name))

  expect(promises).toEqual(
    expect.arrayContaining(bugs.flatMap(({ breaks }) => breaks.filter((name) => /^I\d/.test(name)))),
  )
})

test('given a bug whose text is not in its file any more, when it is planted, then the search fails', async () => {
  const stale = bugs.slice(0, 1).map((bug) => ({ ...bug, find: 'what nobody would write' }))
  expect(stale.map(staleness)).toEqual([expect.stringContaining('0 times')])
  for (const bug of stale)
    await expect(searchApart(bug.scenario, bug, { seed: 1, schedules: 1 })).rejects.toThrow('is not once in')
})

test.each(quick)(
  'given the planted bug $id, when its scenario is searched, then what it is about breaks',
  async (bug) => {
    const { caught, planted } = await searchApart(bug.scenario, bug, { seed: 1, schedules: 500 })

    expect(planted).toContain(bug.file)
    expect(isMeant(bug, caught), caught?.message).toBe(true)
    expect(caught?.size).toBeLessThanOrEqual(8)
  },
)

test.each([...new Set(quick.map(({ scenario }) => scenario))])(
  'given no bug, when the scenario %s is searched as far, then nothing breaks',
  async (scenario) => {
    const { caught, planted } = await searchApart(scenario, undefined, { seed: 1, schedules: 50 })

    expect(planted).toBeUndefined()
    expect(caught?.trace).toBeUndefined()
  },
)
