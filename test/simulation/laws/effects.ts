import { defineActor, message, question, type DoubtRule } from 'echelon'
import * as z from 'zod'
import { perWorld, wrap } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import type { World } from '../../../src/testing/simulation/world.ts'
import { cameBy, defineLaw, openIntents } from './law.ts'

/** What the provider knows: it does what it is told, as often as it is told, unless a key was cancelled. */
class Provider {
  readonly charges = new Map<string, number>()
  readonly mails = new Map<string, number>()
  readonly cancelled = new Set<string>()
  /** Keys by what they are for. */
  readonly keys = new Map<string, string>()

  /** Whether it was charged. If not, it never will be. */
  settle(key: string): boolean {
    if (this.charges.has(key)) return true
    this.cancelled.add(key)
    return false
  }

  times(kind: 'charges' | 'mails', key: string): number {
    return this[kind].get(key) ?? 0
  }
}

const provider = perWorld(() => new Provider())

function count(of: Map<string, number>, key: string, what: string): string {
  of.set(key, (of.get(key) ?? 0) + 1)
  provider.current.keys.set(what, key)
  return `done ${what}`
}

export const gateway = wrap(
  {
    /** Not idempotent: each request that arrives takes money. */
    charge: async (key: string, order: string): Promise<string> => {
      if (provider.current.cancelled.has(key)) throw new Error('cancelled')
      return count(provider.current.charges, key, `charge ${order}`)
    },
    mail: async (key: string, order: string): Promise<string> => count(provider.current.mails, key, `mail ${order}`),
  },
  { name: 'gateway' },
)

/** Looks at the provider's books: what was not charged until now never will be. Every other order is left to a person. */
const rule: DoubtRule = ({ idempotencyKey, key }) => {
  if (/[13579]$/.test(key)) return undefined
  const charged = provider.current.settle(idempotencyKey)
  cameBy(charged ? 'a doubt: it was done' : 'a doubt: it was not done')
  return charged ? { kind: 'value', value: 'found' } : { kind: 'failed', error: new Error('was never charged') }
}

/** How an order went, by its own account. */
const recordSchema = z.record(z.string(), z.string())

export const shop = defineActor({
  name: 'shop',
  durable: { snapshotEvery: { entries: 8 }, window: 100 },
  protocol: {
    'shop.pay': message({ order: z.string() }),
    'shop.mail': message({ order: z.string() }),
    'shop.book': question({}, recordSchema),
  },
  state: (): Readonly<Record<string, string>> => ({}),
  on: {
    'shop.pay': async ({ state, message: { order }, effect }) => {
      try {
        const how = await effect(`charge ${order}`, ({ idempotencyKey }) => gateway.charge(idempotencyKey, order), {
          timeoutMs: 5000,
        })
        return { ...state, [order]: how === 'found' ? 'found' : 'charged' }
      } catch {
        return { ...state, [order]: 'failed' }
      }
    },
    'shop.mail': async ({ state, message: { order }, effect }) => {
      const terms = { idempotent: true, timeoutMs: 5000, retry: { attempts: 3, minMs: 50 } }
      try {
        await effect(
          `mail ${order}`,
          ({ idempotencyKey, attempt }) => {
            if (attempt > 1) cameBy('an effect was tried again')
            return gateway.mail(idempotencyKey, order)
          },
          terms,
        )
        return { ...state, [`mail ${order}`]: 'mailed' }
      } catch {
        return { ...state, [`mail ${order}`]: 'failed' }
      }
    },
    'shop.book': ({ state, reply }) => void reply({ ...state }),
  },
})

const watching: Invariant = {
  kind: 'invariant',
  name: 'what effects come by',
  begin: (world) => ({
    event: (event) => {
      if (event.type === 'in-doubt') world.sometimes('a doubt is left to a person')
    },
    died: (node) => {
      for (const { entries } of node.disk.store.streams.values()) {
        for (const { key } of openIntents(entries)) {
          world.sometimes('a crash between intent and outcome')
          if (key.startsWith('charge') && provider.current.keys.has(key))
            world.sometimes('a crash after the money went and before that was written')
        }
      }
    },
  }),
}

/** J4, J5: a charge happens once at most, and what the actor believes of it is what the provider has. */
export const effectsLaw = defineLaw({
  scenario: {
    name: 'effects',
    nodes: { shop: { definitions: [shop], onInDoubt: rule } },
    run: async (world) => {
      const ref = world.get(shop, 's')
      const told = new Set<string>()
      const tell = (kind: 'shop.pay' | 'shop.mail', order: string): Promise<void> => {
        told.add(kind === 'shop.pay' ? order : `mail ${order}`)
        return world.retrying(async () => ref.tell({ type: kind, order }, { durable: true, id: `${kind} ${order}` }))
      }
      /** The operator, who knows the provider's books too. */
      const decide = (): void => {
        const { runtime } = world.node('shop')
        for (const { idempotencyKey, settle } of runtime?.inDoubt ?? []) {
          const isCharged = provider.current.settle(idempotencyKey)
          const settled = world
            .node('shop')
            .run(() =>
              settle(isCharged ? { kind: 'value', value: 'found' } : { kind: 'failed', error: new Error('never') }),
            )
          if (settled) world.sometimes('a person settled a doubt')
        }
      }
      await world.repeat(8, {
        pay: () => tell('shop.pay', `o${told.size}`),
        'pay again': () => tell('shop.pay', 'o0'),
        mail: () => tell('shop.mail', `o${told.size}`),
        wait: () => world.sleep(world.pick([3, 50, 20_000], 'wait')),
        decide,
      })
      await world.sleep(40_000)
      const asked = world.retrying(() => ref.ask({ type: 'shop.book' }, { timeoutMs: 100_000 }))
      const state = { isAnswered: false }
      void asked.finally(() => (state.isAnswered = true)).catch(() => undefined)
      while (!isAnswered(state)) {
        decide()
        await world.sleep(10_000)
      }
      const book = await asked
      world.expect(
        Object.keys(book).length === told.size,
        `${told.size} were told, and of ${Object.keys(book).length} it knows`,
      )
      checkBook(world, book)
    },
    always: [
      watching,
      function chargedOnceAtMost() {
        for (const [key, times] of provider.current.charges) if (times > 1) return `${key} was charged ${times} times`
        return undefined
      },
    ],
    sometimes: [
      'an effect was tried again',
      'a crash between intent and outcome',
      'a crash after the money went and before that was written',
      'a doubt: it was done',
      'a doubt: it was not done',
      'a doubt is left to a person',
      'a person settled a doubt',
      'a charge failed, and was done',
      'an idempotent effect ran twice',
    ],
  },
  faults: faults.standard({ crash: 0.03, crashAtCommit: 0.12, call: 0.35, diskFull: 0, stall: 0.04 }),
})

// What a closure changes is unknown to the compiler.
const isAnswered = (state: { readonly isAnswered: boolean }): boolean => state.isAnswered

/** What it believes against what the provider has. */
function checkBook(world: World, book: Readonly<Record<string, string>>): void {
  const { current } = provider
  for (const [order, how] of Object.entries(book)) {
    const isMail = order.startsWith('mail ')
    const key = current.keys.get(isMail ? order : `charge ${order}`) ?? ''
    const times = current.times(isMail ? 'mails' : 'charges', key)
    if (how === 'failed' && !isMail && times > 0) world.sometimes('a charge failed, and was done')
    if (how === 'mailed' && times > 1) world.sometimes('an idempotent effect ran twice')
    if (how !== 'failed') world.expect(times > 0, `${order} is ${how} and the provider never did it`)
  }
}
