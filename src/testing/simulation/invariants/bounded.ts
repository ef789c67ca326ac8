import { isDroppable } from '../../../actors/envelope.ts'
import type { Cell } from '../../../actors/cell.ts'
import type { Invariant } from '../invariant.ts'
import { cellAt, cellsOf } from './cells.ts'

/** I11: whatever grows has a bound that somebody declared: mailboxes, what is set aside, ids and outcomes that are remembered. */
export const bounded: Invariant = {
  kind: 'invariant',
  name: 'I11 everything stays within its bound',
  begin: (world) => {
    const check = (cell: Cell): void => {
      const problem = problemIn(cell)
      if (problem !== undefined) world.fail(`${cell.path} has ${problem}`)
    }
    return {
      // Whoever handles something has got it before.
      event: ({ type, path }, node) => {
        if (type !== 'handled' && type !== 'mailbox-pressure') return
        const cell = cellAt(node, path)
        if (cell !== undefined) check(cell)
      },
      quiet: () => {
        for (const node of world.nodes) for (const cell of cellsOf(node)) check(cell)
      },
    }
  },
}

function problemIn({ queue, definition, record }: Cell): string | undefined {
  const { capacity, stashCapacity } = definition.mailbox
  if (queue !== undefined) {
    if (queue.setAsideCount > stashCapacity) return `${queue.setAsideCount} messages set aside, of ${stashCapacity}`
    // Signals, and what a journal or the stash gives back, are taken beyond the bound.
    if (queue.length > capacity + stashCapacity) {
      const waiting = [...queue.waiting].filter(isDroppable).length
      if (waiting > capacity + stashCapacity) return `${waiting} messages waiting, of ${capacity}`
    }
  }
  if (record === undefined) return undefined
  const { window } = record.options
  const { seen, outcomes } = record.ledger
  if (seen.size > window) return `${seen.size} ids in a window of ${window}`
  if (outcomes.size > window) return `${outcomes.size} outcomes in a window of ${window}`
  return undefined
}
