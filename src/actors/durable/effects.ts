import { DefinitionInvalidError, FencedError } from '../../core/errors.ts'
import type { Blob } from '../../core/journal.ts'
import type { Resolution } from '../../core/services.ts'
import type { Cell } from '../cell.ts'
import { zombie } from '../cell-events.ts'
import { attempts, idempotencyKeyOf, problemOf, type EffectFunction, type EffectOptions } from './attempts.ts'
import type { Intent, Outcome } from './bodies.ts'
import {
  DoubtLimitError,
  EffectFailedError,
  EffectResultTooLargeError,
  NotReplayableError,
  waitForAll,
} from './errors.ts'
import type { Outlet } from './outlet.ts'
import { failureOf, type DurableRecord } from './record.ts'
import type { Script } from './script.ts'
import type { Turn } from './turn.ts'
import { decode, encode, fits } from './values.ts'

/** Milliseconds after which a handler that does not ask for an outcome of the journal is taken to have changed. */
export const stuckMs = 10_000

/** Runs code of an effect as nobody's handler: what it asks and tells is its own, and no replay goes through it. */
export type Detached = <T>(run: () => T) => T

/**
 * Runs `fn` once for its key, in the life of the actor: its intent is on disk before, its outcome after. A key that
 * succeeded gives the same value again, without running. Rejects with `EFFECT_FAILED`, whose parts are the same in a
 * replay. In an actor that is not durable it runs `fn` with the timeout and the retries, and remembers nothing.
 */
export function runEffect(
  cell: Cell,
  turn: Turn | undefined,
  key: string,
  fn: EffectFunction<unknown>,
  options: EffectOptions,
  detached: Detached,
  interrupted: () => void,
): Promise<unknown> {
  const problem = problemOf(key, options)
  if (problem !== undefined) return Promise.reject(new DefinitionInvalidError(`effect of ${cell.path}`, problem))
  if (turn?.isOver === true) {
    const { type } = turn.received.message
    const what = `effect '${key}' after the end`
    return Promise.reject(new NotReplayableError(cell.path, type, what, waitForAll))
  }
  const { record } = cell
  const call: EffectFunction<unknown> = (run) => detached(() => fn(run))
  if (record === undefined) return attempts(cell, key, call, options)
  const orphan = record.orphans.get(key)
  const twin = orphan ?? record.running.get(key)
  if (twin !== undefined) {
    if (orphan === undefined && turnOf.get(twin) === turn) return twin
    // It lost a race in a message before, or that one is over. Once it has ended, it is asked for like any other.
    const again = (): Promise<unknown> => runEffect(cell, turn, key, fn, options, detached, interrupted)
    return twin.then(again, again)
  }
  const running = new Effect(cell, record, turn, key, call, options, interrupted).run()
  record.running.set(key, running)
  if (turn !== undefined) turnOf.set(running, turn)
  const over = (): void => {
    record.running.delete(key)
  }
  running.then(over, over)
  return running
}

/**
 * Settles what a life before left behind: effects without an outcome that no message and no chart waits for any more.
 * What became of one is asked about once, and only noted: one that is to be tried again is so when somebody asks for it.
 */
export function settleOrphans(cell: Cell, record: DurableRecord): void {
  const { ledger, running, orphans } = record
  const nothing = (): undefined => undefined
  for (const { key, of, letter } of ledger.intents.values()) {
    // A message that a chart is to send stays until it is sent.
    if (letter !== undefined || running.has(key) || (of !== undefined && ledger.pending.has(of))) continue
    const over = (): void => {
      orphans.delete(key)
    }
    orphans.set(key, new Effect(cell, record, undefined, key, nothing, {}, nothing).settle().then(over, over))
  }
}

/** The message that began a running effect. */
const turnOf = new WeakMap<Promise<unknown>, Turn>()

/** One effect of a durable actor, on its way from intent to outcome. */
class Effect {
  readonly #cell: Cell
  readonly #record: DurableRecord
  readonly #turn: Turn | undefined
  readonly #key: string
  readonly #fn: EffectFunction<unknown>
  readonly #options: EffectOptions
  readonly #interrupted: () => void

