import { perWorld, wrap } from 'echelon/testing'

export type Part = 'flight' | 'hotel' | 'car'

/** Stands for three agencies of somebody else, whose books outlive us. A booking has the reference of whoever makes it. */
class Agencies {
  /** What there is none of. */
  soldOut: Part | undefined
  readonly #books = new Map<string, { readonly part: Part; readonly state: 'booked' | 'cancelled' }>()

  /** The same reference books once, and not at all once it was cancelled. */
  book(part: Part, reference: string): 'booked' | 'sold out' {
    if (part === this.soldOut) return 'sold out'
    if (!this.#books.has(reference)) this.#books.set(reference, { part, state: 'booked' })
    return 'booked'
  }

  /** Also a reference that was never heard of: its booking may be on its way. */
  cancel(part: Part, reference: string): 'cancelled' {
    this.#books.set(reference, { part, state: 'cancelled' })
    return 'cancelled'
  }

  get booked(): readonly Part[] {
    return [...this.#books.values()].filter(({ state }) => state === 'booked').map(({ part }) => part)
  }
}

/** Every simulated world has agencies of its own. */
export const books = perWorld(() => new Agencies())

/** What calls them. In a simulated world its calls are late, refused or lost, as the world decides. */
export const agencies = wrap(
  {
    book: (part: Part, reference: string) => Promise.resolve(books.current.book(part, reference)),
    cancel: (part: Part, reference: string) => Promise.resolve(books.current.cancel(part, reference)),
  },
  { name: 'agencies' },
)
