/**
 * Eight actors send to one that adds up, in bursts of 100 messages; between two bursts each sends itself a message to go
 * on, so that mailboxes stay bounded. Only what the one receives is counted. In Erlang, sending everything in one loop
 * instead is a subject too, since there it is faster; the goal is against the faster of the two.
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
  readonly left: number
}

const senders = 8
const burst = 100
const each = 5_000
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

/** One burst of a sender. */
function sendBurst(left: number, add: (message: Add) => void, again: (message: Send) => void): void {
  for (let sent = 0; sent < burst; sent++) add({ type: 'add', by: 1 })
  if (left > burst) again({ type: 'send', left: left - burst })
}

export default {
  name: 'fan-in',
  question: 'How many messages from eight actors does one actor handle?',
  unit: 'messages/s',
  goals: [
    { subject: 'Echelon', to: 'Erlang processes', atLeast: 1, aim: 1.5 },
    { subject: 'Echelon', to: 'Erlang processes, all at once', atLeast: 1, aim: 1.5 },
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
          new LeanActor<undefined, Send>(queue, (_, { left }, self) => sendBurst(left, (add) => sink.tell(add), (send) => self.tell(send)), undefined),
      )
      return (ms) =>
        perSecond(ms, size, () => {
          const done = tally.start()
          for (const sender of all) sender.tell({ type: 'send', left: each })
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
          fromTransition((state: undefined, { left }: Send, { self }) => {
            sendBurst(left, (add) => sink.send(add), (send) => self.send(send))
            return state
          }, undefined),
        ).start(),
      )
      return (ms) =>
        perSecond(ms, size, () => {
          const done = tally.start()
          for (const sender of all) sender.send({ type: 'send', left: each })
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
        spawn(system, (_: undefined, { left }: Send, { self }) =>
          sendBurst(left, (add) => dispatch(sink, add), (send) => dispatch(self, send)),
        ),
      )
      return (ms) =>
        perSecond(ms, size, () => {
          const done = tally.start()
          for (const sender of all) dispatch(sender, { type: 'send', left: each })
          return done
        })
    }),

    'Erlang processes': erlang('fan_in', 'raw'),
    'Erlang processes, all at once': erlang('fan_in', 'at_once'),

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
        protocol: { send: message({ left: z.int() }) },
        on: {
          send: ({ self, message }) => sendBurst(message.left, (add) => sink.tell(add), (send) => self.tell(send)),
        },
      })
      const all = Array.from({ length: senders }, () => runtime.spawn(sender))
      return (ms) =>
        perSecond(ms, size, () => {
          const done = tally.start()
          for (const one of all) one.tell({ type: 'send', left: each })
          return done
        })
    },
  },
} satisfies Bench
