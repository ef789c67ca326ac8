/**
 * Starting very many idle actors and stopping them all, per actor: linear when a million costs per actor what a hundred
 * thousand does. Echelon: `runtime.spawn` of each, then `runtime.shutdown`. A process each, since a heap that has once
 * been large stays so.
 */

import { type Bench, erlang } from './frame/bench.ts'

const lean = (count: number) => async () => {
  const { LeanActor, RunQueue } = await import('./limits.ts')
  const queue = new RunQueue()
  const add = (total: number, by: number) => total + by
  return () => {
    const startedMs = performance.now()
    const registry = new Map<string, InstanceType<typeof LeanActor<number, number>>>()
    for (let n = 0; n < count; n++) registry.set(`/user/counter-${n}`, new LeanActor(queue, add, 0))
    for (const [path, actor] of registry) {
      actor.stop()
      registry.delete(path)
    }
    return { value: ((performance.now() - startedMs) / count) * 1e6 }
  }
}

const echelon = (count: number) => async () => {
  const { createRuntime, defineActor, message } = await import('echelon')
  const z = await import('zod')
  const counter = defineActor({
    name: 'counter',
    protocol: { add: message({ by: z.int() }) },
    state: () => 0,
    on: { add: ({ state, message }) => state + message.by },
  })
  return async () => {
    const runtime = await createRuntime()
    const startedMs = performance.now()
    for (let n = 0; n < count; n++) runtime.spawn(counter)
    await runtime.shutdown({ deadlineMs: 600_000 })
    return { value: ((performance.now() - startedMs) / count) * 1e6 }
  }
}

const hundredThousand = 100_000
const million = 1_000_000

export default {
  name: 'million-actors',
  question: 'What do starting and stopping cost each of very many actors?',
  unit: 'ns/actor',
  fresh: true,
  runs: 3,
  nodeFlags: ['--max-old-space-size=12000'],
  goals: [{ subject: 'Echelon, 1,000,000', to: 'Echelon, 100,000', atMost: 1.5 }],
  subjects: {
    'lean actors in a Map, 100,000': lean(hundredThousand),
    'lean actors in a Map, 1,000,000': lean(million),
    'Erlang processes, 100,000': erlang('idle', 'hundred_thousand', ['+P', '2097152']),
    'Erlang processes, 1,000,000': erlang('idle', 'million', ['+P', '2097152']),
    'Echelon, 100,000': echelon(hundredThousand),
    'Echelon, 1,000,000': echelon(million),
  },
} satisfies Bench
