import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { repositoryFile } from './run-example.ts'

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly lines: readonly string[]
}

/** A program that runs. */
export interface Running {
  /** Resolves when it has written lines that match each of these, in any order, or has ended. */
  readonly wrote: (...lines: readonly RegExp[]) => Promise<void>
  /** `SIGKILL` is `kill -9`. */
  readonly kill: (signal: 'SIGKILL' | 'SIGTERM') => void
  /** Resolves when it has ended. Rejects when it wrote to its error output. */
  readonly ended: Promise<Ended>
}

/** Starts a TypeScript program of the repository as a user would, in a process of its own. */
export function startProgram(file: string, args: readonly string[], env: Readonly<Record<string, string>>): Running {
  const child = spawn(process.execPath, ['--conditions=echelon-source', repositoryFile(file), ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const text = { out: '', err: '' }
  let wake = (): void => undefined
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text.out += chunk
    wake()
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.err += chunk))
  let isOver = false
  const lines = (): string[] => text.out.split('\n').slice(0, -1)
  // `close` comes after everything was read.
  const ended = once(child, 'close').then(([code, signal]: (number | string | null)[]): Ended => {
    isOver = true
    wake()
    if (text.err !== '') throw new Error(text.err)
    return {
      code: typeof code === 'number' ? code : null,
      signal: typeof signal === 'string' ? signal : null,
      lines: lines(),
    }
  })
  const wrote = async (...wanted: readonly RegExp[]): Promise<void> => {
    while (!isOver && !wanted.every((line) => lines().some((written) => line.test(written)))) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { wrote, kill: (signal) => void child.kill(signal), ended }
}

/** A folder that is gone after the test. */
export function testFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'echelon-example-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}
