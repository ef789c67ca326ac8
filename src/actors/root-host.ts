import {
  createActor,
  type Actor,
  type AnyActorLogic,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type Snapshot,
} from 'xstate'
import type { TimerHandle } from '../core/clock.ts'
import { InterruptedError, MessageUnhandledError } from '../core/errors.ts'
import { exits } from '../core/exit.ts'
import type { Cell } from './cell.ts'
import { runAsync } from './ambient.ts'
import { MessageContext } from './context.ts'
import { endedSnapshot, keepsState, type Host, type HostedSnapshot } from './host.ts'

type RootActor = Actor<AnyActorLogic>

/** One XState root actor and what its cell needs to know of it. */
interface Hosted {
  readonly actor: RootActor
  /** Its logic runs code that goes on after an `await`, which has to be known as this cell's. */
  readonly isAsync: boolean
  /** The message that it is at. */
  context: MessageContext | undefined
  /** Failure that XState reported, until the cell has taken it. */
  failure: { readonly error: unknown } | undefined
  /** Its cell has ended: what XState still reports is of no interest. */
  ended: boolean
  /** Interrupted children that the chart was told of, and took it. */
  readonly reported: Set<string>
}

const hostedByCell = new WeakMap<Cell, Hosted>()
const hostedByActor = new WeakMap<object, Hosted>()

/** Tells handler logic that XState hosts what an async handler came to. Never leaves its actor. */
export const settledType = 'xstate.echelon.settled'

/** The context of the message that an XState-hosted actor of ours is at. */
export const hostedContext = (actor: object): MessageContext | undefined => hostedByActor.get(actor)?.context

/** The XState actor inside a cell, when there is one. */
export const xstateActorOf = (cell: Cell): RootActor | undefined => hostedByCell.get(cell)?.actor

/** XState's own bound is infinite: a chart with an eventless loop would hang the process. */
const maxIterations = 10_000

/**
 * Runs any XState logic in a root actor of its own, with its own system, so that a stop costs what its own timers cost.
 * What XState leaves to chance when it runs alone is settled here: an observer for errors is always attached, failures
 * of invoked children are not swallowed by `*`, endless eventless loops end, timers are bound to the incarnation, and a
 * restart from a snapshot re-arms `after` and never silently runs an interrupted invocation again.
 */
export const rootHost: Host = {
  canResume: false,
  stopsInParallel: false,

  start(cell, previous) {
    const restored = keepsState(cell, previous) ? restorePoint(previous, previous.snapshot) : undefined
    const { inspect } = cell.rules
    const actor = createActor(guarded(cell.definition.logic), {
      id: cell.name,
      input: cell.input,
      clock: cellClock(cell),
      ...(inspect === undefined ? {} : { inspect }),
      ...(restored === undefined ? {} : { snapshot: restored.snapshot }),
    })
    const isAsync = runsAsyncCode(cell.definition.logic)
    const hosted: Hosted = { actor, isAsync, context: undefined, failure: undefined, ended: false, reported: new Set() }
    hostedByCell.set(cell, hosted)
    hostedByActor.set(actor, hosted)
    actor.subscribe({
      next: (snapshot: Snapshot<unknown>) => {
        if (!hosted.ended) cell.publish(snapshot, cell.hasSetAside && changedValue(cell.hosted, snapshot))
      },
      error: (error) => {
        hosted.failure = { error }
        stopChildren(actor)
        if (hosted.context === undefined && cell.status !== 'starting') takeFailure(cell, hosted)
      },
      complete: () => {
        if (!hosted.ended) cell.stopSelf(exits.normal)
      },
    })
    if (cell.rules.stateOnRestart === 'snapshot') keepTimers(cell, hosted)
    if (isAsync) runAsync(new MessageContext(cell, { type: 'actor.started' }, undefined), () => actor.start())
    else actor.start()
    if (hosted.failure !== undefined) throw hosted.failure.error
    cell.hosted = snapshotOf(actor)
    const nowMs = cell.kernel.clock.now()
    for (const { event, id, dueMs } of restored?.timers ?? []) {
      actor.system.scheduler.schedule(actor, actor, event, Math.max(0, dueMs - nowMs), id)
    }
    if (restored !== undefined && restored.interrupted.length > 0) {
      cell.post(() => {
        reportInterrupted(hosted, restored.interrupted)
      })
    }
    if (snapshotOf(actor).status === 'done') cell.stopSelf(exits.normal)
  },

  react(context) {
    const { cell } = context
    const hosted = hostedByCell.get(cell)
    if (hosted === undefined) return undefined
    if (context.envelope?.ask !== undefined && !canAnswer(hosted, context)) return undefined
    if (hosted.isAsync) {
      runAsync(context, () => {
        send(hosted, context, context.message)
      })
    } else {
      send(hosted, context, context.message)
    }
    return context.pending === undefined ? undefined : settle(context, hosted, context.pending)
  },

  // This host leaves XState's snapshot in the cell, and nothing before the first.
  snapshot: (cell) => cell.hosted as HostedSnapshot,

  end(cell, reason) {
    const hosted = hostedByCell.get(cell)
    if (hosted === undefined) return
    hosted.ended = true
    hosted.actor.stop()
    if (cell.hosted !== undefined) cell.hosted = endedSnapshot(cell.snapshot, reason)
  },
}

