import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import type { World } from '../../../src/testing/simulation/world.ts'
import { defineLaw } from './law.ts'

const transfer = { id: z.string(), usd: z.int() }
const books = z.object({ usd: z.int(), given: z.array(z.string()), taken: z.array(z.string()) })
type Books = z.infer<typeof books>

/** An account that gives to others by durable messages, and remembers what it gave and took. It may be overdrawn. */
export const account = defineActor({
  name: 'account',
  durable: { snapshotEvery: { entries: 6 }, passivateAfterMs: 5000, window: 60 },
  protocol: {
    'account.give': message({ ...transfer, to: z.string() }),
    'account.take': message(transfer),
    'account.books': question({}, books),
  },
  state: (): Books => ({ usd: 100, given: [], taken: [] }),
  on: {
    'account.give': async ({ state, message: { id, to, usd }, get }) => {
      await get(account, to).tell({ type: 'account.take', id, usd }, { durable: true })
      return { ...state, usd: state.usd - usd, given: [...state.given, id] }
    },
    'account.take': ({ state, message: { id, usd } }) => ({
      ...state,
      usd: state.usd + usd,
      taken: [...state.taken, id],
    }),
    'account.books': ({ state, reply }) => void reply({ ...state }),
  },
})

const names = ['a', 'b', 'c'] as const

interface Transfer {
  readonly from: string
  readonly to: string
  readonly usd: number
}

/** Ids of durable messages that were given up, by what is on disk. */
function givenUp(world: World): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const { entries } of world.node('bank').disk.store.streams.values())
    for (const { kind, body } of entries)
      // Only what Echelon writes is there.
      if (kind === 'failed') ids.add((JSON.parse(body) as { readonly id?: string }).id ?? '')
  return ids
}

/** Every transfer that was handled was taken once, and one that was given up at most once. */
function check(world: World, transfers: ReadonlyMap<string, Transfer>, byName: ReadonlyMap<string, Books>): void {
  const failed = givenUp(world)
  const all = [...byName.values()]
  const given = new Set(all.flatMap((one) => one.given))
  const taken = all.flatMap((one) => one.taken)
  world.expect(new Set(taken).size === taken.length, `taken twice: ${taken.join()}`)
  for (const id of given) world.expect(taken.includes(id), `${id} was given and nobody took it`)
  for (const id of taken) world.expect(given.has(id) || failed.has(id), `${id} was taken and nobody gave it`)
  for (const id of transfers.keys()) world.expect(given.has(id) || failed.has(id), `${id} was acknowledged and is lost`)
  if (failed.size > 0) world.sometimes('a transfer was given up')
  const usdOf = (ids: readonly string[]): number => ids.reduce((sum, id) => sum + (transfers.get(id)?.usd ?? 0), 0)
  for (const [name, book] of byName)
    world.expect(book.usd === 100 - usdOf(book.given) + usdOf(book.taken), `${name} has ${book.usd}`)
}

const watching: Invariant = {
  kind: 'invariant',
  name: 'what transfers come by',
  begin: (world) => ({
    died: (node) => {
      const waiting = [...node.disk.store.streams.values()].filter(({ wakeAtMs }) => wakeAtMs !== null).length
      if (waiting === 1) world.sometimes('a crash in a transfer')
      if (waiting > 1) world.sometimes('a crash while two accounts were at work')
    },
  }),
}

/** J1, J3, J13: actors that tell each other durably: every transfer that is kept moves its money once, whatever crashes. */
export const transfersLaw = defineLaw({
  scenario: {
    name: 'transfers',
    nodes: { bank: [account] },
    run: async (world) => {
      const transfers = new Map<string, Transfer>()
      const give = async (): Promise<void> => {
        const from = world.pick(names, 'from')
        const to = world.pick(
          names.filter((name) => name !== from),
          'to',
        )
        const id = `transfer-${transfers.size}`
        const usd = world.integer(1, 90, 'usd')
        transfers.set(id, { from, to, usd })
        const ref = world.get(account, from)
        await world.retrying(async () => ref.tell({ type: 'account.give', id, to, usd }, { durable: true, id }))
      }
      await world.repeat(8, {
        give,
        'give twice at once': async () => {
          await Promise.all([give(), give()])
        },
        wait: () => world.sleep(world.pick([1, 20, 3000], 'wait')),
      })
      // What is under way comes to its end, also on a disk that was full and comes back late.
      world.calm()
      await world.sleep(300_000)
      const look = (name: string): Promise<Books> =>
        world.retrying(() => world.get(account, name).ask({ type: 'account.books' }))
      const byName = new Map<string, Books>()
      for (const name of names) byName.set(name, await look(name))
      if ([...byName.values()].some(({ usd }) => usd < 0)) world.sometimes('an account is overdrawn')
      check(world, transfers, byName)
    },
    always: [watching],
    sometimes: [
      'an account is overdrawn',
      'a transfer was given up',
      'a crash in a transfer',
      'a crash while two accounts were at work',
    ],
  },
  faults: faults.standard({ crash: 0.02, crashAtCommit: 0.08, diskSlow: 0.1, stall: 0.03 }),
})
