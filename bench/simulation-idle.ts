/**
 * Virtual hours per second for a team of 20 that is mostly idle: each has a heartbeat every one to two minutes, and
 * tells the next one about it.
 */

import type { Bench } from './frame/bench.ts'

const members = 20
const hours = 10

const team = async () => {
  const { defineActor, message } = await import('echelon')
  const { sim } = await import('echelon/testing')
  const z = await import('zod')
  const member = defineActor({
    name: 'member',
    input: z.object({ next: z.string(), everyMs: z.number() }),
    protocol: { 'member.beat': message(), 'member.heard': message(), 'member.begin': message() },
    state: () => 0,
    on: {
      'member.begin': ({ timers, input }) => {
        timers.every('beat', input.everyMs, { type: 'member.beat' })
      },
      'member.beat': ({ lookup, input }) => {
        lookup(member, input.next).tell({ type: 'member.heard' })
      },
      'member.heard': ({ state }) => state + 1,
    },
  })
  return async () => {
    await using world = sim()
    for (let n = 0; n < members; n += 1) {
      const input = { next: `m${(n + 1) % members}`, everyMs: 60_000 + 3_000 * n }
      world.spawn(member, { name: `m${n}`, input }).tell({ type: 'member.begin' })
    }
    const startMs = performance.now()
    await world.advance(`${hours}h`)
    return { value: (hours / (performance.now() - startMs)) * 1000 }
  }
}

export default {
  name: 'simulation-idle',
  question: 'How many hours of a mostly idle team of 20 pass in a second?',
  unit: 'virtual hours/s',
  subjects: { team },
  goals: [{ subject: 'team', atLeast: 20 }],
} satisfies Bench
