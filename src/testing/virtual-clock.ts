import type { Clock, TimerHandle } from '../core/clock.ts'

interface VirtualTimer {
  readonly fn: () => void
  readonly dueMs: number
  /** Timers that are due at the same time fire in the order in which they were set. */
  readonly order: number
}

/** A clock whose time passes only when a test says so. Also fits XState's `clock` option. */
export class VirtualClock implements Clock {
  readonly #epochMs: number
  readonly #timers = new Set<VirtualTimer>()
  #nowMs = 0
  #set = 0

  /** Starts at 0; `epochMs` is the wall-clock time then, by default 2026-01-01 in UTC. */
  constructor({ epochMs = Date.UTC(2026, 0, 1) }: { readonly epochMs?: number } = {}) {
    this.#epochMs = epochMs
  }

  now = (): number => this.#nowMs

  wallNow = (): number => this.#epochMs + this.#nowMs

  setTimeout = (fn: () => void, delayMs: number): TimerHandle => {
    this.#set += 1
    const timer: VirtualTimer = { fn, dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#set }
    if (Number.isFinite(timer.dueMs)) this.#timers.add(timer)
    return timer
  }

  clearTimeout = (handle: TimerHandle | undefined): void => {
    // Whatever is not one of our timers is not in the set.
    this.#timers.delete(handle as VirtualTimer)
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size
  }

  /** When the next timer is due, in milliseconds on this clock. */
  get nextDueMs(): number | undefined {
    return this.#next()?.dueMs
  }

  /** Lets `ms` milliseconds pass: timers that fall due fire in order, also those that other timers set. */
  advanceBy(ms: number): void {
    this.advanceTo(this.#nowMs + ms)
  }

  /** As `advanceBy`, up to a point in time on this clock. */
  advanceTo(ms: number): void {
    for (let timer = this.#next(); timer !== undefined && timer.dueMs <= ms; timer = this.#next()) this.#fire(timer)
    this.#nowMs = Math.max(this.#nowMs, ms)
  }

  #next(): VirtualTimer | undefined {
    let next: VirtualTimer | undefined
    for (const timer of this.#timers) {
      if (next === undefined || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)) next = timer
    }
    return next
  }

  #fire(timer: VirtualTimer): void {
    this.#timers.delete(timer)
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
    timer.fn()
  }
}
