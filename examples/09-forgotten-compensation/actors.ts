import { defineActor, message, question, type EffectOptions } from 'echelon'
import * as z from 'zod'
import { agencies, type Part } from './agencies.ts'

const parts: readonly Part[] = ['flight', 'hotel', 'car']
const once: EffectOptions = { idempotent: true, timeoutMs: 10_000 }
const untilDone: EffectOptions = { ...once, retry: { attempts: 50, minMs: 1000, maxMs: 30_000 } }

/** Books all parts of a trip, or none: when one cannot be had, those before it are cancelled. */
export const trip = defineActor({
  name: 'trip',
  durable: true,
  protocol: {
    'trip.book': message(),
    'trip.state': question({}, z.enum(['open', 'booked', 'cancelled'])),
  },
  state: (): 'open' | 'booked' | 'cancelled' => 'open',
  on: {
    'trip.book': async ({ effect, self }) => {
      const reference = (part: Part): string => `${self.path}/${part}`
      const undo: Part[] = []
      try {
        for (const part of parts) {
          const answer = await effect(`book ${part}`, () => agencies.book(part, reference(part)), once)
          if (answer === 'sold out') throw new Error(`no ${part} is to be had`)
          undo.push(part)
        }
        return 'booked'
      } catch {
        for (const part of undo.reverse())
          await effect(`cancel ${part}`, () => agencies.cancel(part, reference(part)), untilDone)
        return 'cancelled'
      }
    },
    'trip.state': ({ state, reply }) => reply(state),
  },
})
