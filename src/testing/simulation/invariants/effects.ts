import type { Append, NewEntry } from '../../../core/journal.ts'
import type { Invariant, Probe } from '../invariant.ts'
import type { SimulatedNode } from '../node.ts'
import type { World } from '../world.ts'
import { windowOf } from './cells.ts'

/** What a stream says of its effects. */
class EffectBook {
  /** Keys that were begun and have no outcome, each with whether it is a message that a chart sends. */
  readonly open = new Map<string, boolean>()
  /** Keys that succeeded, with how many had by then. */
  readonly succeeded = new Map<string, number>()
  successes = 0
}

interface EffectBody {
  readonly key: string
  readonly letter?: unknown
  readonly error?: unknown
}

/** I3: an effect has one outcome for each time that it was begun, and one that succeeded is not begun again. */
export const effects: Invariant = {
  kind: 'invariant',
  name: 'I3 an effect that succeeded is not run again',
  begin: (world) => new Effects(world),
}

class Effects implements Probe {
  readonly #world: World
  readonly #books = new Map<SimulatedNode, Map<string, EffectBook>>()

  constructor(world: World) {
    this.#world = world
  }

  written(node: SimulatedNode, appends: readonly Append[]): void {
    for (const { stream, entries } of appends)
      for (const entry of entries)
        if (entry.kind === 'intent' || entry.kind === 'outcome') this.#note(node, stream, entry)
  }

  #note(node: SimulatedNode, stream: string, { kind, body }: NewEntry): void {
    const books = this.#books.get(node) ?? new Map<string, EffectBook>()
    this.#books.set(node, books)
    let book = books.get(stream)
    if (book === undefined) books.set(stream, (book = new EffectBook()))
    // Only what Echelon writes is on this disk.
    const { key, letter, error } = JSON.parse(body) as EffectBody
    if (kind === 'intent') {
      const at = book.succeeded.get(key)
      // As many newer ones as it remembers, and its outcome is forgotten.
      if (at !== undefined && book.successes - at < windowOf(node, stream))
        this.#world.fail(`${stream} begins effect ${key} again, which had succeeded`)
      book.open.set(key, letter !== undefined)
      return
    }
    const isLetter = book.open.get(key)
    if (isLetter === undefined) this.#world.fail(`${stream} has an outcome of effect ${key}, which was not begun`)
    book.open.delete(key)
    if (error !== undefined || isLetter) return
    book.successes += 1
    book.succeeded.set(key, book.successes)
  }

  diskLost(node: SimulatedNode): void {
    this.#books.delete(node)
  }
}
