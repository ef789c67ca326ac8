/**
 * Small schedules per second: a world of five durable actors that pass 20 messages on to each other, with everything that
 * belongs to it: its runtime starts, crashes with its faults, comes to rest and shuts down, every invariant is on, about
 * 130 steps. And how long the very first one takes in a fresh process, once everything is imported.
 */

import type { Bench } from './frame/bench.ts'

const prepare = async () => {
  const { defineActor, message } = await import('echelon')
  const { defineScenario } = await import('echelon/testing')
  const z = await import('zod')
  const member = defineActor({
    name: 'member',
    durable: true,
    protocol: { 'member.pass': message({ left: z.int(), at: z.int() }) },
    state: () => 0,
    on: {
      'member.pass': ({ state, message, get }) => {
        const { left, at } = message
        if (left > 0) get(member, `m${(at + 1) % 5}`).tell({ type: 'member.pass', left: left - 1, at: (at + 1) % 5 })
        return state + 1
      },
    },
  })
  return defineScenario({
    name: 'small',
    nodes: { team: [member] },
    run: async (w) => {
      await w.retrying(() =>
        w.get(member, 'm0').tell({ type: 'member.pass', left: 19, at: 0 }, { durable: true, id: 'first' }),
      )
      await w.sleep(1000)
    },
  })
}

const schedules = async () => {
  const { simulate } = await import('echelon/testing')
  const scenario = await prepare()
  let seed = 1
  return async (ms: number) => {
    const startMs = performance.now()
    let worlds = 0
    while (performance.now() - startMs < ms) {
      const report = await simulate(scenario, { seeds: 20, seed, folder: false })
      worlds += report.worlds
      seed += 20
    }
    return { value: (worlds / (performance.now() - startMs)) * 1000 }
  }
}

export default {
  name: 'simulation-small',
  question: 'How many small schedules per second does a campaign try, with faults and every invariant?',
  unit: 'schedules/s',
  subjects: { schedules },
  goals: [{ subject: 'schedules', atLeast: 250 }],
} satisfies Bench
