import type { Clock, TimerHandle } from '../core/clock.ts'
import type { Message } from '../core/message.ts'
import type { CronOptions, MissedTicks } from './schedule.ts'

/** One timer of one incarnation. A tick that is queued when its timer is cancelled or replaced is discarded. */
export class Timer {
  readonly key: unknown
  readonly message: Message
  /** For a repeating timer: milliseconds from one tick being taken up to the next. Undefined when none is to come. */
  readonly again: (() => number | undefined) | undefined
  handle: TimerHandle | undefined
  active = true

  constructor(key: unknown, message: Message, again: Timer['again']) {
    this.key = key
    this.message = message
    this.again = again
  }
}

/**
 * What a handler uses: `timers.after('retry', 500, { type: 'job.retry' })`. Keys are any value; a used key is replaced.
 * The timers of a durable actor survive a restart of the process, and their keys are texts; those that it sets in a
 * signal, such as `actor.started`, are of its incarnation only.
 */
export interface ActorTimers<M extends Message> {
  /** Tells `message` to this actor once, after `delayMs` milliseconds. @throws {MessageInvalidError} `MESSAGE_INVALID` */
  after(key: unknown, delayMs: number, message: M): void
  /** Tells `message` once, at a moment: a date or epoch milliseconds. One that has passed is now. */
  at(key: unknown, moment: Date | number, message: M): void
  /**
   * Tells `message` again and again; the period counts from the moment that the last tick was taken up. `missed`: what a
   * durable actor makes of ticks whose time passed while it was away; default `one`.
   */
  every(key: unknown, periodMs: number, message: M, options?: { readonly missed?: MissedTicks }): void
  /**
   * Tells `message` at every moment of a cron pattern: `0 9 * * mon-fri`, with an optional field of seconds before it.
   * @throws {DefinitionInvalidError} `DEFINITION_INVALID` for a pattern or a time zone that is none.
   */
  cron(key: unknown, pattern: string, message: M, options?: CronOptions): void
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

  start(key: unknown, delayMs: number, message: Message, again?: Timer['again']): void {
    this.cancel(key)
    const timer = new Timer(key, message, again)
    this.#byKey.set(key, timer)
    this.#arm(timer, delayMs)
  }

  /** The tick was taken from the mailbox: answers whether it counts, and arms the next. */
  taken(timer: Timer): boolean {
    if (!timer.active) return false
    const delayMs = timer.again?.()
    if (delayMs === undefined) {
      timer.active = false
      this.#byKey.delete(timer.key)
    } else {
      this.#arm(timer, delayMs)
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
