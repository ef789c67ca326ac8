import { DefinitionInvalidError, FencedError } from '../../core/errors.ts'
import { hashOf } from '../../core/hash.ts'
import type { Cell } from '../cell.ts'
import { EffectTimeoutError } from './errors.ts'

// How the function of an effect is run; what is remembered of it is in `effects.ts`.

/** What a running effect is given. */
export interface EffectRun {
  /** The same for every attempt of this effect, also after a crash: hand it to whoever can tell a repetition by it. */
  readonly idempotencyKey: string
  /** Aborted when the attempt takes too long, or when the actor is to stop. */
  readonly signal: AbortSignal
  /** From 1. */
  readonly attempt: number
}

export interface RetryOptions {
  /** Attempts altogether: 1 or more, or `Infinity`. */
  readonly attempts: number
  /** Milliseconds before the second attempt; each further wait is twice as long. Default 100. */
  readonly minMs?: number
  /** Milliseconds between two attempts at most. Default 30,000, or `minMs` if that is more. */
  readonly maxMs?: number
}

export interface EffectOptions {
  /** Whether it may run again when nobody knows whether it ran. Default false: then that is asked about. */
  readonly idempotent?: boolean
  /** Milliseconds for one attempt. Default: no bound. */
  readonly timeoutMs?: number
  /** Default: one attempt. */
  readonly retry?: RetryOptions
}

const defaultMinMs = 100
const defaultMaxMs = 30_000

/** The function of an effect: what it gives has to be data. */
export type EffectFunction<Value> = (run: EffectRun) => Value | PromiseLike<Value>

/** The same key for every attempt of an effect: of its actor and its key only. */
export const idempotencyKeyOf = (stream: string, key: string): string => hashOf(`${stream}\n${key}`)

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for a time or a number of attempts that is none. */
export function checkEffectOptions(where: string, options: EffectOptions): void {
  const problem = problemOf('any', options)
  if (problem !== undefined) throw new DefinitionInvalidError(where, problem)
}

/** What is wrong with how an effect is asked for. */
export function problemOf(key: unknown, { timeoutMs, retry }: EffectOptions): string | undefined {
  if (typeof key !== 'string' || key === '' || key.length > 1000) return 'its key is a text of 1 to 1,000 characters'
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs < Infinity))
    return `timeoutMs ${timeoutMs} is no time: give milliseconds above 0, or leave it out`
  if (retry === undefined) return undefined
  const { attempts: most, minMs = defaultMinMs, maxMs = Math.max(defaultMaxMs, minMs) } = retry
  if (!(most >= 1) || (most < Infinity && !Number.isInteger(most)))
    return `retry.attempts ${most} is no number of attempts: give 1 or more`
  if (!(minMs >= 0 && maxMs >= minMs && maxMs < Infinity))
    return `retry.minMs ${minMs} and retry.maxMs ${maxMs} must satisfy 0 <= minMs <= maxMs`
  return undefined
}

class Attempt implements EffectRun {
  readonly signal: AbortSignal
  readonly attempt: number
  readonly #cell: Cell
  readonly #key: string

  constructor(cell: Cell, key: string, attempt: number, signal: AbortSignal) {
    this.#cell = cell
    this.#key = key
    this.attempt = attempt
    this.signal = signal
  }

  /** Most effects do not ask for it, and a hash takes time. */
  get idempotencyKey(): string {
    return idempotencyKeyOf(this.#cell.path, this.#key)
  }
}

/** Runs `fn`, and again when it fails, as its options say. Rejects with what the last attempt threw. */
export function attempts(
  cell: Cell,
  key: string,
  fn: EffectFunction<unknown>,
  { timeoutMs, retry }: EffectOptions,
): Promise<unknown> {
  return retry === undefined ? attemptOnce(cell, key, fn, 1, timeoutMs) : retried(cell, key, fn, timeoutMs, retry)
}

async function retried(
  cell: Cell,
  key: string,
  fn: EffectFunction<unknown>,
  timeoutMs: number | undefined,
  retry: RetryOptions,
): Promise<unknown> {
  const { minMs = defaultMinMs, maxMs = Math.max(defaultMaxMs, minMs) } = retry
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptOnce(cell, key, fn, attempt, timeoutMs)
    } catch (error) {
      if (attempt >= retry.attempts || cell.signal.aborted) throw error
    }
    await sleep(cell, Math.min(maxMs, minMs * 2 ** (attempt - 1)))
  }
}

async function attemptOnce(
  cell: Cell,
  key: string,
  fn: EffectFunction<unknown>,
  attempt: number,
  timeoutMs: number | undefined,
): Promise<unknown> {
  if (timeoutMs === undefined) return fn(new Attempt(cell, key, attempt, cell.signal))
  const late = new AbortController()
  const { clock } = cell.kernel
  const { promise: timedOut, reject } = Promise.withResolvers<never>()
  const timer = clock.setTimeout(() => {
    const error = new EffectTimeoutError(key, timeoutMs)
    late.abort(error)
    reject(error)
  }, timeoutMs)
  try {
    const signal = AbortSignal.any([cell.signal, late.signal])
    return await Promise.race([fn(new Attempt(cell, key, attempt, signal)), timedOut])
  } finally {
    clock.clearTimeout(timer)
  }
}

const sleep = (cell: Cell, ms: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const { signal, kernel } = cell
    const stop = (): void => {
      kernel.clock.clearTimeout(timer)
      reject(new FencedError(cell.path, 'retry of an effect'))
    }
    const timer = kernel.clock.setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
