import { DefinitionInvalidError, FencedError, ReplyMisusedError } from '../core/errors.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import type { Clock, TimerHandle } from '../core/clock.ts'
import type { ActorPath } from '../core/ids.ts'
import type { Message } from '../core/message.ts'
import type { Random } from '../core/random.ts'
import type { DiscoveryKey, EscalationOutcome, EscalationRequest, Topic } from '../core/services.ts'
import type { Cell } from './cell.ts'
import { deadLetter, zombie } from './cell-events.ts'
import type { ActorDefinition, AnyDefinition, SpawnOptions } from './definition.ts'
import { parse, tell } from './delivery.ts'
import type { Envelope } from './envelope.ts'
import { madeProgress, spend } from './limits.ts'
import { lookup } from './lookup.ts'
import type { MessageOf, Protocol, ReplyOf } from './protocol.ts'
import type { AnyRef, Ref } from './ref.ts'
import { spawn } from './starting.ts'
import type { ActorTimers } from './timers.ts'
import { unwatch, watch } from './watching.ts'

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

/**
 * The context of one message: fresh for each, so that a handler that goes on after an `await` still sees its own. Its
 * members are getters that bind when they are destructured, so that what a handler does not name costs nothing.
 */
export class MessageContext implements ActorContext {
  readonly cell: Cell
  readonly message: Message
  readonly envelope: Envelope | undefined
  /** State of a handler actor as this message finds it. */
  state: unknown
  /** `blocks`: its handler is async and its actor takes no other message meanwhile. `abandoned`: it took too long. */
  waits: 'not' | 'blocks' | 'abandoned' = 'not'
  /** Fails the handler when it makes no progress. */
  watchdog: TimerHandle | undefined
  /** Set aside by `stash` or `postpone`. */
  deferred = false
  /** Under createActor only: the rest of an async handler. */
  pending: Promise<unknown> | undefined

  constructor(cell: Cell, message: Message, envelope: Envelope | undefined) {
    this.cell = cell
    this.message = message
    this.envelope = envelope
  }

  /** Its incarnation has ended, or does not wait for it any more: it has no effect. */
  get fenced(): boolean {
    return this.cell.status === 'stopped' || this.waits === 'abandoned'
  }

  get self(): Ref {
    return this.cell.ref
  }

  get path(): ActorPath {
    return this.cell.path
  }

  get incarnation(): number {
    return this.cell.incarnation
  }

  get input(): unknown {
    return this.cell.input
  }

  get signal(): AbortSignal {
    const asked = this.envelope?.ask?.signal
    return asked === undefined ? this.cell.signal : AbortSignal.any([this.cell.signal, asked])
  }

  get clock(): Clock {
    return this.cell.kernel.clock
  }

  get random(): Random {
    return this.cell.random
  }

  get timers(): ActorTimers<Message> {
    return {
      after: (key, delayMs, message) => {
        this.#effect('timer', () => {
          this.cell.timers.start(key, delayMs, parse(this.cell, message))
        })
      },
      every: (key, periodMs, message) => {
        this.#effect('timer', () => {
          this.cell.timers.start(key, periodMs, parse(this.cell, message), periodMs)
        })
      },
      cancel: (key) => this.cell.timers.cancel(key),
      active: (key) => this.cell.timers.has(key),
    }
  }

  get reply(): (answer: unknown) => void {
    return (answer) => {
      if (this.fenced) {
        zombie(this.cell, 'reply')
        return
      }
      const asked = this.envelope?.ask
      if (asked === undefined) {
        const entry = this.cell.definition.table.get(this.message.type)
        if (entry?.kind === 'question') return // told, not asked: nobody waits
        throw new ReplyMisusedError(this.path, this.message.type, 'it is not a question')
      }
      if (asked.answered) throw new ReplyMisusedError(this.path, this.message.type, 'it was answered already')
      if (asked.settled) deadLetter(this.cell, { type: this.message.type, answer }, 'late-answer', undefined)
      else asked.answer(answer)
    }
  }

  get refuse(): (error: Error) => void {
    return (error) => {
      if (this.fenced) zombie(this.cell, 'reply')
      else this.envelope?.ask?.fail(error)
    }
  }

  get spawn(): ActorContext['spawn'] {
    return ((definition: AnyDefinition, options?: SpawnOptions<AnyDefinition>) => {
      if (this.fenced) {
        zombie(this.cell, 'spawn')
        throw new FencedError(this.path, 'spawn')
      }
      return spawn(this.cell, definition, options)
      // The ref of a definition's cell has that definition's protocol.
    }) as ActorContext['spawn']
  }

  get stop(): (reason?: ExitReason) => void {
    return (reason = exits.normal) => {
      this.#effect('stop', () => {
        this.cell.stopSelf(reason)
      })
    }
  }

  get watch(): (ref: AnyRef) => void {
    return (ref) => {
      this.#effect('watch', () => {
        watch(this.cell, ref)
      })
    }
  }

  get unwatch(): (ref: AnyRef) => void {
    return (ref) => {
      unwatch(this.cell, ref)
    }
  }

  get stash(): () => void {
    return () => {
      this.#effect('stash', () => {
        this.cell.setAside(this, 'stash')
      })
    }
  }

  get unstashAll(): () => void {
    return () => {
      this.#effect('unstash', () => {
        this.cell.lane.putBack('stash')
      })
    }
  }

  get postpone(): () => void {
    return () => {
      this.#effect('postpone', () => {
        this.cell.setAside(this, 'postpone')
      })
    }
  }

  get register(): (key: DiscoveryKey<Protocol>) => void {
    return (key) => {
      this.#effect('register', () => {
        this.cell.onEnd(this.cell.kernel.offerService(key, this.cell.ref))
      })
    }
  }

  get find(): ActorContext['find'] {
    return (key) => this.cell.kernel.findServices(key)
  }

  get lookup(): ActorContext['lookup'] {
    // The ref of a definition's cell has that definition's protocol.
    return ((definition: AnyDefinition, name?: string) =>
      lookup(this.cell, definition, name).ref) as ActorContext['lookup']
  }

  get publish(): ActorContext['publish'] {
    return (topic, payload) => {
      this.#effect('publish', () => {
        this.cell.kernel.publish(topic, payload)
      })
    }
  }

  get subscribe(): ActorContext['subscribe'] {
    return (topic, toMessage) => {
      this.#effect('subscribe', () => {
        const deliver = (payload: never): void => {
          tell(this.cell, toMessage(payload))
        }
        this.cell.onEnd(this.cell.kernel.subscribe(topic, deliver))
      })
    }
  }

  get progress(): () => void {
    return () => {
      madeProgress(this.cell, this)
    }
  }

  get spend(): ActorContext['spend'] {
    return (amount) => {
      for (const value of Object.values(amount)) {
        if (!(value >= 0))
          throw new DefinitionInvalidError(`spend by ${this.path}`, `${value} is no amount: give 0 or more`)
      }
      spend(this.cell, amount)
    }
  }

  get escalate(): ActorContext['escalate'] {
    return <Choice extends string>(request: EscalationRequest<Choice>) => {
      if (this.fenced) {
        zombie(this.cell, 'escalate')
        return Promise.reject(new FencedError(this.path, 'escalate'))
      }
      // The kernel answers with one of the options that it was given.
      return this.cell.kernel.escalate(this.cell, request) as Promise<EscalationOutcome<Choice>>
    }
  }

  /** Does `run` unless this incarnation is fenced; then it is counted and has no effect. */
  #effect(effect: string, run: () => void): void {
    if (this.fenced) zombie(this.cell, effect)
    else run()
  }
}

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
