import { randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { defineActor, question } from 'echelon'
import * as z from 'zod'

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)

export const hashRequest = z.object({ password: z.string().min(8), rounds: z.int().min(1).max(64) })

/** Password hashes are slow on purpose: one at a time, four wait, and whoever comes then is told so. */
export const hasher = defineActor({
  name: 'hasher',
  protocol: { 'hash.make': question(hashRequest.shape, z.string()) },
  mailbox: { capacity: 4 },
  on: {
    'hash.make': async ({ message, reply }) => {
      const salt = randomBytes(16)
      const hash = await derive(message.password, salt, 32, { N: 2 ** 15, p: message.rounds, maxmem: 2 ** 26 })
      reply(`scrypt:${salt.toString('base64')}:${hash.toString('base64')}`)
    },
  },
})
