import fc from 'fast-check'
import { expect, test } from 'vitest'

import { JsonLines } from '../../../examples/dependency-review/json-lines.ts'
import { clean, formatBytes, MAX_SHOWN, quote, quoteAll } from '../../../examples/dependency-review/text.ts'

test.each([
  ['\u001b[31mred\u001b[0m', 'red'],
  ['\u001b]0;title\u0007after', 'after'],
  ['\u001b]8;;https://evil\u001b\\link\u001b]8;;\u001b\\', 'link'],
  ['a\r\nb\tc', 'a b c'],
  ['\u202egnp.exe\u202c', 'gnp.exe'],
  ['zero\u200bwidth\ufeff', 'zerowidth'],
  ['\u009b31mc1', '31mc1'],
  ['nul\0byte\u0007', 'nulbyte'],
  ['lone\ud800', 'lone'],
  ['ünïcode 漢字 👍', 'ünïcode 漢字 👍'],
])('given %j, when cleaned, then it is %j', (text, expected) => {
  expect(clean(text)).toBe(expected)
})

test('given a very long text, when cleaned, then it is cut at the bound and between characters', () => {
  expect(clean('x'.repeat(10_000_000))).toHaveLength(MAX_SHOWN)
  const cut = clean('👍'.repeat(300))
  expect(cut.isWellFormed()).toBe(true)
  expect(cut.endsWith('…')).toBe(true)
})

test('given any text, when quoted, then it is one code span without controls', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const quoted = quote(text)
      expect(quoted === '(empty)' || /^`[^`]+`$/.test(quoted)).toBe(true)
      expect(quoted).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u)
    }),
  )
})

test('given many values, when all are quoted, then the rest is counted', () => {
  expect(quoteAll(['a', 'b', 'c'], 2)).toBe('`a`, `b` and 1 more')
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [5 * 1024 ** 3, '5.0 GiB'],
])('given %d bytes, then they read %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test('given any JSON, when scanned, then every member is found in the line where its key stands', () => {
  const keys = fc.string({ maxLength: 5 }).filter((key) => !key.includes('\0'))
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.string(), fc.integer(), fc.constant(null), tie('record'), tie('list')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    record: fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
  })).record
  fc.assert(
    fc.property(json, (value) => {
      const text = JSON.stringify(value, null, 2)
      const lines = new JsonLines(text)
      const source = text.split('\n')
      const check = (part: unknown, path: readonly string[]): void => {
        if (typeof part !== 'object' || part === null) return
        for (const [key, member] of Object.entries(part)) {
          if (!Array.isArray(part))
            expect(source[lines.of(...path, key) - 1]?.trimStart().startsWith(JSON.stringify(key))).toBe(true)
          check(member, [...path, key])
        }
      }
      check(value, [])
    }),
  )
})

test('given a path that is not there, when asked for, then the nearest ancestor answers', () => {
  const lines = new JsonLines('{\n  "a": {\n    "b": [\n      "x",\n      "y"\n    ]\n  }\n}')
  expect(lines.of('a', 'b', '1')).toBe(5)
  expect(lines.of('a', 'c')).toBe(2)
  expect(lines.of('z')).toBe(1)
  expect(lines.has('a', 'b')).toBe(true)
  expect(lines.has('a', 'c')).toBe(false)
})

test('given brackets without end, when scanned, then depth and memory are bounded', () => {
  const depth = 100_000
  expect(new JsonLines(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`).of('a', 'a')).toBe(1)
})
