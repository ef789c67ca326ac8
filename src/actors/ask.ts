import {
  AnswerInvalidError,
  AskCancelledError,
  AskCycleError,
  AskTimeoutError,
  DefinitionInvalidError,
  FencedError,
  MailboxFullError,
  MessageInvalidError,
  RuntimeClosedError,
  TargetDownError,
} from '../core/errors.ts'
import { orderNotes } from '../core/events.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import type { Message } from '../core/message.ts'
import { currentContext } from './ambient.ts'
import type { Cell } from './cell.ts'
import { noteSent, zombie } from './cell-events.ts'
import type { MessageContext } from './context.ts'
import type { Deadlined } from './deadlines.ts'
import { Envelope } from './envelope.ts'
import type { Output } from './durable/turn.ts'
import { NotReplayableError } from './durable/errors.ts'
import { owe, release } from './open-asks.ts'
import { entryOf, parseAnswer, parseMessage, type ProtocolEntry } from './protocol.ts'

/** Milliseconds that an ask waits when it names no `timeoutMs`: gen_server's 5 s. */
export const defaultAskTimeoutMs = 5000

export interface AskOptions {
  /** Milliseconds to wait; default 5,000. An ask made before another is answered never outlives that one's deadline. */
  readonly timeoutMs?: number
  /** Cancels the ask. The actor that answers sees it as its context's `signal`. */
  readonly signal?: AbortSignal
}

/**
 * One question on its way. It settles exactly once: by an answer, an error, its deadline, the end of its target, or its
 * signal. An answer after that is a dead letter.
 */
export class Ask implements Deadlined {
  readonly entry: ProtocolEntry
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number
  /** When it gives up, on the monotonic clock of its node, in milliseconds. */
  readonly deadlineMs: number
  // Neighbours among the asks that wait as long.
  earlier: Deadlined | undefined
  later: Deadlined | undefined
  /** The message whose handler asked: the link to the rest of the call chain. */
  readonly asker: MessageContext | undefined
  /** The cell that holds it; it changes when a restart keeps the mailbox. */
  target: Cell
  /** Taken from the mailbox: its handler has seen it. */
  accepted = false
  settled = false
  answered = false
  /** Settled by its deadline. */
  expired = false
  // Neighbours in the target's list of open asks.
  previous: Ask | undefined
  next: Ask | undefined
  readonly #resolve: (answer: unknown) => void
  readonly #reject: (error: Error) => void
  readonly #onAbort: (() => void) | undefined

  constructor(
    target: Cell,
    entry: ProtocolEntry,
    timeoutMs: number,
    asker: MessageContext | undefined,
    signal: AbortSignal | undefined,
    resolve: (answer: unknown) => void,
    reject: (error: Error) => void,
  ) {
    this.target = target
    this.entry = entry
    this.asker = asker
    this.signal = signal
    this.#resolve = resolve
    this.#reject = reject
    const { clock, deadlines } = target.kernel
    this.timeoutMs = timeoutMs
    this.deadlineMs = clock.now() + timeoutMs
    deadlines.add(this)
    if (signal !== undefined) {
      this.#onAbort = () => {
        this.fail(new AskCancelledError(this.target.path, entry.type, signal.reason))
      }
      signal.addEventListener('abort', this.#onAbort)
    }
  }

  /** @throws {AnswerInvalidError} `ANSWER_INVALID`, to asker and answerer alike. */
  answer(given: unknown): void {
    const parsed = parseAnswer(this.entry, given)
    if (!parsed.success) {
      const error = new AnswerInvalidError(this.target.path, this.entry.type, parsed.issues)
      this.fail(error)
      throw error
    }
    if (!this.#settle()) return
    this.answered = true
    this.#resolve(parsed.data)
  }

  /** An answer of a durable actor, to be given once it is on disk. @throws {AnswerInvalidError} `ANSWER_INVALID` */
  hold(given: unknown): Output {
    const parsed = parseAnswer(this.entry, given)
    if (!parsed.success) {
      const error = new AnswerInvalidError(this.target.path, this.entry.type, parsed.issues)
      this.fail(error)
      throw error
    }
    return this.#held(() => {
      this.#resolve(parsed.data)
    })
  }

  /** As `hold`, for a refusal. */
  holdFailure(error: Error): Output {
    return this.#held(() => {
      this.#reject(error)
    })
  }

  #held(settle: () => void): Output {
    this.answered = true
    // It has its answer: the end of its target does not end it any more.
    release(this)
    return {
      release: () => {
        if (this.#settle()) settle()
      },
      refuse: (error) => {
        this.fail(error)
      },
    }
  }

  fail(error: Error): void {
    if (this.#settle()) this.#reject(error)
  }

  expire(): void {
    this.expired = true
    this.fail(new AskTimeoutError(this.target.path, this.entry.type, this.timeoutMs))
  }

  targetEnded(reason: ExitReason): void {
    this.fail(new TargetDownError(this.target.path, this.entry.type, reason))
  }

  #settle(): boolean {
    if (this.settled) return false
    this.settled = true
    this.target.kernel.deadlines.remove(this)
    if (this.#onAbort !== undefined) this.signal?.removeEventListener('abort', this.#onAbort)
    release(this)
    return true
  }
}

