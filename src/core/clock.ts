/**
 * The port for time. Every delay and every timestamp of the runtime comes from here, which is what lets a test or a
 * simulation own time. A `Clock` also fits XState's `clock` option.
 */

/** What `setTimeout` returns. Opaque: only the clock that made it can clear it. */
export type TimerHandle = object

export interface Clock {
  /** Monotonic milliseconds, with fractions, from an arbitrary start. For measuring and for deadlines. */
  now(): number
  /** Milliseconds since the Unix epoch. For people and for records: it may jump. */
  wallNow(): number
  /** Calls `fn` once, not before `delayMs` milliseconds have passed. Zero and negative delays mean "as soon as timers run". */
  setTimeout(fn: () => void, delayMs: number): TimerHandle
  /** Forgets the timer; a handle that already fired, or is `undefined`, is ignored. */
  clearTimeout(handle: TimerHandle | undefined): void
}

/** Node fires at once when a delay does not fit into 31 bits; longer delays are walked in steps. */
const longestDelayMs = 2 ** 31 - 1

class SystemTimer {
  #timeout: NodeJS.Timeout

  constructor(fn: () => void, delayMs: number) {
    this.#timeout = this.#arm(fn, delayMs)
  }

  clear(): void {
    clearTimeout(this.#timeout)
  }

  #arm(fn: () => void, delayMs: number): NodeJS.Timeout {
    // Node warns of what is negative.
    if (!(delayMs > longestDelayMs)) return setTimeout(fn, Math.max(0, delayMs))
    return setTimeout(() => {
      this.#timeout = this.#arm(fn, delayMs - longestDelayMs)
    }, longestDelayMs)
  }
}

/** The real clock of this machine. Delays may be longer than 24.8 days, which plain `setTimeout` cannot do. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimeout: (fn, delayMs) => new SystemTimer(fn, delayMs),
  clearTimeout: (handle) => {
    if (handle instanceof SystemTimer) handle.clear()
  },
}
