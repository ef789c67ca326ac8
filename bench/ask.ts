/**
 * Questions from outside, each awaited: one after another, and 64 askers at once. The question carries a number, the
 * answer is one. nact: `query` with a timeout. XState has no ask: its subject sends an event that carries the resolver of a
 * promise, without deadline or failure. Erlang: gen_server:call (deadline, monitor), and the bare exchange by hand.
 */

import { type Bench, erlang, peer } from './frame/bench.ts'
import { perSecond } from './frame/measure.ts'

const size = 6_400
const askers = 64

type Ask = (n: number) => Promise<unknown>

/** The two ways to ask, from one way to make the asker. */
const inTurn = (prepare: () => Promise<Ask>) => async () => {
  const ask = await prepare()
  return (ms: number) =>
    perSecond(ms, size, async () => {
      for (let n = 0; n < size; n++) await ask(n)
    })
}

const atOnce = (prepare: () => Promise<Ask>) => async () => {
  const ask = await prepare()
  const asker = async () => {
    for (let n = 0; n < size / askers; n++) await ask(n)
  }
  return (ms: number) => perSecond(ms, size, () => Promise.all(Array.from({ length: askers }, asker)))
}

async function xstate(): Promise<Ask> {
  const { createActor, fromTransition } = await import('xstate')
  const server = createActor(
    fromTransition((total: number, { reply }: { type: 'total'; n: number; reply: (answer: number) => void }) => {
      reply(total)
      return total
    }, 7),
  ).start()
  return (n) => new Promise((reply) => server.send({ type: 'total', n, reply }))
}

async function nact(): Promise<Ask> {
  const { loadNact } = await import('./peers/nact.ts')
  const { dispatch, query, spawn, start } = await loadNact()
  const server = spawn(
    start(),
    (total: number, { replyTo }: { type: 'total'; n: number; replyTo: Parameters<typeof dispatch>[0] }) => {
      dispatch(replyTo, total)
      return total
    },
    'server',
    { initialState: 7 },
  )
  return (n) => query(server, (replyTo) => ({ type: 'total', n, replyTo }), 5_000)
}

async function echelon(): Promise<Ask> {
  const { createRuntime, defineActor, question } = await import('echelon')
  const z = await import('zod')
  const runtime = await createRuntime()
  const server = runtime.spawn(
    defineActor({
      name: 'server',
      protocol: { total: question({ n: z.int() }, z.int()) },
      state: () => 7,
      on: { total: ({ state, reply }) => reply(state) },
    }),
  )
  return (n) => server.ask({ type: 'total', n })
}

export default {
  name: 'ask',
  question: 'How many questions are answered?',
  unit: 'answers/s',
  goals: [
    { subject: 'Echelon', to: 'nact', atLeast: 3 },
    { subject: 'Echelon, 64 at once', to: 'nact, 64 at once', atLeast: 3 },
  ],
  subjects: {
    'XState, a promise by hand': inTurn(xstate),
    nact: peer(inTurn(nact)),
    'Erlang processes, by hand': erlang('ask', 'raw'),
    gen_server: erlang('ask', 'server'),
    Echelon: inTurn(echelon),
    'nact, 64 at once': peer(atOnce(nact)),
    'gen_server, 64 at once': erlang('ask', 'servers'),
    'Echelon, 64 at once': atOnce(echelon),
  },
} satisfies Bench
