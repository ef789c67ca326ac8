import * as z from 'zod'

/** Says whether a value already is what a schema's `parse` would return, without building anything. */
export type PayloadCheck = (value: unknown) => boolean

type Schema = z.core.$ZodType
type Shape = Readonly<Record<string, Schema>>

/** What zod takes for an object. */
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

// Schemas that are being compiled. One that contains itself is left to zod.
const open = new Set<Schema>()

/**
 * Compiles the part of a schema that decides "accept as it is". Undefined when the schema changes values (defaults,
 * transforms, coercion) or is of a kind not known here: then only zod's own `parse` will do. What a check refuses may
 * still be right: `parse` decides, and changes it perhaps.
 *
 * A message is checked at every `tell`, so this is hot: it costs a few nanoseconds per field, zod's `safeParse` a
 * hundred and more.
 */
export function compilePayloadCheck(schema: Schema): PayloadCheck | undefined {
  if (open.has(schema)) return undefined
  open.add(schema)
  try {
    return compile(schema)
  } finally {
    open.delete(schema)
  }
}

function compile(schema: Schema): PayloadCheck | undefined {
  const definition = definitionOf(schema)
  if ('coerce' in definition && definition.coerce) return undefined
  switch (definition.type) {
    case 'number':
      if ('format' in definition && definition.format === 'safeint' && noChecks(definition)) return Number.isSafeInteger
      return isPlain(definition) ? Number.isFinite : byZod(schema)
    case 'string':
    case 'boolean':
    case 'null':
    case 'undefined':
    case 'any':
    case 'unknown':
      return isPlain(definition) ? plain[definition.type] : byZod(schema)
    case 'literal':
    case 'enum':
      // Zod's own set: the entries of a numeric enum name its members in both directions.
      return noChecks(definition) && schema._zod.values !== undefined ? among(schema._zod.values) : byZod(schema)
    case 'custom':
      return byZod(schema)
    case 'optional':
      // An exact optional may be missing but not undefined.
      if (!noChecks(definition) || schema._zod.traits.has('$ZodExactOptional')) return undefined
      return orElse(compilePayloadCheck(definition.innerType), undefined)
    case 'nullable':
      return noChecks(definition) ? orElse(compilePayloadCheck(definition.innerType), null) : undefined
    case 'array':
      return noChecks(definition) ? everyElement(compilePayloadCheck(definition.element)) : undefined
    case 'object':
      if (!noChecks(definition) || definition.catchall !== undefined) return undefined
      return withoutOthers(definition.shape, compileShapeCheck(definition.shape))
    case 'union':
      return noChecks(definition) ? compileUnion(definition) : undefined
    default:
      return undefined
  }
}

/** As `compilePayloadCheck`, for an object's fields. Fields that the shape does not name are let through. */
export function compileShapeCheck(shape: Shape): PayloadCheck | undefined {
  if (Object.getOwnPropertySymbols(shape).length > 0) return undefined
  const keys = Object.keys(shape)
  const checks: PayloadCheck[] = []
  const mayMiss: boolean[] = []
  for (const key of keys) {
    const schema = shape[key]
    const check = schema && compilePayloadCheck(schema)
    if (check === undefined) return undefined
    checks.push(check)
    mayMiss.push(schema?._zod.optin !== undefined)
  }
  if (keys.length === 0) return isObject
  const [firstKey, firstCheck, firstMayMiss] = [keys[0], checks[0], mayMiss[0]]
  if (keys.length === 1 && firstKey !== undefined && firstCheck !== undefined) {
    return (value) => {
      if (!isObject(value)) return false
      const field = value[firstKey]
      return firstCheck(field) && (field !== undefined || firstMayMiss === true || firstKey in value)
    }
  }
  return (value) => {
    if (!isObject(value)) return false
    for (let i = 0; i < keys.length; i += 1) {
      // The three arrays have the same length.
      const key = keys[i] as string
      const field = value[key]
      if (!(checks[i] as PayloadCheck)(field)) return false
      // Zod tells a field that is missing from one that is undefined: `z.unknown()` takes only the latter.
      if (field === undefined && mayMiss[i] !== true && !(key in value)) return false
    }
    return true
  }
}

