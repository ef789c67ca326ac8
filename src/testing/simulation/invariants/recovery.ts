import { digestOf } from '../../../actors/durable/ledger.ts'
import { encode } from '../../../actors/durable/values.ts'
import type { RuntimeEventOf } from '../../../core/events.ts'
import type { Append } from '../../../core/journal.ts'
import type { Invariant, Probe } from '../invariant.ts'
import type { SimulatedNode } from '../node.ts'
import type { World } from '../world.ts'
import { cellAt } from './cells.ts'

/**
 * I9 and I10: whoever comes back has gone through all that is on disk, and has the state that the last message which was
 * handled left, by the checksum that its entry has. What is damaged is not taken for a state.
 */
export const recovery: Invariant = {
  kind: 'invariant',
  name: 'I9, I10 what comes back is what was there',
  begin: (world) => new Recovery(world),
}

class Recovery implements Probe {
  readonly #world: World
  /** Checksum of the state after the last message that was handled; undefined when its entry has none. */
  readonly #digests = new Map<SimulatedNode, Map<string, number | undefined>>()

  constructor(world: World) {
    this.#world = world
  }

  written(node: SimulatedNode, appends: readonly Append[]): void {
    for (const { stream, entries } of appends) {
      const handled = entries.findLast(({ kind }) => kind === 'handled')
      if (handled === undefined) continue
      const digests = this.#digests.get(node) ?? new Map<string, number | undefined>()
      // Only what Echelon writes is on this disk.
      const { digest } = JSON.parse(handled.body) as { readonly digest?: number }
      this.#digests.set(node, digests.set(stream, digest))
    }
  }

  event(event: { readonly type: string }, node: SimulatedNode): void {
    if (event.type === 'recovered') this.#recovered(event as RuntimeEventOf<'recovered'>, node)
  }

  #recovered({ path, entries, snapshotSeq }: RuntimeEventOf<'recovered'>, node: SimulatedNode): void {
    const { store, damaged } = node.disk
    if (damaged.has(path)) this.#world.fail(`${path} came back from a stream that is damaged`)
    const lastSeq = store.streams.get(path)?.lastSeq ?? 0
    if (snapshotSeq + entries < lastSeq)
      this.#world.fail(`${path} came back with ${snapshotSeq + entries} entries, and there are ${lastSeq}`)
    const wanted = this.#digests.get(node)?.get(path)
    const cell = cellAt(node, path)
    // A chart has more in its checksum than its state; its replay compares it.
    if (wanted === undefined || cell?.record === undefined || cell.record.isChart) return
    if (digestOf(encode(cell.hosted, 'state')) !== wanted)
      this.#world.fail(`${path} came back with another state than the one that it had: ${encode(cell.hosted, 'state')}`)
  }

  diskLost(node: SimulatedNode): void {
    this.#digests.delete(node)
  }
}
