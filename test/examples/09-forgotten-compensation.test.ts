import { expect, test } from 'vitest'
import { simulate } from 'echelon/testing'
import { fixed, forgottenCompensation } from '../../examples/09-forgotten-compensation/scenario.ts'
import { checkReadme, findBug, seeds } from './find-bug.ts'

test('given a trip that does not cancel all, when it is simulated, then that is found, and it takes few decisions', async () => {
  const found = await findBug(forgottenCompensation)
  expect(found).toMatchObject({
    invariant: 'allPartsOrNone',
    message: expect.stringMatching(/^booked in the end: /) as unknown,
  })
  expect(found.deviations.length).toBeLessThanOrEqual(8)
})

test('given the fixed version, when it is simulated as long, then nothing breaks', async () => {
  expect(await simulate(fixed, { seeds, folder: false })).toMatchObject({ worlds: seeds, external: undefined })
})

test('given the example, when it is run, then it writes what its README shows', async () => {
  await checkReadme('09-forgotten-compensation')
})
