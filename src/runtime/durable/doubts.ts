import { eventChannels } from '../../core/events.ts'
import { DoubtLimitError } from '../../actors/durable/errors.ts'
import { actorPath } from '../../core/ids.ts'
import type { InDoubt, Resolution } from '../../core/services.ts'
import type { NodeKernel } from '../node-kernel.ts'

/** Settles effects in doubt that it knows about; undefined leaves one to a person. */
export type DoubtRule = (doubt: InDoubt) => Resolution | undefined | Promise<Resolution | undefined>

/** An effect in doubt that waits for somebody. */
export interface PendingDoubt extends InDoubt {
  /** The first call wins and answers true. */
  readonly settle: (resolution: Resolution) => boolean
}

/** Milliseconds after which an effect whose actor has ended is taken for one that does not end. */
const longestRunMs = 60_000
/** So many wait at most. */
const mostPending = 1000

/** Effects of which nobody knows whether they ran: a rule settles them, or a person. */
export class Doubts {
  readonly #kernel: NodeKernel
  readonly #rule: DoubtRule | undefined
  readonly #pending = new Set<PendingDoubt>()

  constructor(kernel: NodeKernel, rule: DoubtRule | undefined) {
    this.#kernel = kernel
    this.#rule = rule
  }

  get pending(): readonly PendingDoubt[] {
    return [...this.#pending]
  }

  /**
   * Rejects when `signal` aborts: what waits is taken up again by the next life. `running`: what the effect still does in
   * this process. Then only a person is asked, who may know better: a rule would look too early for what has become of it.
   */
  async settle(doubt: InDoubt, signal: AbortSignal, running?: Promise<unknown>): Promise<Resolution> {
    const found = running === undefined ? undefined : await this.#found(doubt, signal, running)
    if (found !== undefined) return found
    return (await this.#ruled(doubt, signal)) ?? (await this.#ask(doubt, signal))
  }

  /** What a running effect comes to, unless a person says it before. Undefined when it fails, or does not end. */
  async #found(doubt: InDoubt, signal: AbortSignal, running: Promise<unknown>): Promise<Resolution | undefined> {
    const { clock } = this.#kernel
    const over = new AbortController()
    const { promise: late, resolve: giveUp } = Promise.withResolvers<undefined>()
    const timer = clock.setTimeout(() => {
      giveUp(undefined)
    }, longestRunMs)
    const ended = running.then(
      (value): Resolution => ({ kind: 'value', value }),
      // Its actor was to stop, so it may have failed since it was told to: nobody can tell how far it came.
      () => undefined,
    )
    const decided = this.#ask(doubt, AbortSignal.any([signal, over.signal]))
    decided.catch(() => undefined)
    try {
      return await Promise.race([ended, decided, late])
    } finally {
      clock.clearTimeout(timer)
      over.abort()
    }
  }

  /** What the rule says. One that fails leaves the doubt to a person; a stop does not wait for one that takes its time. */
  async #ruled(doubt: InDoubt, signal: AbortSignal): Promise<Resolution | undefined> {
    if (this.#rule === undefined) return undefined
    signal.throwIfAborted()
    const { promise: stopped, reject } = Promise.withResolvers<never>()
    const stop = (): void => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await Promise.race([this.#rule(doubt), stopped])
    } catch (error) {
      signal.throwIfAborted()
      this.#kernel.observerFailed('onInDoubt', error)
      return undefined
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #ask(doubt: InDoubt, signal: AbortSignal): Promise<Resolution> {
    if (this.#pending.size >= mostPending)
      return Promise.reject(new DoubtLimitError(doubt.stream, doubt.key, mostPending))
    return new Promise((resolve, reject) => {
      const over = (): boolean => {
        signal.removeEventListener('abort', giveUp)
        return this.#pending.delete(pending)
      }
      const giveUp = (): void => {
        // The reason of a stop.
        if (over()) reject(signal.reason as Error)
      }
      const pending: PendingDoubt = {
        ...doubt,
        settle: (resolution) => {
          const isFirst = over()
          if (isFirst) resolve(resolution)
          return isFirst
        },
      }
      signal.throwIfAborted()
      this.#pending.add(pending)
      signal.addEventListener('abort', giveUp, { once: true })
      this.#say(pending)
    })
  }

  #say(pending: PendingDoubt): void {
    const events = eventChannels['in-doubt']
    if (!events.hasSubscribers) return
    const { id, node, clock } = this.#kernel
    events.publish({
      type: 'in-doubt',
      runtime: id,
      node,
      path: actorPath(pending.stream),
      incarnation: 1,
      atMs: clock.wallNow(),
      ...pending,
    })
  }
}
