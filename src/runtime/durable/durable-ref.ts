import type { AnyActorRef, EventObject, Observer, Snapshot, Subscription } from 'xstate'
import { currentContext, runAsync } from '../../actors/ambient.ts'
import { defaultAskTimeoutMs, notReplayable, type AskOptions } from '../../actors/ask.ts'
import type { Cell } from '../../actors/cell.ts'
import { durably } from '../../actors/delivery.ts'
import type { AnyDefinition } from '../../actors/definition.ts'
import {
  emptySystem,
  incarnate,
  type LocalRef,
  type Ref,
  type Selection,
  type StopOptions,
  type TellOptions,
} from '../../actors/ref.ts'
import type { Down } from '../../actors/watch.ts'
import { AskCancelledError, AskTimeoutError, NotHostedError } from '../../core/errors.ts'
import { exits, type ExitReason } from '../../core/exit.ts'
import type { ActorPath } from '../../core/ids.ts'
import type { Message } from '../../core/message.ts'
import type { Activations } from './activations.ts'

type Listener = Observer<unknown> | ((snapshot: unknown) => void)

/** What ends a wait early: it is given how, and gives back how to undo that. */
type Limit = (giveUp: (error: unknown) => void) => () => void

const limitBy =
  (signal: AbortSignal | undefined, reason: () => unknown = () => signal?.reason): Limit =>
  (giveUp) => {
    const abort = (): void => {
      giveUp(reason())
    }
    signal?.addEventListener('abort', abort)
    return () => {
      signal?.removeEventListener('abort', abort)
    }
  }

/** The address of a durable actor, whether it is in memory or not: telling and asking it brings it back. */
export class DurableRef implements Ref {
  readonly definition: AnyDefinition
  readonly key: string
  /** What it begins with when it has never been there. */
  readonly input: unknown
  readonly path: ActorPath
  readonly #activations: Activations

  constructor(activations: Activations, definition: AnyDefinition, path: ActorPath, key: string, input: unknown) {
    this.#activations = activations
    this.definition = definition
    this.key = key
    this.input = input
    this.path = path
  }

  get [incarnate](): Cell | undefined {
    return this.#activations.find(this.definition, this.key)
  }