/** Whether a chart does anything about a question; if not, its asker learns so at once, not at its deadline. */
function canAnswer({ actor }: Hosted, { cell, message, refuse }: MessageContext): boolean {
  // The snapshot of whatever logic runs here: only those of charts have `can`.
  const snapshot = snapshotOf(actor) as Partial<AnyMachineSnapshot>
  if (snapshot.can === undefined || snapshot.can(message)) return true
  const error = new MessageUnhandledError(cell.path, message.type, JSON.stringify(snapshot.value), message)
  cell.deadLetter(message, 'unhandled', error)
  refuse(error)
  return false
}

/** Delivers on this stack, and throws what the logic throws. */
function send(hosted: Hosted, context: MessageContext, event: AnyEventObject): void {
  hosted.context = context
  hosted.actor.send(event)
  hosted.context = undefined
  const { failure } = hosted
  if (failure === undefined) return
  hosted.failure = undefined
  throw failure.error
}

async function settle(context: MessageContext, hosted: Hosted, pending: Promise<unknown>): Promise<void> {
  const next = await pending
  if (!context.fenced) send(hosted, context, { type: settledType, next })
  else if (next !== undefined) context.cell.zombie('state')
}

/** The snapshot of logic of any kind, which XState types as anything. */
const snapshotOf = (actor: RootActor): HostedSnapshot => actor.getSnapshot() as HostedSnapshot

/** Stops what a failed actor invoked or spawned, which XState does only when the failure was a child's. */
function stopChildren(actor: RootActor): void {
  const { children = {} } = snapshotOf(actor) as { readonly children?: Readonly<Record<string, object>> }
  // XState has no public way to stop a child from outside of its parent's transition.
  for (const child of Object.values(children)) (child as { _stop(): void })._stop()
}

function takeFailure(cell: Cell, hosted: Hosted): void {
  const { failure } = hosted
  hosted.failure = undefined
  if (failure !== undefined) cell.fail(failure.error)
}

/** A machine that ends when an eventless loop does not, and that fails when `*` would swallow a child's failure. */
function guarded(logic: AnyActorLogic): AnyActorLogic {
  if (!isMachine(logic)) return logic
  const known = guardedMachines.get(logic)
  if (known !== undefined) return known
  // XState types what a chart invokes as anything: it is logic, by name.
  const actors = Object.entries(logic.implementations.actors as Record<string, AnyActorLogic>)
  const invoked = actors.map(([src, child]) => [src, guarded(child)] as const)
  // A copy, whose snapshots name it as their machine: XState binds the methods of a machine to it.
  const copy: AnyStateMachine = logic.provide({ actors: Object.fromEntries(invoked) })
  copy.options = {
    ...copy.options,
    maxIterations: Math.min(copy.options.maxIterations ?? maxIterations, maxIterations),
  }
  const { transition } = copy
  copy.transition = (snapshot: AnyMachineSnapshot, event: AnyEventObject, scope) => {
    if (event.type.startsWith('xstate.error.') && !namesError(snapshot, event.type)) throw event['error']
    return transition(snapshot, event, scope)
  }
  guardedMachines.set(logic, copy)
  return copy
}

const guardedMachines = new WeakMap<AnyStateMachine, AnyStateMachine>()

const isMachine = (logic: AnyActorLogic): logic is AnyStateMachine => 'root' in logic && 'states' in logic

/** Whether logic runs promises, callbacks or observables: itself, or as something that a chart invokes. */
function runsAsyncCode(logic: AnyActorLogic): boolean {
  if (!isMachine(logic)) return true
  const invokes = (node: AnyStateMachine['root']): boolean =>
    node.invoke.length > 0 || Object.values(node.states).some(invokes)
  return Object.keys(logic.implementations.actors).length > 0 || invokes(logic.root)
}

/** Whether a current state handles this failure by name: `onError`, or a transition that names it and is not just `*`. */
const namesError = (snapshot: AnyMachineSnapshot, type: string): boolean =>
  snapshot._nodes.some((node) => {
    for (const descriptor of node.transitions.keys()) {
      if (descriptor === type) return true
      if (descriptor !== '*' && descriptor.endsWith('.*') && type.startsWith(descriptor.slice(0, -1))) return true
    }
    return false
  })

