import type { Cell } from '../actors/cell.ts'
import type { TimerHandle } from '../core/clock.ts'
import { DefinitionInvalidError, RuntimeClosedError, ShutdownTimeoutError } from '../core/errors.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import type { ActorPath } from '../core/ids.ts'
import type { NodeKernel } from './node-kernel.ts'

/**
 * The phases of a shutdown, in order: nothing new is spawned; asks from outside are refused; what is queued and running
 * is finished; the tree stops, last started first; what the program opened is closed.
 */
export type ShutdownPhase = 'stop-accepting' | 'refuse-asks' | 'drain' | 'stop-tree' | 'close'

/** Work of the program in a phase, such as closing a server. `signal` aborts when the phase's time is up. */
export type ShutdownTask = (signal: AbortSignal) => void | Promise<void>

export interface ShutdownOptions {
  /** Milliseconds for everything together. Default: the runtime's `shutdownMs`. */
  readonly deadlineMs?: number
  /** Why; the tree ends for this reason. Default: shutdown. */
  readonly reason?: ExitReason
}

export interface TaskFailure {
  readonly task: string
  /** What it threw, or a `ShutdownTimeoutError` when it was not done in time. */
  readonly error: unknown
}

export interface PhaseReport {
  readonly phase: ShutdownPhase
  readonly ms: number
  readonly failures: readonly TaskFailure[]
  readonly timedOut: boolean
}

export interface ShutdownReport {
  readonly reason: ExitReason
  readonly phases: readonly PhaseReport[]
  /** Actors that had not stopped when the time was up, children before their parents. */
  readonly killed: readonly ActorPath[]
  /** Messages that became dead letters during the shutdown. */
  readonly deadLetters: number
}

interface NamedTask {
  readonly name: string
  readonly run: ShutdownTask
}

/** The part of the deadline at which each phase is over at the latest. Time that one does not need is the next one's. */
const latestEnd: Readonly<Record<ShutdownPhase, number>> = {
  'stop-accepting': 0.15,
  'refuse-asks': 0.3,
  drain: 0.6,
  'stop-tree': 0.9,
  close: 1,
}

// The keys of an object literal are exactly its type's keys.
const phases = Object.keys(latestEnd) as readonly ShutdownPhase[]

/** Milliseconds between two looks at handlers that wait for something outside. */
const lookAgainMs = 2

/**
 * Ends a runtime in phases within one deadline.
 *
 * 1. It always ends within the deadline, whatever actors and tasks do (short of blocking the event loop).
 * 2. A task that fails or hangs is reported and stops nothing else.
 * 3. Afterwards no actor is left, and every ask, offer and watch has its answer.
 *
 * @see Pekko's CoordinatedShutdown
 */
export class Shutdown {
  readonly #kernel: NodeKernel
  readonly #root: Cell
  readonly #defaultMs: number
  readonly #onClosed: () => void
  readonly #tasks = new Map<ShutdownPhase, Set<NamedTask>>(phases.map((phase) => [phase, new Set()]))
  readonly #closed = Promise.withResolvers<ShutdownReport>()
  readonly #killed: ActorPath[] = []
  #phase: ShutdownPhase | 'open' | 'closed' = 'open'

  /** `onClosed` is called once, before anybody learns that it is over. */
  constructor(kernel: NodeKernel, root: Cell, onClosed: () => void, defaultMs = 10_000) {
    this.#kernel = kernel
    this.#root = root
    this.#onClosed = onClosed
    this.#defaultMs = checkedDeadline('shutdownMs', defaultMs)
  }

  get isClosing(): boolean {
    return this.#phase !== 'open'
  }

  /** Resolves at the end of the shutdown, whoever asks for it. */
  get closed(): Promise<ShutdownReport> {
    return this.#closed.promise
  }

