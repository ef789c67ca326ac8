import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { lineSchema, type Line } from '../../../examples/dependency-review/show/json-display.ts'

const main = fileURLToPath(new URL('../../../examples/dependency-review/main.ts', import.meta.url))
const hooks = new URL('./kill/hooks.ts', import.meta.url).href

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  readonly cwd: string
  /** For `kill/hooks.ts`: `DIE_AT` and the like, `TRACE_TO`. */
  readonly env?: Readonly<Record<string, string>>
  /** Sees each line of its standard output as it comes. */
  readonly onLine?: (line: string, kill: (signal: NodeJS.Signals) => void) => void
  /** Gets its pid and the means to end it, at once. */
  readonly onStart?: (pid: number, kill: (signal: NodeJS.Signals) => void) => void
}

/** Runs the program as a user does. */
export function run(args: readonly string[], { cwd, env, onLine, onStart }: ProgramOptions): Promise<Ended> {
  const hooked = env === undefined ? [] : [`--import=${hooks}`]
  const child = spawn(process.execPath, ['--conditions=echelon-source', ...hooked, main, ...args], {
    cwd,
    env: { ...process.env, ...env },
  })
  const kill = (signal: NodeJS.Signals): void => void child.kill(signal)
  let [stdout, stderr, seen] = ['', '', 0]
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    for (let end = stdout.indexOf('\n', seen); end !== -1; end = stdout.indexOf('\n', seen)) {
      onLine?.(stdout.slice(seen, end), kill)
      seen = end + 1
    }
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  if (child.pid !== undefined) onStart?.(child.pid, kill)
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr })
    })
  })
}

export function linesOf({ stdout }: Pick<Ended, 'stdout'>): readonly Line[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => lineSchema.parse(JSON.parse(line)))
}
