import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import type { Outside } from '../kill/outside.ts'

/** Takes durable messages, each a number above the one before. */
export const account = defineActor({
  name: 'account',
  durable: { snapshotEvery: { entries: 4 } },
  protocol: {
    'account.add': message({ n: z.int(), filling: z.string() }),
    'account.read': question({}, z.array(z.int())),
  },
  state: (): readonly number[] => [],
  on: {
    'account.add': ({ state, message: { n } }) => [...state, n],
    'account.read': ({ state, reply }) => {
      reply([...state])
    },
  },
})

const inlineResultBytes = 100

/** Pays once for each key. */
export const purse = (outside: Outside) =>
  defineActor({
    name: 'purse',
    durable: { snapshotEvery: { entries: 5 }, inlineResultBytes },
    protocol: {
      'purse.pay': question({ key: z.string() }, z.string()),
      'purse.read': question({}, z.record(z.string(), z.string())),
    },
    state: (): Readonly<Record<string, string>> => ({}),
    on: {
      'purse.pay': async ({ state, message: { key }, effect, reply }) => {
        const filling = key === 'boat' ? '.'.repeat(2 * inlineResultBytes) : ''
        const receipt = await effect(key, (run) => outside.run(key, run.idempotencyKey, false, filling))
        reply(receipt)
        return { ...state, [key]: receipt }
      },
      'purse.read': ({ state, reply }) => {
        reply({ ...state })
      },
    },
  })
