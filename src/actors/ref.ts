import type { ActorRef, AnyActorRef, EventObject, Observer, Snapshot, Subscription } from 'xstate'
import { createEmptyActor } from 'xstate'
import { DefinitionInvalidError, NotHostedError } from '../core/errors.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import type { ActorPath } from '../core/ids.ts'
import type { Message } from '../core/message.ts'
import { ask, type AskOptions } from './ask.ts'
import type { Cell } from './cell.ts'
import { offer, tell, tellDurable } from './delivery.ts'
import { observe } from './observers.ts'
import type { AnswerOf, MessageOf, Protocol, QuestionName, ReceivedOf, Sent } from './protocol.ts'
import { xstateActorOf } from './hosted.ts'
import { forgetMonitor, monitor, type Down } from './watch.ts'

export interface StopOptions {
  /** Default: shutdown. */
  readonly reason?: ExitReason
  /** Milliseconds until it is killed; default: what its child spec says. */
  readonly timeoutMs?: number
}

export interface TellOptions {
  /** Whether to wait until it is on disk. */
  readonly durable: true
  /** Of several messages to one actor with the same id one is handled, whoever sends them. Default: a fresh one. */
  readonly id?: string
}

/** An observer some of whose parts may be missing, as XState takes them. */
export interface SnapshotObserver {
  readonly next?: ((snapshot: unknown) => void) | undefined
  readonly error?: ((error: unknown) => void) | undefined
  readonly complete?: (() => void) | undefined
}

type Listener<S> = Observer<S> | ((snapshot: S) => void)

/**
 * The address of an actor: all that one needs to talk to it. It stays valid over restarts, and is an XState actor ref
 * too, so that `waitFor` and other tools of XState take it.
 *
 * `P` is the actor's protocol, `S` its snapshot.
 */
export interface Ref<P extends Protocol = Protocol, S = unknown> {
  readonly path: ActorPath
  readonly incarnation: number
  /** Whether it is there and takes messages. */
  readonly isRunning: boolean
  /** Of a durable actor that is not in memory, or is being brought back, it is undefined, although its type does not say so. */
  readonly snapshot: S
  /** Puts `message` into the mailbox. Never throws and never waits: what cannot be delivered becomes a dead letter. */
  tell(message: MessageOf<P>): void
  /**
   * Tells a durable actor, and resolves once `message` is on disk: it will be handled, whatever crashes. Of several with
   * one `id` one is handled. Rejects with `NOT_DURABLE`, `MAILBOX_FULL`, `TARGET_DOWN`, `MESSAGE_UNKNOWN`,
   * `MESSAGE_INVALID`, or as the journal does.
   */
  tell(message: MessageOf<P>, options: TellOptions): Promise<void>
  /**
   * As `tell`, and resolves once the mailbox took the message. A mailbox with the policy `park` makes it wait for room.
   * Rejects with `MAILBOX_FULL`, `TARGET_DOWN`, `MESSAGE_UNKNOWN`, `MESSAGE_INVALID`, or the signal's reason.
   */
  offer(message: MessageOf<P>, options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * Asks and gives the answer. Settles exactly once; rejects with `ASK_TIMEOUT`, `ASK_CANCELLED`, `ASK_CYCLE`,
   * `TARGET_DOWN`, `MAILBOX_FULL`, `MESSAGE_UNKNOWN`, `MESSAGE_INVALID`, `ANSWER_INVALID` or `RUNTIME_CLOSED`.
   */
  ask<const K extends QuestionName<P>>(question: Sent<P, K>, options?: AskOptions): Promise<AnswerOf<P, K>>
  /** Calls `listener` exactly once, when the current incarnation has ended. The result cancels that. */
  watch(listener: (down: Down) => void): () => void
  /** Stops it for good: no supervisor restarts it. Resolves with how it ended; rejects with `DEFINITION_INVALID` for a `timeoutMs` that is none. */
  stop(options?: StopOptions): Promise<ExitReason>
  /** Fences it at once, as Erlang's exit(Pid, kill): its supervisor may restart it. */
  kill(): void
  /** How the current incarnation ended, or will. */
  readonly exited: Promise<ExitReason>

  // XState's actor ref: `id` and `sessionId` are the path, so they are stable, which XState's own are not.
  readonly id: string
  readonly sessionId: string
  readonly src: ActorRef<Snapshot<unknown>, EventObject>['src']
  readonly system: AnyActorRef['system']
  send(event: ReceivedOf<P>): void
  start(): void
  getSnapshot(): S
  getPersistedSnapshot(): Snapshot<unknown>
  /** Tells of each change, of an end, and of the state of a durable actor that has been brought back. */
  subscribe(listener: Listener<S>): Subscription
  subscribe(next?: (snapshot: S) => void, error?: (error: unknown) => void, complete?: () => void): Subscription
  // XState's own type, from which `waitFor` and the like infer the snapshot.
  readonly on: ActorRef<Snapshot<unknown>, EventObject>['on']
  select<Selected>(
    selector: (snapshot: S) => Selected,
    equals?: (a: Selected, b: Selected) => boolean,
  ): Selection<Selected>
  [Symbol.observable](): { subscribe(listener: Listener<S>): Subscription }
  toJSON(): { readonly xstate$$type: 1; readonly id: string }
}

export interface Selection<Selected> {
  get(): Selected
  subscribe(listener: Observer<Selected> | ((selected: Selected) => void)): Subscription
}

/** Any ref, whatever its protocol: enough to watch and stop it. */
export type AnyRef = Pick<Ref, 'path' | 'incarnation' | 'isRunning' | 'watch' | 'stop' | 'kill' | 'exited'>

/** Under this a ref that leads to nobody at times, as that of a durable actor, has the incarnation that is there now. */
export const incarnate: unique symbol = Symbol('incarnate')

/** The ref of an actor in this process. It points at the current incarnation. */
export class LocalRef implements Ref {
  #cell: Cell

