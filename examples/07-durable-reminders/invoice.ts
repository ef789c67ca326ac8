import { defineActor, message, question } from 'echelon'
import * as z from 'zod'

const day = 86_400_000

/** One invoice: a reminder after two weeks, overdue a week later, unless somebody pays. */
export const invoice = defineActor({
  name: 'invoice',
  durable: true,
  protocol: {
    'invoice.pay': message(),
    'invoice.status': question({}, z.string()),
  },
  machine: ({ setup, reply, effect }) =>
    setup({
      actors: {
        remind: effect('reminder', () => console.log('letter: a friendly reminder'), { idempotent: true }),
        warn: effect('warning', () => console.log('letter: a last warning'), { idempotent: true }),
      },
      delays: { twoWeeks: 14 * day, oneWeek: 7 * day },
    }).createMachine({
      initial: 'sent',
      states: {
        sent: { after: { twoWeeks: 'reminded' }, on: { 'invoice.pay': 'paid' } },
        reminded: { invoke: { src: 'remind' }, after: { oneWeek: 'overdue' }, on: { 'invoice.pay': 'paid' } },
        overdue: { invoke: { src: 'warn' }, on: { 'invoice.pay': 'paid' } },
        paid: {}, // no final state: a paid invoice still answers
      },
      // No state has states in it, so each value is a name.
      on: { 'invoice.status': { actions: reply(({ self }) => self.getSnapshot().value as string) } },
    }),
})
