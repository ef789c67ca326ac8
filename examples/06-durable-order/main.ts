import path from 'node:path'
import { createRuntime, defineActor, message, question, type DoubtRule } from 'echelon'
import { sqliteJournal } from 'echelon/journal'
import * as z from 'zod'
import { Bank } from './bank.ts'

const [folder = '.'] = process.argv.slice(2)
const bank = new Bank(path.join(folder, 'bank.jsonl'))

/** Loses this process on the spot, without a last word, at the place that DIE_AT names. */
function dieAt(place: string): void {
  if (process.env['DIE_AT'] === place) process.kill(process.pid, 'SIGKILL')
}

const order = defineActor({
  name: 'order',
  durable: true,
  input: z.object({ item: z.string(), usd: z.number() }),
  protocol: {
    'order.pay': message({ card: z.string() }),
    'order.receipt': question({}, z.string().optional()),
  },
  state: () => ({ receipt: undefined as string | undefined }),
  on: {
    'order.pay': async ({ state, input, message, effect }) => {
      if (state.receipt !== undefined) return state
      const receipt = await effect('charge', ({ idempotencyKey }) => {
        dieAt('before the charge')
        const given = bank.charge(message.card, input.usd, idempotencyKey)
        dieAt('after the charge')
        return given
      })
      const mail = (): void => {
        console.log(`mail: ${input.item} is paid, ${receipt}`)
        dieAt('after the mail')
      }
      await effect('mail', mail, { idempotent: true }) // may be sent twice, which harms nobody
      return { receipt }
    },
    'order.receipt': ({ state, reply }) => reply(state.receipt),
  },
})

/** A charge of which nobody knows whether it was made: the bank does. */
const askTheBank: DoubtRule = ({ key, idempotencyKey }) => {
  if (key !== 'charge') return undefined // somebody else's doubt: left to a person
  const charge = bank.find(idempotencyKey)
  console.log(`in doubt: the bank ${charge === undefined ? 'knows of no charge' : `has it, ${charge.receipt}`}`)
  return charge === undefined ? { kind: 'retry' } : { kind: 'value', value: charge.receipt }
}

await using runtime = await createRuntime({
  journal: sqliteJournal(path.join(folder, 'shop.db')),
  definitions: [order], // what a crash interrupted goes on without being asked
  onInDoubt: askTheBank,
})
const first = runtime.get(order, 'order-17', { input: { item: 'a kite', usd: 12.5 } })
await first.tell({ type: 'order.pay', card: '4711' }, { durable: true, id: 'pay' }) // on disk; once for this id
console.log(`order-17: ${(await first.ask({ type: 'order.receipt' })) ?? 'not paid'}`)
console.log(`the bank has ${bank.charges.length} charge(s)`)
