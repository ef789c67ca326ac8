/**
 * What hosting adds to a statechart: the same machine, bare in XState's `createActor`, and as an actor of Echelon. Two
 * machines: `toggle` changes state at each event, `assign` counts as well. Bursts of 1,000 events; the last one of a burst
 * says so from inside the machine. Echelon's events are messages that zod checks, queued and delivered in turns; XState's
 * are handled on the stack of `send`.
 */

import type { Bench } from './frame/bench.ts'
import { nsEach, signal } from './frame/measure.ts'

const burst = 1_000

interface Flip {
  readonly type: 'flip'
  readonly last: boolean
}

/** The charts, for an actor that calls `finish` when the last event of a burst has come. */
const charts = {
  toggle: {
    context: { total: 0 },
    initial: 'off',
    states: { off: { on: { flip: { target: 'on', actions: 'look' } } }, on: { on: { flip: { target: 'off', actions: 'look' } } } },
  },
  assign: {
    context: { total: 0 },
    initial: 'off',
    states: {
      off: { on: { flip: { target: 'on', actions: ['count', 'look'] } } },
      on: { on: { flip: { target: 'off', actions: ['count', 'look'] } } },
    },
  },
} as const

async function implementations(finish: () => void) {
  const { assign } = await import('xstate')
  const count = assign({ total: ({ context }: { context: { total: number } }) => context.total + 1 })
  const look = ({ event }: { event: Flip }) => {
    if (event.last) finish()
  }
  return { count, look }
}

/** Sends bursts by `send` and waits for the end of each. */
function bursts(ms: number, batch: { current: ReturnType<typeof signal> }, send: (event: Flip) => void) {
  return nsEach(ms, burst, () => {
    batch.current = signal()
    for (let n = 1; n <= burst; n++) send({ type: 'flip', last: n === burst })
    return batch.current.done
  })
}

const bare = (chart: keyof typeof charts) => async () => {
  const { createActor, setup } = await import('xstate')
  const batch = { current: signal() }
  const actions = await implementations(() => batch.current.finish())
  const types = { context: {} as { total: number }, events: {} as Flip }
  const actor = createActor(setup({ types, actions }).createMachine(charts[chart])).start()
  return (ms: number) => bursts(ms, batch, (event) => actor.send(event))
}

const hosted = (chart: keyof typeof charts) => async () => {
  const { createRuntime, defineActor, message } = await import('echelon')
  const z = await import('zod')
  const batch = { current: signal() }
  const actions = await implementations(() => batch.current.finish())
  const runtime = await createRuntime()
  const actor = runtime.spawn(
    defineActor({
      name: chart,
      protocol: { flip: message({ last: z.boolean() }) },
      machine: ({ setup }) => setup({ types: { context: {} as { total: number } }, actions }).createMachine(charts[chart]),
    }),
  )
  return (ms: number) => bursts(ms, batch, (event) => actor.tell(event))
}

export default {
  name: 'machine-hosting',
  question: 'What does a statechart cost per event, bare in XState and hosted?',
  unit: 'ns/event',
  runs: 11,
  goals: [
    { subject: 'Echelon, toggle', to: 'XState, toggle', atMost: 1.1 },
    { subject: 'Echelon, assign', to: 'XState, assign', atMost: 1.1 },
  ],
  subjects: {
    'XState, toggle': bare('toggle'),
    'Echelon, toggle': hosted('toggle'),
    'XState, assign': bare('assign'),
    'Echelon, assign': hosted('assign'),
  },
} satisfies Bench
