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

/** What only those do who live. */
const lives = new Set<RuntimeEvent['type']>(['spawned', 'started', 'handled', 'failed', 'recovered', 'stopped'])

class Zombies implements Probe {
  readonly #world: World
  /**
   * How many live, by path and incarnation. Two at most: children of a supervisor that was killed may take their time to
   * stop, while the next one has started its own.
   */
  readonly #living = new Map<SimulatedNode, Map<string, number>>()
  /** Nodes on which somebody has ended in this step. */
  readonly #changed = new Set<SimulatedNode>()

  constructor(world: World) {
    this.#world = world
  }

  event({ type, path, incarnation }: RuntimeEvent, node: SimulatedNode): void {
    if (!lives.has(type)) return
    let living = this.#living.get(node)
    if (living === undefined) this.#living.set(node, (living = new Map<string, number>()))
    const key = `${path} ${incarnation}`
    const count = living.get(key)
    if (type === 'spawned') living.set(key, (count ?? 0) + 1)
    else if (count === 0) this.#world.fail(`incarnation ${incarnation} of ${path} has ended, and then: ${type}`)
    if (type !== 'stopped' || count === undefined) return
    living.set(key, count - 1)
    this.#changed.add(node)
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
    this.#living.delete(node)
    this.#changed.delete(node)
  }
}
