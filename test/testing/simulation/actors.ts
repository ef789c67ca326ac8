import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import { defineScenario, perWorld, type World } from 'echelon/testing'

/** Adds up durably. */
export const counter = defineActor({
  name: 'counter',
  durable: true,
  protocol: { 'counter.add': message({ by: z.int().min(0).max(100) }), 'counter.total': question({}, z.int()) },
  state: () => ({ total: 0 }),
  on: {
    'counter.add': ({ state, message }) => ({ total: state.total + message.by }),
    'counter.total': ({ state, reply }) => reply(state.total),
  },
})

/** Adds one to a counter durably, as a client that does not give up. */
export const addOne = (world: World, key: string, id: string): Promise<void> =>
  world.retrying(() => world.get(counter, key).tell({ type: 'counter.add', by: 1 }, { durable: true, id }))

/** What is read and written by others meanwhile. */
const shelf = perWorld(() => ({ stock: 0 }))

/** Reads, goes on in a message to itself, and writes: between the two somebody else may have been there. */
export const careless = defineActor({
  name: 'careless',
  protocol: { 'careless.add': message(), 'careless.write': message({ seen: z.int() }) },
  on: {
    'careless.add': ({ self }) => {
      self.tell({ type: 'careless.write', seen: shelf.current.stock })
    },
    'careless.write': ({ message }) => {
      shelf.current.stock = message.seen + 1
    },
  },
})

/** Two careless ones: right in FIFO order only when the second begins after the first has ended. */
export const lostUpdate = defineScenario({
  name: 'lost update',
  nodes: {
    store: {
      journal: false,
      setup: (runtime) => {
        for (const name of ['a', 'b']) runtime.spawn(careless, { name })
      },
    },
  },
  run: async (world) => {
    for (const name of ['a', 'b']) {
      world.node('store').at(`/user/${name}`, careless).tell({ type: 'careless.add' })
      await world.sleep(world.choose(2) === 0 ? 1 : 0)
    }
    await world.sleep(10)
    world.expect(shelf.current.stock === 2, `the stock is ${shelf.current.stock}`)
  },
})
