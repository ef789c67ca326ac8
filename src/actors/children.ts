import type { Cell } from './cell.ts'

const smallest = 8
/** Places of the nursery at most: 32 KiB that stay in a cache of the processor. */
const largestNursery = 4096

/**
 * The children of a cell by name. Most children of busy parents are named by a number (`reader-17`): those are kept by
 * number, for two reasons. Their names need not exist until somebody asks. And a `Map` leaves entries behind in the
 * tables that it outgrows, which keeps short-lived actors alive until a full garbage collection: starting and stopping
 * an actor cost three times as much.
 *
 * Numbered children begin in a nursery, at the place that is their number's. Whoever is still there when that place is
 * wanted again moves to a hash table. So the many that come and go stay among themselves, however many others there are.
 *
 * 1. Every child is in exactly one of the three; no two have the same name.
 * 2. At least half of the hash table is free; a place that was freed holds nothing.
 */
export class Children {
  #named: Map<string, Cell> | undefined
  #nursery: (Cell | undefined)[] = []
  #table: (Cell | undefined)[] = []
  #shift = 32
  /** Children in the hash table. */
  #settled = 0
  #numbered = 0
  #lastNumber = 0

  get size(): number {
    return this.#numbered + (this.#named?.size ?? 0)
  }

  /** A number that no child has had, for the order of children; for one without a name, `base` with it is its name. */
  nextNumber(base?: string): number {
    do this.#lastNumber += 1
    while (base !== undefined && this.#named?.has(numberedName(base, this.#lastNumber)) === true)
    return this.#lastNumber
  }

  /** Whether it is this very incarnation that is here. */
  holds(cell: Cell): boolean {
    if (cell.givenName !== undefined) return this.#named?.get(cell.givenName) === cell
    return this.#ofNumber(cell.number) === cell
  }

  get(name: string): Cell | undefined {
    const named = this.#named?.get(name)
    if (named !== undefined || this.#numbered === 0) return named
    const cell = this.#ofNumber(Number(name.slice(name.lastIndexOf('-') + 1)))
    return cell?.name === name ? cell : undefined
  }

  /** Adds a child, or puts the next incarnation into the place of the last. */
  set(cell: Cell): void {
    if (cell.givenName !== undefined) {
      ;(this.#named ??= new Map()).set(cell.givenName, cell)
      return
    }
    const { number } = cell
    if (this.#nursery[this.#crib(number)]?.number === number) this.#nursery[this.#crib(number)] = cell
    // A first incarnation is new: the table, where it cannot be, may be large and cold.
    else if (cell.incarnation === 1 || this.#ofNumber(number) === undefined) this.#add(cell)
    else this.#table[this.#placeOf(number)] = cell
  }

  /** Removes whoever has the name and number of `cell`. */
  delete(cell: Cell): void {
    const { givenName, number } = cell
    if (givenName !== undefined) {
      this.#named?.delete(givenName)
    } else if (this.#nursery[this.#crib(number)]?.number === number) {
      this.#nursery[this.#crib(number)] = undefined
      this.#numbered -= 1
    } else if (this.#settled > 0) {
      this.#free(this.#placeOf(number))
    }
  }

  /** All children, in no particular order. */
  *[Symbol.iterator](): Iterator<Cell> {
    if (this.#named !== undefined) yield* this.#named.values()
    for (const cell of this.#nursery) if (cell !== undefined) yield cell
    for (const cell of this.#table) if (cell !== undefined) yield cell
  }

  /** All children, in start order; of a supervisor with a child list, in its order. */
  inOrder(): Cell[] {
    const cells = [...this]
    return this.#numbered === 0 ? cells : cells.sort((a, b) => a.number - b.number)
  }

  /** Moves a child that was given its name behind all others of those. */
  moveBehind(name: string): void {
    const cell = this.#named?.get(name)
    if (cell === undefined) return
    this.#named?.delete(name)
    this.#named?.set(name, cell)
  }

  #ofNumber(number: number): Cell | undefined {
    const young = this.#nursery[this.#crib(number)]
    if (young?.number === number) return young
    return this.#settled === 0 ? undefined : this.#table[this.#placeOf(number)]
  }

  /** The place in the nursery. */
  #crib(number: number): number {
    return number & (this.#nursery.length - 1)
  }

  #add(cell: Cell): void {
    this.#numbered += 1
    let young = this.#nursery[this.#crib(cell.number)]
    while (this.#nursery.length === 0 || (young !== undefined && this.#nursery.length < largestNursery)) {
      this.#growNursery()
      young = this.#nursery[this.#crib(cell.number)]
    }
    if (young !== undefined) this.#settle(young)
    this.#nursery[this.#crib(cell.number)] = cell
  }

  #growNursery(): void {
    const old = this.#nursery
    this.#nursery = new Array<Cell | undefined>(Math.max(smallest, old.length * 2)).fill(undefined)
    for (const cell of old) if (cell !== undefined) this.#nursery[this.#crib(cell.number)] = cell
    old.fill(undefined) // it may be old garbage by now, which would keep young actors alive
  }

  #settle(cell: Cell): void {
    if (this.#settled * 2 >= this.#table.length) this.#resize(Math.max(smallest, this.#table.length * 2))
    this.#settled += 1
    this.#table[this.#placeOf(cell.number)] = cell
  }

  /** Place of the child with this number, or the free place where it belongs. */
  #placeOf(number: number): number {
    const mask = this.#table.length - 1
    let place = this.#homeOf(number)
    for (;;) {
      const cell = this.#table[place]
      if (cell === undefined || cell.number === number) return place
      place = (place + 1) & mask
    }
  }

  /** Fibonacci hashing: numbers in a row are spread over the table. */
  #homeOf(number: number): number {
    return Math.imul(number, 0x9e3779b1) >>> this.#shift
  }

  /** Frees a place, and moves up what had to go further because it was taken. @see Knuth, TAOCP 6.4, algorithm R */
  #free(place: number): void {
    const table = this.#table
    if (table[place] === undefined) return
    const mask = table.length - 1
    this.#numbered -= 1
    this.#settled -= 1
    let hole = place
    for (let next = (hole + 1) & mask; ; next = (next + 1) & mask) {
      const cell = table[next]
      if (cell === undefined) break
      if (((next - this.#homeOf(cell.number)) & mask) < ((next - hole) & mask)) continue
      table[hole] = cell
      hole = next
    }
    table[hole] = undefined
    if (table.length > smallest && this.#settled * 16 < table.length) this.#resize(table.length / 2)
  }

  #resize(length: number): void {
    const old = this.#table
    this.#table = new Array<Cell | undefined>(length).fill(undefined)
    this.#shift = Math.clz32(length - 1)
    for (const cell of old) if (cell !== undefined) this.#table[this.#placeOf(cell.number)] = cell
    old.fill(undefined) // as above
  }
}

/** Name of a child that was given none. */
export const numberedName = (base: string, number: number): string => `${base}-${number}`
