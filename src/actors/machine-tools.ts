import {
  setup,
  type ActionArgs,
  type ActionFunction,
  type AnyEventObject,
  type DelayConfig,
  type EventObject,
  type GuardPredicate,
  type MachineContext,
  type MetaObject,
  type NonReducibleUnknown,
  type ParameterizedObject,
  type SetupReturn,
  type SetupTypes,
  type UnknownActorLogic,
} from 'xstate'
import { DefinitionInvalidError, NotHostedError } from '../core/errors.ts'
import type { ActorContext } from './actor-context.ts'
import type { MessageContext } from './context.ts'
import { effectLogic } from './durable/effect-logic.ts'
import type { Signal } from './definition.ts'
import type { Protocol, ReceivedOf, ReplyOf } from './protocol.ts'
import { hostedContext } from './hosted.ts'

/** Events of a chart: the messages and questions of its protocol, and the signals of the runtime. */
export type ChartEvent<P extends Protocol> =
  ReceivedOf<P> | Exclude<Signal, { readonly type: 'actor.started' | 'actor.stopping' }>

type Params = Record<string, ParameterizedObject['params'] | undefined>
type Values<T> = T[keyof T]
type Parameterized<Map extends Params> = Values<{
  [K in keyof Map as K & string]: { type: K & string; params: Map[K] }
}>
type Provided<Actors extends Record<string, UnknownActorLogic>> = Values<{
  [K in keyof Actors as K & string]: { src: K & string; logic: Actors[K]; id: string | undefined }
}>

/** XState's `setup` with the events filled in from the protocol; everything else is as in XState. */
type ChartSetup<E extends AnyEventObject> = <
  Context extends MachineContext,
  Actors extends Record<string, UnknownActorLogic> = {},
  Actions extends Params = {},
  Guards extends Params = {},
  Delay extends string = never,
  Tag extends string = string,
  Input = NonReducibleUnknown,
  Output extends NonReducibleUnknown = NonReducibleUnknown,
  Emitted extends EventObject = EventObject,
  Meta extends MetaObject = MetaObject,
>(parts: {
  readonly types?: Omit<SetupTypes<Context, E, {}, Tag, Input, Output, Emitted, Meta, Meta>, 'events'>
  readonly actors?: { [K in keyof Actors]: Actors[K] }
  readonly actions?: {
    [K in keyof Actions]: ActionFunction<
      Context,
      E,
      E,
      Actions[K],
      Provided<Actors>,
      Parameterized<Actions>,
      Parameterized<Guards>,
      Delay,
      Emitted
    >
  }
  readonly guards?: { [K in keyof Guards]: GuardPredicate<Context, E, Guards[K], Parameterized<Guards>> }
  readonly delays?: { [K in Delay]: DelayConfig<Context, E, Parameterized<Actions>['params'], E> }
}) => SetupReturn<Context, E, Actors, {}, Actions, Guards, Delay, Tag, Input, Output, Emitted, Meta>

type PlainAction = <C extends MachineContext, X extends EventObject, E extends EventObject>(
  args: ActionArgs<C, X, E>,
) => void

/** What the builder of a chart is given: XState's `setup`, typed by the protocol, and actions that only a cell can do. */
export interface MachineTools<P extends Protocol> {
  readonly setup: ChartSetup<ChartEvent<P>>
  /** An action that answers the question which is the current event. */
  readonly reply: <C extends MachineContext, X extends EventObject, E extends EventObject>(
    answer: (args: ActionArgs<C, X, E>) => ReplyOf<P, X['type'] & keyof P & string>,
  ) => (args: ActionArgs<C, X, E>) => void
  /**
   * An action that does what only an actor of the runtime can: spawn, watch, publish, look up, escalate, set timers. What
   * comes of it later is told to the chart: `act((actor) => actor.escalate(request).then(({ choice }) => actor.self.tell(...)))`.
   */
  readonly act: <C extends MachineContext, X extends EventObject, E extends EventObject>(
    run: (actor: ActorContext<P>, args: ActionArgs<C, X, E>) => unknown,
  ) => (args: ActionArgs<C, X, E>) => void
  /**
   * An effect to be invoked: `setup({ actors: { charge: effect('charge', ({ input }) => …) } })`. In a durable actor it
   * runs once for its key, and is taken up again after a crash.
   */
  readonly effect: typeof effectLogic
  /** An action that sets the current message aside until `unstashAll`. */
  readonly stash: PlainAction
  readonly unstashAll: PlainAction
  /** An action that sets the current message aside until the chart is in another state: gen_statem's postpone. */
  readonly postpone: PlainAction
}

const contextOf = ({ self }: { readonly self: object }): MessageContext | undefined => hostedContext(self)

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for an event of XState, which is of its state and incarnation. */
function messageContextOf(args: { readonly self: object }, what: string): MessageContext | undefined {
  const context = contextOf(args)
  // A durable actor says so itself.
  if (context?.turn === undefined && context?.message.type.startsWith('xstate.') === true)
    throw new DefinitionInvalidError(
      context.path,
      `has ${what}() in a transition for '${context.message.type}': only messages can be set aside`,
    )
  return context
}

const tools: MachineTools<Protocol> = {
  // XState infers the same types; ours only fix what the events are.
  setup: setup as unknown as MachineTools<Protocol>['setup'],
  reply: (answer) => (args) => {
    contextOf(args)?.reply(answer(args))
  },
  act: (run) => (args) => {
    const context = contextOf(args)
    if (context === undefined)
      throw new NotHostedError('act() in an entry action of the first state, or outside of a runtime')
    const pending = run(context, args)
    // A promise that rejects is the chart's failure, like anything else that it does; the message itself was handled.
    if (pending instanceof Promise) {
      pending.catch((error: unknown) => {
        context.cell.fail(error)
      })
    }
  },
  effect: effectLogic,
  stash: (args) => messageContextOf(args, 'stash')?.stash(),
  unstashAll: (args) => contextOf(args)?.unstashAll(),
  postpone: (args) => messageContextOf(args, 'postpone')?.postpone(),
}

// At run time the tools are the same for every protocol: it exists in types only.
export const machineTools = tools as unknown as MachineTools<Protocol> & MachineTools<never>
