/**
 * The port for turns of the event loop. `soon` runs before timers and sockets are looked at, `later` after: a
 * dispatcher that only used `soon` would starve them.
 */
export interface Scheduler {
  /** Runs `turn` as a microtask: after the running JavaScript, before timers and I/O. */
  soon(turn: () => void): void
  /** Runs `turn` as a macrotask: timers and I/O that are due run first. */
  later(turn: () => void): void
}

export const systemScheduler: Scheduler = {
  soon: (turn) => {
    queueMicrotask(turn)
  },
  later: (turn) => {
    setImmediate(turn)
  },
}
