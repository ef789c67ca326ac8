/**
 * Two actors, one ball. A round trip is `ping` with a number there and `pong` with the number back, each a fresh message;
 * 20,000 round trips (Erlang 100,000) between two looks at the clock. No subject has a second ball in the air.
 */

import type { Ref } from 'echelon'
import type { AnyActorRef } from 'xstate'
import { type Bench, erlang, peer } from './frame/bench.ts'
import { perSecond, signal } from './frame/measure.ts'

interface Ball {
  readonly type: 'serve' | 'ping' | 'pong'
  readonly left: number
}

const size = 20_000

export default {
  name: 'ping-pong',
  question: 'How many round trips do two actors make?',
  unit: 'round trips/s',
  goals: [
    { subject: 'Echelon', to: 'Erlang processes', atLeast: 2, aim: 2.7 },
    { subject: 'Echelon', to: 'nact', atLeast: 8, aim: 11 },
  ],
  subjects: {
    'function call': () => {
      const pong = (ball: Ball): Ball => ({ type: 'pong', left: ball.left })
      const ping = (ball: Ball): Ball => ({ type: 'ping', left: ball.left - 1 })
      return (ms) =>
        perSecond(ms, size, () => {
          for (let ball = ping({ type: 'serve', left: size }); ball.left > 0; ball = ping(pong(ball)));
        })
    },

    'lean run queue': async () => {
      const { LeanActor, RunQueue } = await import('./limits.ts')
      const queue = new RunQueue()
      const pong = new LeanActor<undefined, Ball>(
        queue,
        (_, { left }) => void ping.tell({ type: 'pong', left }),
        undefined,
      )
      const ping = new LeanActor<undefined, Ball>(
        queue,
        (_, { left }) => (left > 0 ? void pong.tell({ type: 'ping', left: left - 1 }) : undefined),
        undefined,
      )
      return (ms) =>
        perSecond(ms, size, () => {
          ping.tell({ type: 'serve', left: size })
          queue.run()
        })
    },

    'XState custom logic': async () => {
      const { createActor, fromTransition } = await import('xstate')
      const pong = createActor(
        fromTransition((state: undefined, { left }: Ball) => {
          ping.send({ type: 'pong', left })
          return state
        }, undefined),
      ).start()
      const ping = createActor(
        fromTransition((state: undefined, { left }: Ball) => {
          if (left > 0) pong.send({ type: 'ping', left: left - 1 })
          return state
        }, undefined),
      ).start()
      return (ms) => perSecond(ms, size, () => ping.send({ type: 'serve', left: size }))
    },

    'XState machine': async () => {
      const { createActor, sendTo, setup } = await import('xstate')
      const types = { events: {} as Ball } // XState reads the type of this value, never the value
      const pong: AnyActorRef = createActor(
        setup({ types }).createMachine({
          on: {
            ping: {
              actions: sendTo(
                () => ping,
                ({ event }) => ({ type: 'pong', left: event.left }) as const,
              ),
            },
          },
        }),
      )
      const ping: AnyActorRef = createActor(
        setup({
          types,
          actions: {
            pass: sendTo(
              () => pong,
              ({ event }) => ({ type: 'ping', left: event.left - 1 }) as const,
            ),
          },
        }).createMachine({
          on: {
            serve: { actions: 'pass' },
            pong: { guard: ({ event }) => event.left > 0, actions: 'pass' },
          },
        }),
      )
      pong.start()
      ping.start()
      return (ms) => perSecond(ms, size, () => ping.send({ type: 'serve', left: size }))
    },

    nact: peer(async () => {
      const { loadNact } = await import('./peers/nact.ts')
      const { dispatch, spawn, start } = await loadNact()
      const system = start()
      let batch = signal()
      const pong = spawn(system, (_: undefined, { left }: Ball, { self, sender }) => {
        dispatch(sender, { type: 'pong', left }, self)
      })
      const ping = spawn(system, (_: undefined, { left }: Ball, { self }) => {
        if (left > 0) dispatch(pong, { type: 'ping', left: left - 1 }, self)
        else batch.finish()
      })
      return (ms) =>
        perSecond(ms, size, () => {
          batch = signal()
          dispatch(ping, { type: 'serve', left: size })
          return batch.done
        })
    }),

    'Erlang processes': erlang('ping_pong', 'raw'),

    Echelon: async () => {
      const { createRuntime, defineActor, message } = await import('echelon')
      const z = await import('zod')
      const runtime = await createRuntime()
      const ball = message({ left: z.int() })
      const pinging = { serve: ball, pong: ball }
      const ponging = { meet: message({ ping: z.custom<Ref<typeof pinging>>() }), ping: ball }
      let batch = signal()
      const pong = runtime.spawn(
        defineActor({
          name: 'pong',
          protocol: ponging,
          state: (): Ref<typeof pinging> | undefined => undefined,
          on: {
            meet: ({ message }) => message.ping,
            ping: ({ state, message }) => state?.tell({ type: 'pong', left: message.left }),
          },
        }),
      )
      const ping = runtime.spawn(
        defineActor({
          name: 'ping',
          protocol: pinging,
          on: {
            serve: ({ message }) => pong.tell({ type: 'ping', left: message.left - 1 }),
            pong: ({ message: { left } }) => {
              if (left > 0) pong.tell({ type: 'ping', left: left - 1 })
              else batch.finish()
            },
          },
        }),
      )
      pong.tell({ type: 'meet', ping })
      return (ms) =>
        perSecond(ms, size, () => {
          batch = signal()
          ping.tell({ type: 'serve', left: size })
          return batch.done
        })
    },
  },
} satisfies Bench
