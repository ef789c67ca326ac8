/**
 * Eight actors send 500 messages each to one that adds up; when it has them all, the next batch begins, so that 4,000 wait
 * at most: Echelon's mailbox holds 4,096 unless told. Only what the one receives is counted. Erlang, whose mailboxes have no
 * bound, gets 20,000 from each as well.
 */

import type { Ref } from 'echelon'
import { type Bench, erlang, peer } from './frame/bench.ts'
import { perSecond, signal } from './frame/measure.ts'

interface Add {
  readonly type: 'add'
  readonly by: number
}

interface Send {
  readonly type: 'send'
  readonly count: number
}

const senders = 8
const each = 500
const size = senders * each

/** Tells when `size` messages were added, and starts again at zero. */
class Tally {
  #batch = signal()

  start(): Promise<void> {
    this.#batch = signal()
    return this.#batch.done
  }

  readonly add = (total: number, { by }: Add): number => {
    if (total + by < size) return total + by
    this.#batch.finish()
    return 0
  }
}

export default {
  name: 'fan-in',
  question: 'How many messages from eight actors does one actor handle?',
  unit: 'messages/s',
  goals: [
    { subject: 'Echelon', to: 'Erlang processes', atLeast: 1, aim: 1.5 },
    { subject: 'Echelon', to: 'Erlang processes, 20,000 each', atLeast: 1, aim: 1.5 },
  ],
  subjects: {
    'lean run queue': async () => {
      const { LeanActor, RunQueue } = await import('./limits.ts')
      const queue = new RunQueue()
      const tally = new Tally()
      const sink = new LeanActor<number, Add>(queue, tally.add, 0)
      const all = Array.from(
        { length: senders },
        () =>
          new LeanActor<undefined, Send>(
            queue,
            (_, { count }) => {
              for (let n = 0; n < count; n++) sink.tell({ type: 'add', by: 1 })
              return undefined
            },
            undefined,
          ),
      )
      return (ms) =>
        perSecond(ms, size, () => {
          const done = tally.start()
          for (const sender of all) sender.tell({ type: 'send', count: each })
          queue.run()
          return done
        })
    },

    'XState machine': async () => {
      const { assign, createActor, fromTransition, setup } = await import('xstate')
      const tally = new Tally()
      const sink = createActor(
        setup({ types: { context: {} as { total: number }, events: {} as Add } }).createMachine({
          context: { total: 0 },
          on: { add: { actions: assign({ total: ({ context, event }) => tally.add(context.total, event) }) } },
        }),
      ).start()
      const all = Array.from({ length: senders }, () =>
        createActor(
          fromTransition((state: undefined, { count }: Send) => {
            for (let n = 0; n < count; n++) sink.send({ type: 'add', by: 1 })
            return state
          }, undefined),
        ).start(),
      )
      return (ms) =>
        perSecond(ms, size, () => {
          const done = tally.start()
          for (const sender of all) sender.send({ type: 'send', count: each })
          return done
        })
    },

    nact: peer(async () => {
      const { loadNact } = await import('./peers/nact.ts')
      const { dispatch, spawn, start } = await loadNact()
      const system = start()
      const tally = new Tally()
      const sink = spawn(system, tally.add, 'sink', { initialState: 0 })
      const all = Array.from({ length: senders }, () =>
        spawn(system, (_: undefined, { count }: Send) => {
          for (let n = 0; n < count; n++) dispatch(sink, { type: 'add', by: 1 })
        }),
      )
      return (ms) =>
        perSecond(ms, size, () => {
          const done = tally.start()
          for (const sender of all) dispatch(sender, { type: 'send', count: each })
          return done
        })
    }),

    'Erlang processes': erlang('fan_in', 'raw'),
    'Erlang processes, 20,000 each': erlang('fan_in', 'many'),

    Echelon: async () => {
      const { createRuntime, defineActor, message } = await import('echelon')
      const z = await import('zod')
      const runtime = await createRuntime()
      const tally = new Tally()
      const add = message({ by: z.int() })
      const sink: Ref<{ add: typeof add }> = runtime.spawn(
        defineActor({
          name: 'sink',
          protocol: { add },
          state: () => 0,
          on: { add: ({ state, message }) => tally.add(state, message) },
        }),
      )
      const sender = defineActor({
        name: 'sender',
        protocol: { send: message({ count: z.int() }) },
        on: {
          send: ({ message: { count } }) => {
            for (let n = 0; n < count; n++) sink.tell({ type: 'add', by: 1 })
          },
        },
      })
      const all = Array.from({ length: senders }, () => runtime.spawn(sender))
      return (ms) =>
        perSecond(ms, size, () => {
          const done = tally.start()
          for (const one of all) one.tell({ type: 'send', count: each })
          return done
        })
    },
  },
} satisfies Bench
