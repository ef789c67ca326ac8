import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { DefinitionInvalidError } from '../../../src/core/errors.ts'
import { arbitraryOf } from '../../../src/testing/arbitraries/schema.ts'
import { schemas } from './schemas.ts'

/** Values that are drawn, and those that they shrink to: every other one is said to fail, so that shrinking goes on. */
function drawn(arbitrary: fc.Arbitrary<unknown>, runs: number): unknown[] {
  const seen: unknown[] = []
  const property = fc.property(fc.limitShrink(arbitrary, 150), (value) => {
    seen.push(value)
    return seen.length < runs || seen.length % 2 === 0
  })
  fc.check(property, { seed: 7, numRuns: runs + 1 })
  return seen
}

const parses = (schema: z.ZodType, value: unknown): true | string => {
  const parsed = schema.safeParse(value)
  return parsed.success || `${fc.stringify(value)}: ${parsed.error.message}`
}

test.each(Object.entries(schemas))(
  'given %s, when values are drawn and shrunk, then it accepts each',
  (_name, schema) => {
    const values = drawn(arbitraryOf(schema), 60)
    expect(values.length).toBeGreaterThanOrEqual(60)
    for (const value of values) expect(parses(schema, value)).toBe(true)
  },
)

describe('given any schema put together of others', () => {
  const leaf = fc.constantFrom<z.ZodType>(
    z.string().max(4),
    z.int().min(-3),
    z.boolean(),
    z.literal(['x', 1, null]),
    z.uuid(),
    z.unknown(),
    z.number().multipleOf(0.5),
    z.string().transform((text) => text.length),
    z.int().refine((value) => value % 3 !== 1),
  )
  const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'type', 'constructor', 'then'), { maxLength: 4 })
  const { schema } = fc.letrec<{ schema: z.ZodType; inner: z.ZodType }>((tie) => ({
    inner: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('schema')),
    schema: fc.oneof(
      leaf,
      tie('inner').map((inner) => z.array(inner).max(3)),
      tie('inner').map((inner) => inner.optional()),
      tie('inner').map((inner) => inner.nullable()),
      tie('inner').map((inner) => inner.readonly()),
      tie('inner').map((inner) => z.record(z.string(), inner)),
      fc.array(tie('inner'), { minLength: 1, maxLength: 3 }).map((options) => z.union(options)),
      fc.array(tie('inner'), { minLength: 1, maxLength: 3 }).map(([first, ...rest]) => z.tuple([first!, ...rest])),
      fc
        .tuple(
          keys,
          fc.array(tie('inner'), { minLength: 4, maxLength: 4 }),
          fc.constantFrom('plain', 'strict', 'loose'),
        )
        .map(([names, fields, mode]) => {
          const shape = Object.fromEntries(names.map((name, i) => [name, fields[i]!]))
          return mode === 'strict' ? z.strictObject(shape) : mode === 'loose' ? z.looseObject(shape) : z.object(shape)
        }),
    ),
  }))

  test('when values are drawn and shrunk, then it accepts each', () => {
    fc.assert(
      fc.property(schema, (some) => {
        for (const value of drawn(arbitraryOf(some), 8)) expect(parses(some, value)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

/** What a failure shrinks to. */
function smallest<T>(arbitrary: fc.Arbitrary<T>, fails: (value: T) => boolean): T | undefined {
  return fc.check(
    fc.property(arbitrary, (value) => !fails(value)),
    { seed: 1, numRuns: 2_000 },
  ).counterexample?.[0]
}

describe('what is drawn', () => {
  test('given choices, when values are drawn, then each is taken', () => {
    const schema = z.object({
      kind: z.enum(['a', 'b']),
      size: z.union([z.int(), z.string(), z.null()]),
      note: z.string().optional(),
      extra: z.array(z.boolean()).exactOptional(),
    })
    const values = fc.sample(arbitraryOf(schema), { seed: 1, numRuns: 500 })
    const taken = (what: (value: (typeof values)[number]) => unknown): number => new Set(values.map(what)).size

    expect(taken(({ kind }) => kind)).toBe(2)
    expect(taken(({ size }) => (size === null ? 'null' : typeof size))).toBe(3)
    expect(taken((value) => ('note' in value ? typeof value.note : 'missing'))).toBe(3)
    expect(taken((value) => 'extra' in value)).toBe(2)
  })

  test('given a schema inside itself, when values are drawn, then some are deep, none deeper than maxDepth', () => {
    interface Tree {
      readonly kids: readonly Tree[]
    }
    const tree: z.ZodType<Tree, Tree> = z.object({
      get kids() {
        return z.array(tree)
      },
    })
    const depth = ({ kids }: Tree): number => Math.max(0, ...kids.map((kid) => 1 + depth(kid)))
    const depths = (maxDepth: number): number =>
      Math.max(...fc.sample(arbitraryOf(tree, { maxDepth }), { seed: 1, numRuns: 300 }).map(depth))

    expect([0, 1, 2].map(depths)).toEqual([0, 1, 2])
  })

  test('given a failure, when it shrinks, then the value is small, and still accepted', () => {
    const order = z.object({
      id: z.string().min(2),
      lines: z.array(
        z.object({
          cents: z
            .int()
            .min(1)
            .refine((cents) => cents % 2 === 0),
          note: z.string().optional(),
        }),
      ),
    })
    const total = ({ lines }: z.infer<typeof order>): number => lines.reduce((sum, { cents }) => sum + cents, 0)

    const found = smallest(arbitraryOf(order), (value) => total(value) > 100)

    expect(found?.lines).toHaveLength(1)
    expect(found?.lines[0]?.cents).toBeLessThan(110) // what is refused on the way may hide the smallest
    expect([found?.id.length, found?.lines[0]?.note]).toEqual([2, undefined])
  })

  test('given a number, when it shrinks, then it is a whole one', () => {
    expect(smallest(arbitraryOf(z.number()), (value) => value > 3.5)).toBe(4)
  })

  test.each<[string, z.ZodType]>([
    ['whole numbers', z.int().gt(3).lt(6)],
    ['numbers', z.number().gt(0).lt(1)],
    ['multiples', z.int().multipleOf(7).gt(7).lte(21)],
    ['bigints', z.bigint().multipleOf(3n).gt(-9n).lt(0n)],
    ['dates', z.date().min(new Date(5)).max(new Date(6))],
    ['texts', z.string().startsWith('a').endsWith('z').min(4).max(4)],
    ['lists, sets', z.tuple([z.array(z.null()).length(2), z.set(z.int()).min(2).max(2)])],
    ['uuids', z.object({ any: z.uuid(), v7: z.uuidv7() })],
  ])('given bounds of %s, when values are drawn, then none has to be drawn twice', (_what, schema) => {
    expect(() => fc.sample(arbitraryOf(schema, { maxTries: 1 }), { seed: 1, numRuns: 300 })).not.toThrow()
  })

  test('given a seed, when values are drawn twice, then they are the same', () => {
    const draw = (): unknown[] => fc.sample(arbitraryOf(schemas['message']!), { seed: 9, numRuns: 20 })
    expect(draw()).toEqual(draw())
  })
})

describe('overrides', () => {
  test('given an arbitrary for a schema, when it occurs anywhere, then its values are given', () => {
    const iban = z.string().refine((text) => text.startsWith('DE') && text.length === 22)
    const schema = z.object({ from: iban, to: z.array(iban.optional()).min(1) })
    const overrides = new Map([[iban, fc.constant('DE89370400440532013000')]])

    for (const { from } of fc.sample(arbitraryOf(schema, { overrides }), { seed: 1 })) expect(from).toHaveLength(22)
  })

  test('given an arbitrary of what the schema refuses, when a value is drawn, then an error names the place', () => {
    const age = z.int()
    const wrong = arbitraryOf(z.object({ age }), { overrides: new Map([[age, fc.constant('ten')]]) })
    expect(() => fc.sample(wrong)).toThrow(/^arbitraryOf\(schema\)\.age: 1000 values in a row were refused/)
  })
})

describe('what no value is known of', () => {
  const endless: z.ZodType = z.object({
    get self() {
      return z.array(endless).min(1)
    },
  })

  test.each([
    ['a promise', z.object({ later: z.promise(z.string()) }), '.later: is of kind promise'],
    ['a file', z.array(z.file()), '[]: is of kind file'],
    ['a function', z.tuple([z.int(), z.function()]), '[1]: is of kind function'],
    ['a pattern that looks ahead', z.string().regex(/^(?!a)\w+$/), ': no text can be made for the pattern'],
    ['never', z.object({ no: z.never() }), ': has no value'],
    ['bounds that cross', z.int().min(5).max(4), ': has no value'],
    ['a schema that is in each of its values', endless, ': has no value'],
  ])('given %s, when an arbitrary is asked for, then an error names kind and place', (_name, schema, message) => {
    expect(() => arbitraryOf(schema)).toThrow(DefinitionInvalidError)
    expect(() => arbitraryOf(schema)).toThrow(`arbitraryOf(schema)${message}`)
  })

  test('given a refinement that refuses everything, when a value is drawn, then an error names the place in bounded time', () => {
    let asked = 0
    const picky = z.string().refine(() => {
      asked += 1
      return false
    }, 'no, thank you')
    const arbitrary = arbitraryOf(z.object({ list: z.array(picky).min(1) }), { maxTries: 50 })

    expect(() => fc.sample(arbitrary)).toThrow(
      'arbitraryOf(schema).list[]: 50 values in a row were refused (no, thank you): give an arbitrary for it in overrides',
    )
    expect(asked).toBe(50)
  })

  test('given a refinement that is async, when a value is drawn, then an error says so', () => {
    const slow = arbitraryOf(z.string().refine(async () => true))
    expect(() => fc.sample(slow)).toThrow(/async/i)
  })

  test.each([{ maxDepth: -1 }, { maxTries: 0 }, { maxDepth: 1.5 }])('given %o, then an error names it', (options) => {
    expect(() => arbitraryOf(z.int(), options)).toThrow(DefinitionInvalidError)
  })
})
