import { defineActor, logEvents, message, question, type Logger } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import { defineLaw } from './law.ts'

/** What everybody who writes a log wrote into it. */
const lines = perWorld((): string[] => [])

const logger: Logger = {
  ...Object.fromEntries(
    (['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const).map((level) => [
      level,
      (fields: object, text: string) => {
        lines.current.push(`${level} ${JSON.stringify(fields)} ${text}`)
      },
    ]),
  ),
  // The methods above are all that there are.
} as unknown as Logger

/** Takes a secret in a message, hands it to an effect, keeps what that gave, and sometimes fails. */
export const vault = defineActor({
  name: 'vault',
  durable: { snapshotEvery: { entries: 4 }, passivateAfterMs: 3000 },
  protocol: {
    'vault.put': message({ secret: z.string(), fails: z.boolean() }),
    'vault.size': question({}, z.int()),
  },
  state: (): readonly string[] => [],
  on: {
    'vault.put': async ({ state, message: { secret, fails }, effect }) => {
      const kept = await effect(`put ${state.length}`, () => Promise.resolve(`kept ${secret}`), { idempotent: true })
      if (fails) throw new Error('on purpose')
      return [...state, kept]
    },
    'vault.size': ({ state, reply }) => void reply(state.length),
  },
})

const canary = 'canary-'

/** I12: what is in messages, states and results is in no line of a log. */
const silent: Invariant = {
  kind: 'invariant',
  name: 'I12 no secret is in a log',
  begin: (world) => {
    let read = 0
    return {
      step: () => {
        const { current } = lines
        for (; read < current.length; read += 1) {
          const line = current[read] ?? ''
          if (line.includes(canary)) return `it says: ${line}`
          if (line.includes('vault.put')) world.sometimes('a log names a message that has a secret')
          if (line.includes('"event":"dead-letter"')) world.sometimes('a log names a dead letter that has a secret')
        }
        return undefined
      },
    }
  },
}

export const secretsLaw = defineLaw({
  scenario: {
    name: 'secrets',
    nodes: {
      node: {
        definitions: [vault],
        setup: async (runtime) => {
          await logEvents(runtime, logger)
        },
      },
    },
    run: async (world) => {
      const ref = world.get(vault, 'v')
      let put = 0
      await world.repeat(10, {
        put: async () => {
          put += 1
          const [secret, id] = [`${canary}${put}`, `put ${put}`]
          const fails = world.choose(4, 'fails') === 3
          await world.retrying(async () => ref.tell({ type: 'vault.put', secret, fails }, { durable: true, id }))
        },
        'put a wrong one': () => {
          // Whoever sends it may be wrong about its type.
          ref.tell({ type: 'vault.put', secret: [canary] } as never)
        },
        wait: () => world.sleep(world.pick([1, 30, 5000], 'wait')),
      })
      await world.sleep(30_000)
      const size = await world.retrying(() => ref.ask({ type: 'vault.size' }))
      world.expect(size <= put, `${put} were put and ${size} are there`)
    },
    always: [silent],
    sometimes: ['a log names a message that has a secret', 'a log names a dead letter that has a secret'],
  },
  faults: faults.standard({ crash: 0.03, crashAtCommit: 0.08, diskFull: 0.04, diskFails: 0.04, stall: 0.03 }),
})
