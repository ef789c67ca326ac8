import * as z from 'zod'
import { defineActor, type AnyDefinition } from '../../actors/definition.ts'
import { message, question } from '../../actors/protocol.ts'
import type { AnyRef, Ref } from '../../actors/ref.ts'
import { exits } from '../../core/exit.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { child } from '../../supervisors/child-spec.ts'
import { supervisor, type SupervisorDefinition } from '../../supervisors/supervisor.ts'
import type { CrashStep, TreeSpec, WorkerSpec } from './supervision-trees.ts'

/** What the workers of a generated tree understand. */
export const treeWorkerProtocol = {
  'worker.work': message(),
  'worker.end': message({ how: z.enum(['crash', 'normal', 'shutdown']) }),
  /** How many times this incarnation has worked. */
  'worker.worked': question({}, z.int()),
}

/**
 * A supervisor as `spec` says, to be spawned: once, since workers that crash in their n-th start count all starts.
 * Its children are at the paths of their ids below it.
 */
export const buildTree = (spec: TreeSpec): SupervisorDefinition =>
  supervisor('tree', {
    strategy: spec.strategy,
    intensity: spec.intensity,
    autoShutdown: spec.autoShutdown,
    children: spec.children.map(({ runs, ...terms }) =>
      child<AnyDefinition>(runs.kind === 'worker' ? worker(runs) : buildTree(runs), terms),
    ),
  })

function worker({ behaviour }: WorkerSpec): AnyDefinition {
  let starts = 0
  return defineActor({
    name: 'worker',
    protocol: treeWorkerProtocol,
    start: () => {
      starts += 1
      if (behaviour.kind === 'crash-in-start' && behaviour.nth === starts) throw new Error(`start ${starts} crashes`)
    },
    state: () => 0,
    on: {
      'worker.work': ({ state }) => {
        if (behaviour.kind === 'crash-on-message' && behaviour.nth === state + 1)
          throw new Error(`message ${behaviour.nth} crashes`)
        return state + 1
      },
      'worker.end': ({ message: { how }, stop }) => {
        if (how === 'crash') throw new Error('told to crash')
        stop(how === 'normal' ? exits.normal : exits.shutdown())
      },
      'worker.worked': ({ state, reply }) => void reply(state),
      'actor.stopping': () => (behaviour.kind === 'ignore-stop' ? new Promise<never>(() => undefined) : undefined),
    },
  })
}

/**
 * Does to the tree at `root` what a step says, as soon as its time has come, for which the caller lets time pass. False
 * when there is no such actor now.
 */
export function carryOut(runtime: Pick<Runtime, 'ref'>, root: AnyRef, { path, how }: CrashStep): boolean {
  // A worker of such a tree; whoever tells a supervisor to work or to end gets a dead letter.
  const ref = runtime.ref([root.path, ...path].join('/')) as Ref<typeof treeWorkerProtocol> | undefined
  if (ref?.isRunning !== true) return false
  if (how === 'kill') ref.kill()
  else ref.tell(how === 'work' ? { type: 'worker.work' } : { type: 'worker.end', how })
  return true
}
