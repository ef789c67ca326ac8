import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import { defineLaw } from './law.ts'

/** Keeps what it was given in order, with a snapshot every few entries, and leaves memory soon. */
export const notes = defineActor({
  name: 'notes',
  durable: { snapshotEvery: { entries: 5 }, passivateAfterMs: 3000, window: 40 },
  protocol: { 'notes.add': message({ n: z.int() }), 'notes.all': question({}, z.array(z.int())) },
  state: (): readonly number[] => [],
  on: {
    'notes.add': ({ state, message }) => [...state, message.n],
    'notes.all': ({ state, reply }) => void reply([...state]),
  },
})

const watching: Invariant = {
  kind: 'invariant',
  name: 'what journals come by',
  begin: (world) => ({
    event: (event) => {
      if (event.type === 'passivated') world.sometimes('an actor left memory')
      if (event.type === 'journal-failed') world.sometimes('a journal failed')
      if (event.type !== 'recovered') return
      if (event.snapshotSeq > 0) world.sometimes('an actor came back from a snapshot')
      if (event.snapshotSeq > 0 && event.entries > 0) world.sometimes('a snapshot and entries after it')
    },
    died: (node) => {
      for (const stream of node.disk.store.streams.values())
        if (stream.entries.at(-1)?.kind === 'received') world.sometimes('a crash before a message was handled')
    },
  }),
}

/** Whether `part` comes in `whole` in this order, with gaps or without. */
function isInOrder(part: readonly number[], whole: readonly number[]): boolean {
  let at = 0
  for (const n of whole) if (n === part[at]) at += 1
  return at === part.length
}

/** J1 to J3, J12: one client, one actor: every message once and in order, however often it is told, and no answer is taken back. */
export const journalLaw = defineLaw({
  scenario: {
    name: 'journal',
    nodes: { node: [notes] },
    run: async (world) => {
      const ref = world.get(notes, 'n')
      const told: number[] = []
      let heard: readonly number[] = []
      const tell = (n: number): Promise<void> =>
        world.retrying(async () => ref.tell({ type: 'notes.add', n }, { durable: true, id: `note-${n}` }))
      const look = async (): Promise<void> => {
        const all = await world.retrying(() => ref.ask({ type: 'notes.all' }))
        world.expect(isInOrder(all, told), `it says ${all.join()} after ${told.join()}`)
        world.expect(isInOrder(heard, all), `it said ${heard.join()} and then ${all.join()}`)
        heard = all
      }
      await world.repeat(14, {
        add: async () => {
          told.push(told.length + 1)
          await tell(told.length)
        },
        'tell one again': async () => {
          if (told.length === 0) return
          world.sometimes('a message was told again')
          await tell(world.pick(told, 'again'))
        },
        look,
        wait: () => world.sleep(world.pick([10, 700, 8000], 'wait')),
        compact: () => {
          const { store } = world.node('node').disk
          if (store.compact(store.names()).entriesRemoved > 0) world.sometimes('entries were compacted')
        },
      })
      await world.sleep(30_000)
      await look()
      world.expect(heard.length === told.length, `${told.length} were acknowledged and it has ${heard.join()}`)
    },
    always: [watching],
    sometimes: [
      'a message was told again',
      'entries were compacted',
      'an actor left memory',
      'a journal failed',
      'an actor came back from a snapshot',
      'a snapshot and entries after it',
      'a crash before a message was handled',
    ],
  },
  faults: faults.standard({
    crash: 0.04,
    crashAtCommit: 0.1,
    diskFull: 0.05,
    diskFails: 0.05,
    pause: 0.02,
    stall: 0.03,
  }),
})
