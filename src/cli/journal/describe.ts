import { openEntry, type Failed, type OpenEntry, type Taken } from '../../actors/durable/bodies.ts'
import { encode } from '../../actors/durable/values.ts'
import type { JournalEntry } from '../../core/journal.ts'
import { ForeignError, orForeign } from './examine.ts'

/** Says what entries are about, one after another, in the order of their stream. */
export class Describer {
  /** Types of the messages that were received and not handled yet, by their entry. */
  readonly #received = new Map<number, string>()

  /** `order.pay {"card":"x"}`, `charge = {"id":1}`. The body itself when no actor wrote it. */
  describe(entry: JournalEntry): string {
    try {
      return this.#describe(orForeign(() => openEntry(entry)))
    } catch (error) {
      if (error instanceof ForeignError) return entry.body
      throw error
    }
  }

  #describe({ kind, seq, body }: OpenEntry): string {
    switch (kind) {
      case 'created':
        return `${body.definition}${json(body.input)}`
      case 'received':
        this.#received.set(seq, body.message.type)
        return this.#message(body)
      case 'handled':
        return this.#message(body)
      case 'failed':
        return `${this.#message(body)}: ${failure(body.error)}`
      case 'intent':
        return `${body.key}${body.idempotent === true ? ' (idempotent)' : ''}${forEntry(body)}`
      case 'outcome': {
        const { key, value, blob, error } = body
        const result = blob === undefined ? json(value) : ` blob ${blob}`
        return `${key} ${error === undefined ? `=${result}` : `failed: ${failure(error)}`}${forEntry(body)}`
      }
      default:
        return kind satisfies never
    }
  }

  #message({ of, id, timer, message }: Taken): string {
    const notes = `${id === undefined ? '' : ` [id ${id}]`}${timer === undefined ? '' : ` [timer ${timer}]`}`
    if (message !== undefined) {
      const { type, ...payload } = message
      return `${type}${Object.keys(payload).length === 0 ? '' : json(payload)}${notes}`
    }
    const type = this.#received.get(of ?? 0) ?? 'message'
    this.#received.delete(of ?? 0)
    return `${type}${forEntry({ of })}`
  }
}

const forEntry = ({ of }: { readonly of?: number | undefined }): string => (of === undefined ? '' : ` [entry ${of}]`)

const failure = ({ name, message, code }: Failed['error']): string =>
  `${name}: ${message}${code === undefined ? '' : ` (${code})`}`

const json = (value: unknown): string => (value === undefined ? '' : ` ${encode(value)}`)
