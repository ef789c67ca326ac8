import { crc32 } from 'node:zlib'
import type { Message } from '../../core/message.ts'
import type { Failed, Handled, Intent, Outcome, Received, SnapshotBody, Taken } from './bodies.ts'
import { afterTick, type DurableTimer } from '../schedule.ts'
import { encode } from './values.ts'
import { Window } from './window.ts'

/** Checksum of a state, by which a replay sees that it came to the same. */
export const digestOf = (encodedState: string): number => crc32(encodedState)

/** How timers changed while a message was handled: a key with its timer, or without one when it was cancelled. */
export type TimerChanges = ReadonlyMap<string, DurableTimer | undefined>

/**
 * When unfinished work wants its actor back: at any time. The time at which it was begun would not do, since the clock on
 * the wall may be set back meanwhile, and nobody would come until it is that late again.
 */
const atOnce = 0

/**
 * What a durable actor remembers beside its state. It changes by its entries only, the same way while the actor works
 * and while it is brought back.
 *
 * 1. `pending` has exactly the messages that are on disk and neither handled nor given up.
 * 2. `intents` has exactly the effects whose outcome is not known.
 * 3. `outcomes` and `seen` hold the last so many; `timers` what is still to come.
 */
export class Ledger {
  definition: string
  input: unknown
  /** Messages handled or given up: seeds what is random in the next. */
  turns = 0
  readonly #timers = new Map<string, DurableTimer>()
  /** When the first of them is due; undefined when that has to be looked up. */
  #firstDueMs: number | undefined
  /** Effects that succeeded. Those that failed may be tried again by a later message. */
  readonly outcomes: Window<Outcome>
  /** Ids of durable messages. */
  readonly seen: Window<true>
  readonly pending = new Map<number, Received>()
  readonly intents = new Map<string, Intent>()

  constructor(definition: string, input: unknown, windowSize: number) {
    this.definition = definition
    this.input = input
    this.outcomes = new Window(windowSize)
    this.seen = new Window(windowSize)
  }

  static from(snapshot: SnapshotBody, windowSize: number): Ledger {
    const ledger = new Ledger(snapshot.definition, snapshot.input, windowSize)
    ledger.turns = snapshot.turns
    for (const [key, { dueMs, message, recurrence }] of snapshot.timers)
      ledger.setTimer(key, { dueMs, message, recurrence })
    for (const [key, outcome] of snapshot.outcomes) ledger.outcomes.set(key, outcome)
    for (const id of snapshot.seen) ledger.seen.set(id, true)
    for (const [seq, received] of snapshot.pending) ledger.pending.set(seq, received)
    for (const [key, intent] of snapshot.intents) ledger.intents.set(key, intent)
    return ledger
  }

  get timers(): ReadonlyMap<string, DurableTimer> {
    return this.#timers
  }

  /** Sets a timer, or cancels it. */
  setTimer(key: string, timer: DurableTimer | undefined): void {
    if (timer === undefined) this.#timers.delete(key)
    else this.#timers.set(key, timer)
    this.#firstDueMs = undefined
  }

  received(seq: number, body: Received): void {
    this.pending.set(seq, body)
    if (body.id !== undefined) this.seen.set(body.id, true)
  }

  /** One that is in doubt, and is asked for by a later message, is in doubt since it began first. */
  intent(body: Intent): void {
    const atMs = this.intents.get(body.key)?.atMs ?? body.atMs
    this.intents.set(body.key, { ...body, atMs })
  }

  outcome(body: Outcome): void {
    const isLetter = this.intents.get(body.key)?.letter !== undefined
    this.intents.delete(body.key)
    if (body.error === undefined && !isLetter) this.outcomes.set(body.key, body)
  }

  /** A message was handled at `atMs`, and set `timers`. */
  handled(body: Handled, atMs: number, timers: TimerChanges | undefined): void {
    this.#taken(body, atMs)
    if (timers === undefined) return
    for (const [key, timer] of timers) this.setTimer(key, timer)
  }

  /** A message was given up at `atMs`: what its handler did to state and timers is gone with it. */
  failed(body: Failed, atMs: number): void {
    this.#taken(body, atMs)
  }

  #taken({ of, id, timer }: Taken, atMs: number): void {
    this.turns += 1
    if (of !== undefined) this.pending.delete(of)
    if (id !== undefined) this.seen.set(id, true)
    const ticked = timer === undefined ? undefined : this.#timers.get(timer)
    if (timer !== undefined && ticked !== undefined) this.setTimer(timer, afterTick(ticked, atMs))
  }

  /** The message that an entry is about. */
  messageOf({ of, message }: Taken): Message | undefined {
    return message ?? (of === undefined ? undefined : this.pending.get(of)?.message)
  }

  /** When the actor is wanted back at the latest: `atOnce` when its work is not done, or when its first timer is due. */
  get wakeAtMs(): number | null {
    // An effect without an outcome is that of a message or a chart which goes on with it, or has to be asked about.
    if (this.pending.size > 0 || this.intents.size > 0) return atOnce
    if (this.#firstDueMs === undefined) {
      this.#firstDueMs = Infinity
      for (const { dueMs } of this.#timers.values()) if (dueMs < this.#firstDueMs) this.#firstDueMs = dueMs
    }
    return this.#firstDueMs === Infinity ? null : this.#firstDueMs
  }

  /** The text of a snapshot; `state` is that of the state. */
  snapshot(state: string): { readonly body: string; readonly blobs: readonly string[] } {
    const outcomes = [...this.outcomes]
    const body: Omit<SnapshotBody, 'state'> = {
      definition: this.definition,
      ...(this.input === undefined ? {} : { input: this.input }),
      turns: this.turns,
      timers: [...this.#timers],
      outcomes,
      seen: Array.from(this.seen, ([id]) => id),
      pending: [...this.pending],
      intents: [...this.intents],
    }
    return {
      body: `${encode(body, 'what it remembers').slice(0, -1)},"state":${state}}`,
      blobs: outcomes.flatMap(([, { blob }]) => (blob === undefined ? [] : [blob])),
    }
  }
}
