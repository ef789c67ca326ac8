import type { Clock, TimerHandle } from '../core/clock.ts'
import { DueItem, TimerHeap } from './timer-heap.ts'

/** Timers that fire at one point in time, after which a clock takes it that they go on for ever. */
const mostAtOnce = 1_000_000

/**
 * A clock whose time passes only when a test says so. Also fits XState's `clock` option. Setting, clearing and firing a
 * timer costs the logarithm of the number of timers.
 *
 * 1. Timers fire in the order of their due times, those of the same time in the order in which they were set.
 * 2. When a timer fires, `now` is its due time; time never goes back.
 * 3. A timer that was cleared never fires, also when it is cleared while others of the same time fire.
 */
export class VirtualClock implements Clock {
  readonly #epochMs: number
  readonly #heap = new TimerHeap()
  #nowMs = 0
  #set = 0
  #firedNow = 0

  /** Starts at 0; `epochMs` is the wall-clock time then, by default 2026-01-01 in UTC. */
  constructor({ epochMs = Date.UTC(2026, 0, 1) }: { readonly epochMs?: number } = {}) {
    this.#epochMs = epochMs
  }

  now = (): number => this.#nowMs

  wallNow = (): number => this.#epochMs + this.#nowMs

  setTimeout = (fn: () => void, delayMs: number): TimerHandle => {
    this.#set += 1
    const timer = new DueItem(fn, this.#nowMs + (delayMs > 0 ? delayMs : 0), this.#set)
    // What is due after for ever is never due.
    if (timer.dueMs < Infinity) this.#heap.add(timer)
    return timer
  }

  clearTimeout = (handle: TimerHandle | undefined): void => {
    if (handle instanceof DueItem && this.#heap.has(handle)) this.#heap.remove(handle)
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#heap.size
  }

  /** When the next timer is due, in milliseconds on this clock. */
  get nextDueMs(): number | undefined {
    return this.#heap.first?.dueMs
  }

  /** Lets `ms` milliseconds pass: timers that fall due fire in order, also those that other timers set. */
  advanceBy(ms: number): void {
    this.advanceTo(this.#nowMs + ms)
  }

  /**
   * As `advanceBy`, up to a point in time on this clock; one that has passed changes nothing.
   * @throws {RangeError} when `ms` is not finite, or when timers without delay set each other for ever. What a timer
   * throws is thrown here; the time is its due time then.
   */
  advanceTo(ms: number): void {
    if (!Number.isFinite(ms)) throw new RangeError(`VirtualClock goes to a finite time in milliseconds, not ${ms}`)
    for (let next = this.#heap.first; next !== undefined && next.dueMs <= ms; next = this.#heap.first) {
      this.#heap.remove(next)
      this.#passTo(next.dueMs)
      this.#firedNow += 1
      if (this.#firedNow > mostAtOnce)
        throw new RangeError(`${mostAtOnce} timers at ${this.#nowMs} ms: time does not get on`)
      next.fn()
    }
    this.#passTo(ms)
  }

  #passTo(ms: number): void {
    if (!(ms > this.#nowMs)) return
    this.#nowMs = ms
    this.#firedNow = 0
  }
}
