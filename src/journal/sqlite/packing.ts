import type { Append, NewEntry } from '../../core/journal.ts'
import { kinds } from './checksum.ts'

/** What is rare in an append, as it is. */
type Extra = Pick<Append, 'baseSeq' | 'snapshot' | 'blobs' | 'lease'>

/**
 * Many calls of `append` as one message: all texts in one and all numbers in one, since each object on its own costs
 * more to hand to another thread than the entry costs to write.
 *
 * Numbers of a call: how many appends it has, and for each: length of its stream's name, `expectedSeq`, `wakeAtMs` or
 * NaN, whether an extra comes with it, how many entries it has, and for each: kind, version, `atMs`, length of its body.
 */
export interface Packed {
  readonly text: string
  readonly numbers: Float64Array<ArrayBuffer>
  readonly extras: readonly Extra[]
}

export class Packer {
  entries = 0
  readonly #texts: string[] = []
  readonly #numbers: number[] = []
  readonly #extras: Extra[] = []

  add(call: readonly Append[]): void {
    const numbers = this.#numbers
    numbers.push(call.length)
    for (const { stream, expectedSeq, baseSeq, entries, snapshot, blobs, wakeAtMs, lease } of call) {
      const hasExtra = baseSeq !== undefined || snapshot !== undefined || blobs !== undefined || lease !== undefined
      if (hasExtra) this.#extras.push({ baseSeq, snapshot, blobs, lease })
      this.#texts.push(stream)
      numbers.push(stream.length, expectedSeq, wakeAtMs ?? NaN, hasExtra ? 1 : 0, entries.length)
      this.entries += entries.length
      for (const { kind, version, atMs, body } of entries) {
        this.#texts.push(body)
        numbers.push(kinds.indexOf(kind), version, atMs, body.length)
      }
    }
  }

  pack(): Packed {
    return { text: this.#texts.join(''), numbers: Float64Array.from(this.#numbers), extras: this.#extras }
  }
}

/** The calls that were packed, in their order. */
export function* unpack({ text, numbers, extras }: Packed): Generator<readonly Append[]> {
  let [at, from, extra] = [0, 0, 0]
  const number = (): number => numbers[at++] ?? 0
  const cut = (length: number): string => text.slice(from, (from += length))
  while (at < numbers.length) {
    const call: Append[] = []
    for (let appends = number(); appends > 0; appends -= 1) {
      const stream = cut(number())
      const expectedSeq = number()
      const wakeAtMs = number()
      const more = number() === 1 ? extras[extra++] : undefined
      const entries: NewEntry[] = []
      for (let count = number(); count > 0; count -= 1) {
        const kind = kinds[number()] ?? 'handled'
        const version = number()
        const atMs = number()
        entries.push({ kind, version, atMs, body: cut(number()) })
      }
      call.push({ stream, expectedSeq, entries, wakeAtMs: Number.isNaN(wakeAtMs) ? null : wakeAtMs, ...more })
    }
    yield call
  }
}
