/**
 * 1,000 actors in a ring pass one token on, each time as a fresh message with one less in it, 20,000 hops (Erlang
 * 100,000) between two looks at the clock. A hop is one message. In XState a send runs on the sender's stack: 1,000 is
 * near the longest ring that it can stand.
 */

import type { Ref } from 'echelon'
import type { AnyActorRef } from 'xstate'
import { type Bench, erlang, peer } from './frame/bench.ts'
import { perSecond, signal } from './frame/measure.ts'

interface Token {
  readonly type: 'token'
  readonly left: number
}

const members = 1_000
const size = 20_000

/** Makes `members` of them, each knowing the one made before; `first` knows the last. Gives the first. */
function ring<T>(make: (next: () => T) => T): T {
  let last: T | undefined
  // The first is asked for its neighbour only when all are there.
  const first = make(() => last as T)
  last = first
  for (let made = 1; made < members; made++) {
    const next = last
    last = make(() => next)
  }
  return first
}

export default {
  name: 'ring',
  question: `How many times is a token passed on among ${members.toLocaleString('en-GB')} actors?`,
  unit: 'hops/s',
  goals: [{ subject: 'Echelon', to: 'Erlang processes', atLeast: 2, aim: 2.8 }],
  subjects: {
    'lean run queue': async () => {
      const { LeanActor, RunQueue } = await import('./limits.ts')
      const queue = new RunQueue()
      const first = ring<InstanceType<typeof LeanActor<undefined, Token>>>(
        (next) =>
          new LeanActor(
            queue,
            (_, { left }) => (left > 0 ? void next().tell({ type: 'token', left: left - 1 }) : undefined),
            undefined,
          ),
      )
      return (ms) =>
        perSecond(ms, size, () => {
          first.tell({ type: 'token', left: size - 1 })
          queue.run()
        })
    },

    'XState custom logic': async () => {
      const { createActor, fromTransition } = await import('xstate')
      const first = ring<{ send(token: Token): void }>((next) =>
        createActor(
          fromTransition((state: undefined, { left }: Token) => {
            if (left > 0) next().send({ type: 'token', left: left - 1 })
            return state
          }, undefined),
        ).start(),
      )
      return (ms) => perSecond(ms, size, () => first.send({ type: 'token', left: size - 1 }))
    },

    'XState machine': async () => {
      const { createActor, sendTo, setup } = await import('xstate')
      const member = setup({
        types: { events: {} as Token, context: {} as { next: () => AnyActorRef }, input: {} as () => AnyActorRef },
      }).createMachine({
        context: ({ input }) => ({ next: input }),
        on: {
          token: {
            guard: ({ event }) => event.left > 0,
            actions: sendTo(
              ({ context }) => context.next(),
              ({ event }) => ({ type: 'token', left: event.left - 1 }) as const,
            ),
          },
        },
      })
      const first = ring<AnyActorRef>((next) => createActor(member, { input: next }).start())
      return (ms) => perSecond(ms, size, () => first.send({ type: 'token', left: size - 1 }))
    },

    nact: peer(async () => {
      const { loadNact } = await import('./peers/nact.ts')
      const { dispatch, spawn, start } = await loadNact()
      const system = start()
      let batch = signal()
      const first = ring<ReturnType<typeof start>>((next) =>
        spawn(system, (_: undefined, { left }: Token) => {
          if (left > 0) dispatch(next(), { type: 'token', left: left - 1 })
          else batch.finish()
        }),
      )
      return (ms) =>
        perSecond(ms, size, () => {
          batch = signal()
          dispatch(first, { type: 'token', left: size - 1 })
          return batch.done
        })
    }),

    'Erlang processes': erlang('ring', 'raw'),

    Echelon: async () => {
      const { createRuntime, defineActor, message } = await import('echelon')
      const z = await import('zod')
      const runtime = await createRuntime()
      const token = message({ left: z.int() })
      type Member = Ref<{ token: typeof token }>
      let batch = signal()
      const member = defineActor({
        name: 'member',
        protocol: { token },
        input: z.custom<() => Member>(),
        state: ({ input }) => ({ next: input }),
        on: {
          token: ({ state, message: { left } }) => {
            if (left > 0) state.next().tell({ type: 'token', left: left - 1 })
            else batch.finish()
          },
        },
      })
      const first = ring<Member>((next) => runtime.spawn(member, { input: next }))
      return (ms) =>
        perSecond(ms, size, () => {
          batch = signal()
          first.tell({ type: 'token', left: size - 1 })
          return batch.done
        })
    },
  },
} satisfies Bench
