import type { ReadyQueue } from '../../core/scheduler.ts'
import type { SimulationKernel } from './kernel.ts'

/** Of those that are ready, so many may be next: more would say little and cost much. */
const mostCandidates = 32

/**
 * What is ready on one node, taken out in the order that the world decides. What has no label keeps its place: nothing
 * that came after it is taken before it.
 */
export class ReadyPick<Item extends object> implements ReadyQueue<Item> {
  readonly #kernel: SimulationKernel
  readonly #stream: string
  readonly #labelOf: (item: Item) => string | undefined
  readonly #items: Item[] = []

  constructor(kernel: SimulationKernel, stream: string, labelOf: (item: Item) => string | undefined) {
    this.#kernel = kernel
    this.#stream = stream
    this.#labelOf = labelOf
  }

  get length(): number {
    return this.#items.length
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | undefined {
    const items = this.#items
    if (items.length <= 1) return items.pop()
    const labels: string[] = []
    for (const item of items) {
      const label = labels.length < mostCandidates ? this.#labelOf(item) : undefined
      if (label === undefined) break
      labels.push(label)
    }
    const index = this.#kernel.pick(this.#stream, labels)
    return items.splice(index, 1)[0]
  }
}
