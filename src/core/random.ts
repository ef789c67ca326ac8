import { randomUUID } from 'node:crypto'

/** The port for randomness: seeded, so that a run can be repeated, and split, so that one consumer cannot shift another. */
export interface Random {
  /** A number in [0, 1) with 32 bits of randomness. */
  next(): number
  /** An integer in [0, bound). @throws {RangeError} when `bound` is not an integer from 1 to 2^32. */
  int(bound: number): number
  /** An independent stream that depends only on this stream's seed and on `label`, not on what was drawn so far. */
  fork(label: string): Random
}

/** FNV-1a over UTF-16 units: enough to turn labels into seeds. */
function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return hash >>> 0
}

/** sfc32: passes PractRand, four words of state. @see https://pracrand.sourceforge.net/RNG_engines.txt */
class Sfc32 implements Random {
  readonly #seed: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: string) {
    this.#seed = seed
    this.#a = hash32(`a${seed}`)
    this.#b = hash32(`b${seed}`)
    this.#c = hash32(`c${seed}`)
    for (let i = 0; i < 15; i += 1) this.#word()
  }

  next(): number {
    return this.#word() / 2 ** 32
  }

  int(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(`Random.int takes a bound from 1 to 2^32, not ${bound}`)
    }
    return Math.floor(this.next() * bound)
  }

  fork(label: string): Random {
    return new Sfc32(`${this.#seed}/${label}`)
  }

  #word(): number {
    const word = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + word
    return word >>> 0
  }
}

/** The same `seed` gives the same numbers, on every machine. */
export const seededRandom = (seed: number | string): Random => new Sfc32(String(seed))

/** A seed that nobody has used before, to be printed so that a run can be repeated. */
export const freshSeed = (): string => randomUUID()
