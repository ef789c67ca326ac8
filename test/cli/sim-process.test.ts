/** `echelon sim` as a program: a module of the user is loaded by Node, and its worlds are those of the command. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { repositoryFile } from '../examples/run-example.ts'
import { inFolder } from './material.ts'

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

function echelon(...args: readonly string[]): Promise<Ended> {
  const program = ['--conditions=echelon-source', repositoryFile('src/cli/main.ts'), 'sim', ...args]
  return new Promise((resolve) => {
    execFile(process.execPath, program, { env: { PATH: process.env['PATH'] } }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
  })
}

test('given a module in TypeScript, when the program runs it, then a failure is a case that the program replays by itself', async () => {
  await inFolder(async (folder) => {
    const scenarios = repositoryFile('test/cli/sim-scenarios.ts')
    const found = await echelon('run', scenarios, '--export', 'oneLetter', '--folder', folder)
    expect(found).toMatchObject({
      code: 1,
      err: '',
      out: expect.stringMatching(/^one letter: seed \d+ broke/) as unknown,
    })

    const [file = ''] = readdirSync(folder)
    const replayed = await echelon('replay', path.join(folder, file))
    expect(replayed).toMatchObject({ code: 1, err: '' })
    expect(replayed.out).toMatch(/\nIt breaks as it did, step by step\.\n$/)

    const green = await echelon('run', scenarios, '--export', 'manyLetters', '--seeds', '5')
    expect(green).toMatchObject({ code: 0, err: '' })
    expect(await echelon('run', path.join(folder, 'none.ts'))).toMatchObject({ code: 2, out: '' })
  })
}, 60_000)
