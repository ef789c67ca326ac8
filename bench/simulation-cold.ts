/** How long the first world of a process takes: what a single test waits for. Everything is imported before. */

import type { Bench } from './frame/bench.ts'

const cold = async () => {
  const { defineActor, message } = await import('echelon')
  const { defineScenario, simulate } = await import('echelon/testing')
  const counter = defineActor({
    name: 'counter',
    durable: true,
    protocol: { 'counter.add': message() },
    state: () => 0,
    on: { 'counter.add': ({ state }) => state + 1 },
  })
  const scenario = defineScenario({
    name: 'cold',
    nodes: { shop: [counter] },
    run: async (w) => {
      await w.retrying(() => w.get(counter, 'a').tell({ type: 'counter.add' }, { durable: true, id: 'one' }))
    },
  })
  return async () => {
    const startMs = performance.now()
    await simulate(scenario, { seeds: 10, folder: false })
    return { value: performance.now() - startMs }
  }
}

export default {
  name: 'simulation-cold',
  question: 'How long does the first simulate() of a process take, with ten seeds?',
  unit: 'ms',
  fresh: true,
  subjects: { cold },
  goals: [{ subject: 'cold', atMost: 150 }],
} satisfies Bench
