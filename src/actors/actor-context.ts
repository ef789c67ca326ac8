import type { Clock } from '../core/clock.ts'
import type { ExitReason } from '../core/exit.ts'
import type { ActorPath } from '../core/ids.ts'
import type { Random } from '../core/random.ts'
import type { DiscoveryKey, EscalationOutcome, EscalationRequest, Topic } from '../core/services.ts'
import type { ActorDefinition, AnyDefinition, SpawnOptions } from './definition.ts'
import type { MessageOf, Protocol, ReplyOf } from './protocol.ts'
import type { AnyRef, Ref } from './ref.ts'
import type { ActorTimers } from './timers.ts'
import type { EffectFunction, EffectOptions } from './durable/attempts.ts'

/** What an actor can do besides returning its next state. Everything is bound: it may be destructured. */
export interface ActorContext<P extends Protocol = Protocol> {
  /** This actor's own address. */
  readonly self: Ref<P>
  readonly path: ActorPath
  /** Counts restarts at this address, from 1. */
  readonly incarnation: number
  /** Aborted when this actor is to stop, or when the ask that it answers is cancelled. Pass it to everything that waits. */
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Seeded by the runtime and by this actor's path: the same in every run with the same seed. */
  readonly random: Random
  readonly timers: ActorTimers<MessageOf<P>>
  /**
   * Does something outside of this actor: a call, a write, a question to another actor. In a durable actor `fn` runs once
   * for `key` in the actor's life: what it came to is on disk, and the same key gives the same value again without
   * running. Rejects with `EFFECT_FAILED`.
   */
  effect<Value>(key: string, fn: EffectFunction<Value>, options?: EffectOptions): Promise<Awaited<Value>>
  /** The durable actor of `definition` with this key. It is started when it is needed. @throws {JournalMissingError} `JOURNAL_MISSING` */
  get<D extends AnyDefinition>(definition: D, key: string): RefOf<D>
  /**
   * Starts a child. It stops with this actor; its crash crashes this actor too, unless this actor watches it.
   * @throws {StartFailedError} `START_FAILED`, {NameTakenError} `NAME_TAKEN`.
   */
  spawn<D extends AnyDefinition>(definition: D, options?: SpawnOptions<D>): RefOf<D>
  /** Ends this actor once the current message is handled. Default reason: normal. */
  stop(reason?: ExitReason): void
  /** The end of `ref` arrives as `actor.down`, once per call. An actor that does not handle it crashes with `DEATH_PACT` unless the end was clean. */
  watch(ref: AnyRef): void
  /** Takes back every watch of `ref` by this actor, also an `actor.down` that is queued. */
  unwatch(ref: AnyRef): void
  /** Sets the current message aside, to be put back by `unstashAll`. @throws {StashFullError} `STASH_FULL` */
  stash(): void
  /** Puts all stashed messages back, in their order, before everything that is queued. */
  unstashAll(): void
  /** Sets the current message aside until the state has changed: gen_statem's postpone. @throws {StashFullError} `STASH_FULL` */
  postpone(): void
  /** Makes this actor findable under `key` until it stops. */
  register(key: DiscoveryKey<P>): void
  /** The actors that are registered under `key` now. */
  find<Q extends Protocol>(key: DiscoveryKey<Q>): readonly Ref<Q>[]
  /**
   * The nearest actor of `definition`: a child, a sibling, or a sibling of an actor above. `name` tells several apart.
   * @throws {ActorNotFoundError} `ACTOR_NOT_FOUND`
   */
  lookup<D extends AnyDefinition>(definition: D, name?: string): RefOf<D>
  publish<Payload>(topic: Topic<Payload>, payload: Payload): void
  /** Tells `toMessage(payload)` to this actor for everything published to `topic`, until it stops. */
  subscribe<Payload>(topic: Topic<Payload>, toMessage: (payload: Payload) => MessageOf<P>): void
  /** Says that long work goes on, to a supervisor that watches progress. */
  progress(): void
  /** Counts against the budget that the child spec grants. @throws {BudgetExceededError} `BUDGET_EXCEEDED` */
  spend(amount: { readonly usd?: number; readonly tokens?: number; readonly calls?: number }): void
  /**
   * Takes `request.choice` when the authority of this actor's tier covers it; otherwise asks the tiers above and then a
   * person. Rejects with `ESCALATION_INVALID` or `ESCALATION_LIMIT`. An actor that is told to stop meanwhile gets the default.
   */
  escalate<Choice extends string>(request: EscalationRequest<Choice>): Promise<EscalationOutcome<Choice>>
}

export type RefOf<D> = D extends ActorDefinition<infer P, infer _Input, infer S> ? Ref<P, S> : Ref

/** The context of a handler for `K`: what an actor can do, the message, the state that it finds. */
export interface HandlerContext<P extends Protocol, K extends keyof P & string, M, S, Input> extends ActorContext<P> {
  readonly message: M
  readonly state: S
  readonly input: Input
  /** Answers the question, now or later, once. @throws {AnswerInvalidError} `ANSWER_INVALID`, {ReplyMisusedError} `REPLY_MISUSED`. */
  readonly reply: (answer: ReplyOf<P, K>) => void
  /** Fails the question for its asker with `error`; this actor goes on. */
  readonly refuse: (error: Error) => void
}
