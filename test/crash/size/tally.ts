import * as z from 'zod'
import { defineActor, message, question } from 'echelon'

/** Counts messages: a small state behind large messages. Takes no snapshot until there are many. */
export const tally = defineActor({
  name: 'tally',
  durable: { snapshotEvery: { entries: 10_000_000, bytes: 1e12 } },
  protocol: { 'tally.add': message({ filling: z.string() }), 'tally.read': question({}, z.int()) },
  state: () => 0,
  on: {
    'tally.add': ({ state }) => state + 1,
    'tally.read': ({ state, reply }) => {
      reply(state)
    },
  },
})

export const streamOf = (key: string): string => `/durable/tally/${key}`
