import type { Intent, Outcome } from './bodies.ts'
import { ReplayDivergedError } from './errors.ts'

/** The beginning of an effect, and the entry that says so. */
export interface Begun {
  readonly seq: number
  readonly intent: Intent
}

interface Ended {
  readonly outcome: Outcome
  /** Set once the handler has asked for it. */
  resolve: ((outcome: Outcome) => void) | undefined
}

/**
 * What the journal says about one message: the effects that its handler began, and how they ended, in that order. A
 * handler that is gone through again gets the same outcomes in the same order, and is caught when it does anything else.
 */
export class Script {
  readonly stream: string
  /** The entry that ends the message; undefined while it is not handled. */
  readonly endSeq: number | undefined
  readonly #begun: Begun[]
  readonly #ended: Ended[]
  readonly #later: (task: () => void) => void
  /** Called when the handler waits for what may never come, since another effect has to be asked for before. */
  onStuck: () => void = () => undefined
  #next = 0
  #isPumping = false
  /** Effects that the handler has asked for and that had not ended when it was handled: those that lose a race. */
  readonly #open: Begun[] = []
  #diverged: ReplayDivergedError | undefined
  #caughtUp: PromiseWithResolvers<void> | undefined

  /** `later` runs a task as a macrotask. */
  constructor(
    stream: string,
    endSeq: number | undefined,
    begun: readonly Begun[],
    outcomes: readonly Outcome[],
    later: (task: () => void) => void,
  ) {
    this.stream = stream
    this.endSeq = endSeq
    this.#begun = [...begun]
    this.#ended = outcomes.map((outcome) => ({ outcome, resolve: undefined }))
    this.#later = later
  }

  get isComplete(): boolean {
    return this.endSeq !== undefined
  }

  hasBegun(key: string): boolean {
    return this.#begun.some(({ intent }) => intent.key === key)
  }

  /**
   * The outcome of an effect that the handler asks for: undefined when the journal has none and it may run.
   * @throws {ReplayDivergedError} `REPLAY_DIVERGED` when the message was handled without that effect, and once it has
   * diverged, whatever the handler made of that.
   */
  take(key: string): Promise<Outcome> | undefined {
    const { stream, endSeq } = this
    if (this.#diverged !== undefined) throw this.#diverged
    const at = this.#begun.findIndex(({ intent }) => intent.key === key)
    const [begun] = at === -1 ? [] : this.#begun.splice(at, 1)
    const ended = this.#ended.find(({ outcome, resolve }) => outcome.key === key && resolve === undefined)
    if (ended === undefined) {
      this.#noteCaughtUp()
      if (endSeq === undefined) return undefined
      if (begun === undefined) {
        const what = `the handler waits for effect '${key}', which it did not then`
        throw (this.#diverged = new ReplayDivergedError(stream, endSeq, what))
      }
      this.#open.push(begun)
      this.onStuck()
      return new Promise(() => undefined)
    }
    return new Promise((resolve) => {
      ended.resolve = resolve
      this.#pump()
      if (this.isStuck) this.onStuck()
    })
  }

  /** Whether the handler waits for an outcome that is not its turn to get, or for one that never was. */
  get isStuck(): boolean {
    if (this.#open.length > 0) return true
    const waits = this.#ended.slice(this.#next)
    return waits[0]?.resolve === undefined && waits.some(({ resolve }) => resolve !== undefined)
  }

  /** Why it never ends. */
  stuck(): ReplayDivergedError {
    const [left] = this.#begun
    if (left !== undefined)
      return new ReplayDivergedError(this.stream, left.seq, `the handler goes on without effect '${left.intent.key}'`)
    const [open] = this.#open
    const what = `the handler waits for effect '${open?.intent.key ?? ''}', which had not ended when it was handled`
    return new ReplayDivergedError(this.stream, open?.seq ?? this.endSeq ?? 0, what)
  }

  /** Of a handler that has ended: `REPLAY_DIVERGED` when it asked for other effects than the journal has. */
  get divergence(): ReplayDivergedError | undefined {
    // The handler may have caught it.
    if (this.#diverged !== undefined) return this.#diverged
    const [left] = this.#begun
    if (left === undefined) return undefined
    return new ReplayDivergedError(this.stream, left.seq, `the handler ended without effect '${left.intent.key}'`)
  }

  /** The handler goes on to something new without what the journal has. Gives why, and its end will say the same. */
  giveUp(): ReplayDivergedError {
    return (this.#diverged ??= this.stuck())
  }

  /** Resolves when the handler has asked for all that the journal has, and has it; undefined when it has already. */
  get caughtUp(): Promise<void> | undefined {
    if (this.#isCaughtUp) return undefined
    this.#caughtUp ??= Promise.withResolvers<void>()
    return this.#caughtUp.promise
  }

  get #isCaughtUp(): boolean {
    return this.#begun.length === 0 && this.#next === this.#ended.length && !this.#isPumping
  }

  #noteCaughtUp(): void {
    if (this.#isCaughtUp) this.#caughtUp?.resolve()
  }

  /** The handler has the outcome that it was given: the next may come after what this one sets off. */
  passed(): void {
    this.#later(() => {
      this.#isPumping = false
      this.#pump()
      this.#noteCaughtUp()
    })
  }

  /** Gives out outcomes in the order in which they came. `passed` follows on each. */
  #pump(): void {
    const ended = this.#ended[this.#next]
    if (this.#isPumping || ended?.resolve === undefined) return
    this.#next += 1
    this.#isPumping = true
    ended.resolve(ended.outcome)
  }
}
