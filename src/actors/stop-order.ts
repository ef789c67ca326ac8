import { exits } from '../core/exit.ts'
import type { Cell } from './cell.ts'

/** Stops the children one after another, last started first, or all at once; true while one of them is still there. */
export function childrenStillStop(cell: Cell): boolean {
  const { children } = cell
  if (children === undefined || children.size === 0) return false
  const { parts } = cell
  const { stopsInParallel } = cell.definition.host
  for (;;) {
    if (parts.toStop === undefined) {
      const alive = children.inOrder().filter(isAlive)
      if (alive.length === 0) return false
      parts.toStop = alive
      if (stopsInParallel) for (const child of alive) child.shutDown(exits.shutdown())
    }
    if (parts.stopping !== undefined && isAlive(parts.stopping)) return true
    parts.stopping = parts.toStop.pop()
    if (parts.stopping === undefined) parts.toStop = undefined
    else if (parts.stopping.madeParts?.failedToStart === true)
      continue // it ends by itself, and in OTP its parent still waits for its start
    else if (isAlive(parts.stopping) && !stopsInParallel) parts.stopping.shutDown(exits.shutdown())
  }
}

const isAlive = (child: Cell): boolean => child.status !== 'stopped'

/** The cell was killed, so nobody stops its children in order: each is told, as Erlang's links would. */
export function orphanChildren(cell: Cell): void {
  const { children, kernel } = cell
  if (children === undefined) return
  for (const child of children.inOrder().reverse()) {
    const { shutdown } = child.rules
    if (child.definition.type === 'supervisor') {
      // Whoever would have killed it for being slow is gone; it is as slow as its children are allowed to be.
      kernel.clock.clearTimeout(child.madeParts?.killTimer)
      child.requestStop(exits.killed, 'infinity')
    } else if (shutdown === 'brutal_kill') child.kill()
    else child.requestStop(exits.killed, shutdown)
    // The tree does not lead to it any more.
    if (child.status !== 'stopped') kernel.orphans.add(child)
  }
}
