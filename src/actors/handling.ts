import { eventChannels } from '../core/events.ts'
import { ambient } from './ambient.ts'
import type { Cell } from './cell.ts'
import { deadLetter, sayPressure, zombie } from './cell-events.ts'
import type { MessageContext } from './context.ts'
import type { Envelope } from './envelope.ts'
import { failingItem } from './failing.ts'
import { countMessage, uncountMessage, unwatchProgress, watchProgress } from './limits.ts'

/** Start time of a message that nobody times. */
const notTimed = -1

/** Whether an envelope still means something when its turn comes. From here on its question is this cell's to answer. */
export function opens(cell: Cell, { ask, timer, monitor, message, delivery }: Envelope): boolean {
  if (ask !== undefined) {
    ask.accepted = true
    if (ask.settled) deadLetter(cell, message, 'expired', undefined)
    return !ask.settled
  }
  if (timer !== undefined) return cell.timers.taken(timer)
  // It was there before. One that has an entry was counted with that.
  if (
    delivery?.kind === 'incoming' &&
    delivery.seq === undefined &&
    cell.record?.ledger.seen.has(delivery.id) === true
  ) {
    cell.record.release(delivery)
    return false
  }
  if (delivery?.kind === 'tick') return cell.record?.alarm.taken(delivery) === true
  if (monitor !== undefined) {
    cell.madeParts?.watching?.delete(monitor)
    return monitor.active
  }
  return true
}

/** Has the host handle one message. What it throws fails the cell; what it promises is waited for. */
export function react(context: MessageContext): void {
  const { cell } = context
  const { budget } = cell.rules
  if (budget !== undefined && !countMessage(context, budget)) return
  const startMs = eventChannels.handled.hasSubscribers ? cell.kernel.clock.now() : notTimed
  let pending: Promise<void> | undefined
  ambient.context = context
  try {
    pending = cell.definition.host.react(context)
  } catch (error) {
    ambient.context = undefined
    cell.fail(error, context)
    return
  }
  ambient.context = undefined
  if (pending === undefined) handled(context, startMs)
  else waitFor(pending, context, startMs)
}

function waitFor(pending: Promise<void>, context: MessageContext, startMs: number): void {
  const { cell } = context
  if (cell.definition.reentrant) (cell.parts.inHand ??= new Set<MessageContext>()).add(context)
  else cell.busy = context
  watchProgress(cell, context)
  pending.then(
    () => {
      if (context.fenced) return
      cell.release(context)
      unwatchProgress(cell, context)
      handled(context, startMs)
      cell.goOn()
    },
    (error: unknown) => {
      if (context.fenced) {
        zombie(cell, 'failure')
        return
      }
      cell.release(context)
      cell.fail(error, context)
      cell.goOn()
    },
  )
}

function handled(context: MessageContext, startMs: number): void {
  const { cell, envelope, message } = context
  if (cell.status === 'stopped') return // it killed itself
  if (context.deferred && cell.rules.budget?.messages !== undefined) uncountMessage(context)
  const parts = cell.madeParts
  if (parts?.failing?.item === failingItem(context)) parts.failing = undefined
  if (eventChannels['mailbox-pressure'].hasSubscribers) sayPressure(cell)
  if (startMs === notTimed || context.deferred || !eventChannels.handled.hasSubscribers) return
  eventChannels.handled.publish({
    type: 'handled',
    ...cell.origin,
    messageType: message.type,
    from: envelope?.from ?? envelope?.ask?.asker?.cell.path,
    durationMs: cell.kernel.clock.now() - startMs,
    message,
  })
}
