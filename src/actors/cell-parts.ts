import type { TimerHandle } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import type { Cell } from './cell.ts'
import type { MessageContext } from './context.ts'
import type { Observers } from './observers.ts'
import type { OpenAsks } from './open-asks.ts'
import type { TimerBook } from './timers.ts'
import type { DurableRecord } from './durable/record.ts'
import type { Monitor } from './watch.ts'

/** What a supervisor decided about a failure, for the moment that the cell has ended. */
export type Verdict = 'restart' | 'stop' | 'escalate'

/** What an incarnation has used up of its budget. */
export interface Spent {
  usd: number
  tokens: number
  calls: number
  messages: number
}

/** The parts of a cell that most actors never need: kept apart so that an idle actor stays small. */
export class CellParts {
  /** Its journal, when it is durable. */
  record: DurableRecord | undefined
  random: Random | undefined
  timers: TimerBook | undefined
  abort: AbortController | undefined
  /** Asks to this cell that have no answer yet. */
  openAsks: OpenAsks | undefined
  /** Who watches this cell. */
  monitors: Set<Monitor> | undefined
  /** Whom this cell watches. */
  watching: Set<Monitor> | undefined
  /** Undone when it ends: names, services, subscriptions. */
  cleanups: Set<() => void> | undefined
  observers: Observers | undefined
  /** Outlives the parts of a cell that ended: kept while the supervisor decides. */
  verdict: Verdict = 'restart'
  spent: Spent | undefined
  /** The message that crashed the last incarnation, or the entry that has it, and how often it did, when the spec says to try it again. */
  failing: { readonly item: object | number; readonly times: number } | undefined
  killTimer: TimerHandle | undefined
  wallTimer: TimerHandle | undefined
  /** Children still to be stopped, in start order, while this cell stops. */
  toStop: Cell[] | undefined
  /** The child whose end it waits for. */
  stopping: Cell | undefined
  saidStopping = false
  /** What a reentrant actor is at: messages whose handlers are not done. */
  inHand: Set<MessageContext> | undefined
  /** Stopped by a supervisor that starts it again: its mailbox may be kept. */
  keep = false
  failedToStart = false
  /** It ended for what passes by itself and is no fault of its logic: its supervisor does not count the restart. */
  isBlameless = false
}
