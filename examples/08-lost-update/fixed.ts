import { defineActor, message, question, type EffectOptions } from 'echelon'
import * as z from 'zod'
import { model } from './model.ts'

/** What a team may still spend. Whoever spends says how much, and the budget does the sum. */
export const budget = defineActor({
  name: 'budget',
  durable: true,
  protocol: {
    'budget.left': question({}, z.number()),
    'budget.spend': message({ usd: z.number() }),
  },
  state: () => 100,
  on: {
    'budget.left': ({ state, reply }) => reply(state),
    'budget.spend': ({ state, message }) => state - message.usd,
  },
})

const untilDone: EffectOptions = { idempotent: true, timeoutMs: 20_000, retry: { attempts: 50 } }

export const agent = defineActor({
  name: 'agent',
  durable: true,
  protocol: { 'agent.work': message({ task: z.string() }) },
  on: {
    'agent.work': async ({ message: { task }, effect, get }) => {
      const { usd } = await effect(`answer ${task}`, () => model.answer(task), untilDone)
      const pay = ({ idempotencyKey }: { readonly idempotencyKey: string }): Promise<void> =>
        get(budget, 'team').tell({ type: 'budget.spend', usd }, { durable: true, id: idempotencyKey })
      await effect(`pay ${task}`, pay, untilDone)
    },
  },
})
