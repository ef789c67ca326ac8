import type { RuntimeEvent } from '../../../core/events.ts'
import { cellBehind } from '../../../actors/ref.ts'
import type { Invariant, Probe } from '../invariant.ts'
import type { SimulatedNode } from '../node.ts'
import type { World } from '../world.ts'
import { cellsOf, kernelOf } from './cells.ts'

/** I5: whoever has ended does nothing more and holds nothing: no name, no timer; and whoever lives has a parent that does. */
export const zombies: Invariant = {
  kind: 'invariant',
  name: 'I5 no zombies and no orphans',
  begin: (world) => new Zombies(world),
}

class Zombies implements Probe {
  readonly #world: World
  /** The last incarnation that has ended, by path. */
  readonly #ended = new Map<SimulatedNode, Map<string, number>>()
  /** Nodes on which somebody has ended in this step. */
  readonly #changed = new Set<SimulatedNode>()

  constructor(world: World) {
    this.#world = world
  }

  event({ type, path, incarnation }: RuntimeEvent, node: SimulatedNode): void {
    if (type === 'stopped') {
      const ended = this.#ended.get(node) ?? new Map<string, number>()
      // An actor of another parent may have had the same path before.
      this.#ended.set(node, ended.set(path, incarnation))
      this.#changed.add(node)
    } else if (type === 'spawned') {
      this.#ended.get(node)?.delete(path)
    } else if (type === 'handled' || type === 'started' || type === 'failed' || type === 'recovered') {
      if ((this.#ended.get(node)?.get(path) ?? 0) >= incarnation)
        this.#world.fail(`incarnation ${incarnation} of ${path} has ended, and then: ${type}`)
    }
  }

  step(): void {
    if (this.#changed.size === 0) return
    for (const node of this.#changed) this.#look(node)
    this.#changed.clear()
  }

  #look(node: SimulatedNode): void {
    const kernel = kernelOf(node)
    if (kernel === undefined) return
    for (const [name, ref] of kernel.registry.entries())
      if (cellBehind(ref)?.status === 'stopped')
        this.#world.fail(`${name} is still that of ${ref.path}, which has ended`)
    for (const cell of cellsOf(node)) {
      const { status, parent, path, madeParts } = cell
      if (status !== 'stopped' && parent?.status === 'stopped' && !kernel.orphans.has(cell))
        this.#world.fail(`${path} lives on below a parent that has ended`)
      if (status === 'stopped' && (madeParts?.timers?.size ?? 0) > 0)
        this.#world.fail(`${path} has ended and still has timers`)
    }
  }

  died(node: SimulatedNode): void {
    this.#ended.delete(node)
    this.#changed.delete(node)
  }
}
