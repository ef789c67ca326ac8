import type { Cell } from './cell.ts'
import type { MessageContext } from './context.ts'
import { activeSnapshot, type HandlerLogic, type HandlerSnapshot } from './handler-logic.ts'
import { endedSnapshot, keptSnapshot, type Host } from './host.ts'

/**
 * Runs handler logic without XState's actor around it: the same logic and snapshots at a third of the memory. One host
 * serves all cells of a definition; what differs between them is in the cell.
 */
export function leanHost(logic: HandlerLogic): Host {
  // This host is the only one that writes the snapshot of its cells.
  const snapshotOf = (cell: Cell): HandlerSnapshot<unknown> => cell.snapshot as HandlerSnapshot<unknown>

  const advance = (cell: Cell, next: unknown): void => {
    const before = snapshotOf(cell)
    const after = logic.apply(before, next)
    if (after !== before) cell.publish(after)
  }

  const settle = async (context: MessageContext, pending: Promise<unknown>): Promise<void> => {
    const next = await pending
    const { cell } = context
    if (!context.fenced) advance(cell, next)
    else if (next !== undefined) cell.zombie('state')
  }

  return {
    canResume: true,
    stopsInParallel: false,
    start(cell, previous) {
      // The incarnation before had the same logic.
      const kept = keptSnapshot(cell, previous) as HandlerSnapshot<unknown> | undefined
      cell.snapshot = kept === undefined ? logic.getInitialSnapshot(undefined, cell.input) : activeSnapshot(kept.context)
    },
    react(context) {
      const { cell } = context
      const next = logic.react(context, snapshotOf(cell))
      if (next === undefined) return undefined
      if (typeof next === 'object' && next !== null && 'then' in next && typeof next.then === 'function') {
        return settle(context, next as Promise<unknown>)
      }
      advance(cell, next)
      return undefined
    },
    end(cell, reason) {
      cell.snapshot = endedSnapshot(snapshotOf(cell), reason)
    },
  }
}
