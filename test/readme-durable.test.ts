import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { codeBlocks, repositoryRoot } from './support/markdown.ts'

const run = promisify(execFile)

test('given the durable program in the README, when it is run again and again, then it prints what the README shows', async () => {
  const [, program = ''] = codeBlocks('README.md', 'ts')
  const [, shown] = codeBlocks('README.md', 'text')
  // Inside of the package, so that it finds `echelon`; its journal is in the folder that it is started in.
  mkdirSync(`${repositoryRoot}reports`, { recursive: true })
  const folder = mkdtempSync(`${repositoryRoot}reports/readme-`)
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const file = path.join(folder, 'program.ts')
  writeFileSync(file, program)

  let printed = ''
  for (let time = 0; time < 3; time += 1) {
    const { stdout, stderr } = await run(process.execPath, ['--conditions=echelon-source', file], { cwd: folder })
    printed += stdout + stderr
  }

  expect(program.split('\n').length).toBeLessThanOrEqual(30)
  expect(printed).toBe(shown)
})