  /** Does something with the actor's own ref, once it is there. `limit` sets what ends the wait, and gives its undoing. */
  #with<T>(use: (ref: LocalRef) => T | Promise<T>, limit?: Limit): Promise<T> {
    const asker = currentContext()
    return new Promise((resolve, reject) => {
      let unlimit = (): void => undefined
      const fail = (error: unknown): void => {
        unlimit()
        reject(error)
      }
      const leave = this.#activations.use(
        this,
        (cell) => {
          unlimit()
          const used = (): T | Promise<T> => use(cell.ref)
          try {
            resolve(asker === undefined || currentContext() === asker ? used() : runAsync(asker, used))
          } catch (error) {
            reject(error)
          }
        },
        fail,
      )
      if (leave === undefined || limit === undefined) return
      unlimit = limit((error) => {
        leave()
        fail(error)
      })
    })
  }

  get incarnation(): number {
    return this[incarnate]?.incarnation ?? 0
  }

  get isRunning(): boolean {
    return this[incarnate]?.status === 'running'
  }

  get snapshot(): unknown {
    return this[incarnate]?.snapshot
  }

  tell(message: Message): void
  tell(message: Message, options: TellOptions): Promise<void>
  tell(message: Message, options?: TellOptions): Promise<void> | void {
    const sender = currentContext()
    if (options?.durable === true)
      return durably(this.path, message, options.id, (id) =>
        this.#with((ref) => ref.tell(message, { durable: true, id })),
      )
    const deliver = (): void => {
      this.#activations.use(
        this,
        ({ ref }) => {
          ref.tell(message)
        },
        (error) => {
          this.#activations.lose(this, message, error)
        },
      )
    }
    if (sender === undefined) deliver()
    else sender.letOut({ release: deliver, refuse: () => undefined })
  }

  offer(message: Message, options?: { readonly signal?: AbortSignal }): Promise<void> {
    const sender = currentContext()
    if (sender?.turn !== undefined) return Promise.reject(notReplayable(sender, 'offer'))
    const { signal } = options ?? {}
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    return this.#with((ref) => ref.offer(message, options), limitBy(signal))
  }

  ask(question: Message, options: AskOptions = {}): Promise<never> {
    const asker = currentContext()
    if (asker?.turn !== undefined) return Promise.reject(notReplayable(asker, 'ask'))
    const { timeoutMs = defaultAskTimeoutMs, signal } = options
    const cancelled = (): Error => new AskCancelledError(this.path, question.type, signal?.reason)
    if (signal?.aborted === true) return Promise.reject(cancelled())
    const { clock } = this.#activations
    const calledMs = clock.now()
    let hasWaited = false
    return this.#with(
      (ref) => {
        if (!hasWaited) return ref.ask(question, options)
        return ref.ask(question, { ...options, timeoutMs: Math.max(1, timeoutMs - (clock.now() - calledMs)) })
      },
      (giveUp) => {
        hasWaited = true
        const unlimit = limitBy(signal, cancelled)(giveUp)
        const timer = clock.setTimeout(() => {
          giveUp(new AskTimeoutError(this.path, question.type, timeoutMs))
        }, timeoutMs)
        return () => {
          unlimit()
          clock.clearTimeout(timer)
        }
      },
    )
  }

  watch(listener: (down: Down) => void): () => void {
    const cell = this[incarnate]
    if (cell !== undefined) return cell.ref.watch(listener)
    let isOn = true
    this.#activations.defer(() => {
      if (isOn) listener({ ref: this, reason: exits.noproc })
    })
    return () => {
      isOn = false
    }
  }

  stop(options?: StopOptions): Promise<ExitReason> {
    return this[incarnate]?.ref.stop(options) ?? Promise.resolve(exits.noproc)
  }

  kill(): void {
    this[incarnate]?.kill()
  }

  get exited(): Promise<ExitReason> {
    return this[incarnate]?.ended ?? Promise.resolve(exits.noproc)
  }

  get id(): string {
    return this.path
  }

  get sessionId(): string {
    return this.path
  }

  get src(): Ref['src'] {
    return this.definition.name
  }

  get system(): AnyActorRef['system'] {
    return this[incarnate]?.ref.system ?? emptySystem
  }

  send(event: Message): void {
    this.tell(event)
  }

  /** XState's `sendTo` and `forwardTo` deliver through this. */
  _send(event: Message): void {
    this.tell(event)
  }

  start(): void {
    return
  }

  getSnapshot(): unknown {
    return this.snapshot
  }

  getPersistedSnapshot(): Snapshot<unknown> {
    const cell = this[incarnate]
    if (cell === undefined) throw new NotHostedError(`${this.path}, which is not in memory,`)
    return cell.ref.getPersistedSnapshot()
  }

  subscribe(listener?: Listener, error?: (error: unknown) => void, complete?: () => void): Subscription {
    const observer = typeof listener === 'object' ? listener : { next: listener, error, complete }
    return this.#whenThere((ref) => ref.subscribe(observer.next?.bind(observer), observer.error, observer.complete))
  }

  on<Type extends string>(
    type: Type,
    handler: (emitted: EventObject & (Type extends '*' ? unknown : { type: Type })) => void,
  ): Subscription {
    return this.#whenThere((ref) => ref.on(type, handler))
  }

  /** Brings it back in order to listen to it. */
  #whenThere(listen: (ref: LocalRef) => Subscription): Subscription {
    let subscription: Subscription | undefined
    const begin = (cell: Cell): void => {
      subscription = listen(cell.ref)
    }
    const leave = this.#activations.use(this, begin, () => undefined)
    return {
      unsubscribe: () => {
        leave?.()
        subscription?.unsubscribe()
      },
    }
  }

  select<Selected>(
    selector: (snapshot: unknown) => Selected,
    equals?: (a: Selected, b: Selected) => boolean,
  ): Selection<Selected> {
    return {
      get: () => selector(this.snapshot),
      subscribe: (listener) => this.#whenThere((ref) => ref.select(selector, equals).subscribe(listener)),
    }
  }

  [Symbol.observable](): { subscribe(listener: Listener): Subscription } {
    return { subscribe: (listener) => this.subscribe(listener) }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Ref(${this.path})`
  }

  toJSON(): { readonly xstate$$type: 1; readonly id: string } {
    return { xstate$$type: 1, id: this.path }
  }
}
