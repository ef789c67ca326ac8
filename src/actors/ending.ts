import { TargetDownError } from '../core/errors.ts'
import { eventChannels } from '../core/events.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import type { Message } from '../core/message.ts'
import { outside } from './ambient.ts'
import type { Cell } from './cell.ts'
import { deadLetter } from './cell-events.ts'
import { childrenStillStop, orphanChildren } from './stop-order.ts'
import { discardChildren, mayBeReplaced } from './succession.ts'
import { isWatchedByParent, unwatchAll } from './watching.ts'

// The end of a cell, which goes through: asked to stop; stopping (its children stop, then it says its last words);
// stopped.
//
// 1. A cell ends once, for one reason.
// 2. It ends only after its children have, unless it is killed or was too slow.
// 3. Its parent, its watchers and those who ask it learn of the end, each exactly once; those of a mailbox that is kept
//    when it is discarded.

/** Asks it to end: it finishes the message it is at, and is killed when that takes longer than `timeoutMs`. */
export function requestStop(cell: Cell, reason: ExitReason, timeoutMs: number | 'infinity'): void {
  if (cell.status === 'stopped') return
  const { parts, kernel } = cell
  if (timeoutMs !== 'infinity') {
    kernel.clock.clearTimeout(parts.killTimer)
    parts.killTimer = kernel.clock.setTimeout(() => {
      cell.kill()
    }, timeoutMs)
  }
  abort(cell, reason)
  cell.stopSelf(reason)
}

/** Stops on somebody's behalf who does not want it back: its supervisor forgets it, or keeps its spec without a child. */
export function stopForGood(cell: Cell, reason: ExitReason, timeoutMs: number | undefined): void {
  cell.parts.verdict = 'stop'
  if (cell.status === 'stopped') {
    if (cell.keepsMailbox) cell.discard()
    // Its supervisor may be about to start it again.
    if (cell.parent?.definition.type === 'supervisor') childEnded(cell.parent, cell)
    return
  }
  const { shutdown } = cell.rules
  if (timeoutMs === undefined && shutdown === 'brutal_kill') cell.kill()
  else requestStop(cell, reason, timeoutMs ?? (shutdown === 'brutal_kill' ? 0 : shutdown))
}

/** Aborts the signals of a cell and of everything below it: nobody goes on working for a cell that is to stop. */
export function abort(cell: Cell, reason: ExitReason): void {
  if (cell.aborted) return
  cell.aborted = true
  cell.madeParts?.abort?.abort(reason)
  if (cell.children === undefined) return
  for (const child of cell.children) if (child.status !== 'stopped') abort(child, reason)
}

/** Begins the end for `reason`: children first, last started first, then its own last words. */
export function beginEnd(cell: Cell, reason: ExitReason): void {
  if (cell.status === 'stopping' || cell.status === 'stopped') return
  cell.status = 'stopping'
  cell.exit = reason
  cell.definition.host.ending?.(cell)
  abort(cell, reason)
  stopBringingBack(cell)
  advanceEnd(cell)
}

/** A durable actor that is being brought back has nothing to finish: its end does not wait for that. */
export function stopBringingBack(cell: Cell): void {
  if (!hasState(cell)) cell.busy = undefined
}

/** Goes on with the end as far as it can without waiting. */
export function advanceEnd(cell: Cell): void {
  if (cell.status !== 'stopping' || cell.isAtWork() || childrenStillStop(cell)) return
  const { exit = exits.normal } = cell
  if (cell.definition.handlesSignal('actor.stopping') && !cell.parts.saidStopping && hasState(cell)) {
    cell.parts.saidStopping = true
    const stopping: Message & { readonly reason: ExitReason } = { type: 'actor.stopping', reason: exit }
    cell.react(stopping)
    if (cell.isAtWork()) {
      limitEnd(cell, exit.kind === 'crash' ? exit : exits.killed)
      return
    }
  }
  finish(cell, exit)
}

/** A durable actor that was not brought back has nothing to say. */
const hasState = ({ record }: Cell): boolean => record === undefined || record.isReady

/** The end of an actor that nobody asked to stop may take as long as a stop; then it is over, for the reason `late`. */
export function limitEnd(cell: Cell, late: ExitReason): void {
  const { shutdown } = cell.rules
  if (cell.status !== 'stopping' || cell.parts.killTimer !== undefined || shutdown === 'infinity') return
  const give = (): void => {
    outside(() => {
      finish(cell, late)
    })
  }
  cell.parts.killTimer = cell.kernel.clock.setTimeout(give, shutdown === 'brutal_kill' ? 0 : shutdown)
}

/** It is gone: from here on nothing of it has any effect. */
export function finish(cell: Cell, reason: ExitReason): void {
  if (cell.status === 'stopped') return
  cell.status = 'stopped'
  cell.exit = reason
  const kept = mayBeReplaced(cell)
  cell.keptFor = kept ? reason : undefined
  const isWatched = isWatchedByParent(cell)
  buryInHand(cell)
  releaseParts(cell, reason)
  cell.whenEnded?.resolve(reason)
  cell.definition.host.end(cell, reason)
  if (!kept) cell.discard()
  discardChildren(cell)
  if (reason.kind === 'killed') orphanChildren(cell)
  tellParent(cell, isWatched)
  if (eventChannels.stopped.hasSubscribers) eventChannels.stopped.publish({ type: 'stopped', ...cell.origin, reason })
}

/** What it was at when it was killed: nobody will know how far it came. */
function buryInHand(cell: Cell): void {
  if (!cell.isAtWork()) return
  for (const { message, deferred } of cell.inHand) {
    if (deferred || message.type.startsWith('actor.')) continue
    deadLetter(cell, message, 'stopped', new TargetDownError(cell.path, message.type, cell.exit ?? exits.killed))
  }
}

/** Gives back what it held: timers, names, subscriptions, the questions that it was at. */
function releaseParts(cell: Cell, reason: ExitReason): void {
  const parts = cell.madeParts
  if (parts === undefined) return
  const { clock } = cell.kernel
  abort(cell, reason)
  clock.clearTimeout(parts.killTimer)
  clock.clearTimeout(parts.wallTimer)
  parts.timers?.clear()
  for (const cleanUp of parts.cleanups ?? []) cleanUp()
  unwatchAll(cell)
  for (const ask of parts.openAsks ?? []) if (ask.accepted) ask.targetEnded(reason)
}

function tellParent(cell: Cell, isWatched: boolean): void {
  const { parent } = cell
  if (parent === undefined) return
  if (parent.status === 'stopped') cell.kernel.orphans.delete(cell)
  if (parent.definition.type === 'worker') parent.forgetChild(cell)
  // Nobody takes up a start that failed, unless its parent waits for its clean-up.
  if (cell.madeParts?.failedToStart === true && parent.status !== 'stopping') {
    const isWaitedFor = parent.definition.host.childEnded?.(parent, cell) === true
    // At once, it has no place yet: the one of its name is that of the incarnation before.
    if (!isWaitedFor && parent.children?.holds(cell) === true) parent.forgetChild(cell)
  } else childEnded(parent, cell, isWatched)
}

/** A child has ended; called on its stack, so it only queues. One that is watched is not linked too. */
function childEnded(cell: Cell, child: Cell, isWatched = false): void {
  if (cell.status === 'stopped') return
  if (cell.status === 'stopping') {
    cell.kernel.defer(() => {
      advanceEnd(cell)
    })
    return
  }
  if (isWatched || cell.definition.host.childEnded?.(cell, child) === true) return
  cell.force(child)
}
