import * as z from 'zod'

const category = z.object({
  name: z.string().min(1),
  get subcategories() {
    return z.array(category)
  },
})
const user = z.object({
  email: z.email(),
  get posts() {
    return z.array(post).max(3)
  },
})
const post = z.object({
  title: z.string(),
  get author() {
    return user.optional()
  },
})
interface Linked {
  value: number
  next: Linked | null
}
const linked: z.ZodType<Linked> = z.lazy(() => z.object({ value: z.int(), next: linked.nullable() }))
type Nested = Nested[]
const nested = (): z.ZodType<Nested> => z.array(z.lazy(() => nested()))

/** As the compiler makes them of a numeric enum: names of members in both directions. */
const level = { low: 0, 0: 'low', high: 'HIGH' } as const

const shape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('circle'), radius: z.number().positive() }),
  z.object({ kind: z.literal('square'), side: z.number().positive() }),
  z.object({ kind: z.enum(['line', 'point']) }),
])

/** One schema of each kind that arbitraries know, and of the ways in which they are put together. */
export const schemas: Readonly<Record<string, z.ZodType>> = {
  string: z.string(),
  'string of 3 to 5': z.string().min(3).max(5),
  'string of 7': z.string().length(7),
  'long string': z.string().min(150),
  nonempty: z.string().nonempty(),
  regex: z.string().regex(/^[A-Z]{2}-\d{3,5}$/),
  'regex without anchors': z.string().regex(/b+c/),
  'regex that ignores case': z.string().regex(/^abc[d-f]$/i),
  'regex and length': z
    .string()
    .regex(/^[a-z]+$/)
    .min(12),
  'starts, ends, includes': z.string().startsWith('a-').endsWith('-z').includes('m'),
  'starts, and is short': z.string().startsWith('abc').max(5),
  'email that starts': z.email().startsWith('a'),
  'email that ends': z.email().endsWith('@example.com'),
  'email in lower case': z.email().lowercase().max(40),
  'url that starts': z.url().startsWith('https://'),
  lowercase: z.string().lowercase().min(2),
  uppercase: z.string().uppercase().max(9),
  trim: z.string().trim().min(2),
  toLowerCase: z.string().toLowerCase(),
  email: z.email(),
  'html5 email': z.email({ pattern: z.regexes.html5Email }),
  url: z.url(),
  'https url': z.url({ protocol: /^https$/, hostname: z.regexes.domain }),
  httpUrl: z.httpUrl(),
  'url of one host': z.url({ hostname: /^example\.(com|org)$/ }),
  uuid: z.uuid(),
  uuidv7: z.uuidv7(),
  guid: z.guid(),
  emoji: z.emoji(),
  nanoid: z.nanoid(),
  cuid2: z.cuid2(),
  ulid: z.ulid(),
  xid: z.xid(),
  ksuid: z.ksuid(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  mac: z.mac(),
  cidrv4: z.cidrv4(),
  cidrv6: z.cidrv6(),
  base64: z.base64(),
  base64url: z.base64url(),
  e164: z.e164(),
  jwt: z.jwt(),
  'jwt of an algorithm': z.jwt({ alg: 'ES256' }),
  hostname: z.hostname(),
  hex: z.hex(),
  hash: z.hash('sha256'),
  'iso date': z.iso.date(),
  'iso time': z.iso.time(),
  'iso datetime': z.iso.datetime(),
  'iso datetime with offset': z.iso.datetime({ offset: true, precision: 3 }),
  'iso duration': z.iso.duration(),
  'own format': z.stringFormat('even', (value) => value.length % 2 === 0),
  'template literal': z.templateLiteral(['id-', z.int().min(1), z.enum(['a', 'b'])]),
  number: z.number(),
  'number between': z.number().min(-1.5).max(2.5),
  'number strictly between': z.number().gt(0).lt(1),
  'number of one value': z.number().min(0.5).max(0.5),
  positive: z.number().positive(),
  'multiple of 0.1': z.number().multipleOf(0.1).min(0).max(10),
  'multiple of 7': z.int().multipleOf(7).gt(7).lt(70),
  int: z.int(),
  'int between': z.int().min(3).max(9),
  int32: z.int32(),
  uint32: z.uint32().positive(),
  float32: z.float32(),
  bigint: z.bigint(),
  'bigint between': z.bigint().gt(-5n).lte(7n),
  'multiple of 3n': z.bigint().multipleOf(3n).gte(-10n).lte(10n),
  int64: z.int64(),
  uint64: z.uint64(),
  boolean: z.boolean(),
  date: z.date(),
  'date between': z.date().min(new Date(0)).max(new Date(86_400_000)),
  symbol: z.symbol(),
  null: z.null(),
  undefined: z.undefined(),
  void: z.void(),
  nan: z.nan(),
  any: z.any(),
  unknown: z.unknown(),
  literal: z.literal('only'),
  literals: z.literal(['a', 1, null, undefined, 5n]),
  enum: z.enum(['a', 'b', 'c']),
  'native enum': z.enum(level),
  'enum without some': z.enum(['a', 'b', 'c']).exclude(['b']),
  array: z.array(z.int()),
  'array of 2 to 4': z.array(z.string()).min(2).max(4),
  'nonempty array': z.array(z.boolean()).nonempty(),
  'array of 3': z.array(z.int()).length(3),
  'array of nothing': z.array(z.never()),
  tuple: z.tuple([z.string(), z.int()]),
  'tuple with a rest': z.tuple([z.string()], z.int()),
  'tuple with optional items': z.tuple([z.string(), z.int().optional(), z.boolean().optional()]),
  'empty tuple': z.tuple([]),
  set: z.set(z.int()),
  'set of 2 to 3': z
    .set(z.enum(['a', 'b', 'c', 'd']))
    .min(2)
    .max(3),
  map: z.map(z.string(), z.int()),
  'nonempty map': z.map(z.int(), z.boolean()).nonempty(),
  record: z.record(z.string(), z.int()),
  'record of uuids': z.record(z.uuid(), z.string()),
  'record of numbers': z.record(z.int(), z.string()),
  'record of an enum': z.record(z.enum(['a', 'b']), z.int()),
  'partial record': z.partialRecord(z.enum(['a', 'b']), z.int()),
  'loose record': z.looseRecord(z.string().regex(/^S_/), z.string()),
  object: z.object({ name: z.string(), age: z.int().optional(), tags: z.array(z.string()).exactOptional() }),
  'empty object': z.object({}),
  'strict object': z.strictObject({ a: z.int(), b: z.string().optional() }),
  'loose object': z.looseObject({ a: z.int() }),
  'object with a catchall': z.object({ a: z.string() }).catchall(z.int()),
  'partial object': z.object({ a: z.string(), b: z.int() }).partial(),
  'object that needs unknown': z.object({ a: z.unknown(), b: z.any() }),
  'object without a never': z.object({ a: z.never().optional(), b: z.int() }),
  'nested object': z.object({ a: z.object({ b: z.strictObject({ c: z.array(z.object({ d: z.email() })) }) }) }),
  'object with hostile keys': z.object({ constructor: z.string(), toString: z.int(), then: z.boolean().optional() }),
  union: z.union([z.string(), z.int(), z.null()]),
  'union with never': z.union([z.never(), z.int()]),
  xor: z.xor([z.string().min(3), z.string().max(5)]),
  'discriminated union': shape,
  intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.int() })),
  'intersection of strict ones': z.strictObject({ a: z.string() }).and(z.strictObject({ b: z.int() })),
  'intersection of bounds': z.number().min(0).and(z.number().max(5)),
  optional: z.string().optional(),
  nullable: z.int().nullable(),
  nullish: z.int().nullish(),
  nonoptional: z.string().optional().nonoptional(),
  default: z.int().default(5),
  prefault: z.string().min(3).prefault('abc'),
  catch: z.int().catch(0),
  readonly: z.array(z.int()).readonly(),
  brand: z.string().brand<'Id'>(),
  transform: z.string().transform((value) => value.length),
  pipe: z.string().transform(Number).pipe(z.int().min(5)),
  'many pipes': z.array(z.string().transform(Number).pipe(z.int())).min(8),
  preprocess: z.preprocess((value) => (typeof value === 'string' ? Number(value) : value), z.int()),
  coerce: z.coerce.number(),
  'coerced date': z.coerce.date(),
  stringbool: z.stringbool(),
  codec: z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (at) => at.toISOString() }),
  refine: z.int().refine((value) => value % 2 === 0),
  'refined object': z.object({ from: z.int(), to: z.int() }).refine(({ from, to }) => from <= to),
  superRefine: z.array(z.int()).superRefine((all, context) => {
    if (new Set(all).size !== all.length) context.addIssue('not unique')
  }),
  custom: z.custom<string>((value) => typeof value === 'string'),
  json: z.json(),
  lazy: z.lazy(() => z.string()),
  'recursive object': category,
  'mutually recursive': user,
  'recursive lazy': linked,
  'lazy without end': nested(),
  message: z.object({
    type: z.literal('order.pay'),
    id: z.uuid(),
    cents: z.int().positive(),
    meta: z.json().optional(),
  }),
}
