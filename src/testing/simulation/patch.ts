import { syncBuiltinESMExports } from 'node:module'

/** Functions that others are put in place of, and what makes sure that they stay there. */

export type Holder = Record<string, unknown>
type Make = (real: unknown) => object | undefined

interface Patch {
  readonly holder: Holder
  readonly name: string
  readonly make: Make
}

const patches: Patch[] = []
/** All that were put in place: a fake that was taken off again may bring an older one back. */
const ours = new WeakSet()

/** What `make` gives has to stand in place of a property; nothing, when it is to stay as it is. */
export function patch(holder: object, name: string, make: Make): void {
  // Modules and globals are objects of functions.
  patches.push({ holder: holder as Holder, name, make })
}

const isOurs = (value: unknown): boolean =>
  (typeof value === 'function' || typeof value === 'object') && value !== null && ours.has(value)

/** Puts all in place that are not there, be it that others have put theirs there since. */
export function putInPlace(): void {
  let isChanged = false
  for (const { holder, name, make } of patches) isChanged = place(holder, name, make) || isChanged
  // What was imported by name is the patched one too.
  if (isChanged) syncBuiltinESMExports()
}

function place(holder: Holder, name: string, make: Make): boolean {
  const real = holder[name]
  if (real === undefined || isOurs(real)) return false
  // A few cannot be replaced, and lead to one that is.
  const { configurable, enumerable = true } = Object.getOwnPropertyDescriptor(holder, name) ?? {}
  if (configurable === false) return false
  const made = make(real)
  if (made === undefined) return false
  ours.add(made)
  // Some of them are accessors.
  Object.defineProperty(holder, name, { value: made, writable: true, configurable: true, enumerable })
  return true
}
