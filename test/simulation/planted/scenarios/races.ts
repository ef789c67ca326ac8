import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'
import { after } from './after.ts'

const racer = defineActor({
  name: 'racer',
  durable: { snapshotEvery: { entries: 12 } },
  protocol: {
    'racer.race': message({ n: z.int(), xMs: z.number(), yMs: z.number() }),
    'racer.winners': question({}, z.array(z.string())),
  },
  state: (): readonly string[] => [],
  on: {
    'racer.race': async ({ state, message: { n, xMs, yMs }, effect, clock }) => {
      const order: string[] = []
      const run = async (name: string, ms: number): Promise<void> => {
        const given = await effect(`${name} ${n}`, () => after(clock, ms).then(() => name), { idempotent: true })
        order.push(given)
      }
      await Promise.all([run('x', xMs), run('y', yMs)])
      return [...state, order.join('')]
    },
    'racer.winners': ({ state, reply }) => void reply([...state]),
  },
})

/** Effects side by side, of which the first one wins: after a restart it still does. */
export const racesWorld: PlantedWorld = {
  scenario: {
    name: 'races',
    nodes: { node: [racer] },
    run: async (world) => {
      const ref = world.get(racer, 'r')
      let told = 0
      for (let n = 1; n <= 4; n += 1) {
        const what = world.choose(3, `race ${n}`)
        if (what === 0) continue
        const race = { type: 'racer.race', n, xMs: what === 1 ? 5 : 50, yMs: 20 } as const
        await world.retrying(async () => ref.tell(race, { durable: true, id: `race ${n}` }))
        told += 1
      }
      world.calm()
      await world.sleep(200_000)
      const winners = await world.retrying(() => ref.ask({ type: 'racer.winners' }, { timeoutMs: 100_000 }))
      world.expect(winners.length === told, `${told} races were told, and ${winners.length} are over`)
    },
  },
  faults: faults.standard({ crash: 0.03, call: 0 }),
}
