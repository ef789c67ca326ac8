const smallest = 4
const largestKept = 1024

/**
 * A double-ended queue over a ring of a power of two. Every operation is constant time. The next item is kept apart, so
 * that a queue of one, which is what most mailboxes are, has no ring; an empty one that had grown gives it back.
 */
export class Deque<T> {
  #front: T | undefined
  /** What follows the front. */
  #ring: (T | undefined)[] | undefined
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(item: T): void {
    if (this.#length === 0) {
      this.#front = item
    } else {
      const ring = this.#roomyRing()
      ring[(this.#head + this.#length - 1) & (ring.length - 1)] = item
    }
    this.#length += 1
  }

  unshift(item: T): void {
    if (this.#length > 0) {
      const ring = this.#roomyRing()
      this.#head = (this.#head - 1) & (ring.length - 1)
      ring[this.#head] = this.#front
    }
    this.#front = item
    this.#length += 1
  }

  /** The next item, which stays. */
  peek(): T | undefined {
    return this.#front
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#front
    this.#length -= 1
    const ring = this.#ring
    if (this.#length > 0 && ring !== undefined) {
      this.#front = ring[this.#head]
      ring[this.#head] = undefined
      this.#head = (this.#head + 1) & (ring.length - 1)
    } else {
      this.#front = undefined
      if (ring !== undefined && ring.length > largestKept) this.#ring = undefined
    }
    return item
  }

  *[Symbol.iterator](): Iterator<T> {
    if (this.#length === 0) return
    // The length says that they are there.
    yield this.#front as T
    const ring = this.#ring ?? []
    for (let i = 0; i < this.#length - 1; i += 1) yield ring[(this.#head + i) & (ring.length - 1)] as T
  }

  /** Removes and returns the first item that `matches`, keeping the order of the others. Linear in those before it. */
  take(matches: (item: T) => boolean): T | undefined {
    const before: T[] = []
    let taken: T | undefined
    while (this.#length > 0) {
      // The length says that there is one.
      const item = this.shift() as T
      if (matches(item)) {
        taken = item
        break
      }
      before.push(item)
    }
    for (const item of before.reverse()) this.unshift(item)
    return taken
  }

  /** The ring, with room for one more. */
  #roomyRing(): (T | undefined)[] {
    const ring = this.#ring
    if (ring !== undefined && this.#length - 1 < ring.length) return ring
    const larger = new Array<T | undefined>(ring === undefined ? smallest : ring.length * 2)
    for (let i = 0; ring !== undefined && i < this.#length - 1; i += 1)
      larger[i] = ring[(this.#head + i) & (ring.length - 1)]
    this.#ring = larger
    this.#head = 0
    return larger
  }
}
