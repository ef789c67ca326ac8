/**
 * What became of one arrival. Every arrival ends as exactly one of these.
 *
 * - `good`: answered, and soon enough to count for goodput.
 * - `late`: answered within its deadline, but not soon enough.
 * - `refused`: the system said at once that it has too much to do.
 * - `failed`: rejected with any other error.
 * - `expired`: not answered by its deadline, or given up by a timeout of the system.
 * - `unsent`: the generator had no room for it, or came to it after its deadline.
 * - `unfinished`: still running when the time to drain was over.
 */
export type Outcome = 'good' | 'late' | 'refused' | 'failed' | 'expired' | 'unsent' | 'unfinished'

export const outcomes: readonly Outcome[] = ['good', 'late', 'refused', 'failed', 'expired', 'unsent', 'unfinished']

/** Codes by which a system says that it has too much to do: what it refused costs it little, and may be sent again. */
export const overloadCodes: readonly string[] = ['MAILBOX_FULL', 'JOURNAL_OVERLOADED', 'MAX_CHILDREN']

/** Codes of a wait that was given up inside the system. */
const timeoutCodes: readonly string[] = ['ASK_TIMEOUT', 'EFFECT_TIMEOUT']

/** What a request that rejected counts as, and the code under which it is listed. */
export function classify(
  error: unknown,
  refusalCodes: readonly string[],
): { readonly outcome: 'refused' | 'failed' | 'expired'; readonly code: string } {
  const code = errorCode(error)
  if (refusalCodes.includes(code)) return { outcome: 'refused', code }
  return { outcome: timeoutCodes.includes(code) ? 'expired' : 'failed', code }
}

function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

/** Different codes that are counted one by one. Codes are few; where someone puts text into them, they need not be. */
const mostCodes = 50

export class ErrorCounts {
  readonly #counts = new Map<string, number>()

  add(code: string): void {
    const key = this.#counts.has(code) || this.#counts.size < mostCodes ? code : 'other'
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** The most frequent first. */
  list(): readonly { readonly code: string; readonly count: number }[] {
    return [...this.#counts].map(([code, count]) => ({ code, count })).sort((a, b) => b.count - a.count)
  }
}
