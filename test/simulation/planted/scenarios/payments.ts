import { defineActor, message, question, type DoubtRule } from 'echelon'
import * as z from 'zod'
import { perWorld, wrap } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'

/** How often the bank took money, and what for. */
class Bank {
  readonly charges = new Map<string, number>()
  /** By the keys of those who have one: a repetition is recognised by it. */
  readonly receipts = new Map<string, string>()

  charge(order: string): string {
    const times = (this.charges.get(order) ?? 0) + 1
    this.charges.set(order, times)
    return `receipt ${order}-${times}`
  }
}

const bank = perWorld(() => new Bank())

const gateway = wrap(
  {
    charge: (order: string): Promise<string> => Promise.resolve(bank.current.charge(order)),
    chargeOnce: (key: string, order: string): Promise<string> => {
      const { receipts } = bank.current
      const receipt = receipts.get(key) ?? bank.current.charge(order)
      receipts.set(key, receipt)
      return Promise.resolve(receipt)
    },
  },
  { name: 'gateway' },
)

/** Looks into the books of the bank: its requests are there long before a process is up again. */
const booksSay: DoubtRule = ({ key }) => {
  const order = key.split(' ')[1] ?? ''
  return bank.current.charges.has(order) ? { kind: 'value', value: `receipt ${order}-1` } : { kind: 'retry' }
}

const cashier = defineActor({
  name: 'cashier',
  durable: { snapshotEvery: { entries: 5 }, passivateAfterMs: 2000 },
  protocol: {
    'cashier.pay': message({ order: z.string() }),
    'cashier.payOnce': message({ order: z.string() }),
    'cashier.receipts': question({}, z.array(z.string())),
  },
  state: (): readonly string[] => [],
  on: {
    'cashier.pay': async ({ state, message: { order }, effect }) => {
      const receipt = await effect(`charge ${order}`, () => gateway.charge(order))
      return [...state, receipt]
    },
    'cashier.payOnce': async ({ state, message: { order }, effect }) => {
      const terms = { idempotent: true, retry: { attempts: 10, minMs: 50 }, timeoutMs: 5000 }
      const charge = ({ idempotencyKey }: { readonly idempotencyKey: string }): Promise<string> =>
        gateway.chargeOnce(idempotencyKey, order)
      return [...state, await effect(`charge ${order}`, charge, terms)]
    },
    'cashier.receipts': ({ state, reply }) => void reply([...state]),
  },
})

/** Every order is paid once, whatever fails, and the actor has the receipt. */
function paidOnce(): string | undefined {
  for (const [order, times] of bank.current.charges) if (times > 1) return `${order} was charged ${times} times`
  return undefined
}

/** An effect that may not run twice, in a world where what is in doubt can be looked up. Orders are told again with other ids. */
export const paymentsWorld: PlantedWorld = {
  scenario: {
    name: 'payments',
    nodes: { shop: { definitions: [cashier], onInDoubt: booksSay } },
    run: async (world) => {
      const ref = world.get(cashier, 'c')
      const told: string[] = []
      for (let n = 1; n <= 5; n += 1) {
        const what = world.choose(4, `order ${n}`)
        if (what === 0) continue
        const order = what === 1 ? `o${n}` : 'again'
        const tell = async (): Promise<void> =>
          ref.tell({ type: 'cashier.pay', order }, { durable: true, id: `pay ${n}` })
        await world.retrying(tell)
        told.push(order)
        if (what === 3) await world.sleep(5000)
      }
      const receipts = await world.retrying(() => ref.ask({ type: 'cashier.receipts' }, { timeoutMs: 100_000 }))
      const due = told.map((order) => `receipt ${order}-1`).join(', ')
      world.expect(receipts.join(', ') === due, `it has ${receipts.join(', ')} and should have ${due}`)
    },
    always: paidOnce,
  },
  faults: faults.standard({ call: 0 }),
}

/** An effect that may run twice, since the service knows it again by its key. Calls fail in all ways. */
export const retriesWorld: PlantedWorld = {
  scenario: {
    name: 'retries',
    nodes: { shop: [cashier] },
    run: async (world) => {
      const ref = world.get(cashier, 'c')
      for (let n = 1; n <= 3; n += 1) {
        if (world.choose(2, `order ${n}`) === 0) continue
        const tell = async (): Promise<void> =>
          ref.tell({ type: 'cashier.payOnce', order: `o${n}` }, { durable: true, id: `pay ${n}` })
        await world.retrying(tell)
      }
      world.calm()
      await world.sleep(200_000)
    },
    always: paidOnce,
  },
  faults: faults.standard({ call: 0.3, crash: 0.03 }),
}
