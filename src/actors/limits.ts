import { BudgetExceededError, StuckError } from '../core/errors.ts'
import type { Message } from '../core/message.ts'
import type { Cell } from './cell.ts'
import type { Spent } from './cell-parts.ts'
import type { Budget } from './child-rules.ts'
import type { MessageContext } from './context.ts'

// What a child spec limits: how long a handler goes on without a sign of progress, and what an incarnation uses up.

/** Begins to watch the progress of a handler that goes on after its first `await`. */
export function watchProgress(cell: Cell, context: MessageContext): void {
  const withinMs = cell.rules.progressWithinMs
  if (withinMs === undefined) return
  const { clock } = cell.kernel
  clock.clearTimeout(context.watchdog)
  context.watchdog = clock.setTimeout(() => {
    overrun(cell, new StuckError(cell.path, context.message.type, withinMs), [context], context)
  }, withinMs)
}

/** Its handler says that it goes on. */
export function madeProgress(cell: Cell, context: MessageContext): void {
  if (context.watchdog !== undefined) watchProgress(cell, context)
}

/** The handler is done. */
export function unwatchProgress(cell: Cell, context: MessageContext | undefined): void {
  if (context?.watchdog === undefined) return
  cell.kernel.clock.clearTimeout(context.watchdog)
  context.watchdog = undefined
}

/** Fails the cell `wallMs` milliseconds from now. */
export function limitWallTime(cell: Cell, wallMs: number): void {
  cell.parts.wallTimer = cell.kernel.clock.setTimeout(() => {
    const { busy } = cell
    const context = busy === 'blocked' ? undefined : busy
    overrun(cell, new BudgetExceededError(cell.path, 'wallMs', wallMs), [...cell.inHand], context)
  }, wallMs)
}

/** Fails a cell whose handlers may still be running: they are not waited for but fenced. */
function overrun(cell: Cell, error: Error, late: readonly MessageContext[], failing: MessageContext | undefined): void {
  for (const context of late) {
    context.waits = 'abandoned'
    cell.release(context)
  }
  cell.fail(error, failing)
  cell.goOn()
}

/** Counts what the logic says that it used. @throws {BudgetExceededError} `BUDGET_EXCEEDED` */
export function spend(
  cell: Cell,
  amount: { readonly usd?: number; readonly tokens?: number; readonly calls?: number },
): void {
  const spent = spentBy(cell)
  spent.usd += amount.usd ?? 0
  spent.tokens += amount.tokens ?? 0
  spent.calls += amount.calls ?? 0
  const { budget } = cell.rules
  if (budget === undefined) return
  for (const resource of ['usd', 'tokens', 'calls'] as const) {
    const limit = budget[resource]
    if (limit !== undefined && spent[resource] > limit) throw new BudgetExceededError(cell.path, resource, limit)
  }
}

/** Counts a message that is about to be handled. The one over the budget is not: it fails the cell, and the result is false. */
export function countMessage(context: MessageContext, { messages }: Budget): boolean {
  const { cell, message } = context
  if (messages === undefined || isSignal(message)) return true
  const spent = spentBy(cell)
  if (spent.messages >= messages) {
    cell.fail(new BudgetExceededError(cell.path, 'messages', messages), context)
    return false
  }
  spent.messages += 1
  return true
}

/** It was set aside: it counts when it is taken up again. */
export function uncountMessage({ cell, message }: MessageContext): void {
  const spent = cell.madeParts?.spent
  if (spent !== undefined && spent.messages > 0 && !isSignal(message)) spent.messages -= 1
}

/** What the runtime says is not charged: an actor that used up its budget still hears that it is to stop. */
const isSignal = ({ type }: Message): boolean => type.startsWith('actor.')

const spentBy = (cell: Cell): Spent => (cell.parts.spent ??= { usd: 0, tokens: 0, calls: 0, messages: 0 })
