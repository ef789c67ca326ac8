import { defineActor, question } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'

const account = defineActor({
  name: 'account',
  durable: { snapshotEvery: { entries: 4 } },
  protocol: { 'account.add': question({}, z.int()), 'account.total': question({}, z.int()) },
  state: (): number => 0,
  on: {
    'account.add': ({ state, reply }) => {
      reply(state + 1)
      return state + 1
    },
    'account.total': ({ state, reply }) => void reply(state),
  },
})

const problems = perWorld((): string[] => [])

/** Whoever was told a total finds it there later, however often the process died in between. */
export const registerWorld: PlantedWorld = {
  scenario: {
    name: 'register',
    nodes: { bank: [account] },
    run: async (world) => {
      const ref = world.get(account, 'a')
      let known = 0
      const client = async (name: string): Promise<void> => {
        for (let n = 1; n <= 3; n += 1) {
          const what = world.choose(3, `${name} ${n}`)
          if (what === 0) continue
          const before = known
          const type = what === 1 ? 'account.add' : 'account.total'
          // Nobody knows whether a question without an answer was handled: it is asked once.
          const total = await ref.ask({ type }).catch(() => undefined)
          if (total === undefined) await world.sleep(2000)
          else if (total < before) problems.current.push(`${total} is answered after ${before}`)
          else known = Math.max(known, total)
        }
      }
      await Promise.all([client('a'), client('b')])
      const total = await world.retrying(() => ref.ask({ type: 'account.total' }))
      if (total < known) problems.current.push(`${total} is there in the end, and ${known} was answered`)
    },
    always: function noAnswerIsTakenBack() {
      return problems.current[0]
    },
  },
  faults: faults.standard({ crash: 0.03 }),
}
