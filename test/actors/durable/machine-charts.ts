import fc from 'fast-check'
import { defineActor, message, type AnyDefinition } from 'echelon'
import type { DurableOptions } from 'echelon'
import { effectLogic } from '../../../src/actors/durable/effect-logic.ts'
import {
  assign,
  cancel,
  createMachine,
  enqueueActions,
  fromPromise,
  raise,
  sendTo,
  type AnyActorLogic,
  type AnyEventObject,
  type AnyStateMachine,
} from 'xstate'

/* Random charts as data that shrinks, and the XState machines that they stand for. */

/** What a transition or a state does. Numbers name things; a target is the number of a state, modulo how many there are. */
export type ActionSpec =
  | { readonly do: 'log'; readonly what: number }
  | { readonly do: 'count' }
  | { readonly do: 'raise'; readonly event: number }
  | { readonly do: 'later'; readonly event: number; readonly delay: number; readonly id: number | undefined }
  | { readonly do: 'laterAsCounted'; readonly event: number; readonly delay: number }
  | { readonly do: 'sendLater'; readonly event: number; readonly delay: number; readonly id: number | undefined }
  | { readonly do: 'cancel'; readonly id: number }

export interface TransitionSpec {
  /** Undefined: it stays where it is. -1: to the history of the first state that has one. */
  readonly target: number | undefined
  readonly reenter: boolean
  readonly onlyWhenOdd: boolean
  readonly actions: readonly ActionSpec[]
}

export interface InvokeSpec {
  readonly isPromise: boolean
  readonly end: 'done' | 'failed' | 'never'
  /** Whether its key is another each time. */
  readonly isFresh: boolean
  readonly done: TransitionSpec
}

export interface StateSpec {
  readonly kind: 'plain' | 'parallel' | 'final'
  readonly states: readonly StateSpec[]
  readonly history: 'shallow' | 'deep' | undefined
  readonly entry: readonly ActionSpec[]
  readonly exit: readonly ActionSpec[]
  readonly on: readonly (TransitionSpec | undefined)[]
  readonly after: readonly { readonly delay: number; readonly isDynamic: boolean; readonly then: TransitionSpec }[]
  readonly always: TransitionSpec | undefined
  readonly done: TransitionSpec | undefined
  readonly invoke: InvokeSpec | undefined
}

/** Messages that a chart is sent, and events that it raises itself. */
export const sent = ['e0', 'e1', 'e2'] as const
const raised = ['r0', 'r1'] as const
const events: readonly string[] = [...sent, ...raised]

/** Milliseconds, such that few sums of them are the same. */
const delays = [37, 101, 257, 613, 1009] as const

const actionArbitrary: fc.Arbitrary<ActionSpec> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('log' as const), what: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.constant({ do: 'count' as const }) },
  fc.record({ do: fc.constant('raise' as const), event: fc.integer({ min: sent.length, max: events.length - 1 }) }),
  fc.record({
    do: fc.constantFrom('later' as const, 'sendLater' as const),
    event: fc.nat(events.length - 1),
    delay: fc.nat(delays.length - 1),
    id: fc.option(fc.nat(1), { nil: undefined }),
  }),
  fc.record({
    do: fc.constant('laterAsCounted' as const),
    event: fc.nat(events.length - 1),
    delay: fc.nat(delays.length - 1),
  }),
  fc.record({ do: fc.constant('cancel' as const), id: fc.nat(1) }),
)
const actionsArbitrary = fc.array(actionArbitrary, { maxLength: 2 })
const maybe = <T>(arbitrary: fc.Arbitrary<T>, freq: number): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq })

const transitionArbitrary: fc.Arbitrary<TransitionSpec> = fc.record({
  target: maybe(fc.integer({ min: -1, max: 9 }), 4),
  reenter: fc.boolean(),
  onlyWhenOdd: fc.boolean(),
  actions: actionsArbitrary,
})

const afterArbitrary = fc.record({
  delay: fc.nat(delays.length - 1),
  isDynamic: fc.boolean(),
  then: transitionArbitrary,
})

