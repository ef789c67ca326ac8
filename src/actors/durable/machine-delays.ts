import type { AnyEventObject } from 'xstate'
import type { DurableTimer } from '../schedule.ts'
import type { Ledger } from './ledger.ts'
import type { Turn } from './turn.ts'

/**
 * The delayed events that a chart sets and cancels in one turn. Live or brought back, it sets the same under the same
 * names, so that each is known by its name.
 *
 * As in XState, several may have one `id`: a `cancel` of it cancels the last.
 */
export class ChartDelays {
  readonly #label: string
  readonly #atMs: number
  readonly #get: (name: string) => DurableTimer | undefined
  readonly #set: (name: string, timer: DurableTimer | undefined) => void
  readonly #names = new Set<string>()
  #unnamed = 0

  private constructor(
    label: string,
    atMs: number,
    get: (name: string) => DurableTimer | undefined,
    set: (name: string, timer: DurableTimer | undefined) => void,
  ) {
    this.#label = label
    this.#atMs = atMs
    this.#get = get
    this.#set = set
  }

  /** Those of a turn take effect when it is handled. */
  static of(turn: Turn, ledger: Ledger): ChartDelays {
    const get = (name: string): DurableTimer | undefined => {
      if (turn.timers?.has(name) === true) return turn.timers.get(name)
      // The one that set off this turn is over.
      return name === turn.received.timer ? undefined : ledger.timers.get(name)
    }
    return new ChartDelays(String(turn.number), turn.atMs, get, (name, timer) => {
      turn.setTimer(name, timer)
    })
  }

  /** Those of the first state. */
  static ofBeginning(ledger: Ledger, atMs: number): ChartDelays {
    return new ChartDelays(
      'begin',
      atMs,
      (name) => ledger.timers.get(name),
      (name, timer) => {
        ledger.setTimer(name, timer)
      },
    )
  }

  /** `delayMs` as `setTimeout` takes it: what is no number is none, and what is endless never comes. */
  set(id: string | undefined, delayMs: number, message: AnyEventObject): void {
    const older = id === undefined ? undefined : this.#get(id)
    if (older !== undefined) this.#put(this.#newName(), older)
    const dueMs = this.#atMs + (delayMs > 0 ? delayMs : 0)
    const name = id ?? this.#newName()
    this.#put(name, dueMs === Infinity ? undefined : { dueMs, message, recurrence: undefined })
  }

  cancel(id: string): void {
    if (this.#get(id) !== undefined) this.#put(id, undefined)
  }

  /** The chart is done. */
  cancelAll(ledger: Ledger): void {
    for (const name of ledger.timers.keys()) this.cancel(name)
    for (const name of this.#names) this.cancel(name)
  }

  #newName(): string {
    this.#unnamed += 1
    return `~${this.#label}.${this.#unnamed}`
  }

  #put(name: string, timer: DurableTimer | undefined): void {
    this.#names.add(name)
    this.#set(name, timer)
  }
}
