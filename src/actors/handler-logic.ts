import type { ActorLogic, ActorScope, AnyEventObject, Snapshot } from 'xstate'
import { NotHostedError } from '../core/errors.ts'
import { runAsync } from './ambient.ts'
import { refuseOwnAsks } from './ask.ts'
import type { MessageContext } from './context.ts'
import { hostedContext, settledType } from './hosted.ts'

/** Snapshot of a handler actor: XState's shape, with the state as its context. */
export type HandlerSnapshot<S> = Snapshot<undefined> & { readonly context: S }

type Handler = (context: never) => unknown
interface HandlerEntry {
  readonly handle: Handler
  /** Declared `async`, or seen to return a promise: then it runs where `currentContext` can follow it. */
  async: boolean
}

interface HandlerLogicOptions {
  readonly state: (options: { readonly input: unknown }) => unknown
  readonly on: Readonly<Record<string, Handler | undefined>>
}

type Scope = ActorScope<HandlerSnapshot<unknown>, AnyEventObject>

const AsyncFunction = (async () => {}).constructor

export const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/**
 * Plain handlers as XState actor logic. `react` is what the lean host calls; `transition` is the same under XState's
 * `createActor`.
 */
export class HandlerLogic implements ActorLogic<HandlerSnapshot<unknown>, AnyEventObject, unknown> {
  readonly #state: HandlerLogicOptions['state']
  // Messages of one type mostly come in a row: the last lookup answers the next.
  #lastType: string | undefined
  #lastEntry: HandlerEntry | undefined
  readonly #handlers: ReadonlyMap<string, HandlerEntry>

  constructor({ state, on }: HandlerLogicOptions) {
    this.#state = state
    this.#handlers = new Map(
      Object.entries(on)
        .filter((entry): entry is [string, Handler] => entry[1] !== undefined)
        .map(([type, handle]) => [type, { handle, async: handle instanceof AsyncFunction }]),
    )
  }

  firstState(input: unknown): unknown {
    return this.#state({ input })
  }

  getInitialSnapshot = (_scope: unknown, input: unknown): HandlerSnapshot<unknown> =>
    activeSnapshot(this.firstState(input))

  /** Runs the handler: the next state, undefined for "unchanged", or a promise of either. */
  react(context: MessageContext, state: unknown): unknown {
    context.state = state
    const { type } = context.message
    if (type !== this.#lastType) {
      this.#lastEntry = this.#handlers.get(type)
      this.#lastType = type
    }
    const entry = this.#lastEntry
    if (entry === undefined) return undefined
    // A handler takes the context of its own message type: the map is by type.
    const handle = entry.handle as (context: MessageContext) => unknown
    if (entry.async) {
      if (!context.cell.definition.reentrant) context.waits = 'blocks'
      return runAsync(context, () => handle(context))
    }
    const next = handle(context)
    if (isPromise(next)) {
      entry.async = true
      if (!context.cell.definition.reentrant) context.waits = 'blocks'
      refuseOwnAsks(context)
    }
    return next
  }

  /** The state after a handler came to `next`. */
  nextState(state: unknown, next: unknown): unknown {
    if (next === undefined) return state
    // State is data, so a function is an update of it.
    return typeof next === 'function' ? (next as (current: unknown) => unknown)(state) : next
  }

  /** The snapshot after `next`: itself when nothing changed. */
  #apply(snapshot: HandlerSnapshot<unknown>, next: unknown): HandlerSnapshot<unknown> {
    const state = this.nextState(snapshot.context, next)
    return state === snapshot.context ? snapshot : activeSnapshot(state)
  }

  transition = (snapshot: HandlerSnapshot<unknown>, event: AnyEventObject, scope: Scope): HandlerSnapshot<unknown> => {
    if (event.type === settledType) return this.#apply(snapshot, event['next'])
    const context = hostedContext(scope.self)
    if (context === undefined) {
      if (this.#handlers.has(event.type)) return this.#bare(snapshot, event)
      return snapshot
    }
    // XState has events of its own, such as the one that stops an actor in the middle of its message.
    if (event !== context.message) return snapshot
    const next = this.react(context, snapshot.context)
    if (!isPromise(next)) return this.#apply(snapshot, next)
    context.pending = next
    return snapshot
  }

  getPersistedSnapshot = (snapshot: HandlerSnapshot<unknown>): Snapshot<unknown> => snapshot

  // What was persisted is what getPersistedSnapshot gave: a snapshot of this logic.
  restoreSnapshot = (persisted: unknown): HandlerSnapshot<unknown> => persisted as HandlerSnapshot<unknown>

  /** Under a bare `createActor` there is state and message; whatever needs a runtime says so. */
  #bare(snapshot: HandlerSnapshot<unknown>, event: AnyEventObject): HandlerSnapshot<unknown> {
    const handle = this.#handlers.get(event.type)?.handle as ((context: object) => unknown) | undefined
    const context = new Proxy(
      { state: snapshot.context, message: event },
      {
        get: (target, key) => {
          if (key in target) return target[key as keyof typeof target]
          throw new NotHostedError(`'${String(key)}' in a handler for '${event.type}'`)
        },
      },
    )
    const next = handle?.(context)
    if (isPromise(next)) throw new NotHostedError(`the async handler for '${event.type}'`)
    return this.#apply(snapshot, next)
  }
}

export const activeSnapshot = (context: unknown): HandlerSnapshot<unknown> => ({
  status: 'active',
  output: undefined,
  error: undefined,
  context,
})
