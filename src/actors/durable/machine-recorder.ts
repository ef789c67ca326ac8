import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate'
import { asError } from '../../core/exit.ts'
import { ambient } from '../ambient.ts'
import type { Cell } from '../cell.ts'
import { MessageContext } from '../context.ts'
import { childrenOf, hostedIn, snapshotOf, type Hosted } from '../hosted.ts'
import { watchedMachine } from '../machine-guard.ts'
import { effectKeyOf, giveUpEffects } from './effect-logic.ts'
import { NotReplayableError } from './errors.ts'
import { ChartDelays } from './machine-delays.ts'
import { noteLetters } from './machine-letters.ts'
import { checkChildren, isChildEnd, keptEvent, keptState, type ChildEnds } from './machine-state.ts'
import type { DurableRecord } from './record.ts'
import type { Turn } from './turn.ts'
import { encode } from './values.ts'

/** Transitions are noted when they happen in a durable actor, and not in one that is being brought back. */
export const recordedMachine = (machine: AnyStateMachine): AnyStateMachine =>
  watchedMachine(machine, (self, before, event, step) => {
    const recorder = recorders.get(self)
    return recorder === undefined || event.type === 'xstate.stop' ? step() : recorder.around(before, event, step)
  })

const recorders = new WeakMap<object, Recorder>()

/** What notes the turns of the chart in a cell; undefined before it has begun. */
export const recorderOf = (cell: Cell): Recorder | undefined => {
  const hosted = hostedIn(cell)
  return hosted && recorders.get(hosted.actor)
}

/** A turn of a live chart that is going on. */
interface OpenTurn {
  readonly context: MessageContext
  readonly turn: Turn
  readonly delays: ChartDelays
  readonly event: AnyEventObject
  readonly before: AnyMachineSnapshot
  after: AnyMachineSnapshot
  /** What was at hand before: for an event from within nothing, or the message that set it off. */
  readonly outer: MessageContext | undefined
  readonly ambient: MessageContext | undefined
}

/**
 * Notes what happens in one live chart. A transition is a turn, which ends when XState has done what the transition
 * deferred. What a replay, which runs no action, could not come to again is refused.
 */
export class Recorder {
  readonly #cell: Cell
  readonly #record: DurableRecord
  readonly #machine: AnyStateMachine
  readonly #hosted: Hosted
  readonly #ends: ChildEnds
  #open: OpenTurn | undefined
  /** Its first step is done. */
  isUp = false

  constructor(cell: Cell, record: DurableRecord, machine: AnyStateMachine, hosted: Hosted, ends: ChildEnds) {
    this.#cell = cell
    this.#record = record
    this.#machine = machine
    this.#hosted = hosted
    this.#ends = ends
    checkChildren(cell.path, 'actor.started', {}, snapshotOf(hosted.actor))
    this.#takeDelays()
    hosted.follower = {
      settled: () => {
        this.#settle()
      },
      failed: (error) => {
        this.#fail(error)
      },
    }
    recorders.set(hosted.actor, this)
  }

