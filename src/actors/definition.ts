import type { AnyActorLogic, AnyStateMachine, InputFrom, SnapshotFrom } from 'xstate'
import type * as z from 'zod'
import { DefinitionInvalidError } from '../core/errors.ts'
import { isSegment } from '../core/ids.ts'
import type { ExitReason } from '../core/exit.ts'
import type { HandlerContext } from './actor-context.ts'
import { durableHost } from './durable/host.ts'
import { durableMachineHost } from './durable/machine-host.ts'
import { durability, type Durability, type DurableOptions } from './durable/options.ts'
import { HandlerLogic, type HandlerSnapshot } from './handler-logic.ts'
import type { Host } from './host.ts'
import { leanHost } from './lean-host.ts'
import { machineTools, type MachineTools } from './machine-tools.ts'
import { mailboxLimits, type MailboxLimits, type MailboxOptions } from './mailbox.ts'
import { checkProtocol, protocolTable, type Protocol, type ProtocolTable, type Received } from './protocol.ts'
import { rootHost } from './root-host.ts'
import type { DownSignal } from './watch.ts'

/** First message of an incarnation, for work that `state` cannot do: it may be async. */
export interface StartedSignal {
  readonly type: 'actor.started'
}

/** Last message of an incarnation, however it ends, unless it was killed. Async handlers are bounded by the stop timeout. */
export interface StoppingSignal {
  readonly type: 'actor.stopping'
  readonly reason: ExitReason
}

/** What the runtime tells an actor. Types that begin with `actor.` are reserved for it. */
export type Signal = StartedSignal | StoppingSignal | DownSignal
const signalTypes: readonly string[] = ['actor.started', 'actor.stopping', 'actor.down'] satisfies Signal['type'][]

declare const phantom: unique symbol

/**
 * What an actor is: a name, a protocol, logic. Plain data without side effects; `runtime.spawn` makes an actor of it.
 * `Input` is what it takes to start one, `S` what its snapshot is.
 */
export interface ActorDefinition<P extends Protocol = Protocol, Input = unknown, S = unknown> {
  readonly kind: 'actor'
  readonly name: string
  readonly protocol: P
  /** The logic as XState knows it: it runs under XState's own `createActor` too. */
  readonly logic: AnyActorLogic
  readonly type: 'worker' | 'supervisor'
  readonly reentrant: boolean
  readonly mailbox: MailboxLimits
  /** Runs before the logic; `ignore` means that there is nothing to do here: OTP's ignore. Throwing fails the start. */
  readonly start: ((options: { readonly input: Input }) => 'ignore' | void) | undefined
  /** Types of signals that the logic handles. */
  readonly handlesSignal: (type: string) => boolean
  readonly inputSchema: z.ZodType | undefined
  readonly table: ProtocolTable
  readonly host: Host
  /** How it is kept, when it is durable. */
  readonly durable: Durability | undefined
  readonly [phantom]?: { readonly input: Input; readonly snapshot: S }
}

/** The upper bound of all definitions: whatever its input and its snapshot are. */
export type AnyDefinition = Omit<ActorDefinition<Protocol, never>, typeof phantom> & {
  readonly [phantom]?: { readonly input: unknown; readonly snapshot: unknown }
}
export type InputOf<D> = D extends { readonly [phantom]?: { readonly input: infer Input } } ? Input : never

export interface SpawnOptions<D> {
  /** Last segment of its path, unique among its siblings. Default: the definition's name and a number. */
  readonly name?: string
  readonly input?: InputOf<D>
}

interface CommonOptions<P extends Protocol, InputSchema extends z.ZodType> {
  /** Names the kind of actor; its instances are named after it. */
  readonly name: string
  readonly protocol: P
  /** Schema of what `spawn` is given as `input`. */
  readonly input?: InputSchema
  readonly mailbox?: MailboxOptions
  /**
   * Whether its state, its messages and its timers are in the runtime's journal, so that it goes on after any crash of
   * the process. Default false.
   */
  readonly durable?: boolean | DurableOptions
  readonly start?: (options: { readonly input: z.output<InputSchema> }) => 'ignore' | void
}

type Next<S> = S | ((current: S) => S) | void | undefined
type Handled<S> = Next<S> | Promise<Next<S>>

/** One handler per message and question of the protocol, and for the signals that the actor cares for. */
export type Handlers<P extends Protocol, S, Input> = {
  // Without the exclusion the compiler, while it infers P, takes a signal for a message too and mixes their types.
  readonly [K in Exclude<keyof P & string, Signal['type']>]: (
    context: HandlerContext<P, K, Received<P, K>, S, Input>,
  ) => Handled<S>
} & {
  readonly [T in Signal as T['type']]?: (context: HandlerContext<P, never, T, S, Input>) => Handled<S>
}

export interface HandlerActorOptions<P extends Protocol, S, InputSchema extends z.ZodType> extends CommonOptions<
  P,
  InputSchema
> {
  /** The first state of every incarnation. */
  readonly state?: (options: { readonly input: z.output<InputSchema> }) => S
  /**
   * Each handler returns the next state, a function from the current state to the next, or nothing for "unchanged";
   * or a promise of one. What it throws is a crash.
   */
  readonly on: Handlers<NoInfer<P>, NoInfer<S>, z.output<InputSchema>>
  /**
   * Whether async handlers interleave. Default false: one message at a time. A reentrant handler should return a
   * function of the current state, since the state that it was given may be old.
   */
  readonly reentrant?: boolean
}

