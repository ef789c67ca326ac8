import { defineActor, message, question } from 'echelon'
import * as z from 'zod'

// The actors whose journals are kept for ever. What they do must not change: their journals were written by it.

/** Values of every kind that a journal keeps, and a snapshot every five entries. */
export const shelf = defineActor({
  name: 'shelf',
  durable: { snapshotEvery: { entries: 5 } },
  protocol: { 'shelf.put': message({ name: z.string() }), 'shelf.list': question({}, z.unknown()) },
  state: () => ({
    things: new Map<string, { readonly since: Date; readonly weight: bigint; readonly label: Uint8Array }>(),
    nothing: undefined as string | undefined,
  }),
  on: {
    'shelf.put': ({ state, message, clock }) => ({
      ...state,
      things: new Map(state.things).set(message.name, {
        since: new Date(clock.wallNow()),
        weight: BigInt(state.things.size) ** 80n,
        label: new TextEncoder().encode(message.name),
      }),
    }),
    'shelf.list': ({ state, reply }) => {
      reply(state)
    },
  },
})

/** Effects that succeed, fail, come to a lot, and one that was cut off. */
export const order = defineActor({
  name: 'order',
  durable: { inlineResultBytes: 100 },
  protocol: {
    'order.pay': message({ card: z.string() }),
    'order.hang': message(),
    'order.state': question({}, z.unknown()),
  },
  state: () => ({ receipt: '', refused: '', report: 0, hung: '' }),
  on: {
    'order.pay': async ({ state, message, effect }) => {
      const receipt = await effect('charge', () => `receipt for ${message.card}`)
      const refused = await effect('fail', () => Promise.reject(new TypeError('out of stock'))).catch(String)
      const report = await effect('report', () => 'x'.repeat(1000))
      return { ...state, receipt, refused, report: report.length }
    },
    'order.hang': async ({ state, effect }) => {
      const hung = await effect('hang', () => new Promise<string>(() => undefined))
      return { ...state, hung }
    },
    'order.state': ({ state, reply }) => {
      reply(state)
    },
  },
})

/** Timers of every kind. */
export const reminder = defineActor({
  name: 'reminder',
  durable: true,
  protocol: {
    'reminder.begin': message(),
    'reminder.ring': message({ why: z.string() }),
    'reminder.rung': question({}, z.array(z.string())),
  },
  state: () => ({ rung: [] as readonly string[] }),
  on: {
    'reminder.begin': ({ timers }) => {
      timers.after('once', 3_600_000, { type: 'reminder.ring', why: 'once' })
      timers.every('often', 600_000, { type: 'reminder.ring', why: 'often' }, { missed: 'one' })
      timers.cron('nightly', '0 3 * * *', { type: 'reminder.ring', why: 'nightly' }, { timezone: 'Europe/Berlin' })
    },
    'reminder.ring': ({ state, message }) => ({ rung: [...state.rung, message.why] }),
    'reminder.rung': ({ state, reply }) => {
      reply([...state.rung])
    },
  },
})

/** A chart with a delay, and an effect that it invoked. */
export const door = defineActor({
  name: 'door',
  durable: true,
  protocol: {
    'door.open': message(),
    'door.lock': message(),
    'door.where': question({}, z.string()),
  },
  machine: ({ setup, effect, reply }) =>
    setup({ actors: { bolt: effect('bolt', () => 'bolted') } }).createMachine({
      initial: 'closed',
      states: {
        closed: { on: { 'door.open': 'open', 'door.lock': 'locking' } },
        open: { after: { 3_600_000: 'closed' } },
        locking: { invoke: { src: 'bolt', onDone: 'locked' } },
        locked: {},
      },
      on: { 'door.where': { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
    }),
})

export const definitions = [shelf, order, reminder, door]
