import type { Append } from '../../../core/journal.ts'
import type { Invariant, Probe } from '../invariant.ts'
import type { SimulatedNode } from '../node.ts'
import type { World } from '../world.ts'
import { windowOf } from './cells.ts'

/** What the entries of a stream say of the durable messages in it. */
class StreamBook {
  /** Entry by message id. */
  readonly received = new Map<string, number>()
  /** How many ids had come when each came: an id with more newer ones than the window has is new again. */
  readonly places = new Map<string, number>()
  ids = 0
  /** Of the message that the entry before gave up: it may be tried again. */
  givenUp: string | undefined
  /** Entries of messages that were handled or given up. */
  readonly over = new Set<number>()
  readonly overById = new Set<string>()
  lastSeq = 0
}

/** The parts of a body that matter here; see `docs/journal-format.md`. */
interface BodyPart {
  readonly id?: string
  readonly of?: number
}

/** I2: what was acknowledged is on disk, and is handled once in the end. */
export const durableMessages: Invariant = {
  kind: 'invariant',
  name: 'I2 no acknowledged message is lost, and none is handled twice',
  begin: (world) => new DurableMessages(world),
}

class DurableMessages implements Probe {
  readonly #world: World
  readonly #books = new Map<string, StreamBook>()
  readonly #acknowledged = new Map<
    string,
    { readonly node: SimulatedNode; readonly stream: string; readonly id: string }
  >()

  constructor(world: World) {
    this.#world = world
  }

  written(node: SimulatedNode, appends: readonly Append[]): void {
    for (const { stream, expectedSeq, baseSeq, entries } of appends) {
      const book = this.#book(node, stream)
      if (baseSeq === undefined && book.lastSeq !== expectedSeq)
        this.#world.fail(`${stream} has ${book.lastSeq} entries and ${expectedSeq} were expected`)
      book.lastSeq = expectedSeq
      for (const { kind, body } of entries) {
        book.lastSeq += 1
        if (kind === 'received' || kind === 'handled' || kind === 'failed')
          // Only what Echelon writes is on this disk.
          this.#note(node, book, stream, kind, JSON.parse(body) as BodyPart)
      }
    }
  }

  #note(
    node: SimulatedNode,
    book: StreamBook,
    stream: string,
    kind: 'received' | 'handled' | 'failed',
    { id, of }: BodyPart,
  ): void {
    if (kind === 'received') {
      if (id === undefined) return
      const place = book.places.get(id)
      const isNew = place === undefined || book.ids - place >= windowOf(node, stream) || book.givenUp === id
      if (!isNew) this.#world.fail(`${stream} took message ${id} twice`)
      book.ids += 1
      book.places.set(id, book.ids)
      book.overById.delete(id)
      book.received.set(id, book.lastSeq)
      return
    }
    book.givenUp = kind === 'failed' ? id : undefined
    if (of !== undefined) {
      if (book.over.has(of)) this.#world.fail(`${stream} is done with entry ${of} twice`)
      book.over.add(of)
    }
    if (id === undefined) return
    if (book.overById.has(id)) this.#world.fail(`${stream} is done with message ${id} twice`)
    book.overById.add(id)
  }

  acknowledged(node: SimulatedNode, stream: string, id: string): void {
    const book = this.#book(node, stream)
    if (!book.received.has(id) && !book.overById.has(id))
      this.#world.fail(`message ${id} to ${stream} was acknowledged and is not on disk`)
    this.#acknowledged.set(`${node.name} ${stream} ${id}`, { node, stream, id })
  }

  diskLost(node: SimulatedNode): void {
    for (const key of [...this.#books.keys()]) if (key.startsWith(`${node.name} `)) this.#books.delete(key)
    for (const [key, acknowledged] of this.#acknowledged) if (acknowledged.node === node) this.#acknowledged.delete(key)
  }

  quiet(): string | undefined {
    for (const { node, stream, id } of this.#acknowledged.values()) {
      if (node.disk.damaged.has(stream) || mayWait(node, stream)) continue
      const book = this.#book(node, stream)
      const seq = book.received.get(id)
      const isOver = book.overById.has(id) || (seq !== undefined && book.over.has(seq))
      if (!isOver) return `message ${id} to ${stream} was acknowledged and is not handled when all is quiet`
    }
    return undefined
  }

  #book(node: SimulatedNode, stream: string): StreamBook {
    const key = `${node.name} ${stream}`
    const book = this.#books.get(key) ?? new StreamBook()
    this.#books.set(key, book)
    return book
  }
}

/** Whether a person has to decide first. */
const mayWait = ({ runtime }: SimulatedNode, stream: string): boolean =>
  runtime?.inDoubt.some((doubt) => doubt.stream === stream) === true