/** Asks `target` and gives its answer. Rejects with the typed errors that `Ref.ask` lists. */
export function ask(target: Cell, given: Message, options: AskOptions = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asker = currentContext()
    const { kernel } = target
    if (asker?.fenced === true) {
      zombie(asker.cell, 'ask')
      throw new FencedError(asker.cell.path, 'ask')
    }
    if (asker?.turn !== undefined) throw notReplayable(asker, 'ask')
    const entry = questionEntry(target, given)
    // Actors may still ask each other: it takes answers to finish what they are at.
    if (kernel.refusesAsks && asker?.cell.kernel !== kernel)
      throw new RuntimeClosedError(kernel.node, `it answers no '${entry.type}' any more`)
    const message = parseMessage(entry, given, () => target.path)
    const { signal } = options
    if (signal?.aborted === true) throw new AskCancelledError(target.path, entry.type, signal.reason)
    const timeoutMs = budgetMs(target, entry, options.timeoutMs ?? defaultAskTimeoutMs, asker)
    if (!target.accepting) throw new TargetDownError(target.path, entry.type, target.exit ?? exits.noproc)
    refuseCycle(target, entry, asker)
    const pending = new Ask(target, entry, timeoutMs, asker, signal, resolve, reject)
    owe(target, pending)
    if (orderNotes.hasSubscribers && asker !== undefined) noteSent(asker, target, message)
    if (target.enqueue(new Envelope(message, pending))) return
    pending.fail(new MailboxFullError(target.path, target.definition.mailbox.capacity, message))
  })
}

/** What another actor answers is in no journal, unless the question is an effect. */
export const notReplayable = ({ path, message }: MessageContext, what: string): Error =>
  new NotReplayableError(path, message.type, what, `wrap it: effect('a-key', () => ref.${what}(…))`)

function questionEntry(target: Cell, given: Message): ProtocolEntry {
  const entry = entryOf(target.definition.table, given, () => target.path)
  if (entry.kind !== 'question') {
    throw new MessageInvalidError(target.path, entry.type, ['it is a message and has no answer: tell it'], given)
  }
  return entry
}

/**
 * An ask inside an ask gets what is left of the outer one: time shrinks at every hop and never grows. Once the outer one
 * is answered, refused or cancelled, its handler works on in its own time; one that ran out of time has none left.
 */
function budgetMs(target: Cell, entry: ProtocolEntry, timeoutMs: number, asker: MessageContext | undefined): number {
  if (!(timeoutMs > 0)) throw new DefinitionInvalidError(`ask '${entry.type}'`, `timeoutMs ${timeoutMs} is not above 0`)
  const outer = asker?.envelope?.ask
  if (outer === undefined || (outer.settled && !outer.expired)) return timeoutMs
  const leftMs = outer.deadlineMs - target.kernel.clock.now()
  if (leftMs <= 0) throw new AskTimeoutError(target.path, entry.type, 0)
  return Math.min(timeoutMs, leftMs)
}

/** The message whose handler waits for the end of this one's. Nobody does once its ask is settled. */
function waitingFor(context: MessageContext): MessageContext | undefined {
  const asked = context.envelope?.ask
  return asked?.settled === false ? asked.asker : undefined
}

/**
 * Refuses an ask whose target is itself waiting, up the call chain, for this ask's answer. Only handlers that wait
 * block their actor: async ones of an actor that is not reentrant. @see Orleans' call-chain reentrancy
 */
function refuseCycle(target: Cell, entry: ProtocolEntry, asker: MessageContext | undefined): void {
  for (let link = asker; link !== undefined; link = waitingFor(link)) {
    if (link.cell === target && link.waits === 'blocks')
      throw new AskCycleError(chainFrom(link, asker, target), entry.type)
  }
}

/** Paths from the actor that began the chain to the one that is asked. */
function chainFrom(first: MessageContext, asker: MessageContext | undefined, target: Cell): readonly string[] {
  const chain: string[] = [target.path]
  for (let link = asker; link !== undefined; link = waitingFor(link)) {
    chain.unshift(link.cell.path)
    if (link === first) break
  }
  return chain
}

/** As `refuseCycle`, for what a handler asked its own actor before it was known that the actor waits for it. */
export function refuseOwnAsks(context: MessageContext): void {
  if (context.waits !== 'blocks') return
  const { path, madeParts } = context.cell
  for (const open of madeParts?.openAsks ?? []) {
    if (open.asker === context) open.fail(new AskCycleError([path, path], open.entry.type))
  }
}
