import type { ActorPath } from '../core/ids.ts'
import type { Message } from '../core/message.ts'
import type { Ask } from './ask.ts'
import type { Cell } from './cell.ts'
import type { Delivery } from './durable/timer-alarm.ts'
import type { Timer } from './timers.ts'
import type { Monitor } from './watch.ts'

/**
 * A queued message that carries more than itself: a question, the tick of a timer, the end of a watched actor, or its
 * sender when somebody listens. Plain messages are queued bare, which saves an object each.
 */
export class Envelope {
  readonly message: Message
  readonly ask: Ask | undefined
  readonly timer: Timer | undefined
  readonly monitor: Monitor | undefined
  /** Known when somebody listened to `handled` events as it was sent. */
  readonly from: ActorPath | undefined
  /** How it came to a durable actor, when the journal knows of it. */
  readonly delivery: Delivery | undefined

  constructor(message: Message, ask?: Ask, timer?: Timer, monitor?: Monitor, from?: ActorPath, delivery?: Delivery) {
    this.message = message
    this.ask = ask
    this.timer = timer
    this.monitor = monitor
    this.from = from
    this.delivery = delivery
  }
}

/** What waits in the user lane: a bare message, one that carries more, or a child that has ended. */
export type Item = Message | Envelope | Cell

/** Messages have a `type` and cells have none: so this file need not know their class. */
export const isEndedChild = (item: Item): item is Cell => !(item instanceof Envelope) && !('type' in item)

/** Whether an overflow may drop it: signals of the runtime are never dropped. */
export const isDroppable = (item: Item): boolean => {
  if (item instanceof Envelope)
    return item.timer === undefined && item.monitor === undefined && item.delivery === undefined
  return !isEndedChild(item) && !item.type.startsWith('actor.')
}

/** Whether a journal has it, so that it comes back from there. */
export const isInJournal = (item: Item): boolean =>
  item instanceof Envelope &&
  item.delivery !== undefined &&
  (item.delivery.kind !== 'incoming' || item.delivery.seq !== undefined)
