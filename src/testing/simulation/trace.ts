/* eslint-disable no-restricted-imports -- a hash is no chance */
import { createHash, type Hash } from 'node:crypto'

/** One thing that happened: when, in milliseconds of the world, where, and what. */
export interface TraceLine {
  readonly atMs: number
  readonly node: string
  /** `/user/order`, or the name of a disk, a service, a connection. */
  readonly place: string
  readonly what: string
}

/** Bytes that are gathered before they are hashed. */
const chunkLength = 16_384

/**
 * What happened in a world, in order, as canonical lines: the same world gives the same bytes on every machine. Keeps a
 * SHA-256 of them all, and the lines themselves only when somebody wants to see them.
 */
export class Trace {
  readonly #hash: Hash = createHash('sha256')
  readonly #lines: TraceLine[] | undefined
  #chunk = ''
  #length = 0
  #digest: string | undefined

  constructor(keepLines: boolean) {
    this.#lines = keepLines ? [] : undefined
  }

  get length(): number {
    return this.#length
  }

  get lines(): readonly TraceLine[] {
    return this.#lines ?? []
  }

  /** `hash`: of what it was about; part of the bytes, and of no use to people. */
  add(atMs: number, node: string, place: string, what: string, hash = ''): void {
    if (this.#digest !== undefined) return
    this.#length += 1
    this.#chunk += `${atMs} ${node} ${place} ${what} ${hash}\n`
    if (this.#chunk.length > chunkLength) this.#flush()
    this.#lines?.push({ atMs, node, place, what })
  }

  /** SHA-256 of all lines, in hexadecimal. Nothing is added after it was asked for. */
  digest(): string {
    if (this.#digest === undefined) {
      this.#flush()
      this.#digest = this.#hash.digest('hex')
    }
    return this.#digest
  }

  #flush(): void {
    this.#hash.update(this.#chunk)
    this.#chunk = ''
  }
}
