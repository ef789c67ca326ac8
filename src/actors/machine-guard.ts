import type { AnyActorLogic, AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate'

/** XState's own bound is infinite: a chart with an eventless loop would hang the process. */
const maxIterations = 10_000

/** A machine that ends when an eventless loop does not, and that fails when `*` would swallow a child's failure. */
export function guarded(logic: AnyActorLogic): AnyActorLogic {
  if (!isMachine(logic)) return logic
  const known = guardedMachines.get(logic)
  if (known !== undefined) return known
  const copy = guardedCopy(logic)
  guardedMachines.set(logic, copy)
  return copy
}

/** What goes on around a transition of the actor `self`: it has to run `step` once, and gives what that gives. */
export type AroundTransition = (
  self: object,
  before: AnyMachineSnapshot,
  event: AnyEventObject,
  step: () => AnyMachineSnapshot,
) => AnyMachineSnapshot

/** A guarded machine that tells of its transitions. */
export function watchedMachine(machine: AnyStateMachine, around: AroundTransition): AnyStateMachine {
  const copy = guardedCopy(machine)
  const { transition } = copy
  copy.transition = (snapshot: AnyMachineSnapshot, event: AnyEventObject, scope: { readonly self: object }) =>
    around(scope.self, snapshot, event, () => transition(snapshot, event, scope as never))
  return copy
}

function guardedCopy(logic: AnyStateMachine): AnyStateMachine {
  // XState types what a chart invokes as anything: it is logic, by name.
  const actors = Object.entries(logic.implementations.actors as Record<string, AnyActorLogic>)
  const invoked = actors.map(([src, child]) => [src, guarded(child)] as const)
  // A copy, whose snapshots name it as their machine: XState binds the methods of a machine to it.
  const copy: AnyStateMachine = logic.provide({ actors: Object.fromEntries(invoked) })
  copy.options = {
    ...copy.options,
    maxIterations: Math.min(copy.options.maxIterations ?? maxIterations, maxIterations),
  }
  const { transition } = copy
  copy.transition = (snapshot: AnyMachineSnapshot, event: AnyEventObject, scope) => {
    if (isError(event.type) && !namesError(snapshot, event.type)) throw event['error']
    return transition(snapshot, event, scope)
  }
  return copy
}

// This is asked for every event, and few types begin with an x.
const isError = (type: string): boolean => type.charCodeAt(0) === 0x78 && type.startsWith('xstate.error.')

const guardedMachines = new WeakMap<AnyStateMachine, AnyStateMachine>()

export const isMachine = (logic: AnyActorLogic): logic is AnyStateMachine => 'root' in logic && 'states' in logic

/** Whether logic runs promises, callbacks or observables: itself, or as something that a chart invokes. */
export function runsAsyncCode(logic: AnyActorLogic): boolean {
  if (!isMachine(logic)) return true
  const invokes = (node: AnyStateMachine['root']): boolean =>
    node.invoke.length > 0 || Object.values(node.states).some(invokes)
  return Object.keys(logic.implementations.actors).length > 0 || invokes(logic.root)
}

/** Whether a current state handles this failure by name: `onError`, or a transition that names it and is not just `*`. */
const namesError = (snapshot: AnyMachineSnapshot, type: string): boolean =>
  snapshot._nodes.some((node) => {
    for (const descriptor of node.transitions.keys()) {
      if (descriptor === type) return true
      if (descriptor !== '*' && descriptor.endsWith('.*') && type.startsWith(descriptor.slice(0, -1))) return true
    }
    return false
  })
