import { active, currentZone } from './active.ts'
import { copyOf, isPlain } from './copied.ts'
import { EscapedSimulationError } from './errors.ts'
import type { Zone } from './zone.ts'

type Fn = (this: unknown, ...args: unknown[]) => unknown

/** Where a part of a client is, and what answers for it in a world. */
interface Place {
  /** `gateway.accounts.charge`. */
  readonly path: string
  /** What it is a method of: its `this`. */
  readonly owner: object | undefined
  /** The same part of the model, or of the client where there is none, and its `this`. */
  readonly stand: unknown
  readonly standOwner: object | undefined
}

const isClass = (value: Fn): boolean => Function.prototype.toString.call(value).startsWith('class')

/** Whether it has parts to be called. Maps, dates, promises and the like are values: their insides bear no proxy. */
const hasParts = (value: unknown): value is object =>
  typeof value === 'function'
    ? !isClass(value as Fn)
    : typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object Object]'

/** Whether all objects, or all functions, have it: `toString`, `bind`. */
const isCommon = (part: object, key: PropertyKey): boolean =>
  !Object.hasOwn(part, key) && (key in Object.prototype || (typeof part === 'function' && key in Function.prototype))

/** A part of a client. The proxy stands before a shell, since of a frozen object it could not show other parts. */
export function wrapPart<Part extends object>(part: Part, place: Place): Part {
  const made = new Map<PropertyKey, { readonly real: unknown; readonly shown: unknown }>()
  const shown = (key: PropertyKey, real: unknown): unknown => {
    const kept = made.get(key)
    if (kept !== undefined && kept.real === real) return kept.shown
    const show = typeof key === 'symbol' ? (real as Fn).bind(part) : wrapPart(real as object, within(part, key, place))
    made.set(key, { real, shown: show })
    return show
  }
  const shell: object = typeof part === 'function' ? () => undefined : {}
  const handler: ProxyHandler<object> = {
    get: (_, key): unknown => {
      // Getters see the client itself, whose private fields no proxy has.
      const real: unknown = Reflect.get(part, key, part)
      if (!hasParts(real) || isCommon(part, key) || key === 'constructor') return real
      return typeof key === 'symbol' && typeof real !== 'function' ? real : shown(key, real)
    },
    apply: (_, _this, args: unknown[]) => call(part as Fn, place, args),
    set: (_, key, value) => Reflect.set(part, key, value, part),
    has: (_, key) => Reflect.has(part, key),
    deleteProperty: (_, key) => Reflect.deleteProperty(part, key),
    defineProperty: (_, key, descriptor) => Reflect.defineProperty(part, key, descriptor),
    getPrototypeOf: () => Reflect.getPrototypeOf(part),
    ownKeys: () => Reflect.ownKeys(part),
    getOwnPropertyDescriptor: (_, key) => {
      const descriptor = Reflect.getOwnPropertyDescriptor(part, key)
      return descriptor === undefined ? undefined : { ...descriptor, configurable: true }
    },
  }
  // The shell is never seen: it shows what `part` has.
  return new Proxy(shell, handler) as Part
}

function within(part: object, key: string | number, { path, stand }: Place): Place {
  const standOwner = (typeof stand === 'object' && stand !== null) || typeof stand === 'function' ? stand : undefined
  return {
    path: `${path}.${key}`,
    owner: part,
    stand: standOwner === undefined ? undefined : (Reflect.get(standOwner, key) as unknown),
    standOwner,
  }
}

function call(real: Fn, { path, owner, stand, standOwner }: Place, args: unknown[]): unknown {
  const zone = currentZone()
  if (zone === undefined) return Reflect.apply(real, owner, args)
  if (typeof stand !== 'function') throw new EscapedSimulationError(path, path, modelAdvice)
  const sent = copyOf(args)
  return answered(zone, path, sent, () => Reflect.apply(stand as Fn, standOwner, copyOf(sent)))
}

const modelAdvice = 'its model has no such method: add it to the model of wrap()'

/** Makes a call; its promise can be iterated if its answer can. */
function answered(zone: Zone, path: string, args: readonly unknown[], execute: () => unknown): Promise<unknown> {
  const { host } = active
  // There is a zone, so there is a world.
  if (host === undefined) throw new Error('no world is open')
  const answer = host.world.calls.make(zone, path, args, async () => received(zone, path, await execute()))
  const lazy = Object.create(Promise.prototype, {
    [Symbol.asyncIterator]: {
      value: async function* (): AsyncGenerator {
        // What is not iterable says so itself.
        yield* (await answer) as AsyncIterable<unknown>
      },
    },
  }) as object
  return Object.setPrototypeOf(answer, new Proxy(lazy, { get: partOf(path) })) as Promise<unknown>
}

/** Of a promise there is nothing to be called but `then` and its like. A test that shows it asks for `toJSON`. */
const partOf =
  (path: string) =>
  (target: object, key: PropertyKey, receiver: unknown): unknown => {
    if (typeof key === 'symbol' || key === 'toJSON' || key in target) return Reflect.get(target, key, receiver)
    return () => {
      const what = `${path}().${String(key)}()`
      throw new EscapedSimulationError(what, path, 'in a world each call of a wrapped client gives a promise: await it')
    }
  }

/** An answer, as whoever asked has it. */
function received(zone: Zone, path: string, answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null) return answer
  if (Symbol.asyncIterator in answer) return itemwise(zone, path, answer as AsyncIterable<unknown>)
  if (!isPlain(answer) || !Object.values(answer).some((part) => typeof part === 'function')) return copyOf(answer)
  return wrapPart(answer, { path: `${path}()`, owner: undefined, stand: answer, standOwner: undefined })
}

/** A stream, of which each item is asked for. */
function itemwise(zone: Zone, path: string, items: AsyncIterable<unknown>): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = items[Symbol.asyncIterator]()
      return {
        // What comes back is a copy of what the iterator gave.
        next: () => answered(zone, `${path}.next`, [], () => iterator.next()) as Promise<IteratorResult<unknown>>,
        return: async () => {
          await iterator.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}
