import { createActor, type AnyActorLogic, type AnyEventObject, type AnyMachineSnapshot, type Snapshot } from 'xstate'
import type { TimerHandle } from '../core/clock.ts'
import { MessageUnhandledError } from '../core/errors.ts'
import { eventChannels } from '../core/events.ts'
import { exits } from '../core/exit.ts'
import { runAsync } from './ambient.ts'
import { attended } from './attended.ts'
import type { Cell } from './cell.ts'
import { deadLetter, sayFailed, zombie } from './cell-events.ts'
import { MessageContext } from './context.ts'
import { endedSnapshot, keepsState, type Host } from './host.ts'
import { childrenOf, Hosted, hostedIn, settledType, snapshotOf, type RootActor } from './hosted.ts'
import { runsAsyncCode } from './machine-guard.ts'
import { keepTimers, restorePoint, resume } from './restore.ts'

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
    const last = keepsState(cell, previous) ? previous.snapshot : undefined
    const restored = previous === undefined || last === undefined ? undefined : restorePoint(previous, last)
    const hosted = createHosted(cell, attended(cell.definition.logic), cell.input, restored?.snapshot)
    if (cell.rules.stateOnRestart === 'snapshot') keepTimers(cell, hosted)
    startHosted(cell, hosted)
    if (restored !== undefined) resume(cell, hosted, restored)
    if (snapshotOf(hosted.actor).status === 'done') cell.stopSelf(exits.normal)
  },

  react(context) {
    const { cell } = context
    const hosted = hostedIn(cell)
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

  snapshot: (cell) => hostedIn(cell)?.snapshot,

  end(cell, reason) {
    const hosted = hostedIn(cell)
    if (hosted === undefined) return
    hosted.ended = true
    if (eventChannels.failed.hasSubscribers) sayFailedStops(cell, hosted.actor)
    hosted.actor.stop()
    if (hosted.snapshot !== undefined) hosted.snapshot = endedSnapshot(hosted.snapshot, reason)
  },
}

/** Makes the root actor of a cell, which does not run yet: fresh, or from a persisted snapshot. */
export function createHosted(
  cell: Cell,
  logic: AnyActorLogic,
  input: unknown,
  snapshot: Snapshot<unknown> | undefined,
): Hosted {
  const { inspect } = cell.rules
  const actor = createActor(logic, {
    id: cell.name,
    input,
    clock: cellClock(cell),
    ...(inspect === undefined ? {} : { inspect }),
    ...(snapshot === undefined ? {} : { snapshot }),
  })
  const hosted = new Hosted(cell, actor, runsAsyncCode(cell.definition.logic))
  cell.hosted = hosted
  actor.subscribe({
    next: (next: Snapshot<unknown>) => {
      hosted.follower?.settled()
      if (hosted.ended) return
      const changed = cell.hasSetAside && changedValue(hosted.snapshot, next)
      hosted.snapshot = next
      cell.publish(hosted, changed)
    },
    error: (error) => {
      hosted.follower?.failed(error)
      stopChildren(actor)
      if (hosted.ended && hosted.context === undefined) {
        sayFailed(cell, error, undefined) // its stop failed: nothing is left to crash
        return
      }
      hosted.failure = { error }
      if (hosted.context === undefined && cell.status !== 'starting') takeFailure(cell, hosted)
    },
    complete: () => {
      if (!hosted.ended) cell.stopSelf(exits.normal)
    },
  })
  return hosted
}

/** Runs its first step. Throws what the logic throws. */
export function startHosted(cell: Cell, hosted: Hosted): void {
  const { actor, isAsync } = hosted
  if (isAsync) runAsync(new MessageContext(cell, { type: 'actor.started' }, undefined), () => actor.start())
  else actor.start()
  if (hosted.failure !== undefined) throw hosted.failure.error
  hosted.snapshot = snapshotOf(actor)
}

/** Whether a chart does anything about a question; if not, its asker learns so at once, not at its deadline. */
function canAnswer({ actor }: Hosted, { cell, message, refuse }: MessageContext): boolean {
  // The snapshot of whatever logic runs here: only those of charts have `can`.
  const snapshot = snapshotOf(actor) as Partial<AnyMachineSnapshot>
  if (snapshot.can === undefined || snapshot.can(message)) return true
  const error = new MessageUnhandledError(cell.path, message.type, JSON.stringify(snapshot.value), message)
  deadLetter(cell, message, 'unhandled', error)
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
  else if (next !== undefined) zombie(context.cell, 'state')
}

/** Says what fails of the stops of everything that the actor invoked or spawned: XState tells only its parent, which is gone. */
function sayFailedStops(cell: Cell, actor: RootActor): void {
  for (const child of Object.values(childrenOf(snapshotOf(actor)))) {
    if (snapshotOf(child).status !== 'active') continue
    child.subscribe({
      error: (error) => {
        sayFailed(cell, error, undefined)
      },
    })
    sayFailedStops(cell, child)
  }
}

/** Stops what a failed actor invoked or spawned, which XState does only when the failure was a child's. */
function stopChildren(actor: RootActor): void {
  // XState has no public way to stop a child from outside of its parent's transition.
  for (const child of Object.values(childrenOf(snapshotOf(actor)))) (child as unknown as { _stop(): void })._stop()
}

function takeFailure(cell: Cell, hosted: Hosted): void {
  const { failure } = hosted
  hosted.failure = undefined
  if (failure !== undefined) cell.fail(failure.error)
}

/** A timer of a chart: it may be cancelled between its time and its turn. */
interface ChartTimer {
  handle: TimerHandle | undefined
  isCancelled: boolean
}

/** Timers of a chart fire in a turn of its cell, and never for an incarnation that has ended. */
function cellClock(cell: Cell): {
  setTimeout: (fn: () => void, ms: number) => unknown
  clearTimeout: (id: unknown) => void
} {
  const { clock } = cell.kernel
  return {
    setTimeout: (fn, ms) => {
      const timer: ChartTimer = { handle: undefined, isCancelled: false }
      const take = (): void => {
        if (!timer.isCancelled) fn()
      }
      timer.handle = clock.setTimeout(() => {
        cell.post(take)
      }, ms)
      return timer
    },
    clearTimeout: (given) => {
      // XState gives back what setTimeout above returned.
      const timer = given as ChartTimer
      timer.isCancelled = true
      clock.clearTimeout(timer.handle)
    },
  }
}

/** Whether the chart is in other states than before, or logic without states has another state: what is postponed waits for that. */
function changedValue(before: unknown, after: object): boolean {
  if (!('value' in after)) return before !== after
  const was = typeof before === 'object' && before !== null && 'value' in before ? before.value : undefined
  const is = after.value
  return was !== is && JSON.stringify(was) !== JSON.stringify(is)
}
