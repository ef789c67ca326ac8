import { seededRandom, type Random } from '../../core/random.ts'
import type { Strategy } from './strategy.ts'

/** What a decision is about: the order of what is ready, whether something fails, or a value that a scenario asked for. */
export type DecisionKind = 'schedule' | 'fault' | 'value'

/** A decision other than the boring one: the `ordinal`-th of its stream, from 0, came to `value`, which is 1 or more. */
export interface Deviation {
  readonly kind: DecisionKind
  readonly stream: string
  readonly ordinal: number
  readonly value: number
}

/** One decision in full, as the log of a run has it. */
export interface LoggedDecision extends Deviation {
  readonly n: number
}

export interface DecisionsOptions {
  readonly seed: number | string
  readonly strategy: Strategy
  /** Decides instead of the seed: whatever is not named is 0. For replays, and for shrinking. */
  readonly overrides?: readonly Deviation[] | undefined
  /** Keeps every decision, not only those that deviate: to find where two runs part. */
  readonly keepLog?: boolean | undefined
  /** Faults at most, in a run that the seed decides. */
  readonly maxFaults?: number | undefined
}

/**
 * Everything in a simulated world that could go one way or another is asked here.
 *
 * 1. 0 is the boring choice (first in, first out; no fault; the smallest value), so that a run is its seed or, just as
 *    well, the few decisions that are not 0.
 * 2. A decision is named by its stream and its place in that stream, and each stream has random numbers of its own:
 *    one decision more or less in one place does not shift those of the others.
 * 3. The same seed and strategy, or the same overrides, give the same decisions as long as the same is asked.
 */
export class Decisions {
  readonly random: Random
  readonly #options: DecisionsOptions
  readonly #overrides: ReadonlyMap<string, ReadonlyMap<number, number>> | undefined
  readonly #streams = new Map<string, DecisionStream>()
  readonly #deviations: Deviation[] = []
  readonly #log: LoggedDecision[] | undefined
  #made = 0
  #faults = 0
  #isCalm = false

  constructor(options: DecisionsOptions) {
    this.#options = options
    this.random = seededRandom(options.seed)
    this.#overrides = options.overrides && byStream(options.overrides)
    this.#log = options.keepLog === true ? [] : undefined
  }

  get strategy(): Strategy {
    return this.#options.strategy
  }

  /** Whether the seed decides, and not a list of decisions. */
  get isDrawn(): boolean {
    return this.#overrides === undefined
  }

  /** Decisions made so far. */
  get made(): number {
    return this.#made
  }

  /** Faults among them. */
  get faults(): number {
    return this.#faults
  }

  /** Those that were not 0, in the order in which they were made. */
  get deviations(): readonly Deviation[] {
    return this.#deviations
  }

  /** Whether each decision is kept, and not only those that deviate. */
  get keepsLog(): boolean {
    return this.#log !== undefined
  }

  get log(): readonly LoggedDecision[] {
    return this.#log ?? []
  }

  /** From here on nothing fails: faults are not asked for any more. */
  calm(): void {
    this.#isCalm = true
  }

  get isCalm(): boolean {
    return this.#isCalm
  }

  stream(label: string, kind: DecisionKind): DecisionStream {
    let stream = this.#streams.get(label)
    if (stream === undefined) {
      stream = new DecisionStream(this, label, kind, this.#overrides?.get(label))
      this.#streams.set(label, stream)
    }
    return stream
  }

  /** Whether another fault may be drawn. */
  get mayFail(): boolean {
    return !this.#isCalm && this.#faults < (this.#options.maxFaults ?? Infinity)
  }

  /** Notes a decision; called by its stream. */
  note(stream: DecisionStream, ordinal: number, n: number, value: number): void {
    this.#made += 1
    if (value !== 0) {
      if (stream.kind === 'fault') this.#faults += 1
      this.#deviations.push({ kind: stream.kind, stream: stream.label, ordinal, value })
    }
    this.#log?.push({ kind: stream.kind, stream: stream.label, ordinal, n, value })
  }
}

/** Decisions of one sort in one place: which actor of a node is next, whether a disk fails. */
export class DecisionStream {
  readonly label: string
  readonly kind: DecisionKind
  readonly random: Random
  readonly #owner: Decisions
  readonly #overrides: ReadonlyMap<number, number> | undefined
  #next = 0
  /** Ordinal of the next fault that is drawn. */
  #nextFault = -1

  constructor(owner: Decisions, label: string, kind: DecisionKind, overrides: ReadonlyMap<number, number> | undefined) {
    this.#owner = owner
    this.label = label
    this.kind = kind
    this.random = owner.random.fork(label)
    this.#overrides = overrides
  }

  /** One of 0 to `n` - 1, by the overrides or else by `draw`. Not asked, and not counted, when there is no choice. */
  choose(n: number, draw: (random: Random, n: number) => number): number {
    if (n <= 1) return 0
    const ordinal = this.#next
    this.#next += 1
    const value = this.#owner.isDrawn ? draw(this.random, n) : Math.min(this.#overrides?.get(ordinal) ?? 0, n - 1)
    this.#owner.note(this, ordinal, n, value)
    return value
  }

  /** One of 0 to `n` - 1, each as likely. */
  uniform(n: number): number {
    return this.choose(n, drawUniform)
  }

  /**
   * Whether one of `kinds` faults happens here, which it does about once in `1 / rate` times: 0 for none, else which, from
   * 1. In a calm world, or past the bound on faults, none does.
   */
  fault(rate: number, kinds = 1): number {
    if (rate <= 0 || this.#owner.isCalm) return 0
    const ordinal = this.#next
    this.#next += 1
    const value = this.#owner.isDrawn
      ? this.#drawFault(ordinal, rate, kinds)
      : Math.min(this.#overrides?.get(ordinal) ?? 0, kinds)
    // Nearly all are none: those need no note of their own.
    if (value !== 0 || this.#owner.keepsLog) this.#owner.note(this, ordinal, kinds + 1, value)
    return value
  }

  #drawFault(ordinal: number, rate: number, kinds: number): number {
    // How many times go well until the next fault is drawn at once, not each time.
    if (this.#nextFault < 0) this.#nextFault = ordinal + this.#gap(rate)
    if (ordinal < this.#nextFault) return 0
    this.#nextFault = ordinal + 1 + this.#gap(rate)
    return this.#owner.mayFail ? 1 + this.random.int(kinds) : 0
  }

  #gap(rate: number): number {
    return rate >= 1 ? 0 : Math.floor(Math.log(1 - this.random.next()) / Math.log(1 - rate))
  }
}

const drawUniform = (random: Random, n: number): number => random.int(n)

function byStream(deviations: readonly Deviation[]): ReadonlyMap<string, ReadonlyMap<number, number>> {
  const streams = new Map<string, Map<number, number>>()
  for (const { stream, ordinal, value } of deviations) {
    const values = streams.get(stream) ?? new Map<number, number>()
    streams.set(stream, values.set(ordinal, value))
  }
  return streams
}
