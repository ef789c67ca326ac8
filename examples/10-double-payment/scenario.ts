import { defineScenario, type Scenario } from 'echelon/testing'
import { order } from './actors.ts'
import { bank } from './bank.ts'
import { order as fixedOrder } from './fixed.ts'

/** Somebody pays for an order, once. */
const paying = (name: string, definition: typeof order): Scenario =>
  defineScenario({
    name,
    nodes: { shop: [definition] },
    run: async (world) => {
      const ref = world.get(definition, 'order-17')
      await world.retrying(() => ref.tell({ type: 'order.pay' }, { durable: true, id: 'pay' }))
      await world.sleep(600_000)
      const state = await world.retrying(() => ref.ask({ type: 'order.state' }))
      if (state === 'paid') world.sometimes('an order is paid')
      world.expect(state !== 'open', 'the order is still open')
    },
    always: function chargedAtMostOnce() {
      const charges = bank.current.chargesOf('/durable/order/order-17')
      return charges <= 1 || `charged ${charges} times`
    },
    sometimes: ['an order is paid'],
  })

export const doublePayment = paying('double-payment', order)
export const fixed = paying('double-payment-fixed', fixedOrder)
