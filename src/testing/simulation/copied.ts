import { types } from 'node:util'

/** Whether it is `{...}`: an object of no class. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

const isCloned = (value: object): boolean =>
  types.isDate(value) || types.isRegExp(value) || types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value)

/**
 * What comes out at the other end when `value` is sent: data is another piece of data, so that neither end sees what the
 * other does to it later. Functions and instances of classes, which cannot be sent, are the same ones.
 */
export function copyOf<T>(value: T, seen = new Map<object, unknown>()): T {
  // What is made of a T below has its shape.
  return copy(value, seen) as T
}

function copy(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (seen.has(value)) return seen.get(value)
  const keep = <Made extends object>(made: Made): Made => {
    seen.set(value, made)
    return made
  }
  if (Array.isArray(value)) {
    const items = keep<unknown[]>([])
    for (const item of value) items.push(copy(item, seen))
    return items
  }
  if (types.isMap(value)) {
    const map = keep(new Map<unknown, unknown>())
    for (const [key, item] of value) map.set(copy(key, seen), copy(item, seen))
    return map
  }
  if (types.isSet(value)) {
    const set = keep(new Set<unknown>())
    for (const item of value) set.add(copy(item, seen))
    return set
  }
  if (isCloned(value)) return keep(structuredClone(value))
  if (!isPlain(value)) return value
  const made = keep<Record<string, unknown>>(
    Object.create(Object.getPrototypeOf(value) as object | null) as Record<string, unknown>,
  )
  for (const [key, item] of Object.entries(value)) made[key] = copy(item, seen)
  return made
}