const stateArbitrary = (depth: number): fc.Arbitrary<StateSpec> =>
  fc.record({
    kind: depth === 0 ? fc.constant('plain' as const) : fc.constantFrom('plain', 'plain', 'plain', 'parallel', 'final'),
    states:
      depth === 0
        ? fc.array(stateArbitrary(1), { minLength: 2, maxLength: 3 })
        : depth < 3
          ? fc.array(stateArbitrary(depth + 1), { maxLength: 2 })
          : fc.constant([]),
    history: fc.constantFrom(undefined, 'shallow' as const, 'deep' as const),
    entry: actionsArbitrary,
    exit: actionsArbitrary,
    on: fc.array(maybe(transitionArbitrary, 2), { minLength: events.length, maxLength: events.length }),
    after: fc.array(afterArbitrary, { maxLength: depth === 0 ? 1 : 2 }),
    always: maybe(transitionArbitrary, 1),
    done: maybe(transitionArbitrary, 2),
    invoke: maybe(
      fc.record({
        isPromise: fc.boolean(),
        end: fc.constantFrom('done', 'failed', 'never'),
        isFresh: fc.boolean(),
        done: transitionArbitrary,
      }),
      1,
    ),
  })

export const chartArbitrary: fc.Arbitrary<StateSpec> = stateArbitrary(0)

/** The context of every random chart. */
export interface Counted {
  readonly count: number
  /** What is left for transitions that need no event from outside, so that none goes on for ever. */
  readonly fuel: number
  /** Transitions that an event from outside drove, delayed ones too. */
  readonly driven: number
  readonly invoked: number
  readonly last: string
}

/** What an effect failed with: the runtime says more than XState alone. */
type Failure = Error & { readonly failure?: { readonly message: string } }

const fullTank = 4
const mostDriven = 40
const mostInvoked = 6

export interface ChartOptions {
  /**
   * Whether several delays that wait may have one id. When the first of them has fired, XState alone cannot cancel the
   * others any more.
   */
  readonly ids: 'any' | 'unique'
  /** Whether everything that it invokes is an effect, which goes on after a crash, or there are promises too. */
  readonly invokes: 'effects' | 'promises too'
}

