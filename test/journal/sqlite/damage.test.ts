/** Every flipped bit and every length of every file of a small journal: what is damaged is refused, or does no harm. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { faultOf } from '../../../src/journal/sqlite/faults.ts'
import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'
import { append, ask, codeOf, contentOf, host, journalPath, openStore } from './material.ts'

/** One case of so many: bits and lengths are tried at this distance. `ECHELON_EVERY_BIT=1` tries them all, in half an hour. */
const distance = process.env['ECHELON_EVERY_BIT'] === '1' ? 1 : 601

const parts = ['', '-wal', '-head'] as const
type Image = ReadonlyMap<string, Buffer>

/** The files of a journal that has everything in it: after it was closed, or as a crash leaves them. */
function imageOf(file: string, crashed: boolean): Image {
  const store = openStore(file, 'write')
  store.commit([
    [append('a', 0, ['one', 'two'], { wakeAtMs: 5, blobs: [{ id: 'kept', text: 'a blob' }] })],
    [append('b/1', 0, ['x'])],
  ])
  const snapshot = { seq: 2, version: 1, atMs: 3, body: '{"s":1}', blobs: ['kept'] }
  store.commit([[append('a', 2, ['three'], { snapshot })]])
  ask(store, 'acquire', 'shard', 1000, false)
  ask(store, 'compact')
  store.commit([[append('a', 3, ['four'], { wakeAtMs: 7 })], [append('c', 0, ['long'.repeat(1500)], { wakeAtMs: 9 })]])
  if (!crashed) store.close()
  const image = new Map(parts.flatMap((part) => (existsSync(file + part) ? [[part, readFileSync(file + part)]] : [])))
  if (crashed) store.close()
  return image
}

function put(file: string, image: Image): void {
  for (const part of [...parts, '-shm']) rmSync(file + part, { force: true })
  for (const [part, content] of image) writeFileSync(file + part, content)
}

const content = (file: string): string => contentOf(file, ['a', 'b/1', 'c', 'nobody'], [['a', 'kept']])

const allowed: readonly string[] = ['same', 'JOURNAL_CORRUPT', 'JOURNAL_FORMAT', 'JOURNAL_FAILED']

/** What comes of reading a journal that may be damaged. */
function look(file: string, whole: string): string {
  try {
    return content(file) === whole ? 'same' : 'different and not noticed'
  } catch (error) {
    return faultOf(error).code
  }
}

describe.each([
  { what: 'that was closed', crashed: false },
  { what: 'as a crash leaves it', crashed: true },
])('a journal $what', ({ crashed }) => {
  test(
    'given a flipped bit or a file that ends early, then it is refused, or has all that it had',
    { timeout: 3_600_000 },
    async () => {
      await using place = await journalPath('memory')
      const { file } = place
      const image = imageOf(file, crashed)
      put(file, image)
      const whole = content(file)
      const endings = new Set<string>()
      const attempt = (what: string, part: string, damaged: Buffer): void => {
        put(file, new Map([...image, [part, damaged]]))
        const ending = look(file, whole)
        if (!allowed.includes(ending)) expect.unreachable(`${what}: ${ending}`)
        endings.add(ending)
      }
      for (const [part, bytes] of image) {
        for (let bit = 0; bit < bytes.length * 8; bit += distance) {
          const flipped = Buffer.from(bytes)
          flipped.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
          attempt(`bit ${bit} of journal${part}`, part, flipped)
        }
        for (let length = 0; length < bytes.length; length += Math.ceil(distance / 4))
          attempt(`the end of journal${part} at ${length}`, part, bytes.subarray(0, length))
      }
      expect(endings).toContain('same')
      expect(endings).toContain('JOURNAL_CORRUPT')
      expect(endings).toContain('JOURNAL_FORMAT')
    },
  )
})

test('given a log that lost what was acknowledged, then opening says so in every way, and changes nothing', async () => {
  await using place = await journalPath('memory')
  const { file } = place
  const image = imageOf(file, true)
  put(file, new Map([...image, ['-wal', Buffer.alloc(0)]]))
  const source = sqliteJournal(file)
  await expect(source.open(host())).rejects.toMatchObject({ code: 'JOURNAL_CORRUPT', where: 'file' })
  expect(readFileSync(file)).toEqual(image.get(''))

  const reader = await source.openReadOnly(host())
  expect(await codeOf(() => reader.load('a'))).toBe('JOURNAL_CORRUPT')
  expect((await reader.verify()).problems).toMatchObject([{ where: 'file', problem: /ends at position \d+/ }])
  await reader.close()

  // Whoever put an older copy back on purpose removes the witness.
  rmSync(`${file}-head`)
  const journal = await source.open(host())
  await journal.close()
})

test('given a log with a flipped bit before its end, then it is refused though SQLite takes it, and what is left of it stays', async () => {
  await using place = await journalPath('memory')
  const { file } = place
  const image = imageOf(file, true)
  const log = image.get('-wal') ?? Buffer.alloc(0)
  const flipped = Buffer.from(log)
  flipped[5000] = log.readUInt8(5000) ^ 1
  put(file, new Map([...image, ['-wal', flipped]]))
  expect(await codeOf(() => sqliteJournal(file).open(host()))).toBe('JOURNAL_CORRUPT')
  expect(readFileSync(`${file}-wal`)).toEqual(flipped)
})

test('given a file that is gone while its witness is there, then no new journal is made in its place', async () => {
  await using place = await journalPath('memory')
  const { file } = place
  imageOf(file, false)
  rmSync(file)
  expect(await codeOf(() => sqliteJournal(file).open(host()))).toBe('JOURNAL_CORRUPT')
  expect(existsSync(file)).toBe(false)
})

test('given an index that lost a stream, then the stream is not taken for a new one', async () => {
  await using place = await journalPath('memory')
  const { file } = place
  imageOf(file, false)
  const db = new DatabaseSync(file)
  db.enableDefensive(false)
  const rewrite = (from: string, to: string): void => {
    db.exec('PRAGMA writable_schema = ON')
    db.prepare(`UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'streams_by_name'`).run(from, to)
    db.exec('PRAGMA writable_schema = RESET')
  }
  const [whole, partial] = ['streams(name)', `streams(name) WHERE name <> 'b/1'`]
  rewrite(whole, partial)
  db.exec('REINDEX streams_by_name')
  rewrite(partial, whole)
  db.close()
  const reader = await sqliteJournal(file).openReadOnly(host())
  expect((await reader.verify()).problems.length).toBeGreaterThan(0)
  await reader.close()

  const { Tables } = await import('../../../src/journal/sqlite/tables.ts')
  const { Heads } = await import('../../../src/journal/sqlite/heads.ts')
  const heads = new Heads(new Tables(new DatabaseSync(file, { readOnly: true })), false)
  expect(heads.find('a')?.seq).toBe(4)
  expect(heads.find('nobody')).toBeUndefined()
  expect(await codeOf(() => heads.find('b/1'))).toBe('JOURNAL_CORRUPT')
})
