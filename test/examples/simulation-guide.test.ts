/** What README.md and docs/guides/simulation.md show of the simulation, as a reader goes through it: that is what comes. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readCase, replay, sim, SimulationFailedError, type Scenario } from 'echelon/testing'
import type { defineActor } from 'echelon'
import { echelon } from '../cli/material.ts'
import { codeBlocks, repositoryRoot } from '../support/markdown.ts'
import { withoutNumbers } from './find-bug.ts'

const page = 'docs/guides/simulation.md'

/** Writes a program, by default that of the guide, into a folder of the package, so that it finds `echelon`. */
function writeProgram(program = codeBlocks(page, 'ts')[0] ?? ''): string {
  mkdirSync(`${repositoryRoot}reports`, { recursive: true })
  const folder = mkdtempSync(`${repositoryRoot}reports/guide-`)
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const file = path.join(folder, 'support.ts')
  writeFileSync(file, program)
  return file
}

/** The program of the guide, with the line that the reader is to change. */
function fixed(): string {
  const fix = codeBlocks(page, 'ts').find((block) => block.includes('retry:')) ?? ''
  const [line = ''] = /^const once.*$/m.exec(fix) ?? []
  expect(line).not.toBe('')
  return (codeBlocks(page, 'ts')[0] ?? '').replace(/^const once.*$/m, line)
}

/** Lines of the guide that are not among what was written. */
function missing(shown: string, written: string): readonly string[] {
  const lines = new Set(withoutNumbers(written))
  return withoutNumbers(shown).filter((line) => line !== '' && !lines.has(line))
}

test('given the agent of the guide, when its plain test is run, then it is green', async () => {
  // What the module exports is in the guide.
  const { agent } = (await import(writeProgram())) as { readonly agent: ReturnType<typeof defineActor> }
  await using world = sim({ definitions: [agent] })
  await world.ready
  const ref = world.get(agent, 'support')
  await ref.tell({ type: 'agent.question', text: 'refunds' } as never, { durable: true })
  expect(await ref.ask({ type: 'agent.answered' } as never)).toBe(1)
})

test('given the scenario of the guide, when it is run, replayed and drawn, then the guide shows what comes', async () => {
  const file = writeProgram()
  const folder = path.join(path.dirname(file), 'simcases')
  const ran = await echelon('sim', 'run', file, '--seeds', '500', '--folder', folder)
  const [report = '', green = ''] = codeBlocks(page, 'text')
  expect(ran.code).toBe(1)
  expect(missing(report, ran.stdout.replace(folder, 'simcases'))).toEqual([])

  const found = path.join(folder, readdirSync(folder)[0] ?? '')
  const drawn = await echelon('sim', 'replay', found, '--diagram')
  const [diagram = ''] = codeBlocks(page, 'mermaid')
  expect(missing(diagram, drawn.stdout)).toEqual([])

  const mended = writeProgram(fixed())
  const healed = await echelon('sim', 'replay', found, mended)
  const again = await echelon('sim', 'run', mended, '--seeds', '500', '--folder', folder)
  expect([healed.code, again.code]).toEqual([0, 0])
  expect(missing(green, healed.stdout + again.stdout)).toEqual([])

  // What the module exports is in the guide.
  const { support } = (await import(mended)) as { readonly support: Scenario }
  expect((await replay(support, readCase(found))).result.violation).toBeUndefined()
})

test('given the scenario of the README, when it is run, then it breaks as the README shows', async () => {
  const block = codeBlocks('README.md', 'ts').find((code) => code.includes('simulate(')) ?? ''
  const shown = codeBlocks('README.md', 'text').find((text) => text.includes('broke')) ?? ''
  const imports = "import { defineActor, message } from 'echelon'\nimport * as z from 'zod'\n"
  // Where it writes its case to is up to the test.
  const folder = path.join(path.dirname(writeProgram('')), 'simcases')
  const file = writeProgram(imports + block.replace(/}\)\n$/, `}, { folder: '${folder}' })\n`))

  const error: unknown = await import(file).catch((thrown: unknown) => thrown)

  const report = error instanceof SimulationFailedError ? error.report.replace(folder, 'simcases') : String(error)
  expect(shown).not.toBe('')
  expect(missing(shown, report)).toEqual([])
})
