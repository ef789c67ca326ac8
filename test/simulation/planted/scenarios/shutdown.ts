import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'
import { after } from './after.ts'

class Model {
  readonly told = new Set<number>()
  readonly done = new Set<number>()
  saidLastWords = 0
  readonly problems: string[] = []
}

const model = perWorld(() => new Model())

const worker = defineActor({
  name: 'worker',
  protocol: { 'worker.job': message({ n: z.int(), ms: z.number() }) },
  state: () => undefined,
  on: {
    'worker.job': async ({ message: { n, ms }, clock }) => {
      await after(clock, ms)
      model.current.done.add(n)
    },
    'actor.stopping': () => {
      model.current.saidLastWords += 1
    },
  },
})

const keeper = defineActor({
  name: 'keeper',
  durable: true,
  protocol: {
    'keeper.note': message({ n: z.int(), ms: z.number() }),
    'keeper.notes': question({}, z.array(z.int())),
  },
  state: (): readonly number[] => [],
  on: {
    'keeper.note': async ({ state, message: { n, ms }, clock }) => {
      await after(clock, ms)
      return [...state, n]
    },
    'keeper.notes': ({ state, reply }) => void reply([...state]),
  },
})

/** A runtime shuts down in order while there is work: what was told before is done, and what is to be kept is there afterwards. */
export const shutdownWorld: PlantedWorld = {
  scenario: {
    name: 'shutdown',
    nodes: { node: [keeper] },
    run: async (world) => {
      const node = world.node('node')
      const { told, done, problems } = model.current
      const one = node.spawn(worker, { name: 'worker' })
      const kept = world.get(keeper, 'k')
      const notes: number[] = []
      for (let n = 1; n <= 5; n += 1) {
        const what = world.choose(4, `round ${n}`)
        const ms = world.pick([0, 40, 500], `ms ${n}`)
        if (what === 1) {
          one.tell({ type: 'worker.job', n, ms })
          told.add(n)
        }
        if (what === 2) {
          kept.tell({ type: 'keeper.note', n, ms })
          notes.push(n)
        }
        if (what === 3) await world.sleep(ms)
      }
      const report = await node.stop(300_000)
      for (const n of told) if (!done.has(n)) problems.push(`job ${n} was told before the shutdown, and is not done`)
      if (model.current.saidLastWords !== 1)
        problems.push(`the last words were said ${model.current.saidLastWords} times`)
      if ((report?.deadLetters ?? 0) > 0) problems.push(`${report?.deadLetters} messages were lost`)
      node.end()
      await node.start()
      await node.up()
      const found = await kept.ask({ type: 'keeper.notes' }, { timeoutMs: 100_000 })
      if (found.join(' ') !== notes.join(' '))
        problems.push(`${notes.join(' ')} were noted, and ${found.join(' ')} are there`)
    },
    always: function nothingIsLostInAShutdown() {
      return model.current.problems[0]
    },
  },
  faults: faults.only({ diskSlow: 0.05 }),
}
