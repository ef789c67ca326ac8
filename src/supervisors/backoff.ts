import { DefinitionInvalidError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'

/**
 * Waits before a restart, longer each time. An extension: OTP's only brake is the intensity, which a remote outage uses
 * up in milliseconds.
 */
export interface Backoff {
  /** Milliseconds before the first restart. */
  readonly minMs: number
  /** Milliseconds that no wait exceeds, jitter not counted. */
  readonly maxMs: number
  /** Up to this share is added at random, so that many children do not come back at once. Default 0.2. */
  readonly jitter?: number
  /** Milliseconds without a failure after which counting starts again. Default: the mean of `minMs` and `maxMs`. */
  readonly resetAfterMs?: number
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for delays that are negative or the wrong way round. */
export function checkBackoff(where: string, { minMs, maxMs, jitter = 0, resetAfterMs = 0 }: Backoff): void {
  const problem =
    !(minMs >= 0) || !(maxMs >= minMs) || !Number.isFinite(maxMs)
      ? `minMs ${minMs} and maxMs ${maxMs} must satisfy 0 <= minMs <= maxMs`
      : !(jitter >= 0 && jitter <= 1)
        ? `jitter ${jitter} is not between 0 and 1`
        : !(resetAfterMs >= 0)
          ? `resetAfterMs ${resetAfterMs} is negative`
          : undefined
  if (problem !== undefined) throw new DefinitionInvalidError(`${where}.backoff`, problem)
}

/**
 * Milliseconds to wait before restart number `attempt` (from 0): `min(maxMs, minMs * 2^attempt) * (1 + random * jitter)`.
 * @see Pekko's BackoffSupervisor, whose formula this is
 */
export function backoffDelayMs({ minMs, maxMs, jitter = 0.2 }: Backoff, attempt: number, random: Random): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(attempt, 1023)) * (1 + random.next() * jitter)
}

/** How many failures in a row a child has had: it counts from 0 again after a quiet time. */
export class FailureStreak {
  readonly #resetAfterMs: number
  #count = 0
  #lastMs = -Infinity

  constructor({ minMs, maxMs, resetAfterMs = (minMs + maxMs) / 2 }: Backoff) {
    this.#resetAfterMs = resetAfterMs
  }

  /** Number of the restart that a failure at `nowMs` leads to, from 0. `upSinceMs` is when the child last came up. */
  next(nowMs: number, upSinceMs: number): number {
    if (nowMs - Math.max(upSinceMs, this.#lastMs) >= this.#resetAfterMs) this.#count = 0
    this.#lastMs = nowMs
    this.#count += 1
    return this.#count - 1
  }
}
