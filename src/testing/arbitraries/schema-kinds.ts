import type { Arbitrary } from 'fast-check'
import type { FastCheck } from '../fast-check.ts'
import { bigint, date, number, sizesOf } from './schema-numbers.ts'
import { matching, text } from './schema-text.ts'
import type { Build, Kind, Place, Schema } from './schema.ts'

type Arb = Arbitrary<unknown>

/** How to make values of each kind of schema. */
export const kinds: { readonly [K in Kind]?: Build<K> } = {
  string: text,
  number,
  bigint,
  date,
  boolean: (_, { fc }) => fc.boolean(),
  symbol: (_, { fc }) => fc.string().map((name) => Symbol(name)),
  undefined: (_, { fc }) => fc.constant(undefined),
  void: (_, { fc }) => fc.constant(undefined),
  null: (_, { fc }) => fc.constant(null),
  nan: (_, { fc }) => fc.constant(NaN),
  never: () => undefined,
  any: (_, { fc }) => anything(fc),
  unknown: (_, { fc }) => anything(fc),
  literal: ({ values }, { fc }) => fc.constantFrom(...values),
  // Zod's own set: the entries of a numeric enum name its members in both directions.
  enum: (_, { fc, schema }) => fc.constantFrom(...(schema._zod.values ?? [])),
  template_literal: (_, place) => matching(place.schema._zod.pattern ?? /^$/, 0, place),
  array: (def, place) => list(def.checks, place.part(def.element, '[]'), place.fc),
  tuple: (def, place) => tuple(def.items, def.rest ?? undefined, place),
  set: (def, place) => unique(def.checks, place.part(def.valueType, '[]'), place.fc)?.map((all) => new Set(all)),
  map: (def, place) => mapOf(def.checks, place.part(def.keyType, '[key]'), place.part(def.valueType, '[]'), place.fc),
  record: (def, place) => recordOf(def, place),
  object: (def, place) => objectOf(def.shape, def.catchall, place),
  union: ({ options }, { fc, part }) => {
    const possible = options.map((option, i) => part(option, `|${i}`)).filter((arb) => arb !== undefined)
    return possible.length === 0 ? undefined : fc.oneof(...possible)
  },
  intersection: ({ left, right }, place) => both(place.part(left, '&0'), place.part(right, '&1'), place.fc),
  optional: ({ innerType }, { fc, part, schema }) => {
    const inner = part(innerType, '')
    // An exact optional may be missing but not undefined: the object around it leaves it out.
    if (schema._zod.traits.has('$ZodExactOptional')) return inner
    return inner === undefined ? fc.constant(undefined) : fc.option(inner, { nil: undefined })
  },
  nullable: ({ innerType }, { fc, part }) => {
    const inner = part(innerType, '')
    return inner === undefined ? fc.constant(null) : fc.option(inner, { nil: null })
  },
  default: ({ innerType }, place) => orUndefined(innerType, place),
  prefault: ({ innerType }, place) => orUndefined(innerType, place),
  nonoptional: ({ innerType }, { part }) => part(innerType, ''),
  readonly: ({ innerType }, { part }) => part(innerType, ''),
  lazy: ({ getter }, { part }) => part(getter(), ''),
  catch: ({ innerType }, place) => mostly(place.part(innerType, ''), anything(place.fc), place.fc),
  success: ({ innerType }, place) => mostly(place.part(innerType, ''), anything(place.fc), place.fc),
  transform: (_, { fc }) => anything(fc),
  // What it accepts is known to its function alone: whatever is likely is tried.
  custom: (_, { fc }) => fc.oneof(anything(fc), fc.string(), fc.integer()),
  pipe: (def, place) => pipe(def, place),
}

/** What JSON can say, so that it can also be a message; and nothing. */
const anything = (fc: FastCheck): Arb =>
  fc.oneof({ weight: 9, arbitrary: fc.jsonValue({ maxDepth: 2 }) }, { weight: 1, arbitrary: fc.constant(undefined) })

const mostly = (usual: Arb | undefined, other: Arb, fc: FastCheck): Arb =>
  usual === undefined ? other : fc.oneof({ weight: 5, arbitrary: usual }, { weight: 1, arbitrary: other })

function orUndefined(inner: Schema, { fc, part }: Place): Arb {
  const made = part(inner, '')
  return made === undefined ? fc.constant(undefined) : fc.option(made, { nil: undefined })
}

type Checks = Parameters<typeof sizesOf>[0]

function list(checks: Checks, element: Arb | undefined, fc: FastCheck): Arbitrary<unknown[]> | undefined {
  const sizes = sizesOf(checks)
  if ((sizes.minLength ?? 0) > (sizes.maxLength ?? Infinity)) return undefined
  if (element !== undefined) return fc.array(element, sizes)
  return sizes.minLength === 0 ? fc.constant<unknown[]>([]) : undefined
}

function unique(checks: Checks, element: Arb | undefined, fc: FastCheck): Arbitrary<unknown[]> | undefined {
  const sizes = sizesOf(checks)
  if (element === undefined || (sizes.minLength ?? 0) > (sizes.maxLength ?? Infinity)) return list(checks, element, fc)
  return fc.uniqueArray(element, { ...sizes, comparator: 'SameValueZero' })
}

