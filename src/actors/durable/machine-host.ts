import { createActor, initialTransition, transition } from 'xstate'
import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine, Snapshot } from 'xstate'
import { ambient } from '../ambient.ts'
import type { Cell } from '../cell.ts'
import { MessageContext } from '../context.ts'
import type { Host } from '../host.ts'
import { hostedIn, snapshotOf, type Hosted, type RootActor } from '../hosted.ts'
import { watchedMachine } from '../machine-guard.ts'
import { interruptChildren, reportInterrupted, type PersistedChart } from '../restore.ts'
import { createHosted, rootHost, startHosted } from '../root-host.ts'
import { isEffectLogic } from './effect-logic.ts'
import { NotReplayableError } from './errors.ts'
import { bringBack, closeRecord, openRecord } from './host.ts'
import type { DurableRecord, KeptState } from './record.ts'
import type { Rebuild } from './recovery.ts'
import type { Turn } from './turn.ts'

/**
 * Runs a chart whose events are in a journal: messages, and what comes from within, such as delayed events and the ends
 * of what it invoked. It is brought back by XState's pure `transition`, which runs no action; then its delays are due
 * when they were due, and what it had invoked goes on if it is an effect, and has failed otherwise.
 */
export function durableMachineHost(machine: AnyStateMachine): Host {
  // Guarded once more for this host: its transitions are turns.
  const recorded = recordedMachine(machine)
  return {
    ...rootHost,
    start(cell) {
      const record = openRecord(cell, false)
      const rebuild = new ChartRebuild(record, recorded)
      void bringBack(cell, record, rebuild, () => {
        begin(cell, record, recorded, rebuild)
      })
    },
    end(cell, reason) {
      const hosted = hostedIn(cell)
      const isClean = (reason.kind === 'normal' || reason.kind === 'shutdown') && hosted !== undefined
      closeRecord(cell, isClean, () => hosted && keptState(recorded, snapshotOf(hosted.actor)).kept())
      rootHost.end(cell, reason)
    },
  }
}

/** Transitions are noted when they happen in a durable actor, and not in the pure ones of a recovery. */
const recordedMachine = (machine: AnyStateMachine): AnyStateMachine =>
  watchedMachine(machine, (self, before, event, step) => {
    const recorder = recorders.get(self)
    return recorder === undefined || event.type === 'xstate.stop' ? step() : recorder.around(before, event, step)
  })

const recorders = new WeakMap<object, Recorder>()

/** Starts the root actor for what was brought back, or afresh. */
function begin(cell: Cell, record: DurableRecord, machine: AnyStateMachine, rebuild: ChartRebuild): void {
  const { chart } = rebuild
  const isFresh = record.isEmpty
  const restored = chart === undefined || isFresh ? undefined : resumable(record.stream, machine, chart)
  const hosted = createHosted(cell, machine, record.ledger.input, restored?.snapshot)
  const recorder = new Recorder(cell, record, machine, hosted)
  record.hasOwnWork = () => recorder.hasOwnWork
  startHosted(cell, hosted)
  recorders.set(hosted.actor, recorder)
  if (isFresh) recorder.beginRecord(rebuild.beganAtMs)
  else recorder.resumeDelays()
  if (restored !== undefined && restored.interrupted.length > 0) {
    cell.post(() => {
      reportInterrupted(hosted, restored.interrupted)
    })
  }
  if (snapshotOf(hosted.actor).status === 'done') cell.stopSelf({ kind: 'normal' })
}

function resumable(
  path: string,
  machine: AnyStateMachine,
  chart: AnyMachineSnapshot,
): ReturnType<typeof interruptChildren> {
  const { actors } = machine.implementations as { readonly actors: Readonly<{ [src: string]: unknown }> }
  return interruptChildren(path, persisted(machine, chart), (_id, { status }, src) => {
    if (status !== 'active') return false
    return typeof src !== 'string' || !isEffectLogic(actors[src])
  })
}

/** The snapshot of a chart as a journal has it. */
type PersistedMachine = PersistedChart & { readonly value: unknown; readonly context: unknown }

