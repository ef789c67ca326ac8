import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { compilePayloadCheck, compileShapeCheck } from '../../src/actors/payload-check.ts'
import { isAccepted } from '../../src/actors/protocol.ts'

const Level = { low: 0, high: 1, 0: 'low', 1: 'high' } as const

interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
}
const tree: z.ZodType<Tree> = z.object({
  name: z.string(),
  get children() {
    return z.array(tree)
  },
})

/** Schemas that give what they take, as the same value or as a copy. */
const pure: z.ZodType[] = [
  z.string(),
  z.number(),
  z.int(),
  z.boolean(),
  z.null(),
  z.undefined(),
  z.unknown(),
  z.any(),
  z.literal('a'),
  z.literal(['a', 1, undefined]),
  z.literal(NaN),
  z.enum(['a', 'b']),
  z.enum(Level),
  z.string().min(2),
  z.email(),
  z.int().min(1),
  z.boolean().refine((value) => value),
  z.literal(['a', 'b']).refine((value) => value === 'a'),
  z.unknown().refine((value) => value !== 1),
  z.custom<string>((value) => value === 'a'),
  z.custom(),
]

/** Schemas that rewrite some of what they take. */
const rewriting: z.ZodType[] = [
  z.coerce.string(),
  z.coerce.number(),
  z.coerce.boolean(),
  z.string().trim(),
  z.url(),
  z.url({ normalize: true }),
  z.string().toLowerCase(),
  z.string().default('a'),
  z.string().catch('a'),
  z.string().transform((text) => text.length),
  z.string().check((payload) => {
    payload.value = payload.value.trim()
  }),
  z
    .string()
    .optional()
    .refine((value) => value !== 'a'),
  z.string().exactOptional(),
  z.xor([z.string(), z.literal('a'), z.int()]),
  z.record(z.string(), z.int()),
  z.date(),
  z.bigint(),
  z.never(),
  tree,
]

const key = fc.constantFrom('a', 'b', 'name', 'children')

function containers(inner: fc.Arbitrary<z.ZodType>): fc.Arbitrary<z.ZodType> {
  return fc.oneof(
    inner.map((schema) => schema.optional()),
    inner.map((schema) => schema.nullable()),
    inner.map((schema) => z.array(schema)),
    fc.dictionary(key, inner, { maxKeys: 3, noNullPrototype: true }).map((shape) => z.object(shape)),
  )
}

function unions(inner: fc.Arbitrary<z.ZodType>): fc.Arbitrary<z.ZodType> {
  return fc.oneof(
    fc.array(inner, { minLength: 1, maxLength: 3 }).map((options) => z.union(options)),
    fc
      .array(fc.dictionary(key, inner, { maxKeys: 2, noNullPrototype: true }), { minLength: 1, maxLength: 3 })
      .map((shapes) =>
        // A type of its own for each option; the helper wants a tuple that is not empty, and so it is.
        z.discriminatedUnion(
          'type',
          shapes.map((shape, index) => z.object({ ...shape, type: z.literal(index) })) as unknown as [z.ZodObject],
        ),
      ),
  )
}

const purely = fc.letrec<{ schema: z.ZodType }>((tie) => ({
  schema: fc.oneof({ maxDepth: 3 }, fc.constantFrom(...pure), containers(tie('schema'))),
}))
const any = fc.letrec<{ schema: z.ZodType }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(...pure, ...rewriting),
    containers(tie('schema')),
    unions(tie('schema')),
  ),
}))

class Named {
  name = 'a'
}

const atoms = [
  ...['a', 'b', ' a ', 'A', '', 'low', 'a@b.co', 'HTTP://A.io', ' http://a.io ', 'http://a.io/'],
  ...[0, -0, 1, 2, 0.5, NaN, Infinity, 2 ** 53, 1n, true, false, null, undefined, Symbol.iterator],
]
const hostile = [
  () => new Map([['a', 1]]),
  () => new Date(0),
  () => Object.create({ a: 'a', name: 'a' }) as unknown,
  () => Object.assign(Object.create(null) as object, { a: 'a' }),
  () => new Named(),
  () => Array.from({ length: 3 }),
  () => Array(2) as unknown[],
  () => () => 'a',
]

const valuesOf = (...leaves: readonly (() => unknown)[]) =>
  fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(...atoms.map((atom) => () => atom), ...leaves).map((make) => make()),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
      fc
        .tuple(fc.nat(2), fc.dictionary(key, tie('value'), { maxKeys: 2, noNullPrototype: true }))
        .map(([type, fields]) => ({ ...fields, type })),
    ),
  })).value
const values = valuesOf(...hostile)
const several = (value: fc.Arbitrary<unknown>) => fc.array(value, { minLength: 1, maxLength: 20 })

