import type { Cell } from '../../../actors/cell.ts'
import { Runtime } from '../../../runtime/runtime.ts'
import { cellsFrom } from '../../../runtime/shutdown.ts'
import type { NodeKernel } from '../../../runtime/node-kernel.ts'
import type { SimulatedNode } from '../node.ts'

// How invariants look into the runtime of a node: nothing of this changes anything.

export const kernelOf = ({ runtime }: SimulatedNode): NodeKernel | undefined =>
  runtime === undefined ? undefined : Runtime.partsOf(runtime).kernel

/** The incarnation at a path, if there is one. */
export function cellAt({ runtime }: SimulatedNode, path: string): Cell | undefined {
  if (runtime === undefined) return undefined
  let cell: Cell | undefined = Runtime.partsOf(runtime).root
  let from = 1
  while (cell !== undefined && from < path.length) {
    const to = path.indexOf('/', from)
    const end = to < 0 ? path.length : to
    cell = cell.children?.get(path.slice(from, end))
    from = end + 1
  }
  return cell
}

/** All actors of a node, parents before their children. */
export function cellsOf({ runtime }: SimulatedNode): Iterable<Cell> {
  if (runtime === undefined) return []
  const { root, kernel } = Runtime.partsOf(runtime)
  return cellsFrom(root, kernel.orphans)
}

/** How many ids and outcomes the actor of a stream remembers; 0 for one that is not known. */
export function windowOf(node: SimulatedNode, stream: string): number {
  const definition = node.options.definitions?.find(({ name }) => stream.startsWith(`/durable/${name}/`))
  return definition?.durable?.window ?? cellAt(node, stream)?.definition.durable?.window ?? 0
}
