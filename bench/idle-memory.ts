/**
 * Bytes of an idle actor with a counter as its state: all memory after full collections, with and without 100,000 of them.
 * References to them are kept in an array in every subject, 8 bytes each. Erlang: `erlang:memory(total)`.
 */

import { type Bench, erlang, peer } from './frame/bench.ts'
import { bytesInUse } from './frame/measure.ts'

const actors = 100_000

/** Measures around `start`, and keeps what it returns alive until after. */
async function bytesEach(start: () => unknown) {
  const kept: unknown[] = new Array(actors).fill(undefined)
  const before = await bytesInUse()
  for (let n = 0; n < actors; n++) kept[n] = start()
  const after = await bytesInUse()
  kept.length = 0
  return { value: (after - before) / actors }
}

export default {
  name: 'idle-memory',
  question: 'How many bytes does an idle actor take?',
  unit: 'bytes',
  fresh: true,
  runs: 3,
  goals: [{ subject: 'Echelon', atMost: 700, aim: 450 }],
  subjects: {
    'lean run queue': async () => {
      const { LeanActor, RunQueue } = await import('./limits.ts')
      const queue = new RunQueue()
      const add = (total: number, by: number) => total + by
      return () => bytesEach(() => new LeanActor(queue, add, 0))
    },

    'XState custom logic': async () => {
      const { createActor, fromTransition } = await import('xstate')
      const logic = fromTransition((total: number, { by }: { type: 'add'; by: number }) => total + by, 0)
      return () => bytesEach(() => createActor(logic).start())
    },

    'XState machine': async () => {
      const { assign, createActor, setup } = await import('xstate')
      const machine = setup({
        types: { context: {} as { total: number }, events: {} as { type: 'add'; by: number } },
      }).createMachine({
        context: { total: 0 },
        on: { add: { actions: assign({ total: ({ context, event }) => context.total + event.by }) } },
      })
      return () => bytesEach(() => createActor(machine).start())
    },

    nact: peer(async () => {
      const { loadNact } = await import('./peers/nact.ts')
      const { spawn, start } = await loadNact()
      const system = start()
      const add = (total: number, { by }: { by: number }) => total + by
      let spawned = 0 // named by number: its random names collide
      return () => bytesEach(() => spawn(system, add, `counter-${spawned++}`, { initialState: 0 }))
    }),

    'Erlang processes': erlang('idle', 'bytes'),

    Echelon: async () => {
      const { createRuntime, defineActor, message } = await import('echelon')
      const z = await import('zod')
      const runtime = await createRuntime()
      const counter = defineActor({
        name: 'counter',
        protocol: { add: message({ by: z.int() }) },
        state: () => 0,
        on: { add: ({ state, message }) => state + message.by },
      })
      return () => bytesEach(() => runtime.spawn(counter))
    },
  },
} satisfies Bench