const parse = (schema: z.ZodType, value: unknown) => {
  try {
    return schema.safeParse(value)
  } catch {
    return { success: false, data: undefined } as const
  }
}

describe('a compiled check', () => {
  test('given any schema, when it accepts a value, then zod gives that value', () => {
    let accepted = 0
    fc.assert(
      fc.property(any.schema, several(values), (schema, given) => {
        const check = compilePayloadCheck(schema)
        for (const value of given) {
          if (!isAccepted(check, value)) continue
          accepted += 1
          const parsed = parse(schema, value)
          expect(parsed.success).toBe(true)
          // Holes become undefined in a copy; `toEqual` does not tell them apart.
          expect(parsed.data).toEqual(value)
          expect(Object.prototype.toString.call(parsed.data)).toBe(Object.prototype.toString.call(value))
        }
      }),
      { numRuns: 2000 },
    )
    expect(accepted).toBeGreaterThan(200)
  })

  test('given a schema that rewrites nothing, when zod gives the value itself, then the check accepts it', () => {
    let accepted = 0
    fc.assert(
      fc.property(purely.schema, several(valuesOf()), (schema, given) => {
        const check = compilePayloadCheck(schema)
        for (const value of given) {
          const parsed = parse(schema, value)
          if (!parsed.success || !isDeepStrictEqual(parsed.data, value)) continue
          accepted += 1
          expect(check === undefined || isAccepted(check, value)).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
    expect(accepted).toBeGreaterThan(200)
  })

  test('given a message body, when it accepts an object, then zod gives its fields', () => {
    const shapes = fc.dictionary(key, any.schema, { maxKeys: 3, noNullPrototype: true })
    const bodies = fc.oneof(
      fc.dictionary(key, values, { maxKeys: 4, noNullPrototype: true }),
      fc.constant(Object.assign(['a'], { a: 'a', name: 'a' })),
    )
    fc.assert(
      fc.property(shapes, several(bodies), (shape, given) => {
        const check = compileShapeCheck(shape)
        for (const body of given) {
          if (!isAccepted(check, body)) continue
          const parsed = parse(z.looseObject(shape), body)
          expect(parsed.success).toBe(true)
          expect(parsed.data).toEqual({ ...(parsed.data as object), ...(body as object) })
        }
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['coerced strings', z.coerce.string(), 123],
    ['a URL that is normalized', z.url({ normalize: true }), 'HTTP://A.io'],
    ['a URL that is trimmed', z.url(), ' http://a.io'],
    ['an array for an object', z.object({}), []],
    ['the reverse name of a numeric enum', z.enum(Level), 'low'],
    ['undefined for an exact optional', z.object({ a: z.string().exactOptional() }), { a: undefined }],
    ['a field that is missing', z.object({ a: z.unknown() }), {}],
    ['a field of several that is missing', z.object({ a: z.any(), b: z.any() }), { a: 1 }],
    ['a field that zod would strip', z.object({ a: z.string() }), { a: 'a', b: 1 }],
    ['an instance for an object', z.object({ name: z.string() }), new Named()],
    ['a hole for a string', z.array(z.string()), Array(1)],
    ['a refined literal', z.literal('a').refine(() => false), 'a'],
    ['what an earlier option strips', z.union([z.object({}), z.object({ a: z.any() })]), { a: 1 }],
    ['what an earlier option rewrites', z.union([z.url(), z.string()]), ' http://a.io'],
    ['what two exclusive options take', z.xor([z.string(), z.literal('a')]), 'a'],
    ['a field named by a symbol', z.object({ [Symbol.iterator]: z.string() }), {}],
  ])('given %s, then it does not accept', (_, schema, value) => {
    expect(isAccepted(compilePayloadCheck(schema), value)).toBe(false)
  })

  test.each([
    ['an enum', z.enum(Level), 1],
    ['a URL', z.url(), 'http://a.io'],
    ['a field that may be missing', z.object({ a: z.string().optional() }), {}],
    ['an undefined field', z.object({ a: z.unknown() }), { a: undefined }],
    ['the last of some options', z.union([z.string(), z.null(), z.object({ a: z.int() })]), { a: 1 }],
    [
      'one of several kinds',
      z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('a'), n: z.int() }),
        z.object({ kind: z.literal('b'), text: z.string() }),
      ]),
      { kind: 'b', text: '' },
    ],
  ])('given %s, then it accepts', (_, schema, value) => {
    expect(isAccepted(compilePayloadCheck(schema), value)).toBe(true)
  })

  test('given a schema that contains itself, then zod decides', () => {
    expect(compilePayloadCheck(tree)).toBeUndefined()
  })
})
