import { defineActor, message } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'

const capacity = 3

/** A message for a box: `open` and `close`, or a number that it takes while it is open. */
type Item = number | 'open' | 'close'

/** What a box does, without any actor. */
class Model {
  readonly taken: number[] = []
  readonly due: number[] = []
  #stash: number[] = []
  #isOpen = true

  /** Messages that come all at once, before the box takes one. */
  burst(items: readonly Item[], keepsNewest: boolean): void {
    const kept = keepsNewest ? items.slice(-capacity) : items.slice(0, capacity)
    const left = [...kept]
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      if (item === 'close') this.#isOpen = false
      else if (item === 'open') {
        this.#isOpen = true
        left.unshift(...this.#stash)
        this.#stash = []
      } else if (this.#isOpen) this.due.push(item)
      else this.#stash.push(item)
    }
  }
}

const model = perWorld(() => new Model())

// Its type is inferred from the protocol.
const boxWith = (overflow: 'drop-oldest' | 'reject') =>
  defineActor({
    name: 'box',
    mailbox: { capacity, overflow },
    protocol: { 'box.take': message({ n: z.int() }), 'box.open': message({}), 'box.close': message({}) },
    state: (): boolean => true,
    on: {
      'box.take': ({ state: isOpen, message: { n }, stash }) => {
        if (isOpen) model.current.taken.push(n)
        else stash()
      },
      'box.open': ({ unstashAll }) => {
        unstashAll()
        return true
      },
      'box.close': () => false,
    },
  })

const boxes = { 'drop-oldest': boxWith('drop-oldest'), reject: boxWith('reject') } as const

/** Bursts for a small mailbox, whose actor sets messages aside at times: what is taken, and in which order. */
export const mailboxWorld: PlantedWorld = {
  scenario: {
    name: 'mailbox',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const node = world.node('node')
      const overflow = world.pick(['reject', 'drop-oldest'] as const, 'overflow')
      const ref = node.spawn(boxes[overflow], { name: 'box' })
      for (let round = 1; round <= 4; round += 1) {
        const items: Item[] = []
        for (let n = 1; n <= 6; n += 1) {
          const what = world.choose(4, `${round} ${n}`)
          if (what === 1) items.push(round * 10 + n)
          if (what === 2) items.push('close')
          if (what === 3) items.push('open')
        }
        for (const item of items)
          ref.tell(item === 'open' || item === 'close' ? { type: `box.${item}` } : { type: 'box.take', n: item })
        model.current.burst(items, overflow === 'drop-oldest')
        await world.sleep(10)
        const { taken, due } = model.current
        if (taken.join(' ') !== due.join(' ')) break
      }
    },
    eventually: function takenAsTheMailboxSays() {
      const { taken, due } = model.current
      return taken.join(' ') === due.join(' ') || `${taken.join(' ')} were taken instead of ${due.join(' ')}`
    },
  },
  faults: faults.none(),
}
