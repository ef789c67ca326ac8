import type { Snapshot } from 'xstate'
import type { Cell } from '../actors/cell.ts'
import type { MessageContext } from '../actors/context.ts'
import type { TimerHandle } from '../core/clock.ts'
import { StartFailedError } from '../core/errors.ts'
import { eventChannels } from '../core/events.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import { SupervisorError, type ChildCounts, type ChildInfo } from './admin.ts'
import { backoffDelayMs, FailureStreak } from './backoff.ts'
import { shouldRestart, type ChildSpec } from './child-spec.ts'
import { RestartWindow, type Intensity } from './restart-intensity.ts'

/** What a supervisor is at, as any chart would show it. */
export type SupervisorState = 'starting' | 'running' | 'restarting' | 'stopping'

/** A step that may have to wait: it yields the child whose end it waits for, as OTP's code blocks in a receive. */
export type Procedure<Result = void> = Generator<Cell, Result, void>

export type StartOutcome =
  | { readonly kind: 'running'; readonly cell: Cell }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** One child of a supervisor: its spec and its last incarnation. */
export class ChildRecord {
  readonly spec: ChildSpec
  /** The id, or what a dynamic child was named; one that was given no name is numbered. */
  readonly givenName: string | undefined
  readonly input: unknown
  state: 'running' | 'restarting' | 'stopped' = 'stopped'
  /** The last incarnation, running or not: its ref is the child's for good. */
  cell: Cell | undefined
  /** Why it is being restarted. */
  reason: ExitReason = exits.normal
  retry: TimerHandle | undefined
  upSinceMs = 0
  streak: FailureStreak | undefined
  /** Counts its own restarts when its spec says so. */
  window: RestartWindow | undefined

  constructor(spec: ChildSpec, givenName: string | undefined, input: unknown) {
    this.spec = spec
    this.givenName = givenName
    this.input = input
  }

  get name(): string {
    return this.cell?.name ?? this.givenName ?? this.spec.id
  }
}

/** The children of one supervisor, and what its kind of supervisor does about them. */
export interface ChildBook {
  list(): Iterable<ChildRecord>
  counts(): ChildCounts
  recordOf(child: Cell): ChildRecord | undefined
  /** Restarts a child whose restart was counted and is due: OTP's restart/3. */
  carryOut(supervision: Supervision, record: ChildRecord): Procedure
  /** The child is gone: forgets it, or keeps its spec without a child. OTP's del_child. */
  drop(record: ChildRecord): void
  /** Forgets a child whose end needs no decision, and no record made for it. False when it does. */
  readonly dropsAtOnce?: (child: Cell) => boolean
  /** The child failed: what is counted about it has to be kept. */
  remember(record: ChildRecord): void
  /** Whether the end of a child that is not restarted ends the supervisor. OTP's do_auto_shutdown. */
  endsWith(record: ChildRecord): boolean
}

/**
 * What both kinds of supervisor share: starting, stopping and restarting children, one procedure at a time, as
 * `supervisor.erl` does it. A procedure that waits blocks the supervisor, as OTP's does; everything else is queued.
 */
export class Supervision {
  readonly cell: Cell
  readonly children: ChildBook
  state: SupervisorState = 'starting'
  readonly #window: RestartWindow
  readonly #snapshots = new Map<SupervisorState, SupervisorSnapshot>()
  #waiting: { readonly procedure: Procedure; readonly child: Cell } | undefined
  /** Set by a procedure that decided that the supervisor ends. */
  #ending: ExitReason | undefined
  /** Children whose restart waits for its backoff. */
  readonly #delayed = new Set<ChildRecord>()

  constructor(cell: Cell, intensity: Intensity, children: ChildBook) {
    this.cell = cell
    this.children = children
    this.#window = new RestartWindow(intensity)
  }

  get path(): string {
    return this.cell.path
  }

  /** Runs a procedure until it is done or has to wait. */
  run(procedure: Procedure): void {
    for (;;) {
      const step = procedure.next()
      if (step.done === true) break
      if (step.value.status === 'stopped') continue
      this.#waiting = { procedure, child: step.value }
      this.cell.block()
      return
    }
    this.enter('running')
    if (this.#ending !== undefined) this.cell.end(this.#ending)
    this.#childrenChanged()
  }

  /** Messages that waited for a child to be up are taken up again. */
  #childrenChanged(): void {
    if (this.cell.hasSetAside) this.cell.lane.putBack('stash')
  }

