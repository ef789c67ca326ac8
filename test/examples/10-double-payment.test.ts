import { expect, test } from 'vitest'
import { simulate } from 'echelon/testing'
import { fixed, doublePayment } from '../../examples/10-double-payment/scenario.ts'
import { checkReadme, findBug, seeds } from './find-bug.ts'

test('given an order that is paid twice, when it is simulated, then that is found, and it takes few decisions', async () => {
  const found = await findBug(doublePayment)
  expect(found).toMatchObject({ invariant: 'chargedAtMostOnce', message: 'charged 2 times' })
  expect(found.deviations.length).toBeLessThanOrEqual(8)
})

test('given the fixed version, when it is simulated as long, then nothing breaks', async () => {
  expect(await simulate(fixed, { seeds, folder: false })).toMatchObject({ worlds: seeds, external: undefined })
})

test('given the example, when it is run, then it writes what its README shows', async () => {
  await checkReadme('10-double-payment')
})
