import type { Arbitrary } from 'fast-check'
import {
  initialTransition,
  transition,
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyTransitionDefinition,
  type EventObject,
  type InspectionEvent,
} from 'xstate'
import type { AnyDefinition } from '../../actors/definition.ts'
import { isMachine } from '../../actors/machine-guard.ts'
import type { Protocol } from '../../actors/protocol.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { fastCheck } from '../fast-check.ts'
import { byType } from './messages.ts'
import type { ArbitraryOptions } from './schema.ts'

/** A chart: the machine itself, or the definition of an actor that runs one. */
export type Charted = AnyStateMachine | AnyDefinition

export interface ChartOptions extends ArbitraryOptions {
  /** What the machine is started with. */
  readonly input?: unknown
  /** Types and bodies of the events. Default: the protocol of the actor; without one, all event types, without bodies. */
  readonly protocol?: Protocol
  /**
   * Bodies of events by their type, before what the protocol says. With `xstate.done.actor.ID` and `xstate.error.actor.ID`
   * among them (`fc.record({ output: ... })`), what is invoked ends as they say; otherwise it never does.
   */
  readonly events?: Readonly<Record<string, Arbitrary<object>>>
}

export type Events = ReadonlyMap<string, Arbitrary<EventObject>>

const isDefinition = (of: Charted): of is AnyDefinition => 'kind' in of

export function machineOf(of: Charted): AnyStateMachine {
  const logic = isDefinition(of) ? of.logic : of
  if (isMachine(logic)) return logic
  throw new DefinitionInvalidError('chart', 'is neither a machine nor an actor that runs one')
}

/** What is brought about by the machine itself, by time, or by what it invokes: nobody sends it. */
const isInternal = (type: string): boolean => type.startsWith('xstate.') || type === '' || type.endsWith('*')
export const isOfInvoked = (type: string): boolean => /^xstate\.(done\.actor|error\.actor|snapshot)\./.test(type)

export function eventsOf(of: Charted, { protocol, events = {}, ...options }: ChartOptions): Events {
  const known = protocol ?? (isDefinition(of) ? of.protocol : undefined)
  const types: readonly string[] = machineOf(of).events
  const bare = known === undefined ? types.filter((type) => !isInternal(type)) : []
  const given = Object.entries(events).map(
    ([type, bodies]) => [type, bodies.map((body): EventObject => ({ type, ...body }))] as const,
  )
  return new Map<string, Arbitrary<EventObject>>([
    ...bare.map((type) => [type, fastCheck().constant({ type })] as const),
    ...(known === undefined || Object.keys(known).length === 0 ? [] : byType(known, options)),
    ...given,
  ])
}

/** Where a chart is, and what is due there: timers by their id. */
export interface Position {
  readonly snapshot: AnyMachineSnapshot
  readonly timers: ReadonlyMap<string, { readonly dueMs: number; readonly event: EventObject }>
  readonly nowMs: number
}

/** One step of a chart, with the transitions that it took, also those without an event. */
export interface Move {
  readonly position: Position
  readonly taken: readonly AnyTransitionDefinition[]
  /** States that it was in on the way and at the end. */
  readonly visited: ReadonlySet<string>
}

type Stepped = readonly [AnyMachineSnapshot, readonly { readonly type: string; readonly params?: unknown }[]]

/** Takes one step by XState's own pure functions, and looks on. What guards and assignments throw is thrown here. */
function step(machine: AnyStateMachine, from: Position, run: (logic: AnyStateMachine) => Stepped): Move {
  const taken: AnyTransitionDefinition[] = []
  const visited = new Set<string>()
  const watching =
    <T>(go: (scope: AnyActorScope) => T) =>
    (scope: AnyActorScope): T => {
      // XState starts one that it throws away before the one that counts.
      taken.length = 0
      visited.clear()
      const { unsubscribe } = scope.system.inspect((event: InspectionEvent) => {
        if (event.type !== '@xstate.microstep' || event.actorRef !== scope.self) return
        taken.push(...event._transitions)
        // The steps of a machine have the snapshots of one.
        for (const node of (event.snapshot as AnyMachineSnapshot)._nodes) visited.add(node.id)
      })
      try {
        return go(scope)
      } finally {
        unsubscribe()
      }
    }
  // The same machine, watched: a copy would have nodes of its own. XState types the scope of any machine as anything.
  const logic = Object.create(machine) as AnyStateMachine
  logic.transition = (snapshot, event, scope) => watching((s) => machine.transition(snapshot, event, s as never))(scope)
  logic.getInitialSnapshot = (scope, input: unknown) =>
    watching((s) => machine.getInitialSnapshot(s as never, input as never))(scope)
  const [snapshot, actions] = run(logic)
  for (const node of snapshot._nodes) visited.add(node.id)
  return { position: { snapshot, nowMs: from.nowMs, timers: timersAfter(from, snapshot, actions) }, taken, visited }
}

