import { DefinitionInvalidError, FencedError, ReplyMisusedError } from '../core/errors.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import type { Clock, TimerHandle } from '../core/clock.ts'
import type { ActorPath } from '../core/ids.ts'
import type { Message } from '../core/message.ts'
import type { Random } from '../core/random.ts'
import type { DiscoveryKey, EscalationOutcome, EscalationRequest } from '../core/services.ts'
import type { ActorContext } from './actor-context.ts'
import { currentContext, outside, runAsync } from './ambient.ts'
import type { Cell } from './cell.ts'
import { deadLetter, zombie } from './cell-events.ts'
import type { AnyDefinition, SpawnOptions } from './definition.ts'
import { tell } from './delivery.ts'
import type { EffectFunction, EffectOptions } from './durable/attempts.ts'
import { runEffect, type Detached } from './durable/effects.ts'
import { NotReplayableError, waitForAll } from './durable/errors.ts'
import type { Output, Turn } from './durable/turn.ts'
import type { Envelope } from './envelope.ts'
import { madeProgress, spend } from './limits.ts'
import { lookup } from './lookup.ts'
import type { Protocol } from './protocol.ts'
import type { AnyRef, Ref } from './ref.ts'
import { spawn } from './starting.ts'
import { durableTimers, volatileTimers } from './context-timers.ts'
import type { ActorTimers } from './timers.ts'
import { unwatch, watch } from './watching.ts'

/** Its actor is to stop: its handler is not waited for any longer, and has no effect. */
function interrupt(context: MessageContext): void {
  const { cell, turn } = context
  if (context.fenced) return
  if (turn !== undefined) cell.record?.left(turn, cell.exit ?? exits.shutdown())
  context.waits = 'abandoned'
  cell.release(context)
  cell.goOn()
}

/**
 * Runs code of an effect: in the name of a cell, but outside of the turn of its message. What it asks belongs to the call
 * chain of `handler`, if that waits for it.
 */
export const detachedIn =
  (cell: Cell, handler?: MessageContext): Detached =>
  (run) => {
    const context = new MessageContext(cell, handler?.message ?? { type: 'actor.effect' }, handler?.envelope)
    if (handler?.waits === 'blocks') context.waits = 'blocks'
    return runAsync(context, run)
  }

/** The same for a time when its incarnation may have ended, which is nothing to what it said before. */
const unfenced = (output: Output): Output => ({
  release: () => {
    outside(() => {
      output.release()
    })
  },
  refuse: (error) => {
    output.refuse(error)
  },
})

/**
 * The context of one message: fresh for each, so that a handler that goes on after an `await` still sees its own. Its
 * members are getters that bind when they are destructured, so that what a handler does not name costs nothing.
 */
