import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decode, encode } from '../../../src/actors/durable/values.ts'
import { encodable } from './arbitraries.ts'

const throughJournal = (value: unknown): unknown => decode(encode(value))

describe('what is written reads back the same', () => {
  test('whatever data it is', () => {
    fc.assert(
      fc.property(encodable, (value) => {
        // Own keys may be called `constructor`, by which toStrictEqual would tell classes.
        expect(isDeepStrictEqual(throughJournal(value), value)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('given the text of a value, then it reads back the same after it was read and written again', () => {
    fc.assert(
      fc.property(encodable, (value) => {
        const text = encode(value)
        expect(encode(decode(text))).toBe(text)
      }),
    )
  })

  test('given plain JSON, then its text is what JSON.stringify writes, which every tool can read', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value)
        fc.pre(!/"(\$|toJSON)":/.test(text))
        // Read again, there is no minus zero in it.
        expect(encode(JSON.parse(text))).toBe(text)
      }),
    )
  })

  test.each<[string, unknown]>([
    ['minus zero', -0],
    ['no number', NaN],
    ['infinities', [Infinity, -Infinity]],
    ['a very large number', 2n ** 200n],
    ['a date before our time', new Date(-1)],
    ['a date that is none', new Date(NaN)],
    ['half of a character', ['\ud800', { '\udfff': '\udfff\ud800' }]],
    ['a key that JSON would take for something else', { toJSON: 'text', a: 1 }],
    ['the key of a tag', { $: 'date', v: 5 }],
    ['a tag inside of a tag', { $: { $: 'undefined' }, v: [undefined] }],
    ['an own key __proto__', JSON.parse('{"__proto__":{"polluted":true},"a":{"__proto__":1}}')],
    [
      'an own key __proto__ with what is no JSON',
      Object.defineProperty({}, '__proto__', { value: -0, enumerable: true }),
    ],
    ['undefined in an array and in an object', [undefined, { a: undefined }]],
    ['keys that look like numbers, in their order', { 2: 'b', 1: 'a', x: 'c' }],
    [
      'a map with keys of every kind',
      new Map<unknown, unknown>([
        [{ a: 1 }, new Map([[new Date(0), 1n]])],
        [undefined, -1],
      ]),
    ],
    ['a set', new Set([1, 'a', new Set([null])])],
    ['bytes', new Uint8Array([0, 255, 128])],
    ['a part of bytes', new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3)],
    ['numbers of eight bytes', new Float64Array([-0, NaN, 1e300])],
    ['large whole numbers', new BigUint64Array([2n ** 64n - 1n])],
    ['nothing in an array', []],
    ['an array in an array', [[[]]]],
  ])('%s', (_, value) => {
    expect(throughJournal(value)).toStrictEqual(value)
  })

  test('an error keeps its name, its code and its text, and nothing else', () => {
    const error = Object.assign(new RangeError('too far', { cause: 1 }), { code: 'E_FAR', secret: 'hunter2' })
    const back = throughJournal(error) as Error
    expect(back).toBeInstanceOf(Error)
    expect(back).toMatchObject({ name: 'RangeError', message: 'too far', code: 'E_FAR' })
    expect(encode(error)).not.toContain('hunter2')
  })

  test('a hole in an array is undefined then, and an object without a prototype is plain', () => {
    expect(throughJournal([1, , 2])).toStrictEqual([1, undefined, 2])
    expect(throughJournal(Object.assign(Object.create(null), { a: -0 }))).toStrictEqual({ a: -0 })
    expect(throughJournal(Buffer.from('abc'))).toStrictEqual(new Uint8Array([97, 98, 99]))
  })

  test('what was read shares nothing with what was written, and reading pollutes no prototype', () => {
    const value = { list: [1], bytes: new Uint8Array([1]) }
    const back = throughJournal(value) as typeof value
    value.list.push(2)
    value.bytes[0] = 9
    expect(back).toStrictEqual({ list: [1], bytes: new Uint8Array([1]) })
    throughJournal(JSON.parse('{"__proto__":{"polluted":1,"n":{"$":"undefined"}}}'))
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})

class Money {
  readonly cents = 5
}
const cycle: { self?: unknown } = {}
cycle.self = cycle
const wide: { a?: unknown; b?: unknown } = {}
wide.a = wide
wide.b = wide
const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)])

describe('what cannot be kept is refused, by its place', () => {
  test.each<[string, unknown, string | RegExp]>([
    ['a function', { a: [1, () => 0] }, 'state.a.1'],
    ['a symbol', { a: Symbol('x') }, 'state.a'],
    ['a class instance', { order: { price: new Money() } }, 'state.order.price'],
    ['a class instance as a key of a map', new Map([[new Money(), 1]]), 'state.0'],
    ['a class instance in a set', new Set([1, new Money()]), 'state.1'],
    ['a method that JSON would call', { a: { toJSON: () => 1 } }, 'state.a.toJSON'],
    ['a promise', { a: Promise.resolve(1) }, 'state.a'],
    ['a regular expression', [/x/], 'state.0'],
    ['a view on bytes', [new DataView(new ArrayBuffer(1))], 'state.0'],
    ['bare memory', [new ArrayBuffer(1)], 'state.0'],
    ['an object with a plain object for a prototype', { a: Object.create({ inherited: 1 }) as unknown }, 'state.a'],
    [
      'an object whose prototype knows no class',
      { a: Object.create(Object.create(null) as object) as unknown },
      'state.a',
    ],
    ['a cycle', cycle, /^state(\.self)+$/],
    ['a cycle with many ways through it', wide, /^state(\.a)+$/],
    ['what is nested too deeply', deep(600), /^state(\.0)+$/],
  ])('%s', (_, value, at) => {
    expect(() => encode(value, 'state')).toThrow(
      expect.objectContaining({
        code: 'NOT_SERIALIZABLE',
        at: typeof at === 'string' ? at : (expect.stringMatching(at) as unknown),
      }) as Error,
    )
  })

  test('given something nested as deeply as may be, then it is kept', () => {
    expect(throughJournal(deep(400))).toStrictEqual(deep(400))
  })
})

describe('what was not written by us', () => {
  test.each(['', '{', 'undefined', '{"$":"nonsense"}', '{"$":"constructor"}', '{"$":"__proto__"}', '{"$":5}'])(
    'given %j, then it is no value',
    (text) => {
      expect(() => decode(text)).toThrow(SyntaxError)
    },
  )
})
