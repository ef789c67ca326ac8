/** Values that are looked into: more would cost more than they say. */
const mostValues = 200
const deepest = 6

/** FNV-1a, going on from `hash`. */
function mix(hash: number, text: string): number {
  let mixed = hash
  for (let index = 0; index < text.length; index += 1) mixed = Math.imul(mixed ^ text.charCodeAt(index), 0x01000193)
  return mixed >>> 0
}

const offset = 0x811c9dc5

export const textHash = (text: string): string => mix(offset, text).toString(36)

/**
 * A short hash of what a message is made of: two runs that differ in values alone are told apart by it. Data is looked into, in
 * the order of its keys; of everything else only what kind of thing it is counts.
 */
export function payloadHash(payload: unknown): string {
  let left = mostValues
  const hashOf = (hash: number, value: unknown, depth: number): number => {
    left -= 1
    if (left < 0 || depth > deepest) return hash
    if (typeof value === 'function' || typeof value === 'symbol') return mix(hash, typeof value)
    if (typeof value !== 'object' || value === null) return mix(hash, `${typeof value} ${String(value)}`)
    if (Array.isArray(value))
      return value.reduce((mixed: number, item) => hashOf(mixed, item, depth + 1), mix(hash, '['))
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return mix(hash, 'object')
    return Object.entries(value).reduce(
      (mixed, [key, item]) => hashOf(mix(mixed, key), item, depth + 1),
      mix(hash, '{'),
    )
  }
  return hashOf(offset, payload, 0).toString(36)
}
