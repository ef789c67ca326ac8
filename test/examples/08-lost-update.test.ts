import { expect, test } from 'vitest'
import { simulate } from 'echelon/testing'
import { fixed, lostUpdate } from '../../examples/08-lost-update/scenario.ts'
import { checkReadme, findBug, seeds } from './find-bug.ts'

test('given agents that set what they have read, when it is simulated, then that is found, and it takes few decisions', async () => {
  const found = await findBug(lostUpdate)
  expect(found).toMatchObject({ invariant: 'run', message: 'both tasks cost 7 dollars, and of 100 there are 93 left' })
  expect(found.deviations.length).toBeLessThanOrEqual(8)
})

test('given the fixed version, when it is simulated as long, then nothing breaks', async () => {
  expect(await simulate(fixed, { seeds, folder: false })).toMatchObject({ worlds: seeds, external: undefined })
})

test('given the example, when it is run, then it writes what its README shows', async () => {
  await checkReadme('08-lost-update')
})
