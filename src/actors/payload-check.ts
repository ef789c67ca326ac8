import * as z from 'zod'

/** Says whether a value already is what a schema's `parse` would return, without building anything. */
export type PayloadCheck = (value: unknown) => boolean

type CoreSchema = z.core.$ZodTypes

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/**
 * Compiles the part of a schema that decides "accept as it is". Undefined when the schema changes values (defaults,
 * transforms, coercion) or is of a kind not known here: then only zod's own `parse` will do.
 *
 * A message is checked at every `tell`, so this is hot: it costs a few nanoseconds per field, zod's `safeParse` a
 * hundred and more.
 */
export function compilePayloadCheck(schema: z.core.$ZodType): PayloadCheck | undefined {
  // $ZodTypes is the union of all schema classes that zod has; `def.type` tells them apart.
  const definition = (schema as CoreSchema)._zod.def
  switch (definition.type) {
    case 'string':
      return isPlain(definition) ? (value) => typeof value === 'string' : byZod(schema, definition.checks)
    case 'number':
      if ('coerce' in definition && definition.coerce) return undefined
      if ('format' in definition && definition.format === 'safeint' && noChecks(definition)) return Number.isSafeInteger
      return isPlain(definition) ? Number.isFinite : byZod(schema, definition.checks)
    case 'boolean':
      return isPlain(definition) ? (value) => typeof value === 'boolean' : undefined
    case 'null':
      return (value) => value === null
    case 'undefined':
      return (value) => value === undefined
    case 'any':
    case 'unknown':
      return noChecks(definition) ? () => true : undefined
    case 'literal':
      return definition.values.length === 1 ? equals(definition.values[0]) : among(definition.values)
    case 'enum':
      return among(Object.values(definition.entries))
    case 'custom':
      return byZod(schema, definition.checks)
    case 'optional':
      return orElse(compilePayloadCheck(definition.innerType), undefined)
    case 'nullable':
      return orElse(compilePayloadCheck(definition.innerType), null)
    case 'array':
      return noChecks(definition) ? everyElement(compilePayloadCheck(definition.element)) : undefined
    case 'object':
      return noChecks(definition) && definition.catchall === undefined ? compileShapeCheck(definition.shape) : undefined
    case 'union':
      return anyOf(definition.options.map(compilePayloadCheck))
    default:
      return undefined
  }
}

/** As `compilePayloadCheck`, for an object's fields. Fields that the shape does not name are let through. */
export function compileShapeCheck(shape: Readonly<Record<string, z.core.$ZodType>>): PayloadCheck | undefined {
  const keys = Object.keys(shape)
  const checks: PayloadCheck[] = []
  for (const key of keys) {
    const schema = shape[key]
    const check = schema && compilePayloadCheck(schema)
    if (check === undefined) return undefined
    checks.push(check)
  }
  if (keys.length === 0) return isObject
  const [firstKey, firstCheck] = [keys[0], checks[0]]
  if (keys.length === 1 && firstKey !== undefined && firstCheck !== undefined) {
    return (value) => isObject(value) && firstCheck(value[firstKey])
  }
  return (value) => {
    if (!isObject(value)) return false
    for (let i = 0; i < keys.length; i += 1) {
      // Both arrays have the same length.
      if (!(checks[i] as PayloadCheck)(value[keys[i] as string])) return false
    }
    return true
  }
}

interface WithChecks {
  readonly checks?: readonly z.core.$ZodCheck[] | undefined
  readonly coerce?: boolean
  readonly format?: unknown
}

const noChecks = (definition: WithChecks): boolean => definition.checks === undefined || definition.checks.length === 0

const isPlain = (definition: WithChecks): boolean =>
  noChecks(definition) && definition.coerce !== true && definition.format === undefined && !('check' in definition)

/** Zod itself decides, which is right as long as none of the checks rewrites the value (`trim`, `toLowerCase`, `overwrite`). */
function byZod(schema: z.core.$ZodType, checks: WithChecks['checks']): PayloadCheck | undefined {
  const rewrites = checks?.some((check) => check._zod.def.check === 'overwrite') ?? false
  return rewrites ? undefined : (value) => z.safeParse(schema, value).success
}

const equals =
  (expected: unknown): PayloadCheck =>
  (value) =>
    value === expected

function among(values: Iterable<unknown>): PayloadCheck {
  const set = new Set(values)
  return (value) => set.has(value)
}

const orElse = (check: PayloadCheck | undefined, other: null | undefined): PayloadCheck | undefined =>
  check && ((value) => value === other || check(value))

const everyElement = (check: PayloadCheck | undefined): PayloadCheck | undefined =>
  check && ((value) => Array.isArray(value) && value.every(check))

function anyOf(checks: readonly (PayloadCheck | undefined)[]): PayloadCheck | undefined {
  const known = checks.filter((check) => check !== undefined)
  return known.length === checks.length ? (value) => known.some((check) => check(value)) : undefined
}
