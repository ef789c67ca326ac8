import type { Clock, TimerHandle } from '../core/clock.ts'

/** One timer and its place in the heap of its clock: -1 when it has fired or was cleared. */
class VirtualTimer {
  readonly fn: () => void
  readonly dueMs: number
  /** Timers that are due at the same time fire in the order in which they were set. */
  readonly order: number
  place = -1

  constructor(fn: () => void, dueMs: number, order: number) {
    this.fn = fn
    this.dueMs = dueMs
    this.order = order
  }

  isBefore(other: VirtualTimer): boolean {
    return this.dueMs < other.dueMs || (this.dueMs === other.dueMs && this.order < other.order)
  }
}

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
  /** A binary heap: no timer is before the one at (place - 1) / 2. */
  readonly #heap: VirtualTimer[] = []
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
    const timer = new VirtualTimer(fn, this.#nowMs + (delayMs > 0 ? delayMs : 0), this.#set)
    // What is due after for ever is never due.
    if (timer.dueMs < Infinity) this.#rise(timer, this.#heap.length)
    return timer
  }

  clearTimeout = (handle: TimerHandle | undefined): void => {
    if (handle instanceof VirtualTimer && this.#heap[handle.place] === handle) this.#remove(handle)
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#heap.length
  }

  /** When the next timer is due, in milliseconds on this clock. */
  get nextDueMs(): number | undefined {
    return this.#heap[0]?.dueMs
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
    for (let next = this.#heap[0]; next !== undefined && next.dueMs <= ms; next = this.#heap[0]) {
      this.#remove(next)
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

  #remove(timer: VirtualTimer): void {
    const { place } = timer
    const last = this.#heap.pop()
    timer.place = -1
    if (last === undefined || last === timer) return
    if (last.isBefore(timer)) this.#rise(last, place)
    else this.#sink(last, place)
  }

  /** Puts `timer` at `from` or above. */
  #rise(timer: VirtualTimer, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const other = this.#heap[above]
      if (other === undefined || !timer.isBefore(other)) break
      this.#put(other, place)
      place = above
    }
    this.#put(timer, place)
  }

  /** Puts `timer` at `from` or below. */
  #sink(timer: VirtualTimer, from: number): void {
    let place = from
    for (;;) {
      const left = this.#heap[2 * place + 1]
      const right = this.#heap[2 * place + 2]
      const first = left !== undefined && right?.isBefore(left) === true ? right : left
      if (first === undefined || timer.isBefore(first)) break
      const below = first.place
      this.#put(first, place)
      place = below
    }
    this.#put(timer, place)
  }

  #put(timer: VirtualTimer, place: number): void {
    this.#heap[place] = timer
    timer.place = place
  }
}
