import { DefinitionInvalidError } from '../core/errors.ts'
import type { Clock, TimerHandle } from '../core/clock.ts'
import type { Message } from '../core/message.ts'

/** One timer of one incarnation. A tick that is queued when its timer is cancelled or replaced is discarded. */
export class Timer {
  readonly key: unknown
  readonly message: Message
  /** Milliseconds from one tick being handled to the next, for a repeating timer. */
  readonly everyMs: number | undefined
  handle: TimerHandle | undefined
  active = true

  constructor(key: unknown, message: Message, everyMs: number | undefined) {
    this.key = key
    this.message = message
    this.everyMs = everyMs
  }
}

/** What a handler uses: `timers.after('retry', 500, { type: 'job.retry' })`. Keys are any value; a used key is replaced. */
export interface ActorTimers<M extends Message> {
  /** Tells `message` to this actor once, after `delayMs` milliseconds. @throws {MessageInvalidError} `MESSAGE_INVALID` */
  after(key: unknown, delayMs: number, message: M): void
  /** Tells `message` again and again; the period counts from the moment that the last tick was taken up. */
  every(key: unknown, periodMs: number, message: M): void
  /** Also takes back a tick that is queued already. Answers whether there was such a timer. */
  cancel(key: unknown): boolean
  active(key: unknown): boolean
}

/**
 * The timers of one incarnation. Stopping an actor costs what its own timers cost, however many others there are.
 * @see Pekko's TimerScheduler, whose rules for keys and generations these are.
 */
export class TimerBook {
  readonly #clock: Clock
  readonly #byKey = new Map<unknown, Timer>()
  readonly #deliver: (timer: Timer) => void

  constructor(clock: Clock, deliver: (timer: Timer) => void) {
    this.#clock = clock
    this.#deliver = deliver
  }

  get size(): number {
    return this.#byKey.size
  }

  start(key: unknown, delayMs: number, message: Message, everyMs?: number): void {
    if (!(delayMs >= 0) || (everyMs !== undefined && !(everyMs > 0))) {
      throw new DefinitionInvalidError(
        'timers',
        `${everyMs ?? delayMs} is no delay: give milliseconds, 0 or more (a period more than 0)`,
      )
    }
    this.cancel(key)
    const timer = new Timer(key, message, everyMs)
    this.#byKey.set(key, timer)
    this.#arm(timer, delayMs)
  }

  /** The tick was taken from the mailbox: answers whether it counts, and arms the next. */
  taken(timer: Timer): boolean {
    if (!timer.active) return false
    if (timer.everyMs === undefined) {
      timer.active = false
      this.#byKey.delete(timer.key)
    } else {
      this.#arm(timer, timer.everyMs)
    }
    return true
  }

  cancel(key: unknown): boolean {
    const timer = this.#byKey.get(key)
    if (timer === undefined) return false
    this.#byKey.delete(key)
    this.#disarm(timer)
    return true
  }

  has(key: unknown): boolean {
    return this.#byKey.has(key)
  }

  clear(): void {
    for (const timer of this.#byKey.values()) this.#disarm(timer)
    this.#byKey.clear()
  }

  #arm(timer: Timer, delayMs: number): void {
    timer.handle = this.#clock.setTimeout(() => {
      timer.handle = undefined
      this.#deliver(timer)
    }, delayMs)
  }

  #disarm(timer: Timer): void {
    timer.active = false
    this.#clock.clearTimeout(timer.handle)
  }
}
