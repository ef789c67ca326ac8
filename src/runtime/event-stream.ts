import {
  eventChannels,
  runtimeEventTypes,
  type RuntimeEvent,
  type RuntimeEventOf,
  type RuntimeEventType,
} from '../core/events.ts'
import type { RuntimeId } from '../core/ids.ts'

type Unsubscribe = () => void

/** The events of one runtime, out of the channels that all runtimes of the process share. */
export class EventStream {
  readonly #runtime: RuntimeId
  readonly #onListenerError: (type: string, error: unknown) => void
  readonly #open = new Set<Unsubscribe>()
  #isClosed = false

  constructor(runtime: RuntimeId, onListenerError: (type: string, error: unknown) => void) {
    this.#runtime = runtime
    this.#onListenerError = onListenerError
  }

  /**
   * Calls `listener` for each event of one type. A listener that throws is reported and kept. After `close` nothing is
   * called: a tree may end, and close its runtime, at any moment, so being late is no mistake of the caller.
   */
  on<Type extends RuntimeEventType>(type: Type, listener: (event: RuntimeEventOf<Type>) => void): Unsubscribe {
    if (this.#isClosed) return () => undefined
    const channel = eventChannels[type]
    const own = (published: unknown): void => {
      // The channel of a type carries events of that type only.
      const event = published as RuntimeEventOf<Type>
      if (event.runtime !== this.#runtime) return
      try {
        listener(event)
      } catch (error) {
        // A listener for its own failures that fails again would never end.
        if (type !== 'observer-failed') this.#onListenerError(type, error)
      }
    }
    channel.subscribe(own)
    const unsubscribe = (): void => {
      this.#open.delete(unsubscribe)
      channel.unsubscribe(own)
    }
    this.#open.add(unsubscribe)
    return unsubscribe
  }

  /** Calls `listener` for every event: `handled` too, which costs something for each message. */
  onAny(listener: (event: RuntimeEvent) => void): Unsubscribe {
    const unsubscribers = runtimeEventTypes.map((type) =>
      this.on(type, listener as (event: RuntimeEventOf<typeof type>) => void),
    )
    return () => {
      for (const unsubscribe of unsubscribers) unsubscribe()
    }
  }

  /** Takes every listener off: the channels outlive the runtime. */
  close(): void {
    this.#isClosed = true
    for (const unsubscribe of [...this.#open]) unsubscribe()
  }
}
