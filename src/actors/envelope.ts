import type { ActorPath } from '../core/ids.ts'
import type { Message } from '../core/message.ts'
import type { Ask } from './ask.ts'
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

  constructor(message: Message, ask?: Ask, timer?: Timer, monitor?: Monitor, from?: ActorPath) {
    this.message = message
    this.ask = ask
    this.timer = timer
    this.monitor = monitor
    this.from = from
  }
}