export interface MachineActorOptions<
  P extends Protocol,
  M extends AnyStateMachine,
  InputSchema extends z.ZodType,
> extends CommonOptions<P, InputSchema> {
  /** Builds the chart. Its events are the messages of the protocol and the signals. */
  readonly machine: (tools: MachineTools<P>) => M
}

export interface LogicActorOptions<P extends Protocol, L extends AnyActorLogic> extends CommonOptions<
  P,
  z.ZodType<InputFrom<L>>
> {
  /** Any other XState actor logic: `fromPromise`, `fromCallback`, `fromObservable`, `fromTransition`. */
  readonly logic: L
}

/**
 * Defines an actor by handlers, by a statechart, or by any XState actor logic.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID`; its text names the option.
 */
export function defineActor<
  const P extends Protocol,
  S = undefined,
  InputSchema extends z.ZodType = z.ZodType<undefined, undefined>,
>(options: HandlerActorOptions<P, S, InputSchema>): ActorDefinition<P, z.input<InputSchema>, HandlerSnapshot<S>>
export function defineActor<
  const P extends Protocol,
  M extends AnyStateMachine,
  InputSchema extends z.ZodType = z.ZodType<undefined, undefined>,
>(options: MachineActorOptions<P, M, InputSchema>): ActorDefinition<P, z.input<InputSchema>, SnapshotFrom<M>>
export function defineActor<const P extends Protocol, L extends AnyActorLogic>(
  options: LogicActorOptions<P, L>,
): ActorDefinition<P, InputFrom<L>, SnapshotFrom<L>>
export function defineActor(
  options:
    | HandlerActorOptions<Protocol, unknown, z.ZodType>
    | MachineActorOptions<Protocol, AnyStateMachine, z.ZodType>
    | LogicActorOptions<Protocol, AnyActorLogic>,
): ActorDefinition {
  checkNames(options.name, options.protocol)
  if ('machine' in options && typeof options.machine !== 'function')
    throw new DefinitionInvalidError(`${options.name}.machine`, 'is no function that builds the chart')
  if ('machine' in options) return defineMachine(options)
  // Such logic knows its own events only: a callback or a reducer must not be handed signals that it never heard of.
  if ('logic' in options && options.durable !== undefined && options.durable !== false)
    throw new DefinitionInvalidError(
      options.name,
      'is durable logic of a kind that no journal can bring back: give machine or on',
    )
  if ('logic' in options) return define(options, options.logic, rootHost, false, () => false)
  checkHandlers(options.name, options.protocol, options.on)
  const logic = new HandlerLogic({ state: options.state ?? (() => undefined), on: options.on })
  const isDurable = options.durable !== undefined && options.durable !== false
  if (isDurable && options.reentrant === true)
    throw new DefinitionInvalidError(
      options.name,
      'is durable and reentrant: a replay could not tell its messages apart',
    )
  const host = isDurable ? durableHost(logic) : leanHost(logic)
  return define(options, logic, host, options.reentrant ?? false, (type) => type in options.on)
}

function defineMachine(options: MachineActorOptions<Protocol, AnyStateMachine, z.ZodType>): ActorDefinition {
  const machine = options.machine(machineTools)
  const events: readonly string[] = machine.events
  const isDurable = options.durable !== undefined && options.durable !== false
  const host = isDurable ? durableMachineHost(machine) : rootHost
  return define(options, machine, host, false, (type) => events.includes(type))
}

function define(
  options: CommonOptions<Protocol, z.ZodType>,
  logic: AnyActorLogic,
  host: Host,
  reentrant: boolean,
  handlesSignal: (type: string) => boolean,
): ActorDefinition {
  const { durable = false } = options
  return {
    kind: 'actor',
    name: options.name,
    protocol: options.protocol,
    logic,
    type: 'worker',
    reentrant,
    mailbox: mailboxLimits(options.name, options.mailbox),
    start: options.start,
    handlesSignal,
    inputSchema: options.input,
    table: protocolTable(options.protocol),
    host,
    durable: durable === false ? undefined : durability(options.name, durable),
  }
}

function checkNames(name: string, protocol: Protocol): void {
  if (!isSegment(name)) {
    throw new DefinitionInvalidError(`defineActor('${name}')`, 'a name is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -')
  }
  checkProtocol(name, protocol)
  const reserved = Object.keys(protocol).find(
    (type) => type.startsWith('actor.') || type.startsWith('xstate.') || type === '*',
  )
  if (reserved !== undefined) {
    throw new DefinitionInvalidError(
      `${name}.protocol`,
      `'${reserved}' is reserved: types that begin with actor. or xstate., and *`,
    )
  }
}

/** `on` may come from untyped code. */
function checkHandlers(name: string, protocol: Protocol, on: Readonly<Record<string, unknown>> | undefined): void {
  if (typeof on !== 'object')
    throw new DefinitionInvalidError(name, 'has neither on, machine nor logic: give one of them')
  const missing = Object.keys(protocol).filter((type) => typeof on[type] !== 'function')
  if (missing.length > 0) throw new DefinitionInvalidError(`${name}.on`, `has no handler for ${missing.join(', ')}`)
  const unknown = Object.keys(on).filter((type) => !(type in protocol) && !signalTypes.includes(type))
  if (unknown.length > 0)
    throw new DefinitionInvalidError(`${name}.on`, `handles ${unknown.join(', ')}, which the protocol lacks`)
}
