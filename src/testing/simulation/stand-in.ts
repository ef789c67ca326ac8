import { active, currentZone } from './active.ts'
import { EscapedSimulationError } from './errors.ts'
import { patch } from './patch.ts'
import type { Zone } from './zone.ts'
import { isLookingAtStack, isUsersCall, placeOf, stackHere } from './where.ts'

/** Functions that are the real ones except while code of a world runs. */

export type Fn = (this: unknown, ...args: never[]) => unknown
type InWorld = (zone: Zone, ...args: never[]) => unknown

const portAdvice =
  'make it before the world begins, take it from a port, or let it through with world.external(reason, fn)'

/** In a strict world code of the user takes time and chance from its context only. */
export function checkStrict(what: string): void {
  if (active.host?.isStrict !== true) return
  const stack = stackHere()
  if (!isUsersCall(stack)) return
  const error = new EscapedSimulationError(
    what,
    placeOf(stack),
    'a strict world wants the clock and the random of the context',
  )
  active.host.escaped(what, stack)
  throw error
}

/** Puts `inWorld` in place of a function while code of a world runs. */
export function virtual(holder: object, name: string, inWorld: InWorld, label = name): void {
  patch(holder, name, (real) => virtualOf(real, inWorld, label))
}

export function virtualOf(real: unknown, inWorld: InWorld, label: string): Fn {
  // What is listed are functions.
  const realFn = real as Fn
  const patched = function patched(this: unknown, ...args: never[]): unknown {
    const zone = currentZone()
    if (zone === undefined) return Reflect.apply(realFn, this, args)
    checkStrict(label)
    return inWorld(zone, ...args)
  }
  return Object.assign(patched, realFn)
}

// The compiler takes it that a function is not called with `new`.
const isNew = (target: unknown): boolean => target !== undefined

/** Refuses functions while code of a world runs, whoever calls them; `isFine` says of a stack that it may. */
export function refused(
  holder: object,
  names: readonly string[],
  kind: string,
  isFine: (stack: string) => boolean = () => false,
): void {
  for (const name of names) patch(holder, name, (real) => refusedOf(real, `${kind}.${name}`, isFine))
}

function refusedOf(real: unknown, label: string, isFine: (stack: string) => boolean): object | undefined {
  if (typeof real !== 'function') return undefined
  const patched = function patched(this: unknown, ...args: never[]): unknown {
    const { host } = active
    const stack = host?.current === undefined || isLookingAtStack() ? undefined : stackHere()
    if (host === undefined || stack === undefined || isFine(stack))
      return isNew(new.target)
        ? Reflect.construct(real, args, new.target)
        : (Reflect.apply(real, this, args) as unknown)
    host.escaped(label, stack)
    throw new EscapedSimulationError(label, placeOf(stack), portAdvice)
  }
  Object.setPrototypeOf(patched, real)
  const { prototype } = real as { readonly prototype?: unknown }
  return Object.defineProperty(patched, 'prototype', { value: prototype, writable: true })
}
