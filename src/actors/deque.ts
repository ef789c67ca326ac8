const smallest = 4
const largestKept = 1024

/**
 * A double-ended queue over a ring of a power of two. Every operation is constant time; an empty deque that had grown
 * gives its memory back.
 */
export class Deque<T> {
  #ring: (T | undefined)[] = new Array<T | undefined>(smallest)
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(item: T): void {
    if (this.#length === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = item
    this.#length += 1
  }

  unshift(item: T): void {
    if (this.#length === this.#ring.length) this.#grow()
    this.#head = (this.#head - 1) & (this.#ring.length - 1)
    this.#ring[this.#head] = item
    this.#length += 1
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#length -= 1
    if (this.#length === 0 && this.#ring.length > largestKept) {
      this.#ring = new Array<T | undefined>(smallest)
      this.#head = 0
    }
    return item
  }

  /** Removes and returns the first item that `matches`, keeping the order of the others. Linear. */
  take(matches: (item: T) => boolean): T | undefined {
    for (let i = 0; i < this.#length; i += 1) {
      const item = this.#at(i)
      if (!matches(item)) continue
      for (let j = i; j > 0; j -= 1) this.#ring[this.#slot(j)] = this.#at(j - 1)
      this.shift()
      return item
    }
    return undefined
  }

  #slot(index: number): number {
    return (this.#head + index) & (this.#ring.length - 1)
  }

  #at(index: number): T {
    // Callers stay below #length, where every slot holds an item.
    return this.#ring[this.#slot(index)] as T
  }

  #grow(): void {
    const ring = new Array<T | undefined>(this.#ring.length * 2)
    for (let i = 0; i < this.#length; i += 1) ring[i] = this.#at(i)
    this.#ring = ring
    this.#head = 0
  }
}
