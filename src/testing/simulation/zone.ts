import type { Clock, TimerHandle } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { Deque } from '../../actors/deque.ts'
import type { ReadyQueue, Scheduler } from '../../core/scheduler.ts'
import type { SimulationKernel } from './kernel.ts'
import { ReadyPick } from './ready-pick.ts'

const nsPerMs = 1e6

/** Something that is ready to run, and when it became so. */
export interface Ready {
  readonly order: number
  readonly run: () => void
}

/**
 * One process of a simulated world: one incarnation of a node, or the program that drives the scenario. It has an event
 * loop and clocks of its own, and gets time and turns only from here.
 *
 * 1. Once it is dead nothing that it had begun goes on: its turns, timers and what it waited for are gone, and its
 *    clock and scheduler take nothing more.
 * 2. While it is paused its clocks run and nothing else does.
 */
export class Zone implements Clock, Scheduler {
  readonly name: string
  readonly incarnation: number
  readonly random: Random
  readonly kernel: SimulationKernel
  /** Wall-clock milliseconds that it is ahead of the world's. */
  skewMs = 0
  /** Milliseconds of its clocks per millisecond of the world: 1.1 is ten percent fast. */
  #rate = 1
  #isAlive = true
  #pausedUntilMs = 0
  /** World and own milliseconds when its rate was last set. */
  #anchor = { worldMs: 0, ownMs: 0 }
  readonly #soon = new Deque<Ready>()
  readonly #later = new Deque<Ready>()
  readonly #onDeath = new Set<() => void>()

  constructor(kernel: SimulationKernel, name: string, incarnation: number, random: Random) {
    this.kernel = kernel
    this.name = name
    this.incarnation = incarnation
    this.random = random
    this.#anchor = { worldMs: kernel.nowMs, ownMs: 0 }
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  get isPaused(): boolean {
    return this.#pausedUntilMs > this.kernel.nowMs
  }

  get pausedUntilMs(): number {
    return this.#pausedUntilMs
  }

  /** Whether it can take a turn now. */
  get canRun(): boolean {
    return this.#isAlive && !this.isPaused
  }

  // ---- clock --------------------------------------------------------------------------------------------------------

  // In whole nanoseconds: a timer that is a rounding error early would be set anew for a time that does not pass.
  now = (): number =>
    Math.round((this.#anchor.ownMs + (this.kernel.nowMs - this.#anchor.worldMs) * this.#rate) * nsPerMs) / nsPerMs

  wallNow = (): number => this.kernel.epochMs + Math.round(this.kernel.nowMs + this.skewMs + this.#driftMs)

  setTimeout = (fn: () => void, delayMs: number): TimerHandle =>
    this.kernel.timer(
      this,
      `timer ${this.name}`,
      Math.ceil(delayMs > 0 ? delayMs * nsPerMs : 0) / nsPerMs / this.#rate,
      fn,
    )

  clearTimeout = (handle: TimerHandle | undefined): void => {
    this.kernel.cancel(handle)
  }

  get rate(): number {
    return this.#rate
  }

  /** Milliseconds that its clocks got ahead since their rate was last set. */
  get #driftMs(): number {
    return (this.kernel.nowMs - this.#anchor.worldMs) * (this.#rate - 1)
  }

  /** Its clocks run at another rate from here on; timers that are set keep their times. */
  drift(rate: number): void {
    this.skewMs += this.#driftMs
    this.#anchor = { worldMs: this.kernel.nowMs, ownMs: this.now() }
    this.#rate = rate
  }

  /** It runs on the machine of `other`: its wall clock shows the same, and both clocks run at the same rate. */
  onMachineOf(other: Zone): void {
    this.skewMs = other.skewMs + other.#driftMs
    this.#rate = other.#rate
  }

  // ---- scheduler ----------------------------------------------------------------------------------------------------

  soon = (turn: () => void): void => {
    this.#add(this.#soon, turn)
  }

  later = (turn: () => void): void => {
    this.#add(this.#later, turn)
  }

  queue = <Item extends object>(labelOf: (item: Item) => string | undefined): ReadyQueue<Item> =>
    new ReadyPick(this.kernel, `actor ${this.name}`, labelOf)

  #add(queue: Deque<Ready>, run: () => void): void {
    if (this.#isAlive) queue.push({ order: this.kernel.nextOrder(), run })
  }

  /** When its next turn became ready; undefined when it has none. */
  get readySince(): number | undefined {
    return (this.#soon.length > 0 ? this.#soon.peek() : this.#later.peek())?.order
  }

  /** Takes its next turn out. */
  takeTurn(): (() => void) | undefined {
    return (this.#soon.shift() ?? this.#later.shift())?.run
  }

  // ---- life ---------------------------------------------------------------------------------------------------------

  pause(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.kernel.nowMs + ms)
  }

  resume(): void {
    this.#pausedUntilMs = 0
  }

  /** Calls `listener` when it dies. The result takes it off. */
  onDeath(listener: () => void): () => void {
    this.#onDeath.add(listener)
    return () => this.#onDeath.delete(listener)
  }

  /** It is gone, as after `kill -9`. */
  die(): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    while (this.takeTurn() !== undefined);
    for (const listener of [...this.#onDeath]) listener()
    this.#onDeath.clear()
  }
}
