/**
 * Spawn, one message, stop. Each actor adds what the message says to its state and stops by a second message, in all
 * subjects; 1,000 are started before the driver waits for the ends of all, or, "one by one", for each before the next.
 *
 * Erlang: a bare process, neither linked nor registered; its last act is a message to the driver, or the driver monitors
 * it. XState: a root actor, stopped at once since it has no queue. nact: an actor under the system that stops itself; its
 * last act tells the driver. Echelon: `runtime.spawn`, so supervised, named and addressable; its last act tells the
 * driver, or the driver awaits `exited`, which compares with a monitor.
 */

import { type Bench, erlang, peer } from './frame/bench.ts'
import { perSecond, signal } from './frame/measure.ts'

const size = 1_000
const siblings = 100_000

/** Echelon, with `count` siblings: the driver learns of the end by the actor's last act, or awaits `exited`. */
const echelon = (count: number, awaits: 'last act' | 'exited' | 'exited, one by one') => async () => {
  const { createRuntime, defineActor, message } = await import('echelon')
  const z = await import('zod')
  const runtime = await createRuntime()
  let left = 0
  let batch = signal()
  const worker = defineActor({
    name: 'worker',
    protocol: { add: message({ by: z.int() }), leave: message() },
    state: () => 0,
    on: {
      add: ({ state, message }) => state + message.by,
      leave: ({ stop }) => {
        stop()
        if (--left === 0) batch.finish()
      },
    },
  })
  for (let n = 0; n < count; n++) runtime.spawn(worker)
  const live = () => {
    const ref = runtime.spawn(worker)
    ref.tell({ type: 'add', by: 1 })
    ref.tell({ type: 'leave' })
    return ref
  }
  const rounds = {
    'last act': async () => {
      batch = signal()
      left = size
      for (let n = 0; n < size; n++) live()
      await batch.done
    },
    exited: () => Promise.all(Array.from({ length: size }, () => live().exited)),
    'exited, one by one': async () => {
      for (let n = 0; n < size; n++) await live().exited
    },
  }
  return (ms: number) => perSecond(ms, size, rounds[awaits])
}

export default {
  name: 'spawn-stop',
  question: 'How many actors are spawned, handle a message, and stop?',
  unit: 'actors/s',
  goals: [
    { subject: 'Echelon', to: 'Erlang processes', atLeast: 2, aim: 3.4 },
    { subject: 'Echelon, exited', to: 'Erlang processes, monitored', atLeast: 2, aim: 3.4 },
    { subject: 'Echelon, exited, one by one', to: 'Erlang processes, monitored, one by one', atLeast: 2, aim: 3.4 },
    { subject: 'Echelon, 100,000 siblings', to: 'Echelon', atLeast: 0.8 },
  ],
  subjects: {
    'lean run queue': async () => {
      const { LeanActor, RunQueue } = await import('./limits.ts')
      const queue = new RunQueue()
      return (ms) =>
        perSecond(ms, size, () => {
          for (let n = 0; n < size; n++) {
            const actor = new LeanActor<number, number>(
              queue,
              (total, by, self) => (by === 0 ? (self.stop(), total) : total + by),
              0,
            )
            actor.tell(1)
            actor.tell(0)
          }
          queue.run()
        })
    },

    'XState custom logic': async () => {
      const { createActor, fromTransition } = await import('xstate')
      const logic = fromTransition((total: number, { by }: { type: 'add'; by: number }) => total + by, 0)
      return (ms) =>
        perSecond(ms, size, () => {
          for (let n = 0; n < size; n++) {
            const actor = createActor(logic).start()
            actor.send({ type: 'add', by: 1 })
            actor.stop()
          }
        })
    },

    'XState machine': async () => {
      const { assign, createActor, setup } = await import('xstate')
      const machine = setup({
        types: { context: {} as { total: number }, events: {} as { type: 'add'; by: number } },
      }).createMachine({
        context: { total: 0 },
        on: { add: { actions: assign({ total: ({ context, event }) => context.total + event.by }) } },
      })
      return (ms) =>
        perSecond(ms, size, () => {
          for (let n = 0; n < size; n++) {
            const actor = createActor(machine).start()
            actor.send({ type: 'add', by: 1 })
            actor.stop()
          }
        })
    },

    nact: peer(async () => {
      const { loadNact } = await import('./peers/nact.ts')
      const { dispatch, spawn, start, stop } = await loadNact()
      const system = start()
      let [left, spawned] = [0, 0] // named by number: its random names collide
      let batch = signal()
      const receive = (total: number, { by }: { by: number }, { self }: { self: ReturnType<typeof start> }) => {
        if (by > 0) return total + by
        stop(self)
        if (--left === 0) batch.finish()
        return total
      }
      return (ms) =>
        perSecond(ms, size, () => {
          batch = signal()
          left = size
          for (let n = 0; n < size; n++) {
            const actor = spawn(system, receive, `worker-${spawned++}`, { initialState: 0 })
            dispatch(actor, { by: 1 })
            dispatch(actor, { by: 0 })
          }
          return batch.done
        })
    }),

    'Erlang processes': erlang('spawn_stop', 'raw'),
    'Erlang processes, 100,000 siblings': erlang('spawn_stop', 'among_siblings'),
    'Erlang processes, monitored': erlang('spawn_stop', 'monitored'),
    'Erlang processes, one by one': erlang('spawn_stop', 'raw_one_by_one'),
    'Erlang processes, monitored, one by one': erlang('spawn_stop', 'monitored_one_by_one'),
    'gen_server, one by one': erlang('spawn_stop', 'server'),
    Echelon: echelon(0, 'last act'),
    'Echelon, 100,000 siblings': echelon(siblings, 'last act'),
    'Echelon, exited': echelon(0, 'exited'),
    'Echelon, exited, one by one': echelon(0, 'exited, one by one'),
  },
} satisfies Bench
