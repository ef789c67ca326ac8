import type { ExitReason } from '../core/exit.ts'
import type { Cell } from './cell.ts'
import type { MessageContext } from './context.ts'

/** The state of the logic as one sees it: an XState snapshot of any kind. */
export interface HostedSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly error?: unknown
}

/** The last snapshot of an incarnation that ended for `reason`: the state as it was, and how it ended. */
export function endedSnapshot<S extends HostedSnapshot>(last: S, reason: ExitReason): S {
  if (reason.kind === 'crash') return { ...last, status: 'error', error: reason.error }
  return { ...last, status: reason.kind === 'normal' ? 'done' : 'stopped' }
}

/** Whether an incarnation goes on with the state of the last: its spec says `snapshot`, and that one did not end by itself. */
export const keepsState = (cell: Cell, previous: Cell | undefined): previous is Cell =>
  cell.rules.stateOnRestart === 'snapshot' && previous !== undefined && previous.exit?.kind !== 'normal'

/**
 * Runs logic for a cell, one message at a time. The cell keeps everything else: address, mailbox, timers, children,
 * lifecycle. There are two: a lean one for our own logic, and XState's own root actor for everything else.
 */
export interface Host {
  /** Runs the first step. Throws what the logic throws. `previous` is the incarnation that it replaces. */
  start(cell: Cell, previous: Cell | undefined): void
  /** Handles one message; a promise when it is not done yet. Throws what the logic throws. */
  react(context: MessageContext): Promise<void> | undefined
  /** The incarnation begins to end: its children are to stop. */
  readonly ending?: (cell: Cell) => void
  /** The snapshot to show. The same one until something has changed. Undefined while a durable actor is brought back. */
  snapshot(cell: Cell): HostedSnapshot | undefined
  /** The incarnation has ended: forget it, without effects. */
  end(cell: Cell, reason: ExitReason): void
  /** Whether logic whose handler failed can go on with the state that it had before. */
  readonly canResume: boolean
  /** Told of a child's end before it is queued; true when the logic waits for just that and takes it now. */
  readonly childEnded?: (cell: Cell, child: Cell) => boolean
  /** Handles the end of a child in its turn. Without it the child is linked: see `Cell`. */
  readonly reactToChild?: (cell: Cell, child: Cell) => void
  /** Whether children stop all at once rather than one after another, last first. */
  readonly stopsInParallel: boolean
}