interface Resolved {
  readonly event?: EventObject
  readonly delay?: number
  readonly id?: string
  readonly sendId?: string
}

function timersAfter(
  { timers, nowMs }: Position,
  snapshot: AnyMachineSnapshot,
  actions: Stepped[1],
): Position['timers'] {
  const left = new Map(timers)
  for (const { type, params } of actions) {
    // What XState's own actions are resolved to.
    const { event, delay, id, sendId } = (params ?? {}) as Resolved
    if (type === 'xstate.cancel' && sendId !== undefined) left.delete(sendId)
    if (type !== 'xstate.raise' || delay === undefined || event === undefined) continue
    const key = id ?? `raise.${nowMs}.${left.size}`
    left.delete(key)
    left.set(key, { dueMs: nowMs + delay, event })
  }
  return snapshot.status === 'active' ? left : new Map()
}

export const begin = (machine: AnyStateMachine, input: unknown): Move =>
  step(machine, { snapshot: undefined as never, timers: new Map(), nowMs: 0 }, (logic) =>
    initialTransition(logic, input as never),
  )

export const send = (machine: AnyStateMachine, from: Position, event: EventObject): Move =>
  step(machine, from, (logic) => transition(logic, from.snapshot, event))

/** What happens if nothing is sent: the timer that is due first, and how long it takes. */
export function nextTimer({
  timers,
  nowMs,
}: Position): { readonly ms: number; readonly event: EventObject } | undefined {
  const [id] = [...timers].reduce<[string | undefined, number]>(
    ([first, at], [key, { dueMs }]) => (dueMs < at ? [key, dueMs] : [first, at]),
    [undefined, Infinity],
  )
  const timer = timers.get(id ?? '')
  return timer && { ms: Math.max(timer.dueMs - nowMs, 0), event: timer.event }
}

export function wait(machine: AnyStateMachine, from: Position): Move | undefined {
  const due = nextTimer(from)
  if (due === undefined) return undefined
  const timers = new Map(from.timers)
  for (const [id, { event }] of timers) if (event === due.event) timers.delete(id)
  return send(machine, { ...from, timers, nowMs: from.nowMs + due.ms }, due.event)
}

/** The transitions that an event would take now, before those that follow without one. */
export const enabled = (machine: AnyStateMachine, { snapshot }: Position, event: EventObject) =>
  snapshot.status === 'active' ? machine.getTransitionData(snapshot, event) : []

/** Whether any current state has a transition for this type, whatever its guard says. */
export const isHandled = ({ snapshot }: Position, type: string): boolean =>
  snapshot._nodes.some((node) =>
    [...node.transitions.keys()].some(
      (descriptor) => descriptor === type || (descriptor.endsWith('*') && type.startsWith(descriptor.slice(0, -1))),
    ),
  )

/** Names a transition alike in every copy of its machine: its source, its event, and its place among those for the event. */
export function transitionId(taken: AnyTransitionDefinition): string {
  const { source } = taken
  const type = typeOf(taken)
  const among = type === '' ? (source.always ?? []) : (source.transitions.get(type) ?? [])
  return `${source.id} ${type === '' ? 'always' : type} ${among.indexOf(taken)}`
}

/** The event of a transition as it is written; empty for one without an event. */
export const typeOf = ({ eventType }: AnyTransitionDefinition): string => String(eventType)
