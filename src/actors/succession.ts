import { TargetDownError } from '../core/errors.ts'
import { exits } from '../core/exit.ts'
import type { Message } from '../core/message.ts'
import type { Cell } from './cell.ts'
import { bury } from './cell-events.ts'
import { handOver } from './open-asks.ts'

// What outlives an incarnation: its mailbox, its watchers and its open asks, when its supervisor may still restart it
// and the child spec says `keepMailbox`. Each goes to exactly one next incarnation, or is discarded.

/** Whether a restart may still come that takes over the mailbox of this cell, which ends just now. */
export function mayBeReplaced(cell: Cell): boolean {
  if (!cell.rules.keepMailbox || cell.parent?.status !== 'running') return false
  if (cell.verdict === 'stop') return false
  if (cell.madeParts?.keep === true) return true
  return cell.exit?.kind === 'crash' || cell.exit?.kind === 'killed'
}

/** `cell` takes the place of `previous` at its address, and its mailbox and watchers when they are kept. */
export function replace(cell: Cell, previous: Cell): void {
  cell.ref.point(cell)
  if (!previous.keepsMailbox) return
  const old = previous.madeParts
  previous.keptFor = undefined
  cell.queue = previous.queue
  previous.queue = undefined
  if (old === undefined) return
  const { parts } = cell
  parts.monitors = old.monitors
  old.monitors = undefined
  parts.observers = old.observers
  old.observers = undefined
  handOver(previous, cell)
  parts.failing = old.failing
  cell.lane.putBack('postpone')
  cell.lane.putBack('stash')
}

/** No restart will take over: what waits becomes dead letters, watchers and askers learn of the end. */
export function discard(cell: Cell): void {
  const reason = cell.exit ?? exits.normal
  cell.keptFor = undefined
  const lane = cell.queue
  cell.queue = undefined
  if (lane?.isEmpty === false) {
    // Only messages are parked.
    const waiting = lane.drain((item) => new TargetDownError(cell.path, (item as Message).type, reason))
    for (const item of waiting) bury(cell, item, 'stopped')
  }
  const parts = cell.madeParts
  if (parts === undefined) return
  for (const ask of parts.openAsks ?? []) ask.targetEnded(reason)
  const { monitors, observers } = parts
  parts.monitors = undefined
  for (const monitor of monitors ?? []) monitor.fire(reason)
  parts.observers = undefined
  observers?.end(cell)
}

/** The cell has ended: no restart will come for a child that is down. */
export function discardChildren({ definition, children }: Cell): void {
  if (definition.type === 'worker' || children === undefined) return
  for (const child of children) if (child.keepsMailbox) discard(child)
}
