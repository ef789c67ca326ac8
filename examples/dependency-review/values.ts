/** Reads of untrusted JSON: each says what it found, none throws, none believes a declared type. */

export type JsonRecord = Readonly<Record<string, unknown>>

export function asRecord(value: unknown): JsonRecord | null {
  // The cast holds: a non-null object that is no array is a record of unknown values, which is all that it claims.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonRecord) : null
}

export function asString(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null
}

/** The strings of a list, or of a lone string; what is no string is dropped. */
export function asStrings(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}

/** The members of a record that are strings. Own keys only, so a key such as `__proto__` is a key like any other. */
export function stringMembers(value: unknown): Readonly<Record<string, string>> {
  const record = asRecord(value)
  if (record === null) return {}
  return Object.fromEntries(
    Object.entries(record).filter((member): member is [string, string] => typeof member[1] === 'string'),
  )
}

/** `JSON.parse` as a value. Deep nesting can exhaust the stack: that is a failure like any other. */
export function parseJson(text: string): { readonly ok: true; readonly value: unknown } | { readonly ok: false } {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}
