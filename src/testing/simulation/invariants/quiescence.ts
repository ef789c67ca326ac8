import type { Cell } from '../../../actors/cell.ts'
import type { Invariant } from '../invariant.ts'
import { cellsOf } from './cells.ts'

/**
 * I7: when everything is mended and quiet, nobody has anything left to do: no message waits for an actor that could take
 * it, no question is open beyond its time, no write is stuck. A handler that waits for something outside may wait on.
 */
export const quiescence: Invariant = {
  kind: 'invariant',
  name: 'I7 everything comes to rest',
  begin: (world) => ({
    quiet: () => {
      for (const node of world.nodes) {
        // Somebody has just got something to do.
        if (node.runtime === undefined || node.zone?.readySince !== undefined) continue
        const nowMs = node.zone?.now() ?? 0
        for (const cell of cellsOf(node)) {
          const problem = problemIn(cell, nowMs)
          if (problem !== undefined) return `${cell.path} on ${node.name}: ${problem}`
        }
      }
      return undefined
    },
  }),
}

function problemIn(cell: Cell, nowMs: number): string | undefined {
  if (cell.status === 'stopped' || cell.record?.isLeftToPerson === true) return undefined
  for (const { settled, deadlineMs } of cell.madeParts?.openAsks ?? [])
    if (!settled && deadlineMs + 1 < nowMs) return 'a question is open beyond its deadline'
  if (cell.status === 'stopping' || cell.isAtWork()) return undefined
  if (cell.backlog > 0 && !cell.isHeld) return `${cell.backlog} messages wait, and it does nothing`
  if (cell.record?.isReady === true && cell.record.running.size === 0 && !cell.record.isQuiet)
    return 'a write is on its way for ever'
  return undefined
}
