import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Path of a file of the repository, from its root. */
export const repositoryFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Runs a TypeScript program of the repository as a user would, in a process of its own, to its end. */
export function runProgram(path: string): Promise<Finished> {
  return new Promise((resolve) => {
    const options = { cwd: repositoryFile('.'), timeout: 30_000, env: { ...process.env, NODE_OPTIONS: '' } }
    execFile(
      process.execPath,
      ['--conditions=echelon-source', repositoryFile(path)],
      options,
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
      },
    )
  })
}
