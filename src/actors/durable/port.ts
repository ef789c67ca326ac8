import type { Journal } from '../../core/journal.ts'
import type { InDoubt, Resolution } from '../../core/services.ts'
import type { Cell } from '../cell.ts'
import type { DurableRecord } from './record.ts'

/** The journal as one actor uses it. */
export type ActorJournal = Pick<Journal, 'append' | 'load' | 'read' | 'blob' | 'maxEntryBytes'>

/** What durable actors need from their runtime. */
export interface DurabilityPort {
  readonly journal: ActorJournal
  /** Runs a recovery when fewer than the bound are going on, and not at all when the actor has ended by then. */
  recover(cell: Cell, run: () => Promise<void>): Promise<void>
  /** Gives a doubt to a rule or a person; resolves once it is settled, rejects when `signal` aborts. */
  settle(doubt: InDoubt, signal: AbortSignal): Promise<Resolution>
  /** Resolves when what the incarnation before wrote of a stream is on disk, or lost; undefined when nothing is on its way. */
  leaving(stream: string): Promise<void> | undefined
  /** An actor is back in memory. */
  activated(record: DurableRecord): void
  /** It has ended. */
  ended(record: DurableRecord): void
}
