import type { Clock } from '../../core/clock.ts'
import type { Curve, Slice } from './curve.ts'
import type { Latencies } from './latencies.ts'
import { classify, ErrorCounts, type Outcome } from './outcome.ts'

/** What one request is told. */
export interface LoadCall {
  /** Its number, from 0. */
  readonly n: number
  /** Aborts at its deadline: what nobody waits for need not be worked on. */
  readonly signal: AbortSignal
}

export interface GeneratorOptions {
  readonly clock: Clock
  readonly deadlineMs: number
  readonly drainMs: number
  readonly maxInFlight: number
  readonly withinMs: number
  readonly refusalCodes: readonly string[]
  readonly curve: Curve
  /** From when a request was due to its answer, and from when it was sent. */
  readonly latency: Latencies
  readonly sinceSent: Latencies
  /** By how much arrivals were late in being sent. */
  readonly lag: Latencies
  readonly request: (call: LoadCall) => Promise<unknown>
}

/** Arrivals that are sent in one go when many are due: timers and sockets of the system under test run in between. */
const mostPerTurn = 256

/** Less than this is no delay: sums of fractions of milliseconds are not exact. */
const soonestMs = 0.001

/**
 * Sends what a plan says, when it says so.
 *
 * 1. Open loop: when an arrival is sent depends on the plan and on the clock alone, never on an answer.
 * 2. Every arrival is counted in its slice of the curve once, and settles once.
 * 3. Latency counts from when the request was due. A generator that is late adds its lag and hides nothing.
 * 4. At most `maxInFlight` promises are unsettled, also those of requests that have expired but do not stop.
 */
export class Generator {
  readonly errors = new ErrorCounts()
  readonly #options: GeneratorOptions
  readonly #times: Iterator<number>
  readonly #undecided = new Set<(outcome: Outcome) => void>()
  readonly #done = Promise.withResolvers<void>()
  #startMs = 0
  #count = 0
  #inFlight = 0
  #mostInFlight = 0
  #areAllOffered = false

  constructor(times: Iterable<number>, options: GeneratorOptions) {
    this.#times = times[Symbol.iterator]()
    this.#options = options
  }

  /** Requests whose promise has not settled. */
  get inFlight(): number {
    return this.#inFlight
  }

  get mostInFlight(): number {
    return this.#mostInFlight
  }

  /** Resolves when every arrival has been settled, at the latest `drainMs` after the last one. Never rejects. */
  async run(): Promise<void> {
    this.#startMs = this.#options.clock.now()
    this.#offerDue(this.#times.next())
    await this.#done.promise
  }

  #offerDue(first: IteratorResult<number, unknown>): void {
    const { clock } = this.#options
    let next = first
    for (let sent = 0; next.done !== true; sent += 1) {
      const waitMs = this.#startMs + next.value - clock.now()
      const isDue = waitMs < soonestMs
      if (!isDue || sent === mostPerTurn) {
        const pending = next
        clock.setTimeout(
          () => {
            this.#offerDue(pending)
          },
          isDue ? 0 : waitMs,
        )
        return
      }
      this.#offer(next.value)
      next = this.#times.next()
    }
    this.#drain()
  }

  #offer(atMs: number): void {
    const { clock, curve, lag, deadlineMs, maxInFlight } = this.#options
    const slice = curve.at(atMs)
    const dueMs = this.#startMs + atMs
    const lagMs = Math.max(0, clock.now() - dueMs)
    const n = this.#count
    this.#count += 1
    slice.offer()
    lag.record(lagMs)
    if (this.#inFlight >= maxInFlight || lagMs >= deadlineMs) slice.settle('unsent', undefined)
    else void this.#send(n, slice, dueMs)
  }

  async #send(n: number, slice: Slice, dueMs: number): Promise<void> {
    const { clock, deadlineMs, withinMs, refusalCodes, request } = this.#options
    const ending = new AbortController()
    const settle = this.#openCall(slice, dueMs, ending)
    this.#inFlight += 1
    this.#mostInFlight = Math.max(this.#mostInFlight, this.#inFlight)
    try {
      await request({ n, signal: ending.signal })
      const latencyMs = clock.now() - dueMs
      if (latencyMs > deadlineMs) settle('expired')
      else settle(latencyMs > withinMs ? 'late' : 'good')
    } catch (error) {
      const { outcome, code } = classify(error, refusalCodes)
      if (settle(outcome)) this.errors.add(code)
    } finally {
      this.#inFlight -= 1
    }
  }

  /** What settles a call, once: it answers whether it did. Its deadline runs from now on. */
  #openCall(slice: Slice, dueMs: number, ending: AbortController): (outcome: Outcome) => boolean {
    const { clock, deadlineMs } = this.#options
    const sentMs = clock.now()
    const settle = (outcome: Outcome): boolean => {
      if (!this.#undecided.delete(settle)) return false
      clock.clearTimeout(timer)
      this.#record(slice, outcome, dueMs, sentMs)
      if (outcome === 'expired' || outcome === 'unfinished') ending.abort(new DOMException(outcome, 'TimeoutError'))
      this.#endWhenDone()
      return true
    }
    this.#undecided.add(settle)
    const timer = clock.setTimeout(() => void settle('expired'), dueMs + deadlineMs - sentMs)
    return settle
  }

  /** What was refused, failed or never came to an end has no latency: it would flatter those that have. */
  #record(slice: Slice, outcome: Outcome, dueMs: number, sentMs: number): void {
    const { clock, deadlineMs, latency, sinceSent } = this.#options
    if (outcome !== 'good' && outcome !== 'late' && outcome !== 'expired') {
      slice.settle(outcome, undefined)
      return
    }
    const nowMs = clock.now()
    const latencyMs = Math.min(deadlineMs, nowMs - dueMs)
    slice.settle(outcome, latencyMs)
    latency.record(latencyMs)
    sinceSent.record(Math.min(deadlineMs, nowMs - sentMs))
  }

  #drain(): void {
    const { clock, drainMs } = this.#options
    this.#areAllOffered = true
    const timer = clock.setTimeout(() => {
      for (const settle of [...this.#undecided]) settle('unfinished')
    }, drainMs)
    void this.#done.promise.then(() => {
      clock.clearTimeout(timer)
    })
    this.#endWhenDone()
  }

  #endWhenDone(): void {
    if (this.#areAllOffered && this.#undecided.size === 0) this.#done.resolve()
  }
}
