import type { Violation } from './world.ts'
import { placeOf } from './where.ts'

/**
 * What tells one failure from another while it is shrunk: the invariant, and for what was thrown also its code and where.
 * Texts do not: they name what happened to come of it.
 */
export function signatureOf(violation: Violation | undefined): string | undefined {
  if (violation === undefined) return undefined
  const { invariant, error } = violation
  if (!(error instanceof Error)) return invariant
  const code = 'code' in error ? String(error.code) : error.name
  return `${invariant} ${code} ${placeOf(error.stack ?? '')}`
}
