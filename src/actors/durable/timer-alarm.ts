import type { TimerHandle } from '../../core/clock.ts'
import { Envelope } from '../envelope.ts'
import type { DurableRecord } from './record.ts'
import type { Output } from './turn.ts'
import { comeBack, type DurableTimer } from '../schedule.ts'

/** Milliseconds that are waited for at once at least; see `#wait`. */
const shortestStretchMs = 60_000

/** How a message came to a durable actor, for the entry about it. */
export type Delivery =
  /** It is on disk: entry `seq`. */
  | { readonly kind: 'received'; readonly seq: number }
  /** It is to be on disk before its sender goes on, and came before the actor was there. `seq`: its entry, once it has one. */
  | ({ readonly kind: 'incoming'; readonly id: string; seq?: number } & Output)
  /** The tick of a durable timer. It counts while the timer is still due at this time. */
  | { readonly kind: 'tick'; readonly key: string; readonly dueMs: number }

/**
 * Wakes a durable actor for its own timers. One timer of the clock at a time, for the first that is due: what is due
 * when is in the ledger, and what has rung is in the mailbox until the actor takes it up.
 */
export class TimerAlarm {
  readonly #record: DurableRecord
  /** Keys whose tick is in the mailbox, with their due time. */
  readonly #rung = new Map<string, number>()
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

  /** Timers have changed. */
  rearm(): void {
    const { cell } = this.#record
    const { clock } = cell.kernel
    clock.clearTimeout(this.#handle)
    this.#handle = undefined
    if (cell.status === 'stopped') return
    const nowMs = clock.wallNow()
    let firstMs = Infinity
    for (const [key, timer] of this.#record.ledger.timers) {
      if (this.#rung.get(key) === timer.dueMs) continue
      if (timer.dueMs <= nowMs) this.#ring(key, timer)
      else firstMs = Math.min(firstMs, timer.dueMs)
    }
    if (firstMs < Infinity) this.#wait(firstMs - nowMs)
  }

  stop(): void {
    this.#record.cell.kernel.clock.clearTimeout(this.#handle)
  }

  /** Whether a tick that is taken from the mailbox still counts: its timer was not cancelled or set anew. */
  taken(key: string, dueMs: number): boolean {
    if (this.#rung.get(key) === dueMs) this.#rung.delete(key)
    return this.#record.ledger.timers.get(key)?.dueMs === dueMs
  }

  #ring(key: string, { dueMs, message }: DurableTimer): void {
    this.#rung.set(key, dueMs)
    this.#record.cell.force(
      new Envelope(message, undefined, undefined, undefined, undefined, { kind: 'tick', key, dueMs }),
    )
  }

  /** The wall clock may be set meanwhile, so a long time is waited for in stretches of half of what is left. */
  #wait(delayMs: number): void {
    const stretchMs = Math.min(delayMs, Math.max(shortestStretchMs, delayMs / 2))
    this.#handle = this.#record.cell.kernel.clock.setTimeout(() => {
      this.rearm()
    }, stretchMs)
  }
}
