import type { Cell } from '../actors/cell.ts'
import type { AnyDefinition } from '../actors/definition.ts'
import { dynamicSupervisorProtocol } from '../supervisors/admin.ts'
import { child, type ChildOptions, type ChildSpec } from '../supervisors/child-spec.ts'
import { DynamicChildren, nothingToStart } from '../supervisors/dynamic-supervisor.ts'
import { defineSupervisor } from '../supervisors/supervisor-host.ts'
import { Supervision } from '../supervisors/supervision.ts'
import { supervisor } from '../supervisors/supervisor.ts'

/** What `runtime.spawn` grants: three restarts in five seconds for each actor by itself, so that none takes others down. */
export const spawnedIntensity = { restarts: 3, withinMs: 5000 }

/** A dynamic supervisor of the runtime's own, whose children each have a spec of their own. */
export const guardian = (name: string): AnyDefinition =>
  defineSupervisor({
    name,
    protocol: dynamicSupervisorProtocol,
    stopsInParallel: true,
    open: (cell: Cell) => new Supervision(cell, spawnedIntensity, new DynamicChildren(cell, 'never', Infinity)),
    begin: nothingToStart,
    handle: (supervision, context) => {
      if (context.message.type === 'supervisor.whichChildren') context.reply(supervision.info())
      else if (context.message.type === 'supervisor.countChildren') context.reply(supervision.children.counts())
      else supervision.refuse(context, 'DYNAMIC_SUPERVISOR', name)
    },
  })

/** Above everything that `runtime.spawn` starts. */
const userGuardian = guardian('user')

/**
 * The top of a node: `/user`, what the node has besides (`/durable`), and the application's own tree, which starts once:
 * its end is the end of the runtime.
 */
export const rootDefinition = (tree: AnyDefinition | undefined, others: readonly AnyDefinition[]): AnyDefinition =>
  supervisor('root', {
    children: [
      child(userGuardian),
      ...others.map((other) => child(other)),
      ...(tree === undefined ? [] : [child(tree, { restart: 'temporary' })]),
    ],
  })

const specs = new WeakMap<AnyDefinition, ChildSpec>()

/** The spec of an actor that `runtime.spawn` starts. */
export const spawnedSpec = (definition: AnyDefinition, options: ChildOptions<AnyDefinition>): ChildSpec =>
  Object.keys(options).length === 0
    ? usualSpec(definition)
    : child(definition, { restart: 'transient', intensity: spawnedIntensity, ...options })

/** The spec of one that is started without a word: made once per definition. */
export function usualSpec(definition: AnyDefinition): ChildSpec {
  let spec = specs.get(definition)
  if (spec === undefined)
    specs.set(definition, (spec = child(definition, { restart: 'transient', intensity: spawnedIntensity })))
  return spec
}
