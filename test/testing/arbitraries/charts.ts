import { defineActor, message, question } from 'echelon'
import { assign, fromPromise, raise, setup } from 'xstate'
import * as z from 'zod'

/** Nested and parallel states, delays by name and by number, eventless transitions, a guard on the context, history. */
export const door = setup({
  types: {
    context: {} as { knocks: number },
    events: {} as
      { type: 'knock' } | { type: 'push'; force: number } | { type: 'pull' } | { type: 'lamp' } | { type: 'end' },
  },
  delays: { closing: 5_000 },
  guards: {
    isHeard: ({ context }) => context.knocks >= 3,
    isStrong: ({ event }) => event.type === 'push' && event.force > 900,
    isNever: () => false,
  },
}).createMachine({
  id: 'house',
  type: 'parallel',
  context: { knocks: 0 },
  states: {
    door: {
      initial: 'shut',
      states: {
        shut: {
          entry: assign({ knocks: 0 }),
          on: {
            knock: { actions: assign({ knocks: ({ context }) => context.knocks + 1 }) },
            push: { guard: 'isStrong', target: 'broken' },
            pull: { guard: 'isNever', target: 'broken' },
          },
          always: { guard: 'isHeard', target: 'open' },
        },
        open: {
          initial: 'wide',
          states: { wide: { after: { 1_000: 'ajar' } }, ajar: {}, past: { type: 'history' } },
          after: { closing: 'shut' },
          on: { push: 'shut', knock: '.past' },
        },
        broken: { on: { end: 'gone' } },
        gone: { type: 'final' },
      },
    },
    lamp: {
      initial: 'off',
      states: { off: { on: { lamp: 'on' } }, on: { on: { lamp: 'off' }, after: { 2_500: 'off' } } },
    },
  },
})

/** Work that is invoked, and what becomes of it; an event that nobody ever reaches. */
export const job = setup({
  types: { events: {} as { type: 'start' } | { type: 'retry' } | { type: 'cancel' } },
  actors: { work: fromPromise(() => new Promise<number>(() => undefined)) },
}).createMachine({
  id: 'job',
  initial: 'idle',
  states: {
    idle: { on: { start: 'working' } },
    working: {
      invoke: { id: 'work', src: 'work', onDone: 'done', onError: 'failed' },
      on: { cancel: 'idle' },
    },
    failed: { on: { retry: 'working' } },
    done: { type: 'final' },
    forgotten: {},
  },
})

/** An actor with a chart: an order that is paid in parts, within a time. */
export const order = defineActor({
  name: 'order',
  protocol: {
    'order.pay': message({ cents: z.int().min(1).max(1_000) }),
    'order.cancel': message({ reason: z.string() }),
    'order.due': question({}, z.int()),
  },
  machine: ({ setup: withTypes, reply }) =>
    withTypes({
      types: { context: {} as { due: number } },
      guards: { isEnough: ({ context, event }) => event.type === 'order.pay' && event.cents >= context.due },
    }).createMachine({
      id: 'order',
      context: { due: 1_500 },
      initial: 'open',
      on: { 'order.due': { actions: reply(({ context }) => context.due) } },
      states: {
        open: {
          on: {
            'order.pay': [
              { guard: 'isEnough', target: 'paid' },
              {
                actions: assign({
                  due: ({ context, event }) => context.due - event.cents,
                }),
              },
            ],
            'order.cancel': 'cancelled',
          },
          after: { 60_000: 'lapsed' },
        },
        paid: { entry: raise({ type: 'order.due' }) },
        cancelled: { type: 'final' },
        lapsed: { type: 'final' },
      },
    }),
})