// XState types what it persists as a snapshot of any logic: that of a machine has these.
const persisted = (machine: AnyStateMachine, snapshot: unknown): PersistedMachine =>
  machine.getPersistedSnapshot(snapshot as AnyMachineSnapshot) as PersistedMachine

function keptState(machine: AnyStateMachine, snapshot: unknown): KeptState {
  const kept = (): PersistedMachine => persisted(machine, snapshot)
  return {
    kept,
    digested: () => {
      const { status, value, context } = kept()
      return { status, value, context }
    },
  }
}

/** A turn of a live chart that is going on. */
interface OpenTurn {
  readonly context: MessageContext
  readonly turn: Turn
  readonly before: AnyMachineSnapshot
  after: AnyMachineSnapshot
  /** What was at hand before: for an event from within nothing. */
  readonly outer: MessageContext | undefined
  readonly ambient: MessageContext | undefined
}

/** Notes what happens in one live chart. */
class Recorder {
  readonly #cell: Cell
  readonly #record: DurableRecord
  readonly #machine: AnyStateMachine
  readonly #hosted: Hosted
  /** Which delay an event comes from. */
  readonly #delayed = new WeakMap<object, string>()
  #open: OpenTurn | undefined

  constructor(cell: Cell, record: DurableRecord, machine: AnyStateMachine, hosted: Hosted) {
    this.#cell = cell
    this.#record = record
    this.#machine = machine
    this.#hosted = hosted
    this.#followDelays()
    hosted.follower = {
      settled: () => {
        this.#settle()
      },
      failed: (error) => {
        this.#fail(error)
      },
    }
  }

  /** Whether something that it invoked or spawned is at work. */
  get hasOwnWork(): boolean {
    // The snapshot of a chart has the actors that it invoked and spawned.
    const { children } = this.#hosted.snapshot as { readonly children?: Readonly<Record<string, RootActor>> }
    return Object.values(children ?? {}).some((child) => snapshotOf(child).status === 'active')
  }

  /** The first entry of a chart that has begun just now: its first delays are counted from then. */
  beginRecord(atMs: number): void {
    this.#record.created(atMs)
  }

  /** Arms what is still to come. */
  resumeDelays(): void {
    const { actor } = this.#hosted
    const nowMs = this.#cell.kernel.clock.wallNow()
    for (const [id, { message, dueMs }] of this.#record.ledger.timers) {
      this.#delayed.set(message, id)
      this.#schedule(actor, actor, message, Math.max(0, dueMs - nowMs), id)
    }
  }

  /** One transition is one turn, which ends when XState has done what the transition deferred: see `#settle`. */
  around(before: AnyMachineSnapshot, event: AnyEventObject, step: () => AnyMachineSnapshot): AnyMachineSnapshot {
    const hosted = this.#hosted
    if (hosted.ended) return step()
    const context = hosted.context?.message === event ? hosted.context : this.#contextOf(event)
    const turn = this.#record.open(event, context.envelope?.delivery, this.#delayed.get(event))
    context.turn = turn
    const open: OpenTurn = { context, turn, before, after: before, outer: hosted.context, ambient: ambient.context }
    hosted.context = context
    ambient.context = context
    this.#open = open
    // What it throws comes back as a failure of the actor.
    open.after = step()
    return open.after
  }

