import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import path from 'node:path'
import { systemClock } from 'echelon'

/** A program of ours that runs: what it says, line by line, and how it ends. */
export interface Running {
  readonly pid: number
  /** Whole lines of its standard output. One that its death cut off is not among them. */
  readonly lines: AsyncGenerator<string>
  readonly input: Writable
  /** What it wrote to its standard error. */
  errors(): string
  kill(signal: NodeJS.Signals): void
  /** Resolves when it is gone and all that it said has been read. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** Arguments with which Node begins sooner: it looks for no links, and collects no garbage while it loads. */
export const quick: readonly string[] = [
  '--preserve-symlinks',
  '--preserve-symlinks-main',
  '--min-semi-space-size=16',
  '--single-threaded-gc',
]

/** Starts a TypeScript file of this repository as a process of its own. */
export function start(file: string, args: readonly string[] = [], nodeArgs: readonly string[] = []): Running {
  const child = spawn(process.execPath, ['--conditions=echelon-source', ...nodeArgs, file, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A program that is gone takes no input.
  child.stdin.on('error', () => undefined)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-10_000)
  })
  return {
    pid: child.pid ?? 0,
    input: child.stdin,
    lines: wholeLines(child.stdout),
    errors: () => errors,
    kill: (signal) => void child.kill(signal),
    ended: once(child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    })),
  }
}

async function* wholeLines(stream: Readable): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

/** A program of the folder `test/crash`. */
export const programOf = (name: string): string => path.join(import.meta.dirname, '..', name)

/** Of real time: processes have no other. */
export const wait = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.setTimeout(resolve, ms))

/**
 * Has Node keep in `folder` what it compiles, for threads and processes that are started from now on: those that are
 * started by the hundred begin in half of the time. A process that is killed leaves nothing there.
 */
export function keepCompiled(folder: string): Disposable {
  const name = 'NODE_COMPILE_CACHE'
  const before = process.env[name]
  process.env[name] = folder
  return {
    [Symbol.dispose]: () => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    },
  }
}
