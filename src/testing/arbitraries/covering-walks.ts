import { inspect } from 'node:util'
import type { AnyStateMachine, AnyTransitionDefinition, EventObject } from 'xstate'
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
  typeOf,
  wait,
  type Charted,
  type ChartOptions,
  type Events,
  type Move,
} from './chart.ts'
import { invokedBy, nameOf, statesOf, transitionsOf } from './coverage.ts'
import type { EventsOf, Walk, WalkStep } from './walks.ts'

export interface CoveringOptions extends ChartOptions {
  /** Configurations (states, context and timers) to look at before giving up. Default 2,000. */
  readonly maxConfigurations?: number
  /** Bodies to try for each type of event. Default 10. */
  readonly samples?: number
}

/** A state or a transition that no walk reaches. */
export interface Unreached {
  readonly kind: 'state' | 'transition'
  readonly id: string
  readonly name: string
  readonly why: string
}

export interface CoveringWalks<E extends EventObject = EventObject> {
  /** Together they take every transition and are in every state that was reached, each by a shortest way that was found. */
  readonly walks: readonly Walk<E>[]
  readonly unreached: readonly Unreached[]
}

/** A configuration, and how it was come to. */
interface Node {
  readonly move: Move
  readonly before: Node | undefined
  readonly step: WalkStep | undefined
  /** What nothing reached earlier: ids of states and transitions. */
  readonly fresh: readonly string[]
  readonly depth: number
}

/**
 * Few walks that reach all that can be reached, always the same ones; and what they do not reach, with the reason. Looks
 * at configurations breadth first, those first whose states were seen least.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID`
 */
export function coveringWalks<C extends Charted>(of: C, options: CoveringOptions = {}): CoveringWalks<EventsOf<C>> {
  const { maxConfigurations = 2_000, samples = 10 } = options
  for (const [name, bound] of Object.entries({ maxConfigurations, samples }))
    if (!Number.isSafeInteger(bound) || bound < 1)
      throw new DefinitionInvalidError(`coveringWalks.${name}`, `${bound} is not a positive integer`)
  const machine = machineOf(of)
  const events = eventsOf(of, options)
  const bodies = [...events.values()].flatMap((from) => fastCheck().sample(from, { numRuns: samples, seed: 1 }))
  const search = new Search(machine, distinct(bodies))
  const isDone = search.run(options.input, maxConfigurations)
  return {
    // The bodies are drawn from what the types were made of.
    walks: cover(search.found) as readonly Walk<EventsOf<C>>[],
    unreached: unreached(machine, events, search, isDone ? undefined : maxConfigurations),
  }
}

class Search {
  readonly #machine: AnyStateMachine
  readonly #bodies: readonly EventObject[]
  readonly #seen = new Set<string>()
  /** Those that reached something first. */
  readonly found: Node[] = []
  readonly reached = new Set<string>()
  /** To be looked at, by how often their states were seen before. */
  readonly #open: Node[][] = []
  readonly #timesSeen = new Map<string, number>()

  constructor(machine: AnyStateMachine, bodies: readonly EventObject[]) {
    this.#machine = machine
    this.#bodies = bodies
  }

  /** False when the bound was reached first. */
  run(input: unknown, maxConfigurations: number): boolean {
    this.#add(begin(this.#machine, input), undefined, undefined)
    for (let looked = 0; ; looked += 1) {
      const node = this.#open.find((bucket) => bucket.length > 0)?.shift()
      if (node === undefined) return true
      if (looked >= maxConfigurations) return false
      this.#expand(node)
    }
  }

  #expand(node: Node): void {
    const { position } = node.move
    for (const event of this.#bodies) {
      if (!isHandled(position, event.type)) continue
      this.#try(node, { kind: 'send', event }, () =>
        enabled(this.#machine, position, event).length === 0 ? undefined : send(this.#machine, position, event),
      )
    }
    const due = nextTimer(position)
    if (due !== undefined) this.#try(node, { kind: 'wait', ms: due.ms }, () => wait(this.#machine, position))
  }

  /** What throws leads nowhere. */
  #try(before: Node, step: WalkStep, take: () => Move | undefined): void {
    try {
      const move = take()
      if (move !== undefined) this.#add(move, before, step)
    } catch {
      return
    }
  }

  #add(move: Move, before: Node | undefined, step: WalkStep | undefined): void {
    const fresh = [...move.visited, ...move.taken.map(transitionId)].filter((id) => !this.reached.has(id))
    const node: Node = { move, before, step, fresh, depth: (before?.depth ?? -1) + 1 }
    for (const id of fresh) this.reached.add(id)
    if (fresh.length > 0) this.found.push(node)
    const { snapshot, timers, nowMs } = move.position
    const due = [...timers].map(([id, { dueMs }]) => [id, dueMs - nowMs])
    const key = text([snapshot.value, snapshot.context, snapshot.historyValue, due])
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    const states = text(snapshot.value)
    const times = this.#timesSeen.get(states) ?? 0
    this.#timesSeen.set(states, times + 1)
    for (let bucket = this.#open.length; bucket <= times; bucket += 1) this.#open.push([])
    this.#open[times]?.push(node)
  }
}

/** Tells configurations apart. Two that look alike are one: something may be missed, and is said to be. */
function text(value: unknown): string {
  try {
    return JSON.stringify(value, (_, part: unknown) => {
      if (typeof part === 'bigint') return `${part}n`
      return part instanceof Map || part instanceof Set ? [...(part as Iterable<unknown>)] : part
    })
  } catch {
    return inspect(value, { depth: 8 }) // a context that contains itself
  }
}

const distinct = (events: readonly EventObject[]): readonly EventObject[] => [
  ...new Map(events.map((event) => [text(event), event])).values(),
]

/** The ways to what was found, the longest first, as long as there is something that the others do not come by. */
function cover(found: readonly Node[]): readonly Walk[] {
  const covered = new Set<string>()
  const walks: Walk[] = []
  for (const node of found.toSorted((a, b) => b.depth - a.depth)) {
    if (node.fresh.every((id) => covered.has(id))) continue
    const steps: WalkStep[] = []
    for (let at: Node | undefined = node; at !== undefined; at = at.before) {
      if (at.step !== undefined) steps.unshift(at.step)
      for (const id of [...at.move.visited, ...at.move.taken.map(transitionId)]) covered.add(id)
    }
    walks.push(steps)
  }
  return walks
}

function unreached(machine: AnyStateMachine, events: Events, { reached }: Search, bound: number | undefined) {
  const why = (taken: AnyTransitionDefinition): string => {
    const { source, guard } = taken
    const type = typeOf(taken)
    const invoked = invokedBy(taken)
    if (source !== machine.root && !reached.has(source.id)) return `${source.id} was not reached`
    if (invoked !== undefined && !events.has(type)) return `only the invoked '${invoked}' brings it about`
    const isSent = !type.startsWith('xstate.') && type !== '' && !type.endsWith('*')
    if (isSent && !events.has(type)) return 'no body is known for its event'
    if (bound !== undefined) return `not within ${bound} configurations`
    return guard === undefined ? 'another transition always comes first' : 'its guard refused all that was tried'
  }
  const transitions = transitionsOf(machine).map((each): Unreached => ({
    kind: 'transition',
    id: transitionId(each),
    name: nameOf(each),
    why: why(each),
  }))
  const states = statesOf(machine).map(({ id }): Unreached => ({
    kind: 'state',
    id,
    name: id,
    why: 'no transition that was taken leads to it',
  }))
  return [...states, ...transitions].filter(({ id }) => !reached.has(id))
}
