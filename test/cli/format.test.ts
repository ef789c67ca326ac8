import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  agoText,
  bytesText,
  cut,
  dueText,
  hideSecrets,
  jsonLine,
  printable,
  spanText,
  table,
  timeText,
} from '../../src/cli/format.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [1449, '1.4 kB'],
  [9949, '9.9 kB'],
  [9950, '10 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [1.25e9, '1.3 GB'],
  [5e15, '5000 TB'],
])('given %d bytes, then they read %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

test.each([
  [-5, '0 s'],
  [0, '0 s'],
  [999, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3_599_999, '59 min'],
  [3_600_000, '1 h'],
  [86_400_000, '1 d'],
  [4e10, '462 d'],
])('given %d milliseconds, then they read %s', (ms, text) => {
  expect(spanText(ms)).toBe(text)
})

test('given times, then past, future and never are told apart', () => {
  expect([agoText(0, 5000), dueText(null, 0), dueText(5000, 0), dueText(5000, 10_000), dueText(0, 10_000)]).toEqual([
    ...['5 s ago', '-', 'in 5 s', '5 s ago', 'at once'],
  ])
  expect([timeText(0), timeText(1e300)]).toEqual(['1970-01-01 00:00:00.000Z', '1e+300'])
})

test('given any text, when it is made printable, then nothing in it steers a terminal, and plain text is as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    }),
  )
  expect(printable('a "b" ü 漢')).toBe('a "b" ü 漢')
})

test('given any value, when it is a line of JSON, then it is one line that steers no terminal and reads back the same', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const line = jsonLine(value)
      expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
      expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test.each([
  ['postgres://app:s3cret@db/app', 'postgres://app:***@db/app'],
  [
    'cannot reach postgres://app:p@ss/w:rd@db:5432/app, it is down',
    'cannot reach postgres://app:***@db:5432/app, it is down',
  ],
  ['postgres://:s3cret@db/app', 'postgres://:***@db/app'],
  ['postgres://db/app?user=app&password=s3cret&ssl=1', 'postgres://db/app?user=app&password=***&ssl=1'],
  ['postgres://db/app?sslpassword=s3cret', 'postgres://db/app?sslpassword=***'],
  ['postgres://app@db/app', 'postgres://app@db/app'],
  ['/srv/app:1@2.db', '/srv/app:1@2.db'],
])('given %s, when its secrets are hidden, then it reads %s', (text, hidden) => {
  expect(hideSecrets(text)).toBe(hidden)
})

test('given rows, then columns are aligned and a long text is cut', () => {
  expect(
    table([
      ['a', 'bb', 'c'],
      ['aaa', '', 'd'],
    ]),
  ).toBe('a    bb  c\naaa      d\n')
  expect([cut('abcdef', 6), cut('abcdef', 4), cut('abcdef', 0)]).toEqual(['abcdef', 'abc…', '…'])
})
