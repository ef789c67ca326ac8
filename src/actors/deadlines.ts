import type { Clock, TimerHandle } from '../core/clock.ts'

/** Something that gives up at a point in time, and its neighbours among those that wait as long. */
export interface Deadlined {
  /** On the monotonic clock, in milliseconds. */
  readonly deadlineMs: number
  /** How long it waits: what it shares with its neighbours. */
  readonly timeoutMs: number
  earlier: Deadlined | undefined
  later: Deadlined | undefined
  /** Its deadline has passed. */
  expire(): void
}

/** Those that wait equally long: first come, first due. */
interface Line {
  first: Deadlined | undefined
  last: Deadlined | undefined
  timer: TimerHandle | undefined
  isLeaving: boolean
}

/**
 * Deadlines of many things that mostly do not reach them. Asks wait for one of few durations, so one timer for each
 * duration does, armed for the first that is due; a timer for each ask would be a third of its cost. @see Node's own
 * lists of timers, which this puts a cheaper front to
 */
export class Deadlines {
  readonly #clock: Clock
  /** Runs a task when what is at hand is done, timers and sockets excepted. */
  readonly #soon: (task: () => void) => void
  readonly #lines = new Map<number, Line>()

  constructor(clock: Clock, soon: (task: () => void) => void) {
    this.#clock = clock
    this.#soon = soon
  }

  /** Arranges for `entry.expire()` at its deadline, unless it is removed. A timeout of Infinity never comes. */
  add(entry: Deadlined): void {
    const { timeoutMs } = entry
    if (timeoutMs === Infinity) return
    let line = this.#lines.get(timeoutMs)
    if (line === undefined) {
      line = { first: undefined, last: undefined, timer: undefined, isLeaving: false }
      this.#lines.set(timeoutMs, line)
    }
    entry.earlier = line.last
    if (line.last === undefined) line.first = entry
    else line.last.later = entry
    line.last = entry
    if (line.timer === undefined) this.#arm(line, timeoutMs, timeoutMs)
  }

  remove(entry: Deadlined): void {
    const line = this.#lines.get(entry.timeoutMs)
    if (line === undefined || (entry.earlier === undefined && line.first !== entry)) return
    this.#unlink(line, entry)
    if (line.first === undefined) this.#leave(line, entry.timeoutMs)
  }

  #unlink(line: Line, entry: Deadlined): void {
    if (entry.earlier === undefined) line.first = entry.later
    else entry.earlier.later = entry.later
    if (entry.later === undefined) line.last = entry.earlier
    else entry.later.earlier = entry.earlier
    entry.earlier = undefined
    entry.later = undefined
  }

  #arm(line: Line, timeoutMs: number, inMs: number): void {
    line.timer = this.#clock.setTimeout(() => {
      line.timer = undefined
      const nowMs = this.#clock.now()
      for (let { first } = line; first !== undefined && first.deadlineMs <= nowMs; { first } = line) {
        this.#unlink(line, first)
        first.expire()
      }
      if (line.first !== undefined) this.#arm(line, timeoutMs, line.first.deadlineMs - nowMs)
      else if (this.#lines.get(timeoutMs) === line) this.#lines.delete(timeoutMs)
    }, inMs)
  }

  /** Nobody waits: unless somebody does very soon, the timer goes, since it would keep the process alive. */
  #leave(line: Line, timeoutMs: number): void {
    if (line.isLeaving) return
    line.isLeaving = true
    this.#soon(() => {
      line.isLeaving = false
      if (line.first !== undefined) return
      this.#clock.clearTimeout(line.timer)
      line.timer = undefined
      if (this.#lines.get(timeoutMs) === line) this.#lines.delete(timeoutMs)
    })
  }
}
