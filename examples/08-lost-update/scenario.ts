import { defineScenario, type Scenario } from 'echelon/testing'
import * as actors from './actors.ts'
import * as fixedActors from './fixed.ts'

/** Two agents work for one team, the second a second after the first. Both are paid for in the end. */
const twoAgents = (name: string, { agent, budget }: typeof actors | typeof fixedActors): Scenario =>
  defineScenario({
    name,
    nodes: { office: [agent, budget] },
    run: async (world) => {
      for (const [key, task] of [
        ['ada', 'bridges'],
        ['bob', 'tunnels'],
      ] as const) {
        const ref = world.get(agent, key)
        await world.retrying(() => ref.tell({ type: 'agent.work', task }, { durable: true, id: task }))
        await world.sleep(1000)
      }
      world.calm() // from here on nothing new goes wrong
      await world.sleep(600_000) // and whatever is late has the time to end
      const left = await world.retrying(() => world.get(budget, 'team').ask({ type: 'budget.left' }))
      world.expect(left === 86, `both tasks cost 7 dollars, and of 100 there are ${left} left`)
    },
  })

export const lostUpdate = twoAgents('lost-update', actors)
export const fixed = twoAgents('lost-update-fixed', fixedActors)
