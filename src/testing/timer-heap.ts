/** Something that is due at a time, and its place in a heap: -1 when it is in none. */
export class DueItem {
  readonly fn: () => void
  readonly dueMs: number
  /** What is due at the same time comes in the order in which it was made. */
  readonly order: number
  place = -1

  constructor(fn: () => void, dueMs: number, order: number) {
    this.fn = fn
    this.dueMs = dueMs
    this.order = order
  }

  isBefore(other: DueItem): boolean {
    return this.dueMs < other.dueMs || (this.dueMs === other.dueMs && this.order < other.order)
  }
}

/** What is due next of many: adding and removing one costs the logarithm of their number. */
export class TimerHeap<Item extends DueItem = DueItem> {
  /** A binary heap: no item is before the one at (place - 1) / 2. */
  readonly #heap: Item[] = []

  get size(): number {
    return this.#heap.length
  }

  get first(): Item | undefined {
    return this.#heap[0]
  }

  add(item: Item): void {
    this.#rise(item, this.#heap.length)
  }

  has(item: Item): boolean {
    return this.#heap[item.place] === item
  }

  /** Removes an item that is in it. */
  remove(item: Item): void {
    const { place } = item
    const last = this.#heap.pop()
    item.place = -1
    if (last === undefined || last === item) return
    if (last.isBefore(item)) this.#rise(last, place)
    else this.#sink(last, place)
  }

  /** Puts `item` at `from` or above. */
  #rise(item: Item, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const other = this.#heap[above]
      if (other === undefined || !item.isBefore(other)) break
      this.#put(other, place)
      place = above
    }
    this.#put(item, place)
  }

  /** Puts `item` at `from` or below. */
  #sink(item: Item, from: number): void {
    let place = from
    for (;;) {
      const left = this.#heap[2 * place + 1]
      const right = this.#heap[2 * place + 2]
      const first = left !== undefined && right?.isBefore(left) === true ? right : left
      if (first === undefined || item.isBefore(first)) break
      const below = first.place
      this.#put(first, place)
      place = below
    }
    this.#put(item, place)
  }

  #put(item: Item, place: number): void {
    this.#heap[place] = item
    item.place = place
  }
}
