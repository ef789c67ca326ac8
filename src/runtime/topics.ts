import { MessageInvalidError } from '../core/errors.ts'
import type { Topic } from '../core/services.ts'
import { describeIssues } from '../actors/protocol.ts'

type Listener = (payload: never) => void

/** Publish and subscribe within one node: everybody who is subscribed at that moment gets the payload, in turn. */
export class Topics {
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #onListenerError: (topic: string, error: unknown) => void

  constructor(onListenerError: (topic: string, error: unknown) => void) {
    this.#onListenerError = onListenerError
  }

  /** Topics of the same name are the same topic. The result unsubscribes. */
  subscribe(topic: Topic<unknown>, listener: Listener): () => void {
    let listeners = this.#listeners.get(topic.name)
    if (listeners === undefined) this.#listeners.set(topic.name, (listeners = new Set<Listener>()))
    const own: Listener = (payload) => {
      listener(payload)
    }
    listeners.add(own)
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#listeners.get(topic.name) === listeners) this.#listeners.delete(topic.name)
    }
  }

  /** @throws {MessageInvalidError} `MESSAGE_INVALID` when the topic's schema refuses the payload: nobody gets it then. */
  publish(topic: Topic<unknown>, payload: unknown): void {
    const parsed = topic.schema.safeParse(payload)
    if (!parsed.success) {
      throw new MessageInvalidError(`topic '${topic.name}'`, topic.name, describeIssues(parsed.error), payload)
    }
    for (const listener of [...(this.#listeners.get(topic.name) ?? [])]) {
      try {
        // Subscribers of a topic take what its schema gives.
        listener(parsed.data as never)
      } catch (error) {
        this.#onListenerError(topic.name, error)
      }
    }
  }

  subscriberCount(topic: Topic<unknown>): number {
    return this.#listeners.get(topic.name)?.size ?? 0
  }
}
