import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { repositoryFile, runProgram } from './run-example.ts'

test('given the office, when it needs things, then each is decided by whoever may, and a failure goes all the way up', async () => {
  const { code, stdout, stderr } = await runProgram('examples/04-tiers/main.ts')

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.trimEnd().split('\n')).toEqual([
    'buy pens, says /office/purchasing/buyers/buyers-1',
    '/office/purchasing/buyers/buyers-2 -> /office: desk?',
    'buy desk, says /office',
    '/office/purchasing/buyers/buyers-1 -> /office: tv?',
    'skip tv, says /office',
    '/office/purchasing/buyers/buyers-2 -> person: van?',
    'buy van, says person',
    'buy lamps, says /office/purchasing/buyers/buyers-1',
    '/office/purchasing/buyers/buyers-2 -> /office: chairs?',
    'buy chairs, says /office',
    '/office/purchasing/buyers -> /office/purchasing: cannot mend this',
    '/office/purchasing -> /office: cannot mend this',
    '/office -> person: cannot mend this',
    'the runtime closed: shutdown',
  ])
  expect(readFileSync(repositoryFile('examples/04-tiers/README.md'), 'utf8')).toContain(stdout.trimEnd())
})