  /** @throws {RuntimeClosedError} `RUNTIME_CLOSED` when the phase has begun already. */
  on(phase: ShutdownPhase, name: string, run: ShutdownTask): () => void {
    const tasks = this.#tasks.get(phase)
    if (tasks === undefined) {
      throw new DefinitionInvalidError(
        `onShutdown('${name}')`,
        `'${phase}' is no phase: it is one of ${phases.join(', ')}`,
      )
    }
    if (this.#hasBegun(phase))
      throw new RuntimeClosedError(this.#kernel.node, `'${name}' comes too late for phase ${phase}`)
    const task = { name, run }
    tasks.add(task)
    return () => {
      tasks.delete(task)
    }
  }

  /** Begins the shutdown. A second call changes nothing and gets the same report. */
  run({ deadlineMs = this.#defaultMs, reason = exits.shutdown() }: ShutdownOptions = {}): Promise<ShutdownReport> {
    checkedDeadline('shutdown.deadlineMs', deadlineMs)
    if (!this.isClosing) void this.#runAll(deadlineMs, reason)
    return this.closed
  }

  #hasBegun(phase: ShutdownPhase): boolean {
    if (this.#phase === 'open') return false
    return this.#phase === 'closed' || phases.indexOf(phase) <= phases.indexOf(this.#phase)
  }

  async #runAll(deadlineMs: number, reason: ExitReason): Promise<void> {
    const { clock, deadLetters } = this.#kernel
    const startMs = clock.now()
    const lettersBefore = deadLetters.count
    // A tree that was never started has nothing to finish, and takes up no request to stop.
    if (this.#root.status === 'starting') this.#root.kill()
    const reports: PhaseReport[] = []
    for (const phase of phases) {
      this.#phase = phase
      reports.push(await this.#runPhase(phase, startMs + deadlineMs * latestEnd[phase], reason))
    }
    this.#phase = 'closed'
    this.#onClosed()
    this.#closed.resolve({
      reason,
      phases: reports,
      killed: this.#killed,
      deadLetters: deadLetters.count - lettersBefore,
    })
  }

  async #runPhase(phase: ShutdownPhase, endsAtMs: number, reason: ExitReason): Promise<PhaseReport> {
    const { clock } = this.#kernel
    const startMs = clock.now()
    const timeUp = new AbortController()
    const unfinished = new Set(this.#tasks.get(phase))
    const failures: TaskFailure[] = []
    const timeIsUp = new Promise<void>((resolve) => {
      timeUp.signal.addEventListener('abort', () => {
        resolve()
      })
    })
    const timer = clock.setTimeout(
      () => {
        timeUp.abort(new ShutdownTimeoutError(phase, Math.max(0, endsAtMs - startMs)))
      },
      Math.max(0, endsAtMs - startMs),
    )
    const runTask = async (task: NamedTask): Promise<void> => {
      try {
        await task.run(timeUp.signal)
      } catch (error) {
        if (unfinished.has(task)) failures.push({ task: task.name, error })
      }
      unfinished.delete(task)
    }
    const all = Promise.all([this.#ownPart(phase, timeUp.signal, reason), ...Array.from(unfinished, runTask)])
    await Promise.race([all, timeIsUp])
    clock.clearTimeout(timer)
    for (const { name } of unfinished) failures.push({ task: name, error: timeUp.signal.reason })
    unfinished.clear()
    return { phase, ms: clock.now() - startMs, failures, timedOut: timeUp.signal.aborted }
  }

  /** What the runtime itself does in a phase. It is over at once when `signal` aborts. */
  #ownPart(phase: ShutdownPhase, signal: AbortSignal, reason: ExitReason): Promise<unknown> | undefined {
    switch (phase) {
      case 'stop-accepting': // `runtime.spawn` looks at `isClosing`
      case 'close':
        return undefined
      case 'refuse-asks':
        this.#kernel.refusesAsks = true
        return undefined
      case 'drain':
        // Nobody is waited for who waits for a person.
        this.#kernel.escalations.close()
        return this.#drain(signal)
      case 'stop-tree':
        return this.#stopTree(signal, reason)
      default:
        return phase satisfies never
    }
  }

  /** Waits until no actor has anything to do. Looks again after others had their turns, or, when all wait, after a moment. */
  #drain(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const { clock, dispatcher } = this.#kernel
      let timer: TimerHandle | undefined
      let busy: Cell | undefined
      const look = (): void => {
        if (signal.aborted) return
        if (busy === undefined || busy.isQuiet) busy = this.#cells().find((cell) => !cell.isQuiet)
        if (busy === undefined) resolve()
        else if (dispatcher.idle) timer = clock.setTimeout(look, lookAgainMs)
        else dispatcher.defer(look)
      }
      signal.addEventListener('abort', () => {
        clock.clearTimeout(timer)
        resolve()
      })
      look()
    })
  }

  #stopTree(signal: AbortSignal, reason: ExitReason): Promise<void> {
    signal.addEventListener('abort', () => {
      this.#killAll()
    })
    this.#root.requestStop(reason, 'infinity')
    return this.#allEnded()
  }

  async #allEnded(): Promise<void> {
    await this.#root.ended
    const { orphans } = this.#kernel
    while (orphans.size > 0) await Promise.all(Array.from(orphans, ({ ended }) => ended))
  }

  #cells(): Generator<Cell, undefined> {
    return cellsFrom(this.#root, this.#kernel.orphans)
  }

  /** The time is up: whoever is left is fenced, children before parents, so that nobody waits for anybody. */
  #killAll(): void {
    for (const cell of [...this.#cells()].reverse()) {
      if (cell.status === 'stopped') continue
      if (cell !== this.#root) this.#killed.push(cell.path)
      cell.kill()
    }
  }
}

/** All cells of a runtime, parents before children, the root first. */
export function* cellsFrom(root: Cell, orphans: Iterable<Cell>): Generator<Cell, undefined> {
  const found = [...orphans, root]
  for (let cell = found.pop(); cell !== undefined; cell = found.pop()) {
    yield cell
    for (const child of (cell.children?.inOrder() ?? []).reverse()) found.push(child)
  }
}

function checkedDeadline(where: string, deadlineMs: number): number {
  if (deadlineMs >= 0 && deadlineMs < Infinity) return deadlineMs
  throw new DefinitionInvalidError(where, `${deadlineMs} is no deadline: give milliseconds, 0 or more`)
}
