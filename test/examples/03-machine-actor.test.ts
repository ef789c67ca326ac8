import { expect, test } from 'vitest'
import { runProgram } from './run-example.ts'

test('given the machine example, when a proposal is postponed, then it comes up after the first and expires', async () => {
  const { code, stdout, stderr } = await runProgram('examples/03-machine-actor/main.ts')

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.trimEnd().split('\n')).toEqual([
    'delete-branch: open',
    'delete-branch: approved',
    'send-mail: open',
    'send-mail: expired',
    "{ action: 'send-mail', outcome: 'expired' }",
  ])
})
