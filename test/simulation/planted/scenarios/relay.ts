import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'

const sink = defineActor({
  name: 'sink',
  durable: { passivateAfterMs: 2000 },
  protocol: { 'sink.take': message({ n: z.int() }), 'sink.list': question({}, z.array(z.int())) },
  state: (): readonly number[] => [],
  on: {
    'sink.take': ({ state, message: { n } }) => [...state, n],
    'sink.list': ({ state, reply }) => void reply([...state]),
  },
})

const relay = defineActor({
  name: 'relay',
  durable: true,
  protocol: { 'relay.send': message({ n: z.int() }) },
  state: (): number => 0,
  on: {
    'relay.send': async ({ state, message: { n }, get }) => {
      await get(sink, 's').tell({ type: 'sink.take', n }, { durable: true })
      await get(sink, 's').tell({ type: 'sink.take', n: n + 100 }, { durable: true })
      return state + 1
    },
  },
})

/** What one durable actor sends another in a handler that may be cut off at any place arrives once. */
export const relayWorld: PlantedWorld = {
  scenario: {
    name: 'relay',
    nodes: { node: [relay, sink] },
    run: async (world) => {
      const ref = world.get(relay, 'r')
      const due: number[] = []
      for (let n = 1; n <= 3; n += 1) {
        if (world.choose(2, `message ${n}`) === 0) continue
        await world.retrying(async () => ref.tell({ type: 'relay.send', n }, { durable: true, id: `send ${n}` }))
        due.push(n, n + 100)
      }
      world.calm()
      await world.sleep(200_000)
      const arrived = await world.retrying(() => world.get(sink, 's').ask({ type: 'sink.list' }))
      world.expect(
        arrived.join(' ') === due.join(' '),
        `${due.join(' ')} were sent, and ${arrived.join(' ')} are there`,
      )
    },
  },
  faults: faults.standard({ crash: 0.03, diskFull: 0, diskFails: 0, readFails: 0 }),
}
