import { DeathPactError } from '../core/errors.ts'
import { exits, isCleanExit, type ExitReason } from '../core/exit.ts'
import type { Message } from '../core/message.ts'
import type { Cell } from './cell.ts'
import { Envelope } from './envelope.ts'
import { cellBehind, isSameActor, type AnyRef } from './ref.ts'
import { forgetMonitor, monitor, type Down, type Monitor } from './watch.ts'

// What an actor does about the end of others: of those that it watches, and of its children, which it is linked to.

/** A watched actor ended badly and this one's logic has no `actor.down`. Never leaves the mailbox. */
export const deathPactType = 'actor.death-pact'

/** The end of `ref` is queued for `cell` once, unless it is clean and nothing there handles it. */
export function watch(cell: Cell, ref: AnyRef): void {
  const notify = (fired: Monitor, reason: ExitReason): void => {
    // A watcher learns of every incarnation that it watched, as the protocol's own `actor.down`.
    const handled = cell.definition.handlesSignal('actor.down')
    const down: Down & Message = { type: handled ? 'actor.down' : deathPactType, ref, reason }
    if (handled || !isCleanExit(reason)) cell.force(new Envelope(down, undefined, undefined, fired))
  }
  ;(cell.parts.watching ??= new Set<Monitor>()).add(monitor(ref, cellBehind(ref), cell.kernel, notify))
}

/** Takes back every watch of `ref`. */
export function unwatch(cell: Cell, ref: AnyRef): void {
  const watching = cell.madeParts?.watching
  for (const one of watching ?? []) {
    if (!isSameActor(one.target, ref)) continue
    takeBack(one)
    watching?.delete(one)
  }
}

/** The cell has ended: it watches nobody any more. */
export function unwatchAll(cell: Cell): void {
  for (const one of cell.madeParts?.watching ?? []) takeBack(one)
}

function takeBack(one: Monitor): void {
  one.cancel()
  forgetMonitor(cellBehind(one.target), one)
}

/** Whether this is the child of an actor that watches it, and is no supervisor: then it is not linked too. */
export function isWatchedByParent({ parent, ref }: Cell): boolean {
  if (parent === undefined || parent.definition.type === 'supervisor') return false
  for (const one of parent.madeParts?.watching ?? []) if (one.target === ref) return true
  return false
}

/** The end of a watched actor that nothing here handles. @see Pekko's DeathPactException */
export function deathPact(cell: Cell, signal: Message): void {
  // Only `watch` makes messages of this type.
  const { ref, reason } = signal as Message & Down
  cell.fail(new DeathPactError(cell.path, ref.path, reason))
}

/** Takes up the end of a child: its host's matter, or that of a link. */
export function reactToChild(cell: Cell, child: Cell): void {
  const { host } = cell.definition
  if (host.reactToChild !== undefined) {
    host.reactToChild(cell, child)
    return
  }
  const reason = child.exit ?? exits.normal
  if (isCleanExit(reason)) return
  cell.parts.isBlameless = child.madeParts?.isBlameless === true
  cell.fail(new DeathPactError(cell.path, child.path, reason))
  // It may have been told to go on.
  if (cell.status === 'running') cell.parts.isBlameless = false
}
