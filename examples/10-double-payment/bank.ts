import { perWorld, wrap } from 'echelon/testing'

/** Stands for a payment provider of somebody else. It takes money once for each idempotency key. */
class Bank {
  readonly #receipts = new Map<string, { readonly order: string; readonly receipt: string }>()

  charge(order: string, idempotencyKey: string): string {
    const known = this.#receipts.get(idempotencyKey)
    if (known !== undefined) return known.receipt
    const receipt = `receipt-${this.#receipts.size + 1}`
    this.#receipts.set(idempotencyKey, { order, receipt })
    return receipt
  }

  /** How many times an order was paid for. */
  chargesOf(order: string): number {
    return [...this.#receipts.values()].filter((charge) => charge.order === order).length
  }
}

/** Every simulated world has a bank of its own. */
export const bank = perWorld(() => new Bank())

/** What calls it. In a simulated world its calls are late, refused or lost, as the world decides. */
export const payments = wrap(
  { charge: (order: string, key: string) => Promise.resolve(bank.current.charge(order, key)) },
  { name: 'payments' },
)
