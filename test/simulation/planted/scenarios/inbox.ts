import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'
import { handledInOrder } from './handled-in-order.ts'

/** What two clients were told, and what the actor says that it has. */
class Model {
  /** By client, in the order in which it was acknowledged. */
  readonly kept = new Map<string, string[]>()
  listed: readonly string[] | undefined

  /** Of each client one after another, each once. */
  problem(): string | undefined {
    if (this.listed === undefined) return undefined
    if (new Set(this.listed).size < this.listed.length) return `something is there twice: ${this.listed.join(' ')}`
    for (const [client, kept] of this.kept) {
      const listed = this.listed.filter((id) => id.startsWith(client))
      if (listed.join(' ') !== kept.join(' ')) return `${kept.join(' ')} were told, and ${listed.join(' ')} are there`
    }
    return undefined
  }
}

const model = perWorld(() => new Model())

const inbox = defineActor({
  name: 'inbox',
  durable: { snapshotEvery: { entries: 4 }, passivateAfterMs: 2000 },
  mailbox: { capacity: 2 },
  protocol: { 'inbox.take': message({ id: z.string() }), 'inbox.list': question({}, z.array(z.string())) },
  state: (): readonly string[] => [],
  on: {
    'inbox.take': ({ state, message: { id } }) => [...state, id],
    'inbox.list': ({ state, reply }) => void reply([...state]),
  },
})

/**
 * Two clients send durable messages to one actor at the same time, each several at once, and again with the same ids
 * when they do not learn that they were taken. The actor takes a snapshot every few entries, has a small mailbox, and
 * leaves memory soon.
 */
export const inboxWorld: PlantedWorld = {
  scenario: {
    name: 'inbox',
    nodes: { node: [inbox] },
    run: async (world) => {
      const { kept } = model.current
      const ref = world.get(inbox, 'i')
      const send = async (id: string): Promise<void> =>
        world.retrying(async () => ref.tell({ type: 'inbox.take', id }, { durable: true, id }))
      const client = async (name: string): Promise<void> => {
        const mine: string[] = []
        kept.set(name, mine)
        for (let n = 1; n <= 4; n += 1) {
          const what = world.choose(4, `${name} ${n}`)
          if (what === 0) continue
          const id = `${name}${n}`
          // Impatient, it may not wait for the first answer.
          await Promise.all(what === 2 ? [send(id), send(id)] : [send(id)])
          mine.push(id)
          if (what === 3) await world.sleep(5000)
        }
      }
      await Promise.all([client('a'), client('b')])
      model.current.listed = await world.retrying(() => ref.ask({ type: 'inbox.list' }))
    },
    always: [
      handledInOrder,
      function eachOnceAndInOrder() {
        return model.current.problem()
      },
    ],
  },
  faults: faults.standard(),
}
