import type { AnyEventObject, Snapshot } from 'xstate'
import { InterruptedError } from '../core/errors.ts'
import type { Cell } from './cell.ts'
import type { HostedSnapshot } from './host.ts'
import { childrenOf, hostedIn, snapshotOf, type Hosted } from './hosted.ts'

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
export function keepTimers(cell: Cell, { actor }: Hosted): void {
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
export function restorePoint(previous: Cell, last: HostedSnapshot): RestorePoint | undefined {
  if (!('machine' in last || 'context' in last)) return undefined
  const persisted: PersistedChart = previous.definition.logic.getPersistedSnapshot({
    ...last,
    status: 'active',
    error: undefined,
  })
  const reported = hostedIn(previous)?.reported
  const { snapshot, interrupted } = interruptChildren(previous.path, persisted, (id, { status, error }) => {
    if (status === 'active' || status === 'stopped') return true
    return error instanceof InterruptedError && reported?.has(id) === false
  })
  return { snapshot, timers: timersAtEnd.get(previous) ?? [], interrupted }
}

interface PersistedChild {
  readonly src: unknown
  readonly snapshot: Snapshot<unknown>
}

export type PersistedChart = Snapshot<unknown> & { readonly children?: Readonly<Record<string, PersistedChild>> }

/** A persisted snapshot whose cut-off children have failed, since they are never silently run again. */
export function interruptChildren(
  path: string,
  persisted: PersistedChart,
  isCut: (id: string, snapshot: Snapshot<unknown>, src: unknown) => boolean,
): { readonly snapshot: Snapshot<unknown>; readonly interrupted: readonly Interruption[] } {
  if (persisted.children === undefined) return { snapshot: persisted, interrupted: [] }
  const interrupted: Interruption[] = []
  const children = Object.entries(persisted.children).map(([id, child]): readonly [string, object] => {
    if (!isCut(id, child.snapshot, child.src)) return [id, child]
    const error = new InterruptedError(path, id)
    interrupted.push({ id, error })
    // XState starts no child that has failed, and says nothing of it.
    return [id, { ...child, snapshot: { ...child.snapshot, status: 'error', error } }]
  })
  return { snapshot: { ...persisted, children: Object.fromEntries(children) } as PersistedChart, interrupted }
}

/** Arms the timers of a restored chart again, and tells it of its interrupted children in a turn of its own. */
export function resume(cell: Cell, hosted: Hosted, { timers, interrupted }: RestorePoint): void {
  const { actor } = hosted
  const nowMs = cell.kernel.clock.now()
  for (const { event, id, dueMs } of timers) {
    actor.system.scheduler.schedule(actor, actor, event, Math.max(0, dueMs - nowMs), id)
  }
  if (interrupted.length === 0) return
  const children = childrenOf(snapshotOf(actor))
  cell.post(() => {
    reportInterrupted(hosted, interrupted, children)
  })
}

/**
 * Tells a chart of its interrupted children, as XState tells of one that failed, until it fails itself. `children` are
 * those that it began with: one that it does not have any more, since it has left the state, is nothing to it.
 */
export function reportInterrupted(
  hosted: Hosted,
  interrupted: readonly Interruption[],
  children: Readonly<Record<string, object>>,
): void {
  for (const { id, error } of interrupted) {
    if (childrenOf(snapshotOf(hosted.actor))[id] !== children[id]) continue
    hosted.actor.send({ type: `xstate.error.actor.${id}`, error, actorId: id })
    if (hosted.ended || snapshotOf(hosted.actor).status === 'error') return
    hosted.reported.add(id)
  }
}
