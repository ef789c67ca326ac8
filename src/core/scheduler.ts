/**
 * The port for turns of the event loop. `soon` runs before timers and sockets are looked at, `later` after: a
 * dispatcher that only used `soon` would starve them.
 */
export interface Scheduler {
  /** Runs `turn` as a microtask: after the running JavaScript, before timers and I/O. */
  soon(turn: () => void): void
  /** Runs `turn` as a macrotask: timers and I/O that are due run first. */
  later(turn: () => void): void
  /**
   * What a dispatcher keeps those in that are ready. Absent: first in, first out. A simulation takes them out in the order
   * that it looks for; what `labelOf` has no name for keeps its place among the others.
   */
  queue?<Item extends object>(labelOf: (item: Item) => string | undefined): ReadyQueue<Item>
}

/** Those that are ready to run, each once. */
export interface ReadyQueue<Item> {
  readonly length: number
  push(item: Item): void
  /** Takes out who is next. */
  shift(): Item | undefined
}

export const systemScheduler: Scheduler = {
  soon: (turn) => {
    queueMicrotask(turn)
  },
  later: (turn) => {
    setImmediate(turn)
  },
}
