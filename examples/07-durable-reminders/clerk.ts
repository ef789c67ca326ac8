import { defineActor, message } from 'echelon'
import { invoice } from './invoice.ts'

/** Writes a list every working day at nine, in Berlin. For days on which no process ran there is one list at the end. */
export const clerk = defineActor({
  name: 'clerk',
  durable: true,
  protocol: { 'clerk.begin': message(), 'clerk.list': message() },
  on: {
    'clerk.begin': ({ timers }) => {
      timers.cron('list', '0 9 * * mon-fri', { type: 'clerk.list' }, { timezone: 'Europe/Berlin', missed: 'one' })
    },
    'clerk.list': async ({ clock, effect, get }) => {
      const date = new Date(clock.wallNow()).toISOString().slice(0, 10) // the same when this is replayed
      const list = async (): Promise<void> => {
        console.log(`${date}: invoice-1 is ${await get(invoice, 'invoice-1').ask({ type: 'invoice.status' })}`)
      }
      await effect(`list of ${date}`, list, { idempotent: true })
    },
  },
})
