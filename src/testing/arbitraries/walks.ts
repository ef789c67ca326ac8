import type { Arbitrary, Random, Stream, Value } from 'fast-check'
import type { AnyStateMachine, EventFrom, EventObject } from 'xstate'
import type { Protocol } from '../../actors/protocol.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { fastCheck } from '../fast-check.ts'
import {
  begin,
  enabled,
  eventsOf,
  isHandled,
  machineOf,
  nextTimer,
  send,
  transitionId,
  wait,
  type Charted,
  type ChartOptions,
  type Events,
  type Move,
  type Position,
} from './chart.ts'
import type { SentOf } from './messages.ts'

/** One thing that happens to a chart: it is sent an event, or time passes until its next timer is due. */
export type WalkStep<E extends EventObject = EventObject> =
  { readonly kind: 'send'; readonly event: E } | { readonly kind: 'wait'; readonly ms: number }
export type Walk<E extends EventObject = EventObject> = readonly WalkStep<E>[]

/** The events of a chart: those of its machine, or what its actor can be sent. What `events` adds is not in the type. */
export type EventsOf<C extends Charted> = C extends AnyStateMachine
  ? EventFrom<C>
  : C extends { readonly protocol: infer P extends Protocol }
    ? SentOf<P, keyof P & string>
    : EventObject

export interface WalksOptions extends ChartOptions {
  /** Default 20. */
  readonly maxSteps?: number
}

/**
 * Any sequence of events that walks the states of a chart: each step takes a transition, as its guards say, and more
 * often than not one that the walk has not taken yet. `after` is a step that waits, perhaps for a timer whose guard then
 * refuses. A walk ends in a final state, where only what is invoked goes on, and after a step that throws. It shrinks to
 * a shorter one in which each event still takes a transition. Guards and assignments run while walks are drawn; actions and invoked actors do not.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID`
 */
export function walksOf<C extends Charted>(of: C, options: WalksOptions = {}): Arbitrary<Walk<EventsOf<C>>> {
  const fc = fastCheck()
  const { maxSteps = 20 } = options
  if (!Number.isSafeInteger(maxSteps) || maxSteps < 1)
    throw new DefinitionInvalidError('walksOf.maxSteps', `${maxSteps} is not a positive integer`)
  const walker = new Walker(machineOf(of), eventsOf(of, options), options.input)

  class Walks extends fc.Arbitrary<Walk> {
    generate(random: Random, bias: number | undefined): Value<Walk> {
      const isShort = bias !== undefined && random.nextInt(1, bias) === 1
      const length = random.nextInt(1, isShort ? Math.min(3, maxSteps) : maxSteps)
      return this.#value(walker.draw(random, bias, length))
    }

    canShrinkWithoutContext(_value: unknown): _value is Walk {
      return false
    }

    /** `context` is what `#value` made it. */
    shrink(_walk: Walk, context: unknown): Stream<Value<Walk>> {
      return fc.stream(this.#smaller(context as readonly Drawn[]))
    }

    *#smaller(drawn: readonly Drawn[]): IterableIterator<Value<Walk>> {
      for (const some of withoutChunks(drawn)) yield this.#value(walker.repair(some))
      for (const [i, each] of drawn.entries()) {
        if (each.kind === 'wait') continue
        for (const smaller of each.from.shrink(each.event.value, each.event.context))
          yield this.#value(walker.repair(drawn.with(i, { ...each, event: smaller })))
      }
    }

    #value(drawn: readonly Drawn[]): Value<Walk> {
      const steps = drawn.map((each): WalkStep =>
        each.kind === 'wait' ? each : { kind: 'send', event: each.event.value },
      )
      return new fc.Value(steps, drawn)
    }
  }
  // The events are drawn from what the types were made of.
  return new Walks() as Arbitrary<unknown> as Arbitrary<Walk<EventsOf<C>>>
}