/** Timers of a chart fire in a turn of its cell, and never for an incarnation that has ended. */
function cellClock(cell: Cell): {
  setTimeout: (fn: () => void, ms: number) => unknown
  clearTimeout: (id: unknown) => void
} {
  const { clock } = cell.kernel
  return {
    setTimeout: (fn, ms) =>
      clock.setTimeout(() => {
        cell.post(fn)
      }, ms),
    clearTimeout: (timer) => {
      // XState gives back what setTimeout above returned.
      clock.clearTimeout(timer as TimerHandle)
    },
  }
}

interface PendingTimer {
  readonly event: AnyEventObject
  readonly id: string
  /** On the clock of its cell. */
  readonly dueMs: number
}

/** Delayed events of charts whose incarnation ended, for the one that goes on from its snapshot. */
const timersAtEnd = new WeakMap<Cell, readonly PendingTimer[]>()

/**
 * Notes when each delayed event is due, on the cell's clock, and what is still due when XState cancels them all: it
 * does so at the end of an actor, and its snapshots do not have them.
 */
function keepTimers(cell: Cell, { actor }: Hosted): void {
  const { scheduler } = actor.system
  const { clock } = cell.kernel
  const dueMs = new Map<string, number>()
  let unnamed = 0
  const past = ([, timeMs]: readonly [string, number]): boolean => timeMs <= clock.now()
  const original = { schedule: scheduler.schedule, cancelAll: scheduler.cancelAll }
  scheduler.schedule = (source, target, event, delay, id) => {
    const name = id ?? `unnamed-${(unnamed += 1)}`
    for (const [fired] of [...dueMs].filter(past)) dueMs.delete(fired)
    dueMs.set(name, clock.now() + delay)
    original.schedule(source, target, event, delay, name)
  }
  scheduler.cancelAll = (of) => {
    if (of === actor) {
      const pending = Object.values(actor.system.getSnapshot()._scheduledEvents)
        .filter(({ source, target }) => source === actor && target === actor)
        .map(({ event, id }) => ({ event, id, dueMs: dueMs.get(id) ?? clock.now() }))
      timersAtEnd.set(cell, pending)
    }
    original.cancelAll(of)
  }
}

interface RestorePoint {
  readonly snapshot: Snapshot<unknown>
  readonly timers: readonly PendingTimer[]
  readonly interrupted: readonly Interruption[]
}

interface Interruption {
  readonly id: string
  readonly error: InterruptedError
}

/** Where a restart from the last snapshot begins: the state before the failure, its timers, its invocations failed. */
function restorePoint(previous: Cell, last: HostedSnapshot): RestorePoint | undefined {
  if (!('machine' in last || 'context' in last)) return undefined
  const persisted: Snapshot<unknown> & { children?: Record<string, { snapshot: Snapshot<unknown> }> } =
    previous.definition.logic.getPersistedSnapshot({ ...last, status: 'active', error: undefined })
  const reported = hostedByCell.get(previous)?.reported
  const interrupted: Interruption[] = []
  const children = Object.entries(persisted.children ?? {}).map(([id, child]): readonly [string, object] => {
    const { status, error: failure } = child.snapshot
    const isCut = status === 'active' || status === 'stopped'
    if (!isCut && !(failure instanceof InterruptedError && reported?.has(id) === false)) return [id, child]
    const error = new InterruptedError(previous.path, id)
    interrupted.push({ id, error })
    // XState starts no child that has failed, and says nothing of it.
    return [id, { ...child, snapshot: { ...child.snapshot, status: 'error', error } }]
  })
  const snapshot =
    persisted.children === undefined ? persisted : { ...persisted, children: Object.fromEntries(children) }
  return { snapshot, timers: timersAtEnd.get(previous) ?? [], interrupted }
}

/** Tells a chart of its interrupted children, as XState tells of one that failed, until it fails itself. */
function reportInterrupted(hosted: Hosted, interrupted: readonly Interruption[]): void {
  for (const { id, error } of interrupted) {
    hosted.actor.send({ type: `xstate.error.actor.${id}`, error, actorId: id })
    if (hosted.ended || snapshotOf(hosted.actor).status === 'error') return
    hosted.reported.add(id)
  }
}

/** Whether the chart is in other states than before, or logic without states has another state: what is postponed waits for that. */
function changedValue(before: unknown, after: object): boolean {
  if (!('value' in after)) return before !== after
  const was = typeof before === 'object' && before !== null && 'value' in before ? before.value : undefined
  const is = after.value
  return was !== is && JSON.stringify(was) !== JSON.stringify(is)
}