/** Builds the machine of a chart. `log` is told what its plain actions do. */
export function machineOf(
  spec: StateSpec,
  log: (what: string) => void,
  { ids, invokes }: ChartOptions,
): AnyStateMachine {
  const flat: { readonly spec: StateSpec; readonly id: string }[] = []
  const number = (state: StateSpec): void => {
    flat.push({ spec: state, id: `s${flat.length}` })
    if (state.kind !== 'final') state.states.forEach(number)
  }
  number(spec)
  const idOf = new Map(flat.map(({ spec: state, id }) => [state, id]))
  const withHistory = flat.find(({ spec: state }) => state.history !== undefined && isCompound(state))

  const targetOf = (target: number | undefined): string | undefined => {
    if (target === undefined) return undefined
    if (target < 0) return withHistory === undefined ? undefined : `#${withHistory.id}h`
    // Not the whole chart: that is never entered again.
    return `#s${1 + (target % (flat.length - 1))}`
  }

  const actionsOf = (actions: readonly ActionSpec[]): readonly unknown[] =>
    actions.flatMap((action) =>
      ids === 'unique' && 'id' in action && action.id !== undefined && action.do !== 'cancel'
        ? [cancel(`d${action.id}`), actionOf(action)]
        : [actionOf(action)],
    )

  const actionOf = (action: ActionSpec): unknown => {
    const event = { type: 'event' in action ? events[action.event] : '' }
    const id = 'id' in action && action.id !== undefined ? { id: `d${action.id}` } : {}
    const delay = 'delay' in action ? delays[action.delay] : 0
    switch (action.do) {
      case 'log':
        return () => {
          log(`action ${action.what}`)
        }
      case 'count':
        return assign({ count: ({ context }: { context: Counted }) => context.count + 1 })
      case 'raise':
        return enqueueActions(({ context, enqueue }) => {
          // Every random chart has this context.
          const { fuel } = context as Counted
          if (fuel === 0) return
          enqueue.assign({ fuel: fuel - 1 })
          enqueue.raise(event as never)
        })
      case 'later':
        return raise(event as never, { delay: delay as number, ...id })
      case 'laterAsCounted':
        return raise((({ context }: { context: Counted }) => ({ ...event, count: context.count })) as never, {
          delay: (({ context }: { context: Counted }) => (delay as number) + context.count) as never,
        })
      case 'sendLater':
        return sendTo(({ self }) => self, event as never, { delay: delay as number, ...id })
      case 'cancel':
        return cancel(`d${action.id}`)
    }
  }

  const refuel = assign({
    fuel: fullTank,
    driven: ({ context }: { context: Counted }) => context.driven + 1,
  })
  const burn = assign({ fuel: ({ context }: { context: Counted }) => context.fuel - 1 })

  /** `power`: what drives it; an event from outside fills the tank, anything else burns. */
  const transitionOf = (given: TransitionSpec, power: 'outside' | 'fuel'): object => ({
    ...(targetOf(given.target) === undefined ? {} : { target: targetOf(given.target), reenter: given.reenter }),
    guard: ({ context }: { context: Counted }) =>
      (!given.onlyWhenOdd || context.count % 2 === 1) &&
      (power === 'outside' ? context.driven < mostDriven : context.fuel > 0),
    actions: [power === 'outside' ? refuel : burn, ...actionsOf(given.actions)],
  })

  const build = (state: StateSpec): object => {
    const id = idOf.get(state) as string
    const isFinal = state.kind === 'final'
    const kids = isFinal ? [] : state.states
    const states = Object.fromEntries([
      ...kids.map((kid) => [idOf.get(kid) as string, build(kid)] as const),
      ...(state.history !== undefined && isCompound(state)
        ? [[`${id}h`, { id: `${id}h`, type: 'history', history: state.history }] as const]
        : []),
    ])
    const base = { id, entry: actionsOf(state.entry), exit: actionsOf(state.exit) }
    if (isFinal) return { ...base, type: 'final' }
    const on: Record<string, object> = {}
    for (const [at, transition] of state.on.entries())
      if (transition !== undefined)
        on[events[at] as string] = transitionOf(transition, at < sent.length ? 'outside' : 'fuel')
    return {
      ...base,
      ...(kids.length === 0
        ? {}
        : state.kind === 'parallel'
          ? { type: 'parallel', states }
          : { initial: idOf.get(kids[0] as StateSpec), states }),
      on,
      after: Object.fromEntries<object>(
        state.after.map(({ delay, isDynamic, then }, at) => [
          isDynamic ? `dynamic${delay}` : (delays[delay] as number) + at,
          transitionOf(then, 'outside'),
        ]),
      ),
      ...(state.always === undefined ? {} : { always: transitionOf(state.always, 'fuel') }),
      ...(state.done === undefined || kids.length === 0 ? {} : { onDone: transitionOf(state.done, 'fuel') }),
      ...(state.invoke === undefined ? {} : { invoke: invokeOf(state.invoke, id) }),
    }
  }

  const invokeOf = ({ isPromise, end, isFresh, done }: InvokeSpec, id: string): object => {
    const note = assign({
      last: ({ event }: { event: AnyEventObject }) => {
        // XState's events for the end of a child have one of these.
        const { output, error } = event as { readonly output?: string; readonly error?: Failure }
        return output ?? error?.failure?.message ?? error?.message ?? ''
      },
      invoked: ({ context }: { context: Counted }) => context.invoked + 1,
    })
    const next = transitionOf(done, 'fuel') as {
      readonly guard: (args: { context: Counted }) => boolean
      readonly actions: readonly unknown[]
    }
    const ended = [
      {
        ...next,
        guard: ({ context }: { context: Counted }) => context.invoked < mostInvoked && next.guard({ context }),
        actions: [note, ...next.actions],
      },
      { actions: note },
    ]
    return {
      src: isPromise && invokes === 'promises too' ? 'promise' : end,
      input: ({ context }: { context: Counted }) => (isFresh ? `${id}-${context.invoked}` : id),
      onDone: ended,
      onError: ended,
    }
  }

  const actors: Readonly<Record<string, AnyActorLogic>> = {
    promise: fromPromise<string, string>(({ input }) => Promise.resolve(`made ${input}`)),
    done: effectLogic(
      (key: string) => key,
      ({ input }) => `made ${input}`,
      { idempotent: true },
    ),
    failed: effectLogic(
      (key: string) => `no-${key}`,
      ({ input }): string => {
        throw new Error(`no ${input}`)
      },
      { idempotent: true },
    ),
    never: effectLogic(
      (key: string) => `never-${key}`,
      () => new Promise<string>(() => undefined),
      { idempotent: true },
    ),
  }
  const dynamic = delays.map(
    (delay, at) => [`dynamic${at}`, ({ context }: { context: Counted }) => delay + 2 * context.count] as const,
  )
  const context: Counted = { count: 0, fuel: fullTank, driven: 0, invoked: 0, last: '' }
  const config = { ...build(spec), context }
  // Its parts are known by their names only, which XState cannot type.
  return createMachine(config as never, { actors, delays: Object.fromEntries(dynamic) } as never)
}

const isCompound = ({ kind, states }: StateSpec): boolean => kind === 'plain' && states.length > 0

/** The definition of a random chart. */
export const definitionOf = (
  spec: StateSpec,
  log: (what: string) => void,
  durable: DurableOptions | false,
  options: ChartOptions,
): AnyDefinition & { readonly protocol: typeof randomProtocol } =>
  defineActor({
    name: 'random',
    durable,
    protocol: randomProtocol,
    machine: () => machineOf(spec, log, options),
  })

const randomProtocol = { e0: message(), e1: message(), e2: message() }