export class MessageContext implements ActorContext {
  readonly cell: Cell
  readonly message: Message
  readonly envelope: Envelope | undefined
  /** What comes of this message in a durable actor: undefined for others, and for signals. */
  turn: Turn | undefined
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
    this.#refuseInHandler('incarnation')
    return this.cell.incarnation
  }

  get input(): unknown {
    const { record, input } = this.cell
    return record === undefined ? input : record.ledger.input
  }

  get signal(): AbortSignal {
    const asked = this.envelope?.ask?.signal
    return asked === undefined ? this.cell.signal : AbortSignal.any([this.cell.signal, asked])
  }

  get clock(): Clock {
    const { clock } = this.cell.kernel
    return this.turn === undefined ? clock : this.turn.clockOver(clock)
  }

  get random(): Random {
    return this.turn === undefined ? this.cell.random : this.turn.random
  }

  get timers(): ActorTimers<Message> {
    const { turn, cell } = this
    const guarded = (run: () => void): void => {
      this.#effect('timer', run)
    }
    return turn === undefined ? volatileTimers(cell, guarded) : durableTimers(cell, turn, guarded)
  }

  get effect(): ActorContext['effect'] {
    return <Value>(key: string, fn: EffectFunction<Value>, options: EffectOptions = {}) => {
      if (this.fenced) {
        zombie(this.cell, 'effect')
        return Promise.reject(new FencedError(this.path, `effect '${key}'`))
      }
      if (this.turn?.isChart === true) {
        const instead = `invoke it: setup({ actors: { name: effect('key', …) } })`
        return Promise.reject(new NotReplayableError(this.path, this.message.type, 'effect', instead))
      }
      // What comes back is what `fn` gave, or gave before: see EffectFunction.
      return runEffect(this.cell, this.turn, key, fn, options, detachedIn(this.cell, this), () => {
        interrupt(this)
      }) as Promise<Awaited<Value>>
    }
  }

  get get(): ActorContext['get'] {
    return (definition, key) => this.cell.kernel.get(definition, key)
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
      else if (this.turn === undefined) asked.answer(answer)
      else this.letOut(asked.hold(answer))
    }
  }

  get refuse(): (error: Error) => void {
    return (error) => {
      const asked = this.envelope?.ask
      if (this.fenced) zombie(this.cell, 'reply')
      else if (this.turn === undefined) asked?.fail(error)
      else if (asked !== undefined) this.letOut(asked.holdFailure(error))
    }
  }

  get spawn(): ActorContext['spawn'] {
    return ((definition: AnyDefinition, options?: SpawnOptions<AnyDefinition>) => {
      if (this.fenced) {
        zombie(this.cell, 'spawn')
        throw new FencedError(this.path, 'spawn')
      }
      this.#refuseInTurn('spawn')
      return spawn(this.cell, definition, options)
      // The ref of a definition's cell has that definition's protocol.
    }) as ActorContext['spawn']
  }

  get stop(): (reason?: ExitReason) => void {
    return (reason = exits.normal) => {
      this.#effect('stop', () => {
        // One that was brought back went on after that.
        if (this.turn?.isReplay !== true) this.cell.stopSelf(reason)
      })
    }
  }

  get watch(): (ref: AnyRef) => void {
    return (ref) => {
      this.#refuseInTurn('watch')
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
      this.#setAside('stash')
    }
  }

  get unstashAll(): () => void {
    return () => {
      this.#effect('unstash', () => {
        if (this.turn?.isReplay !== true) this.cell.putBack('stash')
      })
    }
  }

  get postpone(): () => void {
    return () => {
      this.#setAside('postpone')
    }
  }

  get register(): (key: DiscoveryKey<Protocol>) => void {
    return (key) => {
      this.#refuseInTurn('register')
      this.#effect('register', () => {
        const takeBack = this.cell.kernel.offerService(key, this.cell.ref)
        if (takeBack !== undefined) this.cell.onEnd(takeBack)
      })
    }
  }

  get find(): ActorContext['find'] {
    return (key) => this.cell.kernel.findServices(key)
  }

  get lookup(): ActorContext['lookup'] {
    // The ref of a definition's cell has that definition's protocol.
    return ((definition: AnyDefinition, name?: string) => {
      // It throws where nobody is yet, as in a replay.
      this.#refuseInHandler('lookup')
      return lookup(this.cell, definition, name).ref
    }) as ActorContext['lookup']
  }

  get publish(): ActorContext['publish'] {
    return (topic, payload) => {
      this.#effect('publish', () => {
        this.letOut({
          release: () => {
            this.cell.kernel.publish(topic, payload)
          },
          refuse: () => undefined,
        })
      })
    }
  }

  get subscribe(): ActorContext['subscribe'] {
    return (topic, toMessage) => {
      this.#refuseInTurn('subscribe')
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
      if (this.turn?.isReplay !== true) spend(this.cell, amount)
    }
  }

  get escalate(): ActorContext['escalate'] {
    return <Choice extends string>(request: EscalationRequest<Choice>) => {
      if (this.fenced) {
        zombie(this.cell, 'escalate')
        return Promise.reject(new FencedError(this.path, 'escalate'))
      }
      this.#refuseInTurn('escalate')
      // The kernel answers with one of the options that it was given.
      return this.cell.kernel.escalate(this.cell, request) as Promise<EscalationOutcome<Choice>>
    }
  }

  /** Lets something out: at once, or in a durable actor when all that it may follow from is on disk. */
  letOut(output: Output): void {
    const { turn } = this
    const { record } = this.cell
    if (record === undefined) output.release()
    else if (turn === undefined) record.release(unfenced(output))
    else turn.hold(turn.isOver ? unfenced(output) : output)
  }

  /** In a durable actor it comes about with the end of the handler, unless that fails. */
  #setAside(how: 'stash' | 'postpone'): void {
    this.#effect(how, () => {
      const { turn, cell } = this
      if (turn === undefined) {
        cell.setAside(this, how)
        return
      }
      if (turn.isOver) throw new NotReplayableError(cell.path, this.message.type, `${how}() after the end`, waitForAll)
      if (turn.aside !== undefined) return
      cell.lane.checkRoomAside(() => cell.path)
      turn.aside = how
    })
  }

  /** @throws {NotReplayableError} `NOT_REPLAYABLE` in the handler of a durable actor. */
  #refuseInTurn(what: string): void {
    // The code of an effect runs in a context of its own.
    if (this.turn === undefined || currentContext()?.turn !== this.turn) return
    const instead = `do it inside of an effect, or when it starts, in 'actor.started'`
    throw new NotReplayableError(this.path, this.message.type, what, instead)
  }

  /** As `#refuseInTurn`, where a replay goes: the actions of a chart are in none. */
  #refuseInHandler(what: string): void {
    if (this.turn?.isChart !== true) this.#refuseInTurn(what)
  }

  /** Does `run` unless this incarnation is fenced; then it is counted and has no effect. */
  #effect(effect: string, run: () => void): void {
    if (this.fenced) zombie(this.cell, effect)
    else run()
  }
}
