import { MailboxFullError, TargetDownError } from '../core/errors.ts'
import { eventChannels, orderNotes, type DeadLetterReason } from '../core/events.ts'
import { exits } from '../core/exit.ts'
import { outside } from './ambient.ts'
import type { Message } from '../core/message.ts'
import type { Cell } from './cell.ts'
import type { MessageContext } from './context.ts'
import { Envelope, isEndedChild, type Item } from './envelope.ts'

/** A message that `cell` cannot take, or could not finish. */
export function deadLetter(cell: Cell, message: unknown, reason: DeadLetterReason, error: unknown): void {
  const { kernel, path } = cell
  kernel.deadLetters.add({ to: path, message, reason, error, atMs: kernel.clock.wallNow() }, () => {
    const events = eventChannels['dead-letter']
    if (!events.hasSubscribers) return
    const hasType = typeof message === 'object' && message !== null && 'type' in message
    const messageType = hasType ? String(message.type) : typeof message
    events.publish({ type: 'dead-letter', ...cell.origin, reason, messageType, message, error })
  })
}

/** Makes a dead letter of what waited, and fails its question if it is one. Signals of the runtime just go. */
export function bury(cell: Cell, item: Item, reason: 'stopped' | 'dropped-oldest'): void {
  if (isEndedChild(item)) return
  const { message, ask, timer, monitor, delivery } = item instanceof Envelope ? item : { message: item }
  if (delivery?.kind === 'incoming' && delivery.seq === undefined)
    delivery.refuse(new TargetDownError(cell.path, message.type, cell.exit ?? exits.noproc))
  else if (delivery !== undefined) return // the journal has it, and the next incarnation gets it
  if (timer !== undefined || monitor !== undefined || message.type.startsWith('actor.')) return
  if (ask?.settled === true) {
    deadLetter(cell, message, 'expired', undefined)
    return
  }
  const error =
    reason === 'dropped-oldest'
      ? new MailboxFullError(cell.path, cell.definition.mailbox.capacity, message)
      : new TargetDownError(cell.path, message.type, cell.exit ?? exits.noproc)
  ask?.fail(error)
  deadLetter(cell, message, reason, error)
}

/** Logic threw or rejected; `messageType`: what it was at. */
export function sayFailed(cell: Cell, error: unknown, messageType: string | undefined): void {
  const events = eventChannels.failed
  if (events.hasSubscribers) events.publish({ type: 'failed', ...cell.origin, error, messageType })
}

/** Something of a fenced incarnation tried to have an effect. */
export function zombie(cell: Cell, effect: string): void {
  cell.kernel.countZombieEffect()
  const events = eventChannels['zombie-effect']
  if (!events.hasSubscribers) return
  outside(() => {
    events.publish({ type: 'zombie-effect', ...cell.origin, effect })
  })
}

/** Says that the mailbox just filled or emptied, if it did. Ask for `hasSubscribers` first. */
export function sayPressure(cell: Cell): void {
  const lane = cell.queue
  const change = lane?.pressureChange()
  if (lane === undefined || change === undefined) return
  eventChannels['mailbox-pressure'].publish({
    type: 'mailbox-pressure',
    ...cell.origin,
    depth: lane.length,
    capacity: cell.definition.mailbox.capacity,
    rising: change === 'rising',
  })
}

/** For simulations: an actor tells or asks another, in this order. A replay does neither. Ask for `hasSubscribers` first. */
export function noteSent({ cell: { kernel, path: from }, turn }: MessageContext, to: Cell, message: Message): void {
  if (turn?.isReplay !== true) orderNotes.publish({ kind: 'sent', node: kernel.node, from, to: to.path, message })
}
