import { BudgetExceededError, StuckError } from '../core/errors.ts'
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

/** Counts a handled message; the one over the budget fails the cell. */
export function countMessage(cell: Cell, budget: Budget): void {
  const spent = spentBy(cell)
  spent.messages += 1
  if (budget.messages !== undefined && spent.messages > budget.messages) {
    cell.fail(new BudgetExceededError(cell.path, 'messages', budget.messages))
  }
}

const spentBy = (cell: Cell): Spent => (cell.parts.spent ??= { usd: 0, tokens: 0, calls: 0, messages: 0 })
