import type { Ask } from './ask.ts'
import type { Cell } from './cell.ts'

/**
 * The asks to one cell that have no answer yet. A linked list through the asks themselves: it is made for the first
 * ask and costs no object for the others.
 *
 * 1. An ask is in the list of its target until it settles, and in no other.
 */
export class OpenAsks {
  #first: Ask | undefined

  get isEmpty(): boolean {
    return this.#first === undefined
  }

  add(ask: Ask): void {
    ask.next = this.#first
    if (this.#first !== undefined) this.#first.previous = ask
    this.#first = ask
  }

  /** Takes an ask out; nothing happens when it is not in. */
  remove(ask: Ask): void {
    if (ask.previous !== undefined) ask.previous.next = ask.next
    else if (this.#first === ask) this.#first = ask.next
    if (ask.next !== undefined) ask.next.previous = ask.previous
    ask.previous = undefined
    ask.next = undefined
  }

  /** All of them, the last first. The one at hand may be settled meanwhile. */
  *[Symbol.iterator](): Iterator<Ask> {
    for (let ask = this.#first; ask !== undefined;) {
      const { next } = ask
      yield ask
      ask = next
    }
  }
}

/** From here on `cell` is the one that answers `ask`, or ends it with its own end. */
export function owe(cell: Cell, ask: Ask): void {
  ask.target = cell
  ;(cell.parts.openAsks ??= new OpenAsks()).add(ask)
}

/** Nobody owes an answer to `ask` any more. */
export function release(ask: Ask): void {
  ask.target.madeParts?.openAsks?.remove(ask)
}

/** The next incarnation of an actor owes what the last one did: its mailbox was kept. */
export function handOver(from: Cell, to: Cell): void {
  const asks = from.madeParts?.openAsks
  if (asks === undefined) return
  to.parts.openAsks = asks
  from.parts.openAsks = undefined
  for (const ask of asks) ask.target = to
}