interface WithChecks {
  readonly checks?: readonly z.core.$ZodCheck[] | undefined
  readonly format?: unknown
}

// $ZodTypes is the union of all schema classes that zod has; `def.type` tells them apart.
const definitionOf = (schema: Schema) => (schema as z.core.$ZodTypes)._zod.def

const noChecks = (definition: WithChecks): boolean => definition.checks === undefined || definition.checks.length === 0

const isPlain = (definition: WithChecks): boolean =>
  noChecks(definition) && definition.format === undefined && !('check' in definition)

const plain = {
  string: (value: unknown) => typeof value === 'string',
  boolean: (value: unknown) => typeof value === 'boolean',
  null: (value: unknown) => value === null,
  undefined: (value: unknown) => value === undefined,
  any: () => true,
  unknown: () => true,
} satisfies Record<string, PayloadCheck>

/** Zod itself decides. Checks and formats may rewrite what they accept: `trim`, `z.url()`. */
const byZod =
  (schema: Schema): PayloadCheck =>
  (value) => {
    const parsed = z.safeParse(schema, value)
    return parsed.success && Object.is(parsed.data, value)
  }

function among(values: ReadonlySet<unknown>): PayloadCheck {
  const [only] = values
  return values.size === 1 && !Number.isNaN(only) ? (value) => value === only : (value) => values.has(value)
}

const orElse = (check: PayloadCheck | undefined, other: null | undefined): PayloadCheck | undefined =>
  check && ((value) => value === other || check(value))

const everyElement = (check: PayloadCheck | undefined): PayloadCheck | undefined =>
  check &&
  ((value) => {
    if (!Array.isArray(value)) return false
    // Not `every`, which skips holes.
    for (const element of value) if (!check(element)) return false
    return true
  })

/** Zod makes a plain object of the fields that the shape names, so only such a one is fine as it is. */
function withoutOthers(shape: Shape, check: PayloadCheck | undefined): PayloadCheck | undefined {
  if (check === undefined) return undefined
  const known = new Set(Object.keys(shape))
  return (value) => {
    if (!check(value) || Object.getPrototypeOf(value) !== Object.prototype) return false
    for (const key in value as object) if (!known.has(key)) return false
    return true
  }
}

/**
 * The first option that takes a value decides what becomes of it. So each but the last has to be one whose check takes
 * all that zod takes: otherwise a later one might accept as it is what an earlier one would rewrite.
 */
function compileUnion(definition: z.core.$ZodUnionDef): PayloadCheck | undefined {
  const { options } = definition
  if ('discriminator' in definition) return byDiscriminator(options, definition.discriminator as string)
  // An exclusive union refuses what two options take.
  if (definition.inclusive === false || !options.slice(0, -1).every(isExact)) return undefined
  const checks: PayloadCheck[] = []
  for (const option of options) {
    const check = compilePayloadCheck(option)
    if (check === undefined) return undefined
    checks.push(check)
  }
  return (value) => {
    for (const check of checks) if (check(value)) return true
    return false
  }
}

function byDiscriminator(options: readonly Schema[], discriminator: string): PayloadCheck | undefined {
  const checks = new Map<unknown, PayloadCheck>()
  for (const option of options) {
    const check = compilePayloadCheck(option)
    const values = check && option._zod.propValues?.[discriminator]
    if (check === undefined || values === undefined) return undefined
    for (const value of values) {
      if (checks.has(value)) return undefined
      checks.set(value, check)
    }
  }
  return (value) => isObject(value) && checks.get(value[discriminator])?.(value) === true
}

/** Whether the compiled check of a schema takes all that zod takes. */
function isExact(schema: Schema): boolean {
  const definition = definitionOf(schema)
  switch (definition.type) {
    case 'optional':
    case 'nullable':
      return noChecks(definition) && isExact(definition.innerType)
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
    case 'undefined':
    case 'literal':
    case 'enum':
      return isPlain(definition) || ('format' in definition && definition.format === 'safeint' && noChecks(definition))
    default:
      return false
  }
}
