import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { systemClock, type Clock } from '../../core/clock.ts'
import { DefinitionInvalidError, StartFailedError } from '../../core/errors.ts'
import { endWithThisProcess } from './end-with-this-process.ts'
import { OutputLines, type LineMatch, type OutputLine } from './lines.ts'

/** How a process ended: with a code, or by a signal. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ChaosProcessOptions {
  /** Arguments for Node itself, before the module. Only for modules. */
  readonly nodeArgs?: readonly string[]
  readonly cwd?: string
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** What the process writes when it is ready: each start waits for it. Default: a start waits for nothing. */
  readonly ready?: LineMatch
  /** Default 10 s. */
  readonly readyWithinMs?: number
  /** Lines of output that are kept at most. Default 1000. */
  readonly maxLines?: number
  readonly clock?: Clock
}

/**
 * A process to do bad things to. Signals go to the process that was started here and to no other, also when it is gone and
 * its number has been given away. What it starts itself is its own business.
 */
export interface ChaosProcess extends AsyncDisposable {
  /** `undefined` when it has ended. */
  readonly pid: number | undefined
  readonly state: 'running' | 'paused' | 'ended'
  /** How often it has been started. */
  readonly starts: number
  /** How the last start ended, when all that it wrote has been read. */
  readonly ended: Promise<ProcessEnd>
  /** The last lines that it wrote, of all starts. */
  readonly output: readonly OutputLine[]
  /** Lines before those. */
  readonly droppedLines: number
  /** The first line of this start that matches. Rejects with an `Error` when the process ends without it. */
  line(match: LineMatch): Promise<string>
  /** Writes to its input. */
  write(text: string): void
  /** SIGKILL: nothing in it gets to clean up. */
  kill(): Promise<ProcessEnd>
  /** SIGSTOP: it does nothing until `resume`, and does not know. False when it has ended. */
  pause(): boolean
  resume(): boolean
  /** SIGTERM, and SIGKILL when it has not ended within `withinMs` (5 s). A paused one is resumed. */
  terminate(options?: { readonly withinMs?: number }): Promise<ProcessEnd>
  /** Kills it, when it runs, and starts it again. Rejects as `chaosProcess` does. */
  restart(): Promise<void>
}

/**
 * Starts `program` and gives what is needed to make it fail. A module (its name ends in js, mjs, cjs, ts, mts or cts, or it
 * is a URL) is run by this Node, anything else is a command. It ends with the scope (`await using`), and when this process
 * exits. Pausing needs signals that Windows does not have.
 *
 * Rejects with `START_FAILED` when it cannot be started, or ends or lets `readyWithinMs` pass before it is ready.
 */
export async function chaosProcess(
  program: string | URL,
  args: readonly string[] = [],
  options: ChaosProcessOptions = {},
): Promise<ChaosProcess> {
  const { maxLines = 1000, readyWithinMs = 10_000 } = options
  if (!(Number.isInteger(maxLines) && maxLines > 0))
    throw new DefinitionInvalidError('chaosProcess', `maxLines is ${maxLines}: give a whole number above 0`)
  if (!(readyWithinMs > 0))
    throw new DefinitionInvalidError('chaosProcess', `readyWithinMs is ${readyWithinMs}: give milliseconds above 0`)
  const name = typeof program === 'string' ? program : fileURLToPath(program)
  const isModule = typeof program !== 'string' || /\.[mc]?[jt]s$/.test(program)
  const child = new Restartable(
    isModule ? process.execPath : name,
    isModule ? [...(options.nodeArgs ?? []), name, ...args] : args,
    { ...options, maxLines, readyWithinMs, name },
  )
  await child.restart()
  return child
}

type Asked = ChaosProcessOptions & Required<Pick<ChaosProcessOptions, 'maxLines' | 'readyWithinMs'>> & { name: string }

/** One start. */
interface Run {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<ProcessEnd>
  state: ChaosProcess['state']
}

/** After its end, output is read for this long at most: something else may have inherited its pipes. */
const lastOutputMs = 1000

/**
 * 1. At most one process runs at a time: starts wait for each other, and for the end of what ran before.
 * 2. After disposal, none runs.
 */
class Restartable implements ChaosProcess {
  readonly #command: string
  readonly #args: readonly string[]
  readonly #options: Asked
  readonly #clock: Clock
  readonly #lines: OutputLines
  #run: Run | undefined
  #starts = 0
  #lastRestart: Promise<void> = Promise.resolve()
  #isDisposed = false

