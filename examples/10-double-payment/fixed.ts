import { defineActor, message, question, type EffectFunction } from 'echelon'
import * as z from 'zod'
import { payments } from './bank.ts'

/** An order that is paid once. The provider knows a charge by its key, so that making it again is safe. */
export const order = defineActor({
  name: 'order',
  durable: true,
  protocol: {
    'order.pay': message(),
    'order.state': question({}, z.enum(['open', 'paid', 'failed'])),
  },
  state: (): 'open' | 'paid' | 'failed' => 'open',
  on: {
    'order.pay': async ({ state, effect, self }) => {
      if (state !== 'open') return state
      const charge: EffectFunction<string> = ({ idempotencyKey }) => payments.charge(self.path, idempotencyKey)
      try {
        await effect('charge', charge, { idempotent: true, timeoutMs: 60_000 })
        return 'paid'
      } catch {
        return 'failed' // a person looks into it
      }
    },
    'order.state': ({ state, reply }) => reply(state),
  },
})
