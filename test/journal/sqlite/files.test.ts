/** What is at the path of a journal, and what is left there. */
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'
import { append, host, journalPath } from './material.ts'

const refusals: readonly [what: string, make: (file: string) => void, code: string, text: RegExp][] = [
  [
    'a directory',
    (file) => {
      mkdirSync(file)
    },
    'JOURNAL_FORMAT',
    /it is a directory: give the path of a file/,
  ],
  [
    'a symbolic link',
    (file) => {
      writeFileSync(`${file}.target`, '')
      symlinkSync(`${file}.target`, file)
    },
    'JOURNAL_FORMAT',
    /it is a symbolic link: give the path of the file itself/,
  ],
  [
    'an empty file',
    (file) => {
      writeFileSync(file, '')
    },
    'JOURNAL_FORMAT',
    /it is empty: remove it/,
  ],
  [
    'a text',
    (file) => {
      writeFileSync(file, 'dear diary, '.repeat(100))
    },
    'JOURNAL_FORMAT',
    /it is not a journal/,
  ],
  [
    'the database of another program',
    (file) => {
      const db = new DatabaseSync(file)
      db.exec('CREATE TABLE songs(title TEXT)')
      db.close()
    },
    'JOURNAL_FORMAT',
    /the database of something else/,
  ],
]

test.each(refusals)('given %s at the path, then it is refused and left as it is', async (_, make, code, text) => {
  await using place = await journalPath()
  make(place.file)
  const before = listing(place.folder)
  const source = sqliteJournal(place.file)
  await expect(source.open(host())).rejects.toMatchObject({ code, message: expect.stringMatching(text) as string })
  await expect(source.openReadOnly(host())).rejects.toMatchObject({ code })
  expect(listing(place.folder)).toEqual(before)
})

test('given a newer format, then it is refused with both versions', async () => {
  await using place = await journalPath()
  await (await sqliteJournal(place.file).open(host())).close()
  const db = new DatabaseSync(place.file)
  db.exec('PRAGMA user_version = 7')
  db.close()
  await expect(sqliteJournal(place.file).open(host())).rejects.toMatchObject({
    code: 'JOURNAL_FORMAT',
    message: expect.stringMatching(/version 7.*version 1/) as string,
  })
})

test('given no journal, then reading makes none, and neither does a folder that is missing', async () => {
  await using place = await journalPath()
  await expect(sqliteJournal(place.file).openReadOnly(host())).rejects.toMatchObject({ code: 'JOURNAL_FORMAT' })
  expect(listing(place.folder)).toEqual([])
  await expect(sqliteJournal(path.join(place.folder, 'no', 'journal.db')).open(host())).rejects.toMatchObject({
    code: 'JOURNAL_FAILED',
    message: expect.stringContaining(`${path.join(place.folder, 'no')} does not exist`) as string,
  })
})

test('given a journal, then only its owner may read it, and closed it is one file and its witness', async () => {
  await using place = await journalPath()
  const journal = await sqliteJournal(place.file).open(host())
  await journal.append([append('a', 0, ['one'])])
  for (const name of readdirSync(place.folder)) expect(statSync(path.join(place.folder, name)).mode & 0o777).toBe(0o600)
  await journal.close()
  expect(readdirSync(place.folder).sort()).toEqual(['journal.db', 'journal.db-head'])
})

test('given a closed journal, when it is read, then its file stays as it is', async () => {
  await using place = await journalPath()
  const journal = await sqliteJournal(place.file).open(host())
  await journal.append([append('a', 0, ['one'])])
  await journal.close()
  const before = [readFileSync(place.file), readFileSync(`${place.file}-head`)]
  const reader = await sqliteJournal(place.file).openReadOnly(host())
  expect((await reader.load('a')).lastSeq).toBe(1)
  expect((await reader.info()).writer).toBeUndefined()
  expect((await reader.verify()).problems).toEqual([])
  await reader.close()
  expect([readFileSync(place.file), readFileSync(`${place.file}-head`)]).toEqual(before)
})

test('given a journal, then any SQLite tool reads its entries and looks into their bodies', async () => {
  await using place = await journalPath()
  const journal = await sqliteJournal(place.file).open(host())
  await journal.append([append('a', 0, ['one', 'two']), append('b', 0, ['three'])])
  await journal.close()
  const db = new DatabaseSync(place.file, { readOnly: true })
  const rows = db
    .prepare(`SELECT s.name, e.seq, e.body ->> '$' AS text FROM entries e JOIN streams s ON s.id = e.stream`)
    .all()
  db.close()
  expect(rows).toMatchObject([
    { name: 'a', seq: 1, text: 'one' },
    { name: 'a', seq: 2, text: 'two' },
    { name: 'b', seq: 1, text: 'three' },
  ])
})

test('given a folder that is full of other things, then a journal of any name fits in', async () => {
  await using place = await journalPath()
  const file = path.join(place.folder, `100% of 'it'; --?mode=memory#é`)
  const journal = await sqliteJournal(file).open(host())
  await journal.append([append('a', 0, ['one'])])
  expect((await journal.info()).location).toBe(file)
  await journal.close()
  expect(readdirSync(place.folder).sort()).toEqual([path.basename(file), `${path.basename(file)}-head`])
})

const listing = (folder: string): readonly (string | number)[] =>
  readdirSync(folder).flatMap((name) => [name, statSync(path.join(folder, name)).size])
