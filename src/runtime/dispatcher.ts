import { outside } from '../actors/ambient.ts'
import type { Cell } from '../actors/cell.ts'
import { Deque } from '../actors/deque.ts'
import type { Clock } from '../core/clock.ts'
import { DefinitionInvalidError } from '../core/errors.ts'
import type { ReadyQueue, Scheduler } from '../core/scheduler.ts'

export interface DispatcherOptions {
  /** Messages that one turn handles at most before timers and sockets run. Default 1,024. */
  readonly messagesPerTurn?: number
  /** Milliseconds that one turn takes at most, give or take the handler that is running. Default 5. */
  readonly turnMs?: number
}

/** Tasks of the runtime have no name: they keep their place. */
const pathOf = (ready: Cell | (() => void)): string | undefined =>
  typeof ready === 'function' ? undefined : ready.path

/** The clock is read once in so many messages at most: reading it costs as much as handling one. */
const longestStride = 16

/**
 * Gives actors their turns: a trampoline, so that a chain of any length runs in constant stack, and fair, so that no
 * amount of messages keeps timers and sockets waiting longer than a turn.
 *
 * 1. A cell is queued at most once; cells run in the order in which they were queued. Each handles what waits for it as
 *    its turn begins, and not what comes meanwhile, so none falls behind the many that feed it, nor holds them up.
 * 2. Between two macrotasks at most `messagesPerTurn` messages are handled, and after `turnMs` no other is begun
 *    (the clock is read more rarely while messages are quick, by at most 16 messages).
 */
export class Dispatcher {
  readonly #clock: Clock
  readonly #scheduler: Scheduler
  readonly #messagesPerTurn: number
  readonly #turnMs: number
  readonly #ready: ReadyQueue<Cell | (() => void)>
  #state: 'idle' | 'soon' | 'later' | 'running' = 'idle'
  /** What is left of the turn that began after the last macrotask; undefined before it began. */
  #messagesLeft: number
  #turnEndsMs: number | undefined
  /** The clock is read after so many more messages, and then after `stride` more. */
  #untilClock = 1
  #stride = 1
  /** When the clock was read. */
  #lookedMs = 0
  #renewing = false

  constructor(clock: Clock, scheduler: Scheduler, { messagesPerTurn = 1024, turnMs = 5 }: DispatcherOptions = {}) {
    if (!Number.isSafeInteger(messagesPerTurn) || messagesPerTurn < 1) {
      throw new DefinitionInvalidError('dispatcher.messagesPerTurn', `${messagesPerTurn} is not a positive integer`)
    }
    if (!(turnMs > 0)) throw new DefinitionInvalidError('dispatcher.turnMs', `${turnMs} is not above 0 milliseconds`)
    this.#clock = clock
    this.#scheduler = scheduler
    this.#ready = scheduler.queue?.(pathOf) ?? new Deque()
    this.#messagesPerTurn = messagesPerTurn
    this.#turnMs = turnMs
    this.#messagesLeft = messagesPerTurn
  }

  /** Whether nothing is queued. */
  get idle(): boolean {
    return this.#ready.length === 0
  }

  schedule(cell: Cell): void {
    this.#ready.push(cell)
    if (this.#state === 'idle') this.#runSoon()
  }

  /** Runs `task` among the turns of actors, on a stack of its own. */
  defer(task: () => void): void {
    this.#ready.push(task)
    if (this.#state === 'idle') this.#runSoon()
  }

  // Whoever woke it is not whose code runs here.
  readonly #turn = (): void => {
    outside(this.#runTurn)
  }

  readonly #runTurn = (): void => {
    this.#state = 'running'
    if (this.#turnEndsMs === undefined) {
      this.#lookedMs = this.#clock.now()
      this.#turnEndsMs = this.#lookedMs + this.#turnMs
    }
    try {
      while (this.#ready.length > 0 && this.#hasTime()) {
        const next = this.#ready.shift()
        if (typeof next === 'function') this.#runTask(next)
        else if (next !== undefined) {
          const waiting = next.backlog
          if (waiting > 1) this.#runBacklog(next, waiting)
          else {
            next.run(1)
            this.#spend(1)
          }
          if (next.endTurn()) this.#ready.push(next)
        }
      }
    } finally {
      this.#afterTurn()
    }
  }

  #runTask(task: () => void): void {
    this.#spend(1)
    task()
  }

  /** Handles what waits for a cell now, as far as this turn goes. */
  #runBacklog(cell: Cell, backlog: number): void {
    let waiting = backlog
    do {
      const budget = Math.min(waiting, this.#untilClock, this.#messagesLeft)
      const handled = cell.run(budget)
      this.#spend(Math.max(1, handled))
      waiting = handled < budget ? 0 : waiting - handled // it cannot go on: its handler waits, or it has ended
    } while (waiting > 0 && this.#hasTime())
  }

  /** Counts what is done against this turn. */
  #spend(messages: number): void {
    this.#messagesLeft -= messages
    this.#untilClock -= messages
  }

  /** Whether this turn may go on. Reads the clock more rarely while messages are quick. */
  #hasTime(): boolean {
    if (this.#messagesLeft <= 0) return false
    if (this.#untilClock > 0) return true
    const nowMs = this.#clock.now()
    const leftMs = (this.#turnEndsMs ?? 0) - nowMs
    // Messages that were quick may be followed by more of them before the clock is read again.
    const tookMs = nowMs - this.#lookedMs
    this.#lookedMs = nowMs
    this.#stride = tookMs * 8 < leftMs ? Math.min(this.#stride * 2, longestStride) : 1
    this.#untilClock = leftMs > 0 ? this.#stride : 0
    return leftMs > 0
  }

  #afterTurn(): void {
    if (this.#ready.length > 0) {
      this.#state = 'later'
      this.#scheduler.later(this.#freshTurn)
      return
    }
    this.#state = 'idle'
    // What comes before the next macrotask (async handlers go on in microtasks) draws on the same turn.
    if (this.#renewing) return
    this.#renewing = true
    this.#scheduler.later(this.#renew)
  }

  readonly #freshTurn = (): void => {
    this.#renewTurn()
    this.#turn()
  }

  readonly #renew = (): void => {
    this.#renewing = false
    this.#renewTurn()
  }

  #renewTurn(): void {
    this.#messagesLeft = this.#messagesPerTurn
    this.#turnEndsMs = undefined
    this.#stride = 1
    this.#untilClock = 1
  }

  #runSoon(): void {
    if (this.#messagesLeft > 0) {
      this.#state = 'soon'
      this.#scheduler.soon(this.#turn)
    } else {
      this.#state = 'later'
      this.#scheduler.later(this.#freshTurn)
    }
  }
}
