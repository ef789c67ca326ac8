import { expect, test } from 'vitest'
import { runProgram } from './run-example.ts'

test('given the crash example, when lines are malformed, then the parser restarts, its sibling keeps its state, and the second crash ends the tree', async () => {
  const { code, stdout, stderr } = await runProgram('examples/02-crash-and-restart/main.ts')

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.trimEnd().split('\n')).toEqual([
    '/intake/parser failed',
    'dead letter for /intake/parser: crashed',
    '/intake/parser runs again, incarnation 2',
    'sum: 42',
    '/intake/parser failed',
    'dead letter for /intake/parser: crashed',
    'the runtime closed: shutdown',
  ])
})