  constructor(command: string, args: readonly string[], options: Asked) {
    this.#command = command
    this.#args = args
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#lines = new OutputLines(options.maxLines)
  }

  get pid(): number | undefined {
    return this.state === 'ended' ? undefined : this.#run?.child.pid
  }

  get state(): ChaosProcess['state'] {
    return this.#run?.state ?? 'ended'
  }

  get starts(): number {
    return this.#starts
  }

  get ended(): Promise<ProcessEnd> {
    return this.#run?.ended ?? Promise.resolve({ code: null, signal: null })
  }

  get output(): readonly OutputLine[] {
    return this.#lines.all
  }

  get droppedLines(): number {
    return this.#lines.dropped
  }

  line(match: LineMatch): Promise<string> {
    const start = this.#starts
    const found = this.#lines.find(match, start)
    if (this.state === 'ended')
      void this.ended.then(() => {
        this.#lines.ended(start, 'It had ended')
      })
    return found
  }

  write(text: string): void {
    this.#run?.child.stdin.write(text)
  }

  async kill(): Promise<ProcessEnd> {
    this.#signal('SIGKILL')
    return this.ended
  }

  pause(): boolean {
    return this.#signal('SIGSTOP', 'paused')
  }

  resume(): boolean {
    return this.#signal('SIGCONT', 'running')
  }

  async terminate({ withinMs = 5000 }: { readonly withinMs?: number } = {}): Promise<ProcessEnd> {
    this.#signal('SIGTERM')
    // What is stopped takes no signal but this one.
    this.resume()
    const timer = this.#clock.setTimeout(() => void this.#signal('SIGKILL'), withinMs)
    const end = await this.ended
    this.#clock.clearTimeout(timer)
    return end
  }

  restart(): Promise<void> {
    const restarted = this.#lastRestart.then(async () => {
      await this.kill()
      await this.#start()
    })
    this.#lastRestart = restarted.catch(() => undefined)
    return restarted
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    // A restart under way either has started what runs now, or will find that it may not.
    await this.kill()
    await this.#lastRestart
  }

  /** Node sends none to a child that it has seen to end, and the system keeps its number until then. */
  #signal(signal: NodeJS.Signals, then?: 'running' | 'paused'): boolean {
    const run = this.#run
    if (run === undefined || run.state === 'ended') return false
    const isSent = run.child.kill(signal)
    if (isSent && then !== undefined) run.state = then
    return isSent
  }

  async #start(): Promise<void> {
    const { name, ready } = this.#options
    if (this.#isDisposed) throw new StartFailedError(name, new Error('it was disposed of'))
    this.#starts += 1
    const run = this.#launch(this.#starts)
    this.#run = run
    try {
      await new Promise<void>((resolve, reject) => {
        run.child.once('spawn', resolve).once('error', reject)
      })
      if (ready !== undefined) await this.#readiness(ready)
    } catch (error) {
      await this.kill()
      throw new StartFailedError(name, error)
    }
  }

  #launch(start: number): Run {
    const { cwd, env } = this.#options
    const child = spawn(this.#command, this.#args, {
      stdio: 'pipe',
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
    })
    // What is written to a process that is gone is lost.
    child.stdin.on('error', () => undefined)
    child.stdout.setEncoding('utf8').on('data', this.#lines.reader('stdout', start))
    child.stderr.setEncoding('utf8').on('data', this.#lines.reader('stderr', start))
    const release = endWithThisProcess(child)
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>()
    const run: Run = { child, ended: promise, state: 'running' }
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      this.#lines.ended(start, `It ended with ${signal ?? `code ${String(code)}`}`)
      resolve({ code, signal })
    }
    child.once('error', () => {
      if (child.pid !== undefined) return
      run.state = 'ended'
      release()
      end(null, null)
    })
    child.once('exit', () => {
      run.state = 'ended'
      release()
      const timer = this.#clock.setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, lastOutputMs)
      child.once('close', () => {
        this.#clock.clearTimeout(timer)
      })
    })
    child.once('close', end)
    return run
  }

  async #readiness(ready: LineMatch): Promise<void> {
    const { readyWithinMs } = this.#options
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = this.#clock.setTimeout(() => {
      reject(new Error(`it had not written ${String(ready)} after ${readyWithinMs} ms`))
    }, readyWithinMs)
    try {
      await Promise.race([this.line(ready), late])
    } finally {
      this.#clock.clearTimeout(timer)
    }
  }
}