/** A step with what its event shrinks by. */
type Drawn =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'send'; readonly event: Value<EventObject>; readonly from: Arbitrary<EventObject> }

/** All but the first half, all but the second, then without quarters, and so on: what ddmin tries. */
function* withoutChunks<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let size = all.length; size > 0; size = Math.floor(size / 2))
    for (let at = 0; at < all.length; at += size) yield all.toSpliced(at, size)
}

interface Choice {
  readonly step: Drawn
  readonly weight: number
}

class Walker {
  readonly #machine: AnyStateMachine
  readonly #events: Events
  readonly #input: unknown

  constructor(machine: AnyStateMachine, events: Events, input: unknown) {
    this.#machine = machine
    this.#events = events
    this.#input = input
  }

  draw(random: Random, bias: number | undefined, length: number): readonly Drawn[] {
    const steps: Drawn[] = []
    const seen = new Set<string>()
    let { position } = begin(this.#machine, this.#input)
    while (steps.length < length) {
      const step = pick(this.#choices(position, seen, random, bias), random)
      if (step === undefined) break
      steps.push(step)
      const move = this.#take(position, step)
      if (move === undefined) break
      for (const taken of move.taken) seen.add(transitionId(taken))
      position = move.position
    }
    return steps
  }

  /** Without the events that take no transition any more, and waiting for what is due now. */
  repair(steps: readonly Drawn[]): readonly Drawn[] {
    const kept: Drawn[] = []
    let { position } = begin(this.#machine, this.#input)
    for (const step of steps) {
      const due = step.kind === 'wait' ? nextTimer(position) : undefined
      const event = step.kind === 'wait' ? due?.event : step.event.value
      if (event === undefined) continue
      if (step.kind === 'send' && this.#transitions(position, event).length === 0) continue
      const again: Drawn = step.kind === 'wait' ? { kind: 'wait', ms: due?.ms ?? 0 } : step
      kept.push(again)
      const move = this.#take(position, again)
      if (move === undefined) break
      position = move.position
    }
    return kept
  }

  #choices(position: Position, seen: ReadonlySet<string>, random: Random, bias: number | undefined): readonly Choice[] {
    const choices: Choice[] = []
    const add = (step: Drawn, event: EventObject): boolean => {
      const taken = this.#transitions(position, event)
      if (taken.length > 0) choices.push({ step, weight: taken.some((id) => !seen.has(id)) ? 8 : 1 })
      return taken.length > 0
    }
    for (const [type, from] of this.#events) {
      if (!isHandled(position, type)) continue
      // A guard may refuse one body and take another.
      for (let tries = 0; tries < 5; tries += 1) {
        const event = from.generate(random, bias)
        if (add({ kind: 'send', event, from }, event.value)) break
      }
    }
    const due = nextTimer(position)
    // Time that brings about nothing passes all the same: another timer may be next.
    if (due !== undefined && !add({ kind: 'wait', ms: due.ms }, due.event))
      choices.push({ step: { kind: 'wait', ms: due.ms }, weight: 1 })
    return choices
  }

  /** Ids of the transitions that an event takes. What throws takes one that nobody knows: it is worth a step. */
  #transitions(position: Position, event: EventObject): readonly string[] {
    try {
      return enabled(this.#machine, position, event).map(transitionId)
    } catch {
      return ['throws']
    }
  }

  /** Undefined when the chart throws: there is no going on from there. */
  #take(position: Position, step: Drawn): Move | undefined {
    try {
      return step.kind === 'wait' ? wait(this.#machine, position) : send(this.#machine, position, step.event.value)
    } catch {
      return undefined
    }
  }
}

function pick(choices: readonly Choice[], random: Random): Drawn | undefined {
  const total = choices.reduce((sum, { weight }) => sum + weight, 0)
  if (total === 0) return undefined
  let left = random.nextInt(1, total)
  return choices.find(({ weight }) => (left -= weight) <= 0)?.step
}