  constructor(
    cell: Cell,
    record: DurableRecord,
    turn: Turn | undefined,
    key: string,
    fn: EffectFunction<unknown>,
    options: EffectOptions,
    interrupted: () => void,
  ) {
    this.#interrupted = interrupted
    this.#cell = cell
    this.#record = record
    this.#turn = turn
    this.#key = key
    this.#fn = fn
    this.#options = options
  }

  async run(): Promise<unknown> {
    const { ledger } = this.#record
    const script = this.#turn?.script
    const known = script?.hasBegun(this.#key) === true ? undefined : ledger.outcomes.get(this.#key)
    if (known !== undefined) return this.#valueOf(known)
    if (this.#turn !== undefined) this.#turn.ranEffects = true
    const scripted = script?.take(this.#key)
    if (script !== undefined && scripted !== undefined) return this.#again(script, await scripted)
    if (script?.caughtUp !== undefined) await this.#catchUp(script, script.caughtUp)
    const outlet = this.#turn?.outlet(this.#cell.kernel.later)
    outlet?.begin()
    // What has not begun when the actor is to stop is not in doubt in the next life.
    if (this.#isCutOff()) return this.#interrupt()
    let outcome = await this.#begin()
    if (outcome === undefined) {
      this.#checkFence()
      if (this.#isCutOff()) return this.#interrupt()
      outcome = await this.#runNow()
    }
    return outlet === undefined ? this.#valueOf(outcome) : this.#show(outcome, outlet)
  }

  /** Nobody waits for it any more: it is not run, but what became of it is known afterwards. */
  async settle(): Promise<void> {
    if ((await this.#begin()) === undefined) this.#noteFailure(new Error('not tried again: its message is over'))
  }

  /** What came of it in the life before. */
  async #again(script: Script, outcome: Outcome): Promise<unknown> {
    this.#record.ledger.outcome(outcome)
    try {
      return await this.#valueOf(outcome)
    } finally {
      script.passed()
    }
  }

  /** Lets the handler see an outcome when a replay would: one at a time. */
  async #show(outcome: Outcome, outlet: Outlet): Promise<unknown> {
    const turn = outlet.enter()
    if (turn !== undefined) await turn
    try {
      const value = this.#valueOf(outcome)
      return value instanceof Promise ? await value : value
    } finally {
      outlet.leave()
    }
  }

  /**
   * Nothing new begins before the handler has what the journal has of it. One that has changed may never ask for that:
   * what it does instead must not come into the journal, so that the code before can still go on.
   */
  async #catchUp(script: Script, caughtUp: Promise<void>): Promise<void> {
    const { clock } = this.#cell.kernel
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = clock.setTimeout(() => {
      reject(script.giveUp())
    }, stuckMs)
    try {
      await Promise.race([caughtUp, late])
    } finally {
      clock.clearTimeout(timer)
    }
  }

  /** Whether the handler goes on in the next life. The last words of an actor, and a chart, end on their own. */
  #isCutOff(): boolean {
    return this.#turn !== undefined && this.#cell.aborted
  }

  /** Writes the intent, or settles what became of the one that is there. Gives the outcome when there is nothing to run. */
  async #begin(): Promise<Outcome | undefined> {
    const record = this.#record
    const before = record.ledger.intents.get(this.#key)
    const turn = this.#turn
    const isMine = before !== undefined && (turn === undefined || before.of === turn.of)
    const idempotent = before?.idempotent === true || this.#options.idempotent === true
    const resolution: Resolution =
      before === undefined || idempotent ? { kind: 'retry' } : await this.#whatBecameOf(before)
    // What an earlier message began and left in doubt is begun by this one too: a replay looks for it here.
    if (!isMine) this.#noteIntent(idempotent)
    if (resolution.kind === 'value') return this.#noteValue(resolution.value)
    if (resolution.kind === 'failed') return this.#noteFailure(resolution.error)
    if (!isMine) await record.onDisk()
    return undefined
  }

  async #whatBecameOf({ atMs }: Intent): Promise<Resolution> {
    const { stream, port } = this.#record
    const idempotencyKey = idempotencyKeyOf(stream, this.#key)
    const doubt = { stream, key: this.#key, idempotencyKey, beganAtMs: atMs }
    const resolution = await this.#settled(port.settle(doubt, this.#cell.signal))
    this.#checkFence()
    return resolution
  }

  #noteIntent(idempotent: boolean): void {
    const turn = this.#turn
    if (turn !== undefined) turn.of ??= this.#record.received(turn.received)
    const { atMs = this.#cell.kernel.clock.wallNow() } = this.#turn ?? {}
    this.#record.intent({ key: this.#key, atMs, ...this.#of, ...(idempotent ? { idempotent } : {}) })
  }

  /** Waits for a decision. One that does not come because everything stops leaves the effect as it is. */
  async #settled(decision: Promise<Resolution>): Promise<Resolution> {
    const { undecided } = this.#record
    undecided.add(this.#key)
    try {
      return await decision
    } catch (error) {
      if (error instanceof DoubtLimitError) this.#cell.fail(error)
    } finally {
      undecided.delete(this.#key)
    }
    // No answer that a replay could give again: the message waits for the next life of its actor.
    return this.#interrupt()
  }

  async #runNow(): Promise<Outcome> {
    const { atWork } = this.#record
    const attempt = attempts(this.#cell, this.#key, this.#fn, this.#options)
    atWork.set(this.#key, attempt)
    let value: unknown
    try {
      value = await attempt
      atWork.delete(this.#key)
    } catch (error) {
      atWork.delete(this.#key)
      // Whether it failed or was cut off by the stop, nobody can tell.
      return this.#cell.aborted ? this.#interrupt() : this.#noteFailure(error)
    }
    this.#checkFence()
    return this.#noteValue(value)
  }

  /** The actor is to stop: its handler is not waited for, and goes on in the next life, after this effect. */
  #interrupt(): Promise<never> {
    this.#record.running.delete(this.#key)
    this.#interrupted()
    return new Promise(() => undefined)
  }

  #noteValue(value: unknown): Outcome {
    // Nobody can change it, and it is small.
    if (typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null)
      return this.#note({ ...this.#of, key: this.#key, value }, undefined)
    const { inlineResultBytes, maxResultBytes } = this.#record.options
    let text: string
    try {
      text = encode(value, `the result of effect '${this.#key}'`)
    } catch (error) {
      return this.#noteFailure(error)
    }
    const { maxEntryBytes } = this.#record.port.journal
    if (text.length > maxResultBytes || !fits(text, maxEntryBytes)) {
      const most = Math.min(maxResultBytes, maxEntryBytes)
      return this.#noteFailure(new EffectResultTooLargeError(this.#key, text.length, most))
    }
    // An entry says more than the value, and may need several bytes for a character.
    if (text.length <= Math.min(inlineResultBytes, maxEntryBytes / 8))
      return this.#note({ ...this.#of, key: this.#key, value: decode(text) }, undefined)
    const id = `${idempotencyKeyOf(this.#record.stream, this.#key)}-${this.#record.ledger.turns}`
    return this.#note({ ...this.#of, key: this.#key, blob: id }, { id, text })
  }

  #noteFailure(error: unknown): Outcome {
    this.#checkFence()
    return this.#note({ ...this.#of, key: this.#key, error: failureOf(error) }, undefined)
  }

  #note(outcome: Outcome, blob: Blob | undefined): Outcome {
    this.#record.outcome(outcome, blob)
    return outcome
  }

  get #of(): { readonly of?: number } {
    const of = this.#turn?.of
    return of === undefined ? {} : { of }
  }

  /** What came of it. A new copy each time, so that nobody changes what is remembered. */
  #valueOf({ value, blob, error }: Outcome): unknown {
    if (error !== undefined) {
      const { name, message, code } = error
      throw new EffectFailedError(this.#record.stream, this.#key, { name, message, code })
    }
    if (blob !== undefined) return this.#record.blob(blob).then(decode)
    // structuredClone would lose the code of an error.
    return typeof value === 'object' && value !== null ? decode(encode(value)) : value
  }

  #checkFence(): void {
    if (this.#cell.status !== 'stopped') return
    zombie(this.#cell, 'effect outcome')
    throw new FencedError(this.#cell.path, `effect '${this.#key}'`)
  }
}
