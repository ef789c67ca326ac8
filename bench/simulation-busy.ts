/**
 * Messages that actors handle per second in a simulated world in which there is always something to do: 20 pairs of actors
 * that play ping-pong, one message to a step, in FIFO and in random order. The raw limit is a bare event loop that does as
 * many macrotasks, two for each message.
 */

import type { Bench } from './frame/bench.ts'

const pairs = 20
const rallies = 100

const world = (strategy: 'fifo' | 'random') => async () => {
  const { defineActor, message } = await import('echelon')
  const { defineScenario, faults, simulate } = await import('echelon/testing')
  const z = await import('zod')
  const player = defineActor({
    name: 'player',
    input: z.object({ other: z.string() }),
    protocol: { 'player.ball': message({ left: z.int() }) },
    state: () => 0,
    on: {
      'player.ball': ({ state, message, input, lookup }) => {
        if (message.left > 0) lookup(player, input.other).tell({ type: 'player.ball', left: message.left - 1 })
        return state + 1
      },
    },
  })
  const scenario = defineScenario({
    name: 'ping-pong',
    nodes: {
      court: {
        journal: false,
        setup: (runtime) => {
          for (let n = 0; n < pairs; n += 1) {
            const [a, b] = [`a${n}`, `b${n}`]
            runtime.spawn(player, { name: a, input: { other: b } })
            runtime.spawn(player, { name: b, input: { other: a } }).tell({ type: 'player.ball', left: rallies })
          }
        },
      },
    },
    run: async (w) => {
      await w.sleep(1)
    },
  })
  let seed = 0
  return async () => {
    seed += 1
    const startMs = performance.now()
    const report = await simulate(scenario, {
      seeds: [seed],
      strategy,
      faults: faults.none(),
      twiceEvery: 0,
      folder: false,
    })
    const value = (report.delivered / (performance.now() - startMs)) * 1000
    if (report.delivered < pairs * rallies) throw new Error(`only ${report.delivered} messages`)
    return { value }
  }
}

const bareLoop = () => async (ms: number) => {
  const startMs = performance.now()
  let steps = 0
  while (performance.now() - startMs < ms) {
    for (let n = 0; n < 1000; n += 1) {
      await new Promise<void>((resolve) => {
        setImmediate(() => undefined)
        setImmediate(resolve)
      })
    }
    steps += 1000
  }
  return { value: (steps / (performance.now() - startMs)) * 1000 }
}

export default {
  name: 'simulation-busy',
  question: 'How many messages per second does a simulated world deliver that is always busy?',
  unit: 'messages/s',
  subjects: { 'bare event loop': bareLoop, fifo: world('fifo'), random: world('random') },
  goals: [
    { subject: 'fifo', atLeast: 40_000 },
    { subject: 'random', atLeast: 40_000 },
  ],
} satisfies Bench
