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

/** A machine that changes state at each event, and counts in its context when it is to; `finish` learns of the last one. */
async function machine(counts: boolean, finish: () => void) {
  const { assign, setup } = await import('xstate')
  const chart = setup({
    types: { context: {} as { total: number }, events: {} as Flip },
    actions: {
      count: assign({ total: ({ context }) => context.total + 1 }),
      look: ({ event }) => {
        if (event.last) finish()
      },
    },
  })
  const actions = counts ? (['count', 'look'] as const) : (['look'] as const)
  return chart.createMachine({
    context: { total: 0 },
    initial: 'off',
    states: { off: { on: { flip: { target: 'on', actions } } }, on: { on: { flip: { target: 'off', actions } } } },
  })
}

/** Sends bursts by `send` and waits for the end of each. */
function bursts(ms: number, batch: { current: ReturnType<typeof signal> }, send: (event: Flip) => void) {
  return nsEach(ms, burst, () => {
    batch.current = signal()
    for (let n = 1; n <= burst; n++) send({ type: 'flip', last: n === burst })
    return batch.current.done
  })
}

const bare = (counts: boolean) => async () => {
  const { createActor } = await import('xstate')
  const batch = { current: signal() }
  const actor = createActor(await machine(counts, () => batch.current.finish())).start()
  return (ms: number) => bursts(ms, batch, (event) => actor.send(event))
}

const hosted = (counts: boolean) => async () => {
  const { createRuntime, defineActor, message } = await import('echelon')
  const z = await import('zod')
  const batch = { current: signal() }
  const chart = await machine(counts, () => batch.current.finish())
  const runtime = await createRuntime()
  const actor = runtime.spawn(
    defineActor({ name: 'flip', protocol: { flip: message({ last: z.boolean() }) }, machine: () => chart }),
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
    'XState, toggle': bare(false),
    'Echelon, toggle': hosted(false),
    'XState, assign': bare(true),
    'Echelon, assign': hosted(true),
  },
} satisfies Bench
