import { NotSerializableError } from './errors.ts'

/** Nested deeper than this is taken for a cycle. */
const deepest = 500

/**
 * A value as JSON text that reads back the same, or a typed refusal that names the place. Plain JSON stays as it is, so
 * that every tool can read it; what JSON has no word for is written as `{"$":"date","v":…}`.
 * @throws {NotSerializableError} `NOT_SERIALIZABLE`
 */
export function encode(value: unknown, what = 'the value'): string {
  return JSON.stringify(isPlain(value, 0) ? value : tagged(value, what, 0))
}

/** The value behind `encode`. @throws {SyntaxError} for text that is none. */
export function decode(text: string): unknown {
  const value: unknown = JSON.parse(text)
  // Most texts have no tag at all, which is quick to see.
  return text.includes('"$":') ? untagged(value) : value
}

/** Whether a text has at most so many bytes of UTF-8, which are seldom worth counting. */
export const fits = (text: string, maxBytes: number): boolean =>
  text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes

/** Whether JSON has words for all of it. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth > deepest) return false
  if (Array.isArray(value)) {
    // Holes come out as undefined, for which JSON has no word.
    for (const part of value) if (!isPlain(part, depth + 1)) return false
    return true
  }
  if (!isRecord(value)) return false
  for (const key in value) {
    if (key === '$' || key === 'toJSON' || !isPlain(value[key], depth + 1)) return false
  }
  return true
}

function isRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** What kind of object it is, for people. There may be no class behind it. */
function classOf(value: object): string {
  const { constructor } = value as { readonly constructor?: unknown }
  return typeof constructor === 'function' ? `a ${constructor.name}` : 'an object of no class'
}

interface Tag {
  readonly $: string
  readonly v?: unknown
}

const byteArrays = {
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const

const isByteArray = (name: string): name is keyof typeof byteArrays => Object.hasOwn(byteArrays, name)

function tagged(value: unknown, at: string, depth: number): unknown {
  if (depth > deepest) throw new NotSerializableError(at, 'nested too deeply or a cycle')
  switch (typeof value) {
    case 'undefined':
      return { $: 'undefined' } satisfies Tag
    case 'bigint':
      return { $: 'bigint', v: value.toString() } satisfies Tag
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value
      return { $: 'number', v: Object.is(value, -0) ? '-0' : String(value) } satisfies Tag
    case 'function':
    case 'symbol':
      throw new NotSerializableError(at, `a ${typeof value}`)
    case 'object':
      return value === null ? null : taggedObject(value, at, depth)
    default:
      return value
  }
}

function taggedObject(value: object, at: string, depth: number): unknown {
  const inside = (part: unknown, name: string | number): unknown => tagged(part, `${at}.${name}`, depth + 1)
  if (Array.isArray(value)) return Array.from(value, inside)
  if (value instanceof Date) return { $: 'date', v: value.getTime() } satisfies Tag
  if (value instanceof Map) {
    return { $: 'map', v: Array.from(value, ([key, part], i) => [inside(key, i), inside(part, i)]) } satisfies Tag
  }
  if (value instanceof Set) return { $: 'set', v: Array.from(value, inside) } satisfies Tag
  if (value instanceof Error) {
    const { name, message } = value
    const code = 'code' in value && typeof value.code === 'string' ? value.code : undefined
    return { $: 'error', v: code === undefined ? { name, message } : { name, message, code } } satisfies Tag
  }
  if (ArrayBuffer.isView(value)) {
    const name = Buffer.isBuffer(value) ? 'Uint8Array' : value.constructor.name
    if (!isByteArray(name)) throw new NotSerializableError(at, `a ${name}`)
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return { $: name, v: bytes.toString('base64') } satisfies Tag
  }
  if (!isRecord(value)) throw new NotSerializableError(at, classOf(value))
  const entries = Object.entries(value).map(([key, part]): [string, unknown] => [key, inside(part, key)])
  return Object.hasOwn(value, '$') || Object.hasOwn(value, 'toJSON')
    ? ({ $: 'object', v: entries } satisfies Tag)
    : Object.fromEntries(entries)
}

function untagged(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(untagged)
  if ('$' in value) return fromTag(value as Tag)
  for (const key of Object.keys(value)) {
    // Written back in place: the object was made by JSON.parse just now.
    const record = value as Record<string, unknown>
    const part = untagged(record[key])
    // An assignment to this one would set the prototype.
    if (key === '__proto__') Object.defineProperty(record, key, { value: part })
    else record[key] = part
  }
  return value
}

/** What a tag stands for. Its text was written by `tagged`, so that `v` is what that puts there. */
function fromTag({ $, v }: Tag): unknown {
  switch ($) {
    case 'undefined':
      return undefined
    case 'bigint':
      return BigInt(v as string)
    case 'number':
      return Number(v)
    case 'date':
      return new Date(v === null ? NaN : (v as number))
    case 'map':
      return new Map((v as [unknown, unknown][]).map(([key, part]) => [untagged(key), untagged(part)]))
    case 'set':
      return new Set((v as unknown[]).map(untagged))
    case 'object':
      return Object.fromEntries((v as [string, unknown][]).map(([key, part]) => [key, untagged(part)]))
    case 'error':
      return remembered(v as { name: string; message: string; code?: string })
    default:
      if (!isByteArray($)) throw new SyntaxError(`'${$}' is no tag`)
      return bytesOf($, v as string)
  }
}

function remembered({ name, message, code }: { name: string; message: string; code?: string }): Error {
  const error = new Error(message)
  error.name = name
  return code === undefined ? error : Object.assign(error, { code })
}

function bytesOf(name: keyof typeof byteArrays, base64: string): unknown {
  // A copy: a view on Node's pool may not be aligned.
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  return name === 'Uint8Array' ? bytes : new byteArrays[name](bytes.buffer)
}
