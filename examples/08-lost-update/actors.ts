import { defineActor, message, question, type EffectOptions } from 'echelon'
import * as z from 'zod'
import { model } from './model.ts'

/** What a team may still spend. */
export const budget = defineActor({
  name: 'budget',
  durable: true,
  protocol: {
    'budget.left': question({}, z.number()),
    'budget.set': message({ usd: z.number() }),
  },
  state: () => 100,
  on: {
    'budget.left': ({ state, reply }) => reply(state),
    'budget.set': ({ message }) => message.usd,
  },
})

/** Safe to do again, and done again until it works. */
const untilDone: EffectOptions = { idempotent: true, timeoutMs: 20_000, retry: { attempts: 50 } }

/** Works on a task with a model, and pays for it out of the budget of its team. */
export const agent = defineActor({
  name: 'agent',
  durable: true,
  protocol: { 'agent.work': message({ task: z.string() }) },
  on: {
    'agent.work': async ({ message: { task }, effect, get }) => {
      const team = get(budget, 'team')
      const left = await effect(`look before ${task}`, () => team.ask({ type: 'budget.left' }), untilDone)
      const { usd } = await effect(`answer ${task}`, () => model.answer(task), untilDone)
      const pay = ({ idempotencyKey }: { readonly idempotencyKey: string }): Promise<void> =>
        team.tell({ type: 'budget.set', usd: left - usd }, { durable: true, id: idempotencyKey })
      await effect(`pay ${task}`, pay, untilDone)
    },
  },
})