  #settle(): void {
    const open = this.#takeOpen()
    if (open === undefined) return
    try {
      this.#finish(open)
    } catch (error) {
      this.#record.failed(open.turn, error)
      this.#hosted.failure = { error }
      if (open.outer === undefined) {
        this.#hosted.failure = undefined
        this.#cell.fail(error)
      }
    }
  }

  #fail(error: unknown): void {
    const open = this.#takeOpen()
    if (open !== undefined) this.#record.failed(open.turn, error)
  }

  #takeOpen(): OpenTurn | undefined {
    const open = this.#open
    if (open === undefined) return undefined
    this.#open = undefined
    this.#hosted.context = open.outer
    ambient.context = open.ambient
    return open
  }

  /** Events from within come in nobody's message. */
  #contextOf(event: AnyEventObject): MessageContext {
    return new MessageContext(this.#cell, event, undefined)
  }

  #finish({ context, turn, before, after }: OpenTurn): void {
    if (!context.deferred) {
      this.#record.handled(turn, keptState(this.#machine, after), after !== before)
      return
    }
    const isSame = after.context === before.context && JSON.stringify(after.value) === JSON.stringify(before.value)
    if (isSame && !turn.leavesTrace) return
    throw new NotReplayableError(
      context.path,
      context.message.type,
      'an event that is set aside',
      'change nothing in the transition that stashes or postpones it',
    )
  }

  #schedule: Hosted['actor']['system']['scheduler']['schedule'] = () => undefined

  /** XState keeps the delays of a chart to itself: what it schedules and cancels is noted here. */
  #followDelays(): void {
    const { actor } = this.#hosted
    const { scheduler } = actor.system
    const { ledger } = this.#record
    const { schedule, cancel } = scheduler
    let unnamed = 0
    this.#schedule = schedule
    scheduler.schedule = (source, target, event, delay, id) => {
      const name = id ?? `unnamed-${ledger.turns}-${(unnamed += 1)}`
      if (source === actor && target === actor) {
        this.#delayed.set(event, name)
        const turn = this.#open?.turn
        turn?.setTimer(name, { dueMs: turn.atMs + delay, message: event, recurrence: undefined })
      }
      schedule(source, target, event, delay, name)
    }
    scheduler.cancel = (source, id) => {
      const turn = this.#open?.turn
      if (source === actor && (ledger.timers.has(id) || turn?.timers?.has(id) === true)) turn?.setTimer(id, undefined)
      cancel(source, id)
    }
  }
}

/** A chart that is being brought back, without running anything. */
class ChartRebuild implements Rebuild {
  readonly #record: DurableRecord
  readonly #machine: AnyStateMachine
  chart: AnyMachineSnapshot | undefined
  beganAtMs = 0

  constructor(record: DurableRecord, machine: AnyStateMachine) {
    this.#record = record
    this.#machine = machine
  }

  begin(atMs: number): void {
    this.beganAtMs = atMs
    const { ledger } = this.#record
    // The input was checked by the definition's schema when it was first given.
    const [chart, actions] = initialTransition(this.#machine, ledger.input as never)
    this.chart = chart as AnyMachineSnapshot
    this.#note(actions, (id, delayMs, event) => {
      ledger.setTimer(id, { dueMs: atMs + delayMs, message: event, recurrence: undefined })
    })
  }

  restore(state: unknown): void {
    // An actor that is never started gives its snapshot as XState restores it.
    this.chart = createActor(this.#machine, { snapshot: state as Snapshot<unknown> }).getSnapshot()
  }

  replay(turn: Turn, event: AnyEventObject): undefined {
    const [chart, actions] = transition(this.#machine, this.chart as never, event as never)
    this.chart = chart as AnyMachineSnapshot
    this.#note(
      actions,
      (id, delayMs, later) => {
        turn.setTimer(id, { dueMs: turn.atMs + delayMs, message: later, recurrence: undefined })
      },
      (id) => {
        turn.setTimer(id, undefined)
      },
    )
    return undefined
  }

  digested(): unknown {
    return keptState(this.#machine, this.chart).digested()
  }

  /** The delayed events that a transition sets and cancels, in its order. */
  #note(
    actions: readonly { readonly type: string; readonly params?: unknown }[],
    set: (id: string, delayMs: number, event: AnyEventObject) => void,
    cancel: (id: string) => void = () => undefined,
  ): void {
    let unnamed = 0
    for (const action of actions) {
      // XState's own actions, whose parameters it documents by their types only.
      const { event, id, delay, sendId } = (action.params ?? {}) as {
        readonly event?: AnyEventObject
        readonly id?: string
        readonly delay?: number
        readonly sendId?: string
      }
      if (action.type === 'xstate.raise' && event !== undefined && delay !== undefined)
        set(id ?? `unnamed-${this.#record.ledger.turns}-${(unnamed += 1)}`, delay, event)
      if (action.type === 'xstate.cancel' && sendId !== undefined) cancel(sendId)
    }
  }
}
