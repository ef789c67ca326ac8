import { DefinitionInvalidError } from '../core/errors.ts'

/** Milliseconds, or a number with `ms`, `s`, `m`, `h` or `d`: `250`, `'90s'`, `'24h'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for what is no duration from 0 on. */
export function millisecondsOf(duration: Duration, where: string): number {
  const parts = typeof duration === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) : undefined
  const ms = typeof duration === 'number' ? duration : Number(parts?.[1]) * (unitMs[parts?.[2] ?? ''] ?? NaN)
  if (!(ms >= 0 && ms < Infinity))
    throw new DefinitionInvalidError(where, `'${duration}' is no duration: give milliseconds, or as '90s', '24h'`)
  return ms
}
