import { systemScheduler, type Scheduler } from '../core/scheduler.ts'

/** A scheduler whose turns run only when a test says so, in the order in which they were asked for. */
export class ManualScheduler implements Scheduler {
  readonly #soon: (() => void)[] = []
  readonly #later: (() => void)[] = []

  soon = (turn: () => void): void => {
    this.#soon.push(turn)
  }

  later = (turn: () => void): void => {
    this.#later.push(turn)
  }

  get idle(): boolean {
    return this.#soon.length === 0 && this.#later.length === 0
  }

  /** Runs one turn: what was asked for `soon` before what was asked for `later`. False when there is none. */
  runOne(): boolean {
    const turn = this.#soon.shift() ?? this.#later.shift()
    turn?.()
    return turn !== undefined
  }

  /**
   * Runs turns until none is left, letting promises go on in between. Waits for no timer.
   * @throws {Error} after `maxTurns` turns: something keeps itself busy for ever.
   */
  async settle(maxTurns = 1_000_000): Promise<void> {
    let turns = 0
    do {
      while (this.runOne()) {
        turns += 1
        if (turns > maxTurns) throw new Error(`not settled after ${maxTurns} turns: some actors keep each other busy`)
      }
      // A real macrotask comes only after every promise that can go on has gone on.
      await new Promise<void>((resolve) => {
        systemScheduler.later(resolve)
      })
    } while (!this.idle)
  }
}
