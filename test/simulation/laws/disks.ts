import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import { codeOf, defineLaw } from './law.ts'
import { notes } from './journal.ts'

/** The damage that an error is about, perhaps as the reason for which an actor is down. */
function damageIn(error: unknown): Error | undefined {
  if (codeOf(error) === 'JOURNAL_CORRUPT') return error as Error
  if (typeof error !== 'object' || error === null || !('reason' in error)) return undefined
  const { reason } = error
  if (typeof reason !== 'object' || reason === null || !('error' in reason)) return undefined
  return damageIn(reason.error)
}

const watching: Invariant = {
  kind: 'invariant',
  name: 'J17 damage is never taken for a state',
  begin: (world) => ({
    event: (event, node) => {
      if (event.type === 'recovered' && node.disk.damaged.has(event.path))
        world.fail(`${event.path} came back from a stream that is damaged`)
    },
    diskLost: (node) => {
      if (node.disk.store.streams.size > 0) world.sometimes('a disk was lost with what was on it')
    },
  }),
}

/** J2, J17: what is on a disk is what was acknowledged since it is there, in order, or it is refused with its place. */
export const disksLaw = defineLaw({
  scenario: {
    name: 'disks',
    nodes: { node: [notes] },
    run: async (world) => {
      const node = world.node('node')
      const ref = world.get(notes, 'n')
      let store = node.disk.store
      let told: number[] = []
      let last = 0
      const checkPlace = (text: string): void => {
        const seq = Number(/stream \/durable\/notes\/n at (\d+):/.exec(text)?.[1])
        world.expect(seq > 0 && seq <= last * 2 + 1, `${text} names no place`)
        world.sometimes('damage was refused with its place')
      }
      /** What a client does; `undefined` for what is damaged, which nobody can do anything about. */
      const attempt = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
        try {
          const result = await world.retrying(async () => {
            try {
              return { came: await call() }
            } catch (error) {
              if (damageIn(error) !== undefined) return { damage: damageIn(error) }
              throw error
            }
          })
          if (!('damage' in result)) return result.came
          checkPlace(result.damage?.message ?? '')
          return undefined
        } finally {
          // Whatever was acknowledged on another disk is gone.
          if (store !== node.disk.store) told = []
          store = node.disk.store
        }
      }
      const look = async (): Promise<void> => {
        const all = await attempt(() => ref.ask({ type: 'notes.all' }))
        if (all === undefined) return
        const known = all.filter((n) => told.includes(n))
        world.expect(known.join() === told.join(), `it has ${all.join()} of ${told.join()}`)
        world.expect(
          all.every((n, at) => n > (all[at - 1] ?? 0)),
          `out of order: ${all.join()}`,
        )
        if (told.length > 0 && last > told.length) world.sometimes('a new life after a lost disk')
      }
      await world.repeat(14, {
        add: async () => {
          last += 1
          const n = last
          await attempt(async () => {
            await ref.tell({ type: 'notes.add', n }, { durable: true, id: `note-${n}` })
            // On which disk it is, nobody knows, when that was lost meanwhile.
            if (store === node.disk.store) told.push(n)
          })
        },
        look: async () => {
          await world.sleep(5000)
          await look()
        },
        crash: () => {
          node.crash('as the scenario says')
        },
      })
      world.calm()
      await world.sleep(60_000)
      await look()
    },
    always: [watching],
    sometimes: [
      'a disk was lost with what was on it',
      'damage was refused with its place',
      'a new life after a lost disk',
    ],
  },
  faults: faults.all({ corrupt: 0.15, loseDisk: 0.15, stall: 0.05 }),
})
