import { appendFileSync, existsSync, readFileSync } from 'node:fs'

interface Charge {
  readonly reference: string
  readonly card: string
  readonly usd: number
  readonly receipt: string
}

/**
 * Stands for a payment provider: a system of somebody else, whose books survive whatever happens to us. It takes every
 * charge that it is sent, also the same one twice.
 */
export class Bank {
  readonly #books: string

  /** `books`: its file, one charge a line. */
  constructor(books: string) {
    this.#books = books
  }

  get charges(): readonly Charge[] {
    if (!existsSync(this.#books)) return []
    const lines = readFileSync(this.#books, 'utf8').trimEnd().split('\n')
    // It wrote them itself.
    return lines.map((line) => JSON.parse(line) as Charge)
  }

  /** Takes the money, and gives a receipt. `reference`: what the customer calls this charge. */
  charge(card: string, usd: number, reference: string): string {
    const receipt = `receipt-${this.charges.length + 1}`
    const charge: Charge = { reference, card, usd, receipt }
    appendFileSync(this.#books, `${JSON.stringify(charge)}\n`)
    return receipt
  }

  find(reference: string): Charge | undefined {
    return this.charges.find((charge) => charge.reference === reference)
  }
}
