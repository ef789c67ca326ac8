import type { OrderNote, RuntimeEvent } from '../../../core/events.ts'
import type { Invariant, Probe } from '../invariant.ts'
import type { SimulatedNode } from '../node.ts'
import type { World } from '../world.ts'

/** What one actor told another, in its order. */
interface Pair {
  sent: number
  /** Place of the last that was handled. */
  handled: number
  readonly places: Map<unknown, number>
}

/** A message object that was told twice has no place of its own. */
const manyPlaces = -1

/** I1: of what one actor tells another, nothing is handled before what was told earlier. What was set aside may come later. */
export const fifo: Invariant = {
  kind: 'invariant',
  name: 'I1 messages of one actor to another keep their order',
  begin: (world) => new Fifo(world),
}

class Fifo implements Probe {
  readonly #world: World
  readonly #pairs = new Map<SimulatedNode, Map<string, Pair>>()
  readonly #asides = new WeakSet()

  constructor(world: World) {
    this.#world = world
  }

  order(note: OrderNote, node: SimulatedNode): void {
    const { message } = note
    if (typeof message !== 'object' || message === null) return
    if (note.kind === 'set-aside') {
      this.#asides.add(message)
      return
    }
    const pairs = this.#pairs.get(node) ?? new Map<string, Pair>()
    this.#pairs.set(node, pairs)
    const key = `${note.from} ${note.to}`
    let pair = pairs.get(key)
    if (pair === undefined) pairs.set(key, (pair = { sent: 0, handled: 0, places: new Map() }))
    pair.sent += 1
    pair.places.set(message, pair.places.has(message) ? manyPlaces : pair.sent)
  }

  event(event: RuntimeEvent, node: SimulatedNode): void {
    if (event.type !== 'handled' || event.from === undefined) return
    const { message, from, path } = event
    const pair = this.#pairs.get(node)?.get(`${from} ${path}`)
    const place = pair?.places.get(message)
    if (pair === undefined || place === undefined || place === manyPlaces) return
    pair.places.delete(message)
    // It was told to wait, by whoever handles it. What a weak set holds is an object.
    if (this.#asides.has(message as object)) return
    if (place < pair.handled)
      this.#world.fail(
        `${path} handled message ${place} of ${from} (${event.messageType}) after message ${pair.handled} of it`,
      )
    pair.handled = place
  }

  died(node: SimulatedNode): void {
    this.#pairs.delete(node)
  }
}
