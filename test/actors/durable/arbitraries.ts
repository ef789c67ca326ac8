import fc from 'fast-check'

/** Names that somebody might take for something else. */
const key = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.constantFrom('$', 'v', '__proto__', 'toJSON', 'constructor', 'hasOwnProperty', '0', '', '\ud800'),
)

const leaf = fc.oneof(
  fc.constant(undefined),
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.bigInt(),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('\ud800', '\udfff', '"$":', '{"$":"date"}', '\u0000', -0, NaN, Infinity, -Infinity),
  fc.date(),
  fc.uint8Array({ maxLength: 8 }),
  fc.uint8ClampedArray({ maxLength: 4 }),
  fc.int8Array({ maxLength: 4 }),
  fc.int16Array({ maxLength: 4 }),
  fc.uint16Array({ maxLength: 4 }),
  fc.int32Array({ maxLength: 4 }),
  fc.uint32Array({ maxLength: 4 }),
  fc.float32Array({ maxLength: 4 }),
  fc.float64Array({ maxLength: 4 }),
  fc.bigInt64Array({ maxLength: 4 }),
  fc.bigUint64Array({ maxLength: 4 }),
  fc
    .record({ name: fc.string(), message: fc.string(), code: fc.option(fc.string(), { nil: undefined }) })
    .map(({ name, message, code }) => {
      const error = Object.assign(new Error(message), { name })
      return code === undefined ? error : Object.assign(error, { code })
    }),
)

/** Data of every kind that a journal keeps. */
export const encodable: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(key, tie('value')), { maxLength: 4 })
      // Assignment would set the prototype.
      .map((entries) => Object.fromEntries(entries)),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => new Set(values)),
  ),
})).value
