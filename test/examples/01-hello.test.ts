import { expect, test } from 'vitest'
import { runProgram } from './run-example.ts'

test('given the hello example, when it is run, then the greeter greets, remembers, and everything closes', async () => {
  expect(await runProgram('examples/01-hello/main.ts')).toEqual({
    code: 0,
    stdout: 'Hello, Ada!\nWelcome back, Ada! (greeting number 2)\n',
    stderr: '',
  })
})
