import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { readCase, replay, simulate, SimulationFailedError, type Scenario, type SimulationCase } from 'echelon/testing'
import { codeBlocks } from '../support/markdown.ts'
import { runProgram } from './run-example.ts'

/** Worlds in which an example finds its bug, and in which its fixed version has none. */
export const seeds = 300

/** Looks for the bug of a scenario, checks that its case replays to the last step, and gives it. */
export async function findBug(scenario: Scenario): Promise<SimulationCase> {
  const folder = mkdtempSync(path.join(tmpdir(), 'echelon-example-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true })
  })
  const error: unknown = await simulate(scenario, { seeds, folder }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SimulationFailedError)) throw new Error('it was not found', { cause: error })
  const found = readCase(error.file ?? '')
  const { isSame, isExact } = await replay(scenario, found)
  expect([isSame, isExact]).toEqual([true, true])
  return found
}

/** Numbers that change with whatever is decided inside of Echelon: seeds, counts, times. */
export const withoutNumbers = (text: string): readonly string[] =>
  text.split('\n').map((line) => line.replaceAll(/[\d.]+|"[0-9a-f-]{32,36}"/g, '#').trim())

/** Runs the program of an example, and checks that it writes what its README shows. */
export async function checkReadme(folder: string): Promise<void> {
  const { code, stdout, stderr } = await runProgram(`examples/${folder}/main.ts`)
  expect([code, stderr]).toEqual([0, ''])
  const [shown = ''] = codeBlocks(`examples/${folder}/README.md`, 'text')
  const written = new Set(withoutNumbers(stdout))
  expect(shown).not.toBe('')
  expect(withoutNumbers(shown).filter((line) => !written.has(line))).toEqual([])
}
