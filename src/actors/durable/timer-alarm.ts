import type { TimerHandle } from '../../core/clock.ts'
import { Envelope } from '../envelope.ts'
import type { DurableRecord } from './record.ts'
import type { Output } from './turn.ts'
import { comeBack, type DurableTimer } from '../schedule.ts'

/** Milliseconds that are waited for at once at least and at most; see `#wait`. */
const shortestStretchMs = 60_000
const longestStretchMs = 3_600_000
/** Milliseconds that the wall clock goes wrong in a stretch without having been set. */
const driftMs = 60_000

/** How a message came to a durable actor, for the entry about it. */
export type Delivery =
  /** It is on disk: entry `seq`. */
  | { readonly kind: 'received'; readonly seq: number }
  /** It is to be on disk before its sender goes on, and came before the actor was there. `seq`: its entry, once it has one. */
  | ({ readonly kind: 'incoming'; readonly id: string; seq?: number } & Output)
  /** The tick of a durable timer. It counts while the timer is neither cancelled nor set anew. */
  | { readonly kind: 'tick'; readonly key: string; readonly timer: DurableTimer }

/**
 * Wakes a durable actor for its own timers. One timer of the clock at a time, for the first that is due: what is due
 * when is in the ledger, and what has rung is in the mailbox until the actor takes it up.
 */
export class TimerAlarm {
  readonly #record: DurableRecord
  /** Timers whose tick is in the mailbox, by their key. */
  readonly #rung = new Map<string, DurableTimer>()
  #handle: TimerHandle | undefined

  constructor(record: DurableRecord) {
    this.#record = record
  }

  /** The actor has come back. */
  resume(): void {
    const { ledger } = this.#record
    const nowMs = this.#record.cell.kernel.clock.wallNow()
    for (const [key, timer] of ledger.timers) ledger.setTimer(key, comeBack(timer, nowMs))
    this.rearm()
  }

  /** The wall clock was set: what comes again and again is not further off than it could be. */
  #clockWasSet(): void {
    const { ledger, cell } = this.#record
    const nowMs = cell.kernel.clock.wallNow()
    for (const [key, timer] of ledger.timers) if (timer.dueMs > nowMs) ledger.setTimer(key, comeBack(timer, nowMs))
  }

  /** Timers have changed. */
  rearm(): void {
    const { cell } = this.#record
    const { clock } = cell.kernel
    clock.clearTimeout(this.#handle)
    this.#handle = undefined
    if (cell.status === 'stopped') return
    const nowMs = clock.wallNow()
    let firstMs = Infinity
    const due: [string, DurableTimer][] = []
    for (const [key, timer] of this.#record.ledger.timers) {
      if (this.#rung.get(key) === timer) continue
      if (timer.dueMs <= nowMs) due.push([key, timer])
      else firstMs = Math.min(firstMs, timer.dueMs)
    }
    due.sort(([, a], [, b]) => a.dueMs - b.dueMs)
    for (const [key, timer] of due) this.#ring(key, timer)
    if (firstMs < Infinity) this.#wait(firstMs - nowMs)
  }

  stop(): void {
    this.#record.cell.kernel.clock.clearTimeout(this.#handle)
  }

  /** Whether a tick that is taken from the mailbox still counts: its timer was not cancelled or set anew. */
  taken({ key, timer }: Delivery & { readonly kind: 'tick' }): boolean {
    if (this.#rung.get(key) === timer) this.#rung.delete(key)
    return this.#record.ledger.timers.get(key) === timer
  }

  /** A tick that was taken is to be taken again, and does not ring until then. */
  setAside({ key, timer }: Delivery & { readonly kind: 'tick' }): void {
    this.#rung.set(key, timer)
  }

  #ring(key: string, timer: DurableTimer): void {
    this.#rung.set(key, timer)
    this.#record.cell.force(
      new Envelope(timer.message, undefined, undefined, undefined, undefined, { kind: 'tick', key, timer }),
    )
  }

  /** The wall clock may be set meanwhile, so a long time is waited for in stretches. */
  #wait(delayMs: number): void {
    const { clock } = this.#record.cell.kernel
    const stretchMs = Math.min(delayMs, longestStretchMs, Math.max(shortestStretchMs, delayMs / 2))
    const endMs = clock.wallNow() + stretchMs
    this.#handle = clock.setTimeout(() => {
      if (Math.abs(clock.wallNow() - endMs) > driftMs) this.#clockWasSet()
      this.rearm()
    }, stretchMs)
  }
}