  /** Whether something that it invoked or spawned is at work. */
  get hasOwnWork(): boolean {
    return Object.values(childrenOf(snapshotOf(this.#hosted.actor))).some(
      (child) => snapshotOf(child).status === 'active',
    )
  }

  get state(): unknown {
    return keptState(this.#machine, snapshotOf(this.#hosted.actor) as AnyMachineSnapshot, this.#ends).kept()
  }

  /** Runs one transition. */
  around(before: AnyMachineSnapshot, event: AnyEventObject, step: () => AnyMachineSnapshot): AnyMachineSnapshot {
    const hosted = this.#hosted
    if (hosted.ended) return step()
    // Events from within come in nobody's message.
    const context =
      hosted.context?.message === event ? hosted.context : new MessageContext(this.#cell, event, undefined)
    const turn = this.#record.open(keptEvent(event, this.#blobOf(before, event)), context.envelope?.delivery)
    context.turn = turn
    const delays = ChartDelays.of(turn, this.#record.ledger)
    const outer = hosted.context
    const open: OpenTurn = { context, turn, delays, event, before, after: before, outer, ambient: ambient.context }
    hosted.context = context
    ambient.context = context
    this.#open = open
    // What it throws comes back as a failure of the actor.
    open.after = step()
    return open.after
  }

  /** Where the journal has what an effect came to, when that is large. */
  #blobOf(before: AnyMachineSnapshot, event: AnyEventObject): string | undefined {
    const child = isChildEnd(event) ? childrenOf(before)[String(event['actorId'])] : undefined
    const key = child && effectKeyOf(child)
    return key === undefined ? undefined : this.#record.ledger.outcomes.get(key)?.blob
  }

  #settle(): void {
    this.isUp = true
    const open = this.#takeOpen()
    if (open === undefined) return
    try {
      this.#finish(open)
    } catch (error) {
      if (open.context === open.outer) {
        this.#hosted.failure = { error }
        return
      }
      this.#record.failed(open.turn, error)
      this.#cell.fail(error)
    }
  }

  #fail(error: unknown): void {
    const open = this.#takeOpen()
    // The next incarnation begins afresh too.
    if (!this.isUp) this.#record.fail(asError(error))
    // What becomes of a message is decided with the failure of its actor.
    if (open === undefined || open.context === open.outer) return
    this.#record.failed(open.turn, error)
    // The message that set it off was handled: it is not what failed.
    this.#hosted.context = undefined
  }

  #takeOpen(): OpenTurn | undefined {
    const open = this.#open
    if (open === undefined) return undefined
    this.#open = undefined
    this.#hosted.context = open.outer
    ambient.context = open.ambient
    return open
  }

  #finish(open: OpenTurn): void {
    const { context, turn, delays, event, before, after } = open
    if (turn.aside !== undefined) {
      this.#setAside(open, turn.aside)
      return
    }
    checkChildren(context.path, event.type, before, after)
    this.#ends.note(before, event)
    if (after.status === 'done') delays.cancelAll(this.#record.ledger)
    const changed = after !== before || isChildEnd(event)
    this.#record.handled(turn, keptState(this.#machine, after, this.#ends), changed)
    noteLetters(this.#record, turn)
    if (after.status === 'done') giveUpEffects(this.#record)
  }

  /** A message that is set aside stays where it was: in the mailbox, or in the journal too. */
  #setAside({ context, turn, event, before, after }: OpenTurn, how: 'stash' | 'postpone'): void {
    const { path } = context
    const refuse = (what: string, instead: string): never => {
      throw new NotReplayableError(path, event.type, what, instead)
    }
    if (context.message.type.startsWith('xstate.') || turn.received.timer !== undefined)
      refuse('stash() or postpone()', 'only messages can be set aside')
    const isSame = after.context === before.context && JSON.stringify(after.value) === JSON.stringify(before.value)
    if (!isSame || turn.timers !== undefined)
      refuse('an event that is set aside', 'change nothing in the transition that stashes or postpones it')
    // It would be told again each time that the event comes.
    if (turn.letters !== undefined)
      refuse('a durable tell of an event that is set aside', 'tell it in the transition that takes the event')
    this.#cell.setAside(context, how)
    this.#record.setAside(turn, context.envelope?.delivery)
  }

  /** The delays of the chart are in its ledger, which wakes it; XState keeps those of its children. */
  #takeDelays(): void {
    const { actor } = this.#hosted
    const { scheduler } = actor.system
    const { schedule, cancel } = scheduler
    scheduler.schedule = (source, target, event, delay, id) => {
      if (source !== actor || isChildOf(actor, target)) {
        schedule(source, target, event, delay, id)
        return
      }
      const { path } = this.#cell
      if (target !== actor)
        throw new NotReplayableError(
          path,
          event.type,
          `sendTo(${target.id}) with a delay`,
          'raise an event with the delay, and send when it comes',
        )
      encode(event, `the delayed event '${event.type}'`)
      // Those of its first step were noted when its first state was made.
      this.#open?.delays.set(id, delay, event)
    }
    scheduler.cancel = (source, id) => {
      if (source === actor) this.#open?.delays.cancel(id)
      cancel(source, id)
    }
  }
}

/** XState's actors know their parent, under this name. */
const isChildOf = (actor: object, target: AnyActorRef): boolean => '_parent' in target && target._parent === actor