  get #isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /** A child has ended. True when that is what a procedure waits for. */
  childEnded(child: Cell): boolean {
    const waiting = this.#waiting
    if (waiting?.child !== child) return false
    this.cell.post(() => {
      this.#waiting = undefined
      this.run(waiting.procedure)
      if (!this.#isWaiting) this.cell.unblock()
    })
    return true
  }

  /** Takes up the end of a child in its turn: OTP's handle_info({'EXIT', ...}). */
  reactToChild(child: Cell): void {
    if (this.children.dropsAtOnce?.(child) === true) return
    const record = this.children.recordOf(child)
    if (record?.state === 'restarting' && child.verdict === 'stop') this.#cancelRetry(record)
    else if (record?.state !== 'running') return // it was stopped or replaced meanwhile
    const reason = child.exit ?? exits.normal
    if (child.verdict === 'stop') {
      this.children.drop(record)
    } else if (child.verdict === 'escalate') {
      this.children.drop(record)
      this.#escalated(reason)
      this.cell.end(reason)
    } else if (shouldRestart[record.spec.restart](reason)) {
      record.reason = reason
      this.run(this.restart(record))
    } else {
      this.children.drop(record)
      if (this.children.endsWith(record)) this.cell.end(exits.shutdown())
    }
    this.#childrenChanged()
  }

  /** OTP's restart/2: counts, gives up when that was one too many, and otherwise restarts, perhaps after a while. */
  *restart(record: ChildRecord): Procedure {
    const nowMs = this.cell.kernel.clock.now()
    this.enter('restarting')
    this.children.remember(record)
    const own = (record.window ??= record.spec.intensity && new RestartWindow(record.spec.intensity))
    if ((own ?? this.#window).exceeds(nowMs)) {
      this.children.drop(record)
      this.#escalated(record.reason)
      if (own === undefined) this.#ending = exits.shutdown()
      return
    }
    const delayMs = this.#backoffMs(record, nowMs)
    if (delayMs === undefined) {
      yield* this.children.carryOut(this, record)
      return
    }
    record.state = 'restarting'
    this.#delayed.add(record)
    record.retry = this.cell.kernel.clock.setTimeout(() => {
      this.#delayed.delete(record)
      record.retry = undefined
      this.cell.force(new RestartDue(record))
    }, delayMs)
  }

  /** A restart that waited is due. */
  resume(record: ChildRecord): void {
    if (record.state !== 'restarting') return
    this.enter('restarting')
    this.run(this.children.carryOut(this, record))
  }

  /** A failed restart is tried again: it counts as another. */
  tryAgain(record: ChildRecord): void {
    if (record.state === 'restarting' && record.retry === undefined) this.run(this.restart(record))
  }

  /** Starts a child, or its next incarnation. */
  *start(record: ChildRecord): Procedure<StartOutcome> {
    const previous = record.cell
    try {
      const cell = this.cell.startChild(record.givenName, record.spec.definition, record.input, record.spec, previous)
      if (cell === undefined) {
        record.state = 'stopped'
        return { kind: 'ignored' }
      }
      if (cell.status !== 'running') {
        const error = cell.exit?.kind === 'crash' ? cell.exit.error : cell.exit
        // A supervisor that starts itself waits for its clean-up with that of the others, as it ends.
        if (this.state === 'starting') return { kind: 'failed', error }
        yield cell
        if (previous === undefined) this.cell.forgetChild(cell)
        return { kind: 'failed', error }
      }
      record.cell = cell
      record.state = 'running'
      record.upSinceMs = this.cell.kernel.clock.now()
      return { kind: 'running', cell }
    } catch (error) {
      return { kind: 'failed', error: error instanceof StartFailedError ? error.cause : error }
    }
  }

  /** As `start`, for a child that was up before; says so. A failure leaves it `restarting`, to be tried again. */
  *startAgain(record: ChildRecord): Procedure<StartOutcome> {
    const kept = record.cell?.keepsMailbox === true ? 'mailbox' : 'nothing'
    const outcome = yield* this.start(record)
    if (outcome.kind === 'failed') {
      record.state = 'restarting'
      this.cell.force(new TryAgain(record))
    } else if (outcome.kind === 'running' && eventChannels.restarted.hasSubscribers) {
      const { origin } = outcome.cell
      eventChannels.restarted.publish({
        type: 'restarted',
        ...origin,
        supervisor: this.cell.path,
        reason: record.reason,
        kept,
      })
    }
    return outcome
  }

  /** Stops a child as its spec says and waits for its end. `keep`: it is started again soon, with its mailbox if that is kept. */
  *stop(record: ChildRecord, keep: boolean): Procedure {
    this.#cancelRetry(record)
    const { cell } = record
    const wasRunning = record.state === 'running'
    record.state = 'stopped'
    if (cell === undefined) return
    if (wasRunning && cell.status !== 'stopped') {
      cell.shutDown(exits.shutdown(), keep)
      yield cell
    }
    if (!keep) cell.discard()
  }

  /** The supervisor has ended: nothing is restarted any more. */
  close(): void {
    for (const record of this.#delayed) this.#cancelRetry(record)
  }

  #cancelRetry(record: ChildRecord): void {
    this.#delayed.delete(record)
    this.cell.kernel.clock.clearTimeout(record.retry)
    record.retry = undefined
  }

  enter(state: SupervisorState): void {
    if (this.state === state || this.state === 'stopping') return
    this.state = state
    this.cell.publish(this.snapshot, false)
  }

  get snapshot(): SupervisorSnapshot {
    let snapshot = this.#snapshots.get(this.state)
    if (snapshot === undefined) {
      snapshot = supervisorSnapshot(this.state, () => this.info())
      this.#snapshots.set(this.state, snapshot)
    }
    return snapshot
  }

  info(): readonly ChildInfo[] {
    return Array.from(this.children.list(), (record) => this.describe(record))
  }

  describe(record: ChildRecord): ChildInfo {
    const { state, spec, cell, name } = record
    return { id: name, status: state, type: spec.definition.type, ref: cell?.ref }
  }

  refuse(context: MessageContext, code: SupervisorError['code'], child: string, cause?: unknown): void {
    context.refuse(new SupervisorError(code, this.path, child, cause === undefined ? undefined : { cause }))
  }

  #backoffMs(record: ChildRecord, nowMs: number): number | undefined {
    const { backoff } = record.spec
    if (backoff === undefined) return undefined
    record.streak ??= new FailureStreak(backoff)
    return backoffDelayMs(backoff, record.streak.next(nowMs, record.upSinceMs), this.cell.random)
  }

  /** Says that a failure goes to whoever is above: the intensity is used up, or the decider said so. */
  #escalated(exit: ExitReason): void {
    if (!eventChannels.escalated.hasSubscribers) return
    eventChannels.escalated.publish({
      type: 'escalated',
      ...this.cell.origin,
      from: this.cell.path,
      to: this.cell.parent?.parent === undefined ? 'person' : this.cell.parent.path,
      reason: { kind: 'failure', exit },
      options: [],
      defaultChoice: undefined,
      deadlineMs: undefined,
      resolve: () => false,
    })
  }
}

/** A supervisor tells itself, behind what is queued, that a restart is due or to be tried again. */
export class TryAgain {
  readonly type = 'actor.try-again'
  readonly record: ChildRecord
  constructor(record: ChildRecord) {
    this.record = record
  }
}

export class RestartDue {
  readonly type = 'actor.restart-due'
  readonly record: ChildRecord
  constructor(record: ChildRecord) {
    this.record = record
  }
}

/** Snapshot of a supervisor: XState's shape, with what it is at as its value. */
export type SupervisorSnapshot = Snapshot<undefined> & {
  readonly value: SupervisorState
  readonly context: { readonly children: readonly ChildInfo[] }
  matches(value: SupervisorState): boolean
}

/** The child list is read when it is looked at: a restart costs the same however many siblings there are. */
export const supervisorSnapshot = (
  value: SupervisorState,
  children: () => readonly ChildInfo[],
): SupervisorSnapshot => ({
  status: 'active',
  value,
  output: undefined,
  error: undefined,
  context: {
    get children() {
      return children()
    },
  },
  matches: (other) => other === value,
})
