import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
  EventObject,
  InspectionEvent,
} from 'xstate'
import { begin, isOfInvoked, machineOf, send, transitionId, typeOf, wait, type Charted, type Move } from './chart.ts'
import type { Walk } from './walks.ts'

/** One state or transition. */
export interface Covered {
  readonly id: string
  /** For people: `order.open: order.pay [isRich] -> order.paid`. */
  readonly name: string
  readonly count: number
  /** Only what this invoked actor does brings it about. */
  readonly invoked: string | undefined
}

export interface Tally {
  readonly reached: readonly Covered[]
  readonly missed: readonly Covered[]
  /** Of all, 0 to 100; of none, 100. */
  readonly percent: number
}

export interface CoverageReport {
  readonly states: Tally
  readonly transitions: Tally
  /** Steps whose transitions could not be told: the chart did something else when it was asked again. */
  readonly unexplained: number
  readonly text: string
}

/** The states of a machine but for its root and its history states, in which it never is. */
export const statesOf = (machine: AnyStateMachine): readonly AnyStateNode[] =>
  nodesBelow(machine.root).filter(({ type }) => type !== 'history')

const nodesBelow = (node: AnyStateNode): readonly AnyStateNode[] =>
  Object.values(node.states).flatMap((child: AnyStateNode) => [child, ...nodesBelow(child)])

export const transitionsOf = (machine: AnyStateMachine): readonly AnyTransitionDefinition[] =>
  [machine.root, ...statesOf(machine)].flatMap((node) => [
    ...[...node.transitions.values()].flat(),
    ...((node.always ?? []) as readonly AnyTransitionDefinition[]), // XState types them by their machine
  ])

export function nameOf(transition: AnyTransitionDefinition): string {
  const { source, guard, target } = transition
  const condition = guard === undefined ? '' : ` [${guardName(guard)}]`
  const targets = target?.map(({ id }: AnyStateNode) => id).join(' & ') ?? 'stays'
  return `${source.id}: ${typeOf(transition) || 'always'}${condition} -> ${targets}`
}

const guardName = (guard: unknown): string => {
  if (typeof guard === 'string') return guard
  const named = guard as { readonly type?: unknown; readonly name?: string } // an object or a function
  return typeof named.type === 'string'
    ? named.type
    : named.name === undefined || named.name === ''
      ? 'guard'
      : named.name
}

/** The actor that alone can bring a transition about. */
export function invokedBy(transition: AnyTransitionDefinition): string | undefined {
  const type = typeOf(transition)
  return isOfInvoked(type) ? type.replace(/^xstate\.(done\.actor|error\.actor|snapshot)\./, '') : undefined
}

/** Counts which states and transitions of a chart were reached. Copies of the machine count as the machine itself. */
export class Coverage {
  readonly #machine: AnyStateMachine
  readonly #states = new Map<string, number>()
  readonly #transitions = new Map<string, number>()
  #unexplained = 0

  constructor(machine: AnyStateMachine) {
    this.#machine = machine
  }

  /** Notes the states of a snapshot, and no transition. */
  visit(snapshot: AnyMachineSnapshot): void {
    for (const { id } of snapshot._nodes) count(this.#states, id)
  }

  /** Notes a step that was seen from outside. Its transitions are found by taking it again, without its actions. */
  record(before: AnyMachineSnapshot, event: EventObject, after: AnyMachineSnapshot): void {
    const move = this.#again(before, event)
    if (move !== undefined && JSON.stringify(move.position.snapshot.value) === JSON.stringify(after.value)) {
      this.note(move)
      return
    }
    this.#unexplained += 1
    this.visit(after)
  }

  #again(before: AnyMachineSnapshot, event: EventObject): Move | undefined {
    try {
      return send(before.machine, { snapshot: before, timers: new Map(), nowMs: 0 }, event)
    } catch {
      return undefined
    }
  }

  /** For `createActor(machine, { inspect: coverage.inspect })`: notes all that a running machine does. */
  inspect = (event: InspectionEvent): void => {
    const isFirst = event.type === '@xstate.snapshot' && event.event.type === 'xstate.init'
    if ((event.type !== '@xstate.microstep' && !isFirst) || !('machine' in event.snapshot)) return
    const snapshot = event.snapshot as AnyMachineSnapshot // only they have a machine
    if (snapshot.machine.id !== this.#machine.id) return
    if (event.type === '@xstate.microstep')
      for (const taken of event._transitions) count(this.#transitions, transitionId(taken))
    this.visit(snapshot)
  }

  /** Notes what a walk does, without running it. */
  walk(walk: Walk, input?: unknown): void {
    let move: Move | undefined = begin(this.#machine, input)
    this.note(move)
    for (const step of walk) {
      const { position }: Move = move
      move = step.kind === 'wait' ? wait(this.#machine, position) : send(this.#machine, position, step.event)
      if (move === undefined) return
      this.note(move)
    }
  }

  note({ taken, visited }: Move): void {
    for (const each of taken) count(this.#transitions, transitionId(each))
    for (const id of visited) count(this.#states, id)
  }

  report(): CoverageReport {
    const states = tally(
      statesOf(this.#machine).map(({ id }) => ({ id, name: id, count: this.#states.get(id) ?? 0, invoked: undefined })),
    )
    const transitions = tally(
      transitionsOf(this.#machine).map((each) => {
        const id = transitionId(each)
        return { id, name: nameOf(each), count: this.#transitions.get(id) ?? 0, invoked: invokedBy(each) }
      }),
    )
    const text = [...lines('states', states), ...lines('transitions', transitions)].join('\n')
    return { states, transitions, unexplained: this.#unexplained, text }
  }
}

/** Counts which states and transitions of a chart are reached by what it is told of. */
export const coverageOf = (of: Charted): Coverage => new Coverage(machineOf(of))

const count = (counts: Map<string, number>, id: string): void => {
  counts.set(id, (counts.get(id) ?? 0) + 1)
}

function tally(all: readonly Covered[]): Tally {
  const reached = all.filter((each) => each.count > 0)
  const percent = all.length === 0 ? 100 : (100 * reached.length) / all.length
  return { reached, missed: all.filter((each) => each.count === 0), percent }
}

function lines(what: string, { reached, missed, percent }: Tally): readonly string[] {
  const ofInvoked = missed.filter(({ invoked }) => invoked !== undefined).length
  const note = ofInvoked === 0 ? '' : `; ${ofInvoked} of the others only by invoked actors`
  return [
    `${what}: ${reached.length} of ${reached.length + missed.length} reached (${Math.floor(percent)} %)${note}`,
    ...reached.map(({ name, count: times }) => `  ${String(times).padStart(6)}  ${name}`),
    ...missed.map(
      ({ name, invoked }) => `  missed  ${name}${invoked === undefined ? '' : ` (only '${invoked}' brings it about)`}`,
    ),
  ]
}
