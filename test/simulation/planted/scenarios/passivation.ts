import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'
import { after } from './after.ts'

const found = perWorld((): { problem?: string } => ({}))

/** Leaves memory soon, and takes long for some messages. */
const sleeper = defineActor({
  name: 'sleeper',
  durable: { passivateAfterMs: 1000 },
  protocol: {
    'sleeper.take': message({ n: z.int(), ms: z.number() }),
    'sleeper.taken': question({}, z.array(z.int())),
  },
  state: (): readonly number[] => [],
  on: {
    'sleeper.take': async ({ state, message: { n, ms }, clock }) => {
      await after(clock, ms)
      return [...state, n]
    },
    'sleeper.taken': ({ state, reply }) => void reply([...state]),
  },
})

/** An actor that leaves memory when it has nothing to do, and has much to do at times: no message is lost over that. */
export const passivationWorld: PlantedWorld = {
  scenario: {
    name: 'passivation',
    nodes: { node: [sleeper] },
    run: async (world) => {
      const ref = world.get(sleeper, 's')
      const told: number[] = []
      for (let n = 1; n <= 5; n += 1) {
        const what = world.choose(3, `round ${n}`)
        if (what > 0) {
          ref.tell({ type: 'sleeper.take', n, ms: what === 2 ? 3000 : 0 })
          told.push(n)
        }
        // Some come just when it is on its way out.
        await world.sleep(world.pick([0, 1000.2, 1500, 5000], `wait ${n}`))
      }
      await world.sleep(30_000)
      const taken = await ref.ask({ type: 'sleeper.taken' }, { timeoutMs: 100_000 })
      if (taken.join(' ') !== told.join(' '))
        found.current.problem = `${told.join(' ')} were told, and ${taken.join(' ')} are there`
    },
    always: function nothingIsLostOnTheWayOut() {
      return found.current.problem
    },
  },
  faults: faults.only({ diskSlow: 0.05, stall: 0.01 }),
}
