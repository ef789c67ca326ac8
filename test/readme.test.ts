import { execFile } from 'node:child_process'
import { expect, test } from 'vitest'
import { codeBlocks, repositoryRoot } from './support/markdown.ts'

/** Runs a TypeScript program from its text, as a file in the root of the repository would run. */
function run(program: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const args = ['--conditions=echelon-source', '--input-type=module-typescript', '--eval', program]
    execFile(process.execPath, args, { cwd: repositoryRoot, timeout: 30_000 }, (error, stdout, stderr) => {
      if (error === null && stderr === '') resolve(stdout)
      else reject(new Error(stderr || error?.message))
    })
  })
}

test('given the program in the README, when it is run, then it fits on a screen and prints what the README shows', async () => {
  const [program = ''] = codeBlocks('README.md', 'ts')
  const [shown] = codeBlocks('README.md', 'text')

  expect(program.split('\n').length).toBeLessThan(30)
  expect(await run(program)).toBe(shown)
})