  constructor(cell: Cell) {
    this.#cell = cell
  }

  /** The incarnation behind a ref of this process. @throws {NotHostedError} `NOT_HOSTED` for a ref that is none of ours. */
  static cellOf(ref: object): Cell {
    if (#cell in ref) return ref.#cell
    throw new NotHostedError('a ref that was not made by a runtime in this process')
  }

  /** A new incarnation took over this address. */
  point(cell: Cell): void {
    this.#cell = cell
  }

  get path(): ActorPath {
    return this.#cell.path
  }

  get incarnation(): number {
    return this.#cell.incarnation
  }

  get isRunning(): boolean {
    return this.#cell.status === 'running'
  }

  get snapshot(): unknown {
    return this.#cell.snapshot
  }

  tell(message: Message): void
  tell(message: Message, options: TellOptions): Promise<void>
  tell(message: Message, options?: TellOptions): Promise<void> | void {
    if (options?.durable === true) return tellDurable(this.#cell, message, options.id)
    tell(this.#cell, message)
  }

  offer(message: Message, options?: { readonly signal?: AbortSignal }): Promise<void> {
    return offer(this.#cell, message, options?.signal)
  }

  ask(question: Message, options?: AskOptions): Promise<never> {
    // The answer was checked against the question's schema; `Ref` types it.
    return ask(this.#cell, question, options) as Promise<never>
  }

  watch(listener: (down: Down) => void): () => void {
    const cell = this.#cell
    const watching = monitor(this, cell, cell.kernel, (fired, reason) => {
      fired.cancel()
      try {
        listener({ ref: this, reason })
      } catch (error) {
        cell.kernel.observerFailed(`watch of ${this.path}`, error)
      }
    })
    return () => {
      watching.cancel()
      forgetMonitor(this.#cell, watching)
    }
  }

  stop({ reason = exits.shutdown(), timeoutMs }: StopOptions = {}): Promise<ExitReason> {
    const cell = this.#cell
    if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
      const problem = `timeoutMs ${timeoutMs} is no time: give milliseconds, 0 or more`
      return Promise.reject(new DefinitionInvalidError(`stop of ${this.path}`, problem))
    }
    const { ended } = cell
    cell.stopForGood(reason, timeoutMs)
    return ended
  }

  kill(): void {
    this.#cell.kill()
  }

  get exited(): Promise<ExitReason> {
    return this.#cell.ended
  }

  get id(): string {
    return this.path
  }

  get sessionId(): string {
    return this.path
  }

  get src(): Ref['src'] {
    return this.#cell.definition.name
  }

  get system(): AnyActorRef['system'] {
    return xstateActorOf(this.#cell)?.system ?? emptySystem
  }

  send(event: Message): void {
    tell(this.#cell, event)
  }

  /** XState's `sendTo` and `forwardTo` deliver through this. */
  _send(event: Message): void {
    tell(this.#cell, event)
  }

  /** Actors are started by `spawn`; XState's tools call this and expect nothing. */
  start(): void {
    return
  }

  getSnapshot(): unknown {
    return this.snapshot
  }

  getPersistedSnapshot(): Snapshot<unknown> {
    const { definition, snapshot } = this.#cell
    if (snapshot === undefined) throw new NotHostedError(`${this.path}, which is being brought back,`)
    return definition.logic.getPersistedSnapshot(snapshot)
  }

  subscribe(listener?: Listener<unknown>, error?: (error: unknown) => void, complete?: () => void): Subscription {
    const observer: SnapshotObserver = typeof listener === 'object' ? listener : { next: listener, error, complete }
    return { unsubscribe: observe(this.#cell, observer) }
  }

  on<Type extends string>(
    type: Type,
    handler: (emitted: EventObject & (Type extends '*' ? unknown : { type: Type })) => void,
  ): Subscription {
    return xstateActorOf(this.#cell)?.on(type, handler) ?? { unsubscribe: () => undefined }
  }

  select<Selected>(
    selector: (snapshot: unknown) => Selected,
    equals: (a: Selected, b: Selected) => boolean = Object.is,
  ): Selection<Selected> {
    return {
      get: () => selector(this.snapshot),
      subscribe: (listener) => {
        const next = typeof listener === 'function' ? listener : (selected: Selected) => listener.next?.(selected)
        let last = this.snapshot === undefined ? undefined : { selected: selector(this.snapshot) }
        return this.subscribe((snapshot) => {
          const selected = selector(snapshot)
          if (last !== undefined && equals(last.selected, selected)) return
          last = { selected }
          next(selected)
        })
      },
    }
  }

  [Symbol.observable](): { subscribe(listener: Listener<unknown>): Subscription } {
    return { subscribe: (listener) => this.subscribe(listener) }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Ref(${this.path})`
  }

  toJSON(): { readonly xstate$$type: 1; readonly id: string } {
    return { xstate$$type: 1, id: this.path }
  }
}

/** The incarnation behind a ref. @throws {NotHostedError} `NOT_HOSTED` */
export const cellOf = (ref: object): Cell => LocalRef.cellOf(ref)

const isPassing = (ref: object): ref is { readonly [incarnate]: Cell | undefined } => incarnate in ref

/** As `cellOf`; undefined for a durable actor that is not in memory. */
export const cellBehind = (ref: object): Cell | undefined => (isPassing(ref) ? ref[incarnate] : cellOf(ref))

/** Whether two refs lead to the same actor: that of a durable one is made anew each time that it is asked for. */
export const isSameActor = (a: AnyRef, b: AnyRef): boolean =>
  a === b || (isPassing(a) && isPassing(b) && a.path === b.path)

/** What XState's tools find as the system of an actor that XState does not host. */
export const emptySystem: AnyActorRef['system'] = createEmptyActor().system
