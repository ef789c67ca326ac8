import type { Cell } from '../actors/cell.ts'
import type { MessageContext } from '../actors/context.ts'
import { cellOf } from '../actors/ref.ts'
import { StartFailedError } from '../core/errors.ts'
import { eventChannels } from '../core/events.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import { SupervisorError, type ChildInfo } from './admin.ts'
import { backoffDelayMs, FailureStreak } from './backoff.ts'
import type { ChildBook, ChildRecord } from './child-book.ts'
import { shouldRestart } from './child-spec.ts'
import { RestartWindow, type Intensity } from './restart-intensity.ts'
import { supervisorSnapshot, type SupervisorSnapshot, type SupervisorState } from './supervisor-snapshot.ts'

/** A step that may have to wait: it yields the child whose end it waits for, as OTP's code blocks in a receive. */
export type Procedure<Result = void> = Generator<Cell, Result, void>

export type StartOutcome =
  | { readonly kind: 'running'; readonly cell: Cell }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'failed'; readonly error: unknown }

/**
 * What both kinds of supervisor share: starting, stopping and restarting children, one procedure at a time, as
 * `supervisor.erl` does it. A procedure that waits blocks the supervisor, as OTP's does; everything else is queued.
 */
export class Supervision {
  readonly cell: Cell
  readonly children: ChildBook
  readonly intensity: Intensity
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
    this.intensity = intensity
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
    // It must stay down, which the procedure knows nothing of: that is looked at again afterwards.
    if (child.verdict === 'stop') this.cell.force(child)
    this.cell.post(() => {
      if (this.#waiting !== waiting) return // told twice
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
    if (record === undefined && child.verdict === 'stop') {
      // It was started again before its end was taken up, with its group: whoever stopped it meant for good.
      const successor = cellOf(child.ref)
      if (successor !== child) successor.stopForGood(exits.shutdown())
      return
    }
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
      this.run(this.restart(record, child.madeParts?.isBlameless !== true))
    } else {
      this.children.drop(record)
      if (this.children.endsWith(record)) this.cell.end(exits.shutdown())
    }
    this.#childrenChanged()
  }

  /**
   * OTP's restart/2: counts, gives up when that was one too many, and otherwise restarts, perhaps after a while. An end
   * that was no fault of the child is not counted.
   */
  *restart(record: ChildRecord, isCounted = true): Procedure {
    const nowMs = this.cell.kernel.clock.now()
    this.enter('restarting')
    this.children.remember(record)
    const own = (record.window ??= record.spec.intensity && new RestartWindow(record.spec.intensity))
    if (isCounted && (own ?? this.#window).exceeds(nowMs)) {
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
        else record.cell = cell // the address leads there now: who stops the child finds it
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

  /** Stops a child on request and forgets it, or keeps its spec without a child. OTP's terminate_child. */
  *terminate(record: ChildRecord, context: MessageContext): Procedure {
    yield* this.stop(record, false)
    this.children.drop(record)
    context.reply(undefined)
  }

  /** As `start`, for a child that was up before; says so. A failure leaves it `restarting`, to be tried again. */
  *startAgain(record: ChildRecord): Procedure<StartOutcome> {
    const kept = record.cell?.keepsMailbox === true ? 'mailbox' : 'nothing'
    const outcome = yield* this.start(record)
    if (outcome.kind === 'failed' && record.cell?.verdict === 'stop') {
      this.children.drop(record)
    } else if (outcome.kind === 'failed') {
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
