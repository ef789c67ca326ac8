import type { Cell } from './cell.ts'
import { zombie } from './cell-events.ts'
import type { MessageContext } from './context.ts'
import { activeSnapshot, isPromise, type HandlerLogic } from './handler-logic.ts'
import { endedSnapshot, keepsState, type Host, type HostedSnapshot } from './host.ts'

/**
 * Runs handler logic without XState's actor around it: the same logic and snapshots at a third of the memory. One host
 * serves all cells of a definition; what differs between them is in the cell, whose `hosted` is the bare state.
 */
export function leanHost(logic: HandlerLogic): Host {
  const advance = (cell: Cell, next: unknown): void => {
    const state = logic.nextState(cell.hosted, next)
    if (state !== cell.hosted) cell.publish(state)
  }

  const settle = async (context: MessageContext, pending: Promise<unknown>): Promise<void> => {
    const next = await pending
    const { cell } = context
    if (!context.fenced) advance(cell, next)
    else if (next !== undefined) zombie(cell, 'state')
  }

  return {
    canResume: true,
    stopsInParallel: false,
    start(cell, previous) {
      cell.hosted = keepsState(cell, previous) ? previous.hosted : logic.firstState(cell.input)
    },
    react(context) {
      const { cell } = context
      const next = logic.react(context, cell.hosted)
      if (next === undefined) return undefined
      if (isPromise(next)) return settle(context, next)
      advance(cell, next)
      return undefined
    },
    snapshot: shownSnapshot,
    end: () => undefined,
  }
}

interface Shown {
  readonly state: unknown
  readonly isOver: boolean
  readonly snapshot: HostedSnapshot
}

/** Snapshots that somebody has looked at. Most are never made. */
const shown = new WeakMap<Cell, Shown>()

function shownSnapshot(cell: Cell): HostedSnapshot {
  const last = shown.get(cell)
  const state = cell.hosted
  const isOver = cell.status === 'stopped'
  if (last !== undefined && last.state === state && last.isOver === isOver) return last.snapshot
  const active = activeSnapshot(state)
  const snapshot = isOver && cell.exit !== undefined ? endedSnapshot<HostedSnapshot>(active, cell.exit) : active
  shown.set(cell, { state, isOver, snapshot })
  return snapshot
}