function mapOf(checks: Checks, key: Arb | undefined, value: Arb | undefined, fc: FastCheck): Arb | undefined {
  if (key === undefined || value === undefined) return list(checks, undefined, fc)?.map(() => new Map())
  const entries = fc.uniqueArray(fc.tuple(key, value), {
    ...sizesOf(checks),
    comparator: 'SameValueZero',
    selector: ([name]) => name,
  })
  return entries.map((all) => new Map(all))
}

/** Of the trailing items those may be missing that the schema can do without. */
function tuple(items: readonly Schema[], rest: Schema | undefined, { fc, part }: Place): Arb | undefined {
  const required = items.findLastIndex((item) => item._zod.optin === undefined) + 1
  const parts = items.map((item, i) => part(item, `[${i}]`))
  // An item without a value ends what there can be.
  const known = parts.findIndex((made) => made === undefined)
  const present = parts.slice(0, known === -1 ? undefined : known).filter((made) => made !== undefined)
  if (present.length < required) return undefined
  const more = known === -1 && rest !== undefined ? part(rest, '[...]') : undefined
  return fc
    .tuple(
      fc.tuple(...present),
      fc.integer({ min: required, max: present.length }),
      more === undefined ? fc.constant<unknown[]>([]) : fc.array(more, { maxLength: 5 }),
    )
    .map(([all, length, others]) => (length < items.length ? all.slice(0, length) : [...all, ...others]))
}

const isInKey = (key: unknown): key is string | number | symbol =>
  typeof key === 'string' || typeof key === 'number' || typeof key === 'symbol'

function recordOf({ keyType, valueType, partial }: Parameters<Build<'record'>>[0], place: Place): Arb | undefined {
  const { fc, part } = place
  const value = part(valueType, '[]')
  const names = keyType._zod.values
  if (names !== undefined) {
    const keys = [...names].filter(isInKey)
    const mayMiss = partial === true || valueType._zod.optin !== undefined
    if (value === undefined) return mayMiss ? fc.constant({}) : undefined
    const model = Object.fromEntries(keys.map((key) => [key, value]))
    return fc.record(model, mayMiss ? { requiredKeys: [], noNullPrototype: true } : { noNullPrototype: true })
  }
  const key = part(keyType, '[key]')
  if (key === undefined || value === undefined) return fc.constant({})
  // Of numbers, those are keys that zod reads back as such: no exponents, no -0.
  const texts = key.map(String).filter((name) => keyType._zod.def.type !== 'number' || /^-?\d+(\.\d+)?$/.test(name))
  return fc.dictionary(texts, value, { noNullPrototype: true, maxKeys: 6 })
}

function objectOf(shape: Readonly<Record<string, Schema>>, others: Schema | undefined, place: Place): Arb | undefined {
  const { fc, part } = place
  const model: Record<string, Arb> = {}
  const requiredKeys: string[] = []
  for (const [key, field] of Object.entries(shape)) {
    const isRequired = field._zod.optin === undefined
    const made = part(field, `.${key}`)
    if (made === undefined && isRequired) return undefined
    if (made === undefined || key === '__proto__') continue // which zod leaves out
    model[key] = made
    if (isRequired) requiredKeys.push(key)
  }
  const known = fc.record(model, { requiredKeys, noNullPrototype: true })
  const more = others === undefined ? undefined : part(others, '[other]')
  if (more === undefined) return known
  const names = fc.string().filter((name) => !Object.hasOwn(shape, name))
  const extra = fc.dictionary(names, more, { maxKeys: 2, noNullPrototype: true })
  return fc.tuple(known, extra).map(([fields, rest]) => ({ ...rest, ...fields }))
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** The fields of both for objects; otherwise what one of them gives, if the other takes it. */
function both(left: Arb | undefined, right: Arb | undefined, fc: FastCheck): Arb | undefined {
  if (left === undefined || right === undefined) return undefined
  return fc
    .tuple(left, right, fc.boolean())
    .map(([a, b, isRight]) => (isPlain(a) && isPlain(b) ? { ...a, ...b } : isRight ? b : a))
}

/**
 * What goes in, as far as all of it comes out: tried are values of the first schema, and since those are seldom right
 * when it is only the form of the second (`z.string().transform(Number).pipe(z.int())`), also values of the second, as
 * they are, encoded, and written as text.
 */
function pipe(def: Parameters<Build<'pipe'>>[0], { fc, part }: Place): Arb | undefined {
  const first = part(def.in, '')
  const second = attempt(() => part(def.out, ''))
  const { reverseTransform } = def
  const others: Arb[] = []
  if (second !== undefined) others.push(second, second.map(String))
  if (second !== undefined && reverseTransform !== undefined)
    others.push(second.map((value) => attempt(() => reverseTransform(value, { value, issues: [] }))))
  const tried = others.map((arbitrary) => ({ weight: 1, arbitrary }))
  if (first === undefined) return undefined
  return fc.oneof({ weight: 3, arbitrary: first }, ...tried)
}

/** What comes out only helps: there may be no arbitrary of it, and a codec need not take every value. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
