import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exportJournal, type ExportOptions } from '../../src/cli/journal/export.ts'
import { importJournal, type ImportOptions } from '../../src/cli/journal/import.ts'
import type { Append, JournalReader, JournalSource } from '../../src/core/journal.ts'
import { memoryJournal } from '../../src/journal/memory.ts'
import { postgresJournal } from '../../src/journal/postgres/journal.ts'
import { sqliteJournal } from '../../src/journal/sqlite/journal.ts'
import { postgresOrSkip, startPostgres } from '../support/postgres.ts'
import {
  echelon,
  entries,
  host,
  inFolder,
  orders,
  reading,
  stream,
  testHost,
  withFile,
  withMethods,
  writing,
} from './material.ts'

/** The export of a journal. */
async function exported(source: JournalSource, options: ExportOptions = {}): Promise<string> {
  const test = testHost()
  expect(await reading(source, (reader) => exportJournal(reader, test, options))).toBe(0)
  return test.written.stdout
}

/** Imports an export, and answers what the command writes. */
async function imported(text: string | Buffer, target: JournalSource, options: ImportOptions = {}): Promise<string> {
  const test = testHost()
  await inFolder(async (folder) => {
    const file = path.join(folder, 'export.jsonl')
    await writeFile(file, text)
    expect(await importJournal(file, () => target.open(host), test, options)).toBe(0)
  })
  return test.written.stdout
}

async function filled(appends: readonly Append[], source: JournalSource = memoryJournal()): Promise<JournalSource> {
  if (appends.length > 0) await writing(source, (journal) => journal.append(appends))
  return source
}

/** Everything that a journal says about its streams, positions aside. */
async function content(source: JournalSource): Promise<unknown> {
  return reading(source, async (reader) =>
    Promise.all((await reader.list({ limit: 5000 })).map((info) => contentOf(reader, info.stream))),
  )
}

async function contentOf(reader: JournalReader, name: string): Promise<unknown> {
  const { snapshot, lastSeq, wakeAtMs } = await reader.load(name)
  const read = (await reader.read(name, 0, { limit: 5000 })).map(({ position: _, ...entry }) => entry)
  const named = read.flatMap(({ kind, body }) =>
    kind === 'outcome' ? [(JSON.parse(body) as { blob?: string }).blob] : [],
  )
  const ids = [...(snapshot?.blobs ?? []), ...named].filter((id) => id !== undefined)
  const blobs = await Promise.all(ids.map(async (id) => [id, await reader.blob(name, id)] as const))
  return { name, lastSeq, wakeAtMs, snapshot, read, blobs }
}

/** An export with the trailer that fits its lines. */
function sealed(lines: readonly (object | string)[], counts: object = {}): string {
  const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
  const body = texts.map((text) => `${text}\n`).join('')
  const of = (type: string): number => texts.filter((text) => text.startsWith(`{"type":"${type}"`)).length
  const [streams, snapshots, blobs, count] = ['stream', 'snapshot', 'blob', 'entry'].map(of)
  const sha256 = createHash('sha256').update(body).digest('hex')
  return `${body}${JSON.stringify({ type: 'end', streams, snapshots, blobs, entries: count, ...counts, sha256 })}\n`
}

const head = {
  type: 'echelon-journal-export',
  version: 1,
  exportedAtMs: 0,
  journal: { kind: 'memory', formatVersion: 1, streams: 1, entries: 1 },
}
const streamRow = (name: string, lastSeq = 1): object => ({ type: 'stream', stream: name, lastSeq, wakeAtMs: null })
const entryRow = (seq = 1, more: object = {}): object => ({
  ...{ type: 'entry', seq, kind: 'created', version: 1, atMs: 1, body: '{}' },
  ...more,
})
const snapshotRow = (seq = 1, more: object = {}): object => ({
  ...{ type: 'snapshot', seq, version: 1, atMs: 1, blobs: [], body: '{}' },
  ...more,
})

test('given a journal, when it is exported, then the file says what it is, and what is in it', async () => {
  const lines = (await exported(await filled(orders))).split('\n')
  expect(lines.slice(0, 3)).toEqual([
    '{"type":"echelon-journal-export","version":1,"exportedAtMs":1767312000000,"journal":{"kind":"memory","formatVersion":1,"streams":3,"entries":13}}',
    '{"type":"stream","stream":"/durable/order/16","lastSeq":3,"wakeAtMs":null}',
    '{"type":"entry","seq":1,"kind":"created","version":1,"atMs":1767306598000,"body":"{\\"definition\\":\\"order\\",\\"input\\":{\\"id\\":16}}"}',
  ])
  expect(lines.map((line) => /"type":"(\w+)"/.exec(line)?.[1]).join(' ')).toBe(
    ' stream entry entry entry stream snapshot blob entry entry entry entry entry entry entry entry blob entry stream entry end ',
  )
  expect(lines.at(-2)).toMatch(
    /^\{"type":"end","streams":3,"snapshots":1,"blobs":2,"entries":13,"sha256":"[0-9a-f]{64}"\}$/,
  )
})

test('given a stream or a prefix, when it is exported, then the file has only that', async () => {
  const source = await filled(orders)
  const names = (text: string): unknown[] =>
    [...text.matchAll(/"type":"stream","stream":"([^"]*)"/g)].map(([, name]) => name)
  expect(names(await exported(source, { stream: 'order/17' }))).toEqual(['/durable/order/17'])
  expect(names(await exported(source, { prefix: '/durable/order/' }))).toEqual([
    '/durable/order/16',
    '/durable/order/17',
  ])
  expect(names(await exported(source, { prefix: '/nothing' }))).toEqual([])
})

const text = fc.string({
  unit: fc.oneof(fc.constantFrom('"', '\\', '\n', '\u2028', '€', '𝄞'), fc.string({ maxLength: 1 })),
})
const body = text.map((value) => JSON.stringify({ value }))
const time = fc.integer({ min: 0, max: 2 ** 42 })
const anyEntry = fc.record({
  kind: fc.constantFrom('created', 'received', 'handled', 'failed', 'intent'),
  version: fc.nat(5),
  atMs: fc.oneof(
    time,
    time.map((ms) => ms + 0.5),
  ),
  body,
})
const anyStream = fc
  .record({
    name: text.filter((name) => name.length > 0 && !name.includes('\0')),
    entries: fc.array(anyEntry, { minLength: 1, maxLength: 8 }),
    covered: fc.option(fc.nat(), { nil: undefined }),
    blobs: fc.uniqueArray(
      text.filter((id) => id.length > 0),
      { maxLength: 3 },
    ),
    inEntry: fc.boolean(),
    wakeAtMs: fc.option(time),
  })
  .map(({ name, entries: of, covered, blobs: ids, inEntry, wakeAtMs }) => {
    const named = inEntry ? ids.slice(0, 1) : []
    const outcomes = named.map(
      (blob) => ({ kind: 'outcome', version: 1, atMs: 5, body: JSON.stringify({ key: 'k', blob }) }) as const,
    )
    const all = [...of, ...outcomes]
    const seq = covered === undefined ? undefined : (covered % all.length) + 1
    const kept = seq === undefined ? named : ids
    return stream(name, all, {
      wakeAtMs,
      blobs: kept.map((id) => ({ id, text: JSON.stringify([id]) })),
      ...(seq === undefined
        ? {}
        : { snapshot: { seq, version: 2, atMs: 7.5, blobs: ids.slice(named.length), body: JSON.stringify({ ids }) } }),
    })
  })
/** A journal that was compacted, and went on after that. */
async function compacted(source: JournalSource, appends: readonly Append[]): Promise<void> {
  await writing(source, async (journal) => {
    if (appends.length > 0) await journal.append(appends)
    await journal.compact()
    const more = appends.filter((_, place) => place % 2 === 1)
    for (const { stream: name, entries: of } of more)
      await journal.append([stream(name, [{ ...of[0]!, kind: 'handled' }], { expectedSeq: of.length, wakeAtMs: 3 })])
  })
}
const anyStreams = fc.uniqueArray(anyStream, { selector: ({ stream: name }) => name, maxLength: 12, size: 'max' })

test('given any streams, when they are moved from one journal to another, then they are the same', async () => {
  await fc.assert(
    fc.asyncProperty(anyStreams, async (appends) => {
      const [first, second] = [await filled(appends), memoryJournal()]
      await imported(await exported(first), second)
      expect(await content(second)).toEqual(await content(first))
    }),
  )
})

test('given any streams, when they go from memory to SQLite and back, then they are the same', async () => {
  await fc.assert(
    fc.asyncProperty(anyStreams, async (appends) => {
      await inFolder(async (folder) => {
        const [first, second, third] = [await filled(appends), sqliteJournal(`${folder}/a.db`), memoryJournal()]
        await imported(await exported(first), second)
        await imported(await exported(second), third)
        expect(await content(second)).toEqual(await content(first))
        expect(await content(third)).toEqual(await content(first))
      })
    }),
    { numRuns: 5 },
  )
}, 120_000)

test('given streams that were compacted, when they go from memory to SQLite and back, then they are the same', async () => {
  await fc.assert(
    fc.asyncProperty(anyStreams, async (appends) => {
      await inFolder(async (folder) => {
        const [first, second, third] = [memoryJournal(), sqliteJournal(`${folder}/a.db`), memoryJournal()]
        await compacted(first, appends)
        await imported(await exported(first), second)
        await imported(await exported(second), third)
        expect(await content(second)).toEqual(await content(first))
        expect(await content(third)).toEqual(await content(first))
        expect(await reading(second, (reader) => reader.verify())).toMatchObject({ problems: [] })
      })
    }),
    { numRuns: 10 },
  )
}, 120_000)

test('given any streams, when they go from SQLite to Postgres and back, then they are the same', async (context) => {
  postgresOrSkip(context)
  await using server = await startPostgres()
  let schema = 0
  await fc.assert(
    fc.asyncProperty(anyStreams, async (appends) => {
      await inFolder(async (folder) => {
        schema += 1
        const first = sqliteJournal(`${folder}/a.db`)
        const second = postgresJournal({ url: server.url, schema: `s${schema}` })
        const third = sqliteJournal(`${folder}/b.db`)
        if (schema % 2 === 1) await compacted(first, appends)
        else await writing(first, (journal) => journal.append(appends))
        await imported(await exported(first), second)
        await imported(await exported(second), third)
        expect(await content(second)).toEqual(await content(first))
        expect(await content(third)).toEqual(await content(first))
        expect(await reading(second, (reader) => reader.verify())).toMatchObject({ problems: [] })
      })
    }),
    { numRuns: 4 },
  )
}, 120_000)

test('given a stream of more entries than a page has, when it is moved, then all of them come', async () => {
  const many = entries(0, ...Array.from({ length: 2_345 }, (_, n) => ['handled', { n }] as const))
  const [source, target] = [await filled([stream('/long', many)]), memoryJournal()]
  expect(await imported(await exported(source), target)).toBe('Imported 1 stream with 2345 entries\n')
  expect(await content(target)).toEqual(await content(source))
})

test('given many streams, when they are imported, then few writes carry them', async () => {
  const many = Array.from({ length: 1_200 }, (_, n) => stream(`/s/${n}`, entries(0, ['created', { n }])))
  let writes = 0
  const target = memoryJournal({ beforeCommit: () => void (writes += 1) })
  await imported(await exported(await filled(many)), target)
  expect(writes).toBe(3)
  expect(await content(target)).toHaveLength(1_200)
})

test('given streams that are there, when they are imported, then nothing is written, or they are skipped', async () => {
  const many = Array.from({ length: 600 }, (_, n) => stream(`/a/${n}`, entries(0, ['created', { n }])))
  const whole = await exported(await filled([...many, ...orders]))
  const there = stream('/durable/order/17', entries(0, ['created', { definition: 'other' }]))
  const target = await filled([there])
  const before = await content(target)
  await expect(imported(whole, target)).rejects.toMatchObject({ code: 'JOURNAL_CONFLICT', stream: '/durable/order/17' })
  expect(await content(target)).toEqual(before)

  expect(await imported(whole, target, { skipExisting: true, json: true })).toBe(
    '{"streams":602,"entries":604,"skipped":1}\n',
  )
  expect(await reading(target, async (reader) => (await reader.load('/durable/order/17')).lastSeq)).toBe(1)
  expect(await imported(whole, target, { skipExisting: true })).toBe(
    'Imported 0 streams with 0 entries, skipped 603 that were there\n',
  )
})

test('given a journal that is full in the middle, when an export is imported, then each stream is there as a whole or not at all', async () => {
  let room = 1
  const full = Object.assign(new Error('full'), { code: 'JOURNAL_FULL' })
  const target = memoryJournal({
    beforeCommit: () => {
      if (room === 0) throw full
      room -= 1
    },
  })
  const many = Array.from({ length: 600 }, (_, n) =>
    stream(`/s/${n}`, entries(0, ['created', { n }], ['handled', { n }])),
  )
  const whole = await exported(await filled(many))
  await expect(imported(whole, target)).rejects.toBe(full)
  expect(await content(target)).toHaveLength(512)
  room = Infinity
  await imported(whole, target, { skipExisting: true })
  expect(await content(target)).toEqual(await content(await filled(many)))
})

/** Imports what is damaged, and answers why not. The journal is not even opened. */
async function refusal(
  text: string | Buffer,
): Promise<{ readonly code: string; readonly line: number; readonly message: string }> {
  let opened = 0
  const source: JournalSource = { ...memoryJournal(), open: () => Promise.reject(new Error(`opened ${(opened += 1)}`)) }
  const error: unknown = await imported(text, source).catch((reason: unknown) => reason)
  expect(opened).toBe(0)
  expect(error).toMatchObject({ code: 'EXPORT_INVALID' })
  return error as Awaited<ReturnType<typeof refusal>>
}

test('given an export that is cut off anywhere, when it is imported, then it is refused before anything is written', async () => {
  const whole = await exported(await filled(orders.slice(0, 1)))
  for (let length = 0; length < whole.length; length += 1)
    expect((await refusal(whole.slice(0, length))).line).toBeGreaterThan(0)
  expect((await refusal(whole.slice(0, -1))).message).toMatch(/in the middle of a line: it was cut off/)
})

test('given an export with any bit changed, when it is imported, then it is refused before anything is written', async () => {
  const whole = Buffer.from(await exported(await filled(orders)))
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (place, bit) => {
      const changed = Buffer.from(whole)
      changed[place]! ^= 1 << bit
      await refusal(changed)
    }),
    { numRuns: 200 },
  )
})

test('given an export with a line that is missing, twice or moved, when it is imported, then it is refused', async () => {
  const lines = (await exported(await filled(orders))).trimEnd().split('\n')
  const joined = (some: readonly string[]): string => `${some.join('\n')}\n`
  for (const place of lines.keys()) {
    await refusal(joined(lines.toSpliced(place, 1)))
    await refusal(joined(lines.toSpliced(place, 0, lines[place]!)))
    if (place > 0) await refusal(joined(lines.with(place, lines[place - 1]!).with(place - 1, lines[place]!)))
  }
})

test.each<[string, string | Buffer, number, RegExp]>([
  ['nothing', '', 1, /stops here, without its end/],
  ['something else', 'hello\n', 1, /it is no JSON/],
  ['another kind of JSON', '{"type":"other"}\n', 1, /no export of a journal/],
  [
    'a newer version',
    sealed([{ ...head, version: 2, more: true }]),
    1,
    /version 2, and this program reads version 1: update/,
  ],
  ['a head with something else in it', sealed([{ ...head, more: true }]), 1, /more/],
  ['an entry before the first stream', sealed([head, entryRow()]), 2, /entry before the first stream/],
  ['a second head', sealed([head, head]), 2, /type/],
  ['an unknown row', sealed([head, { type: 'lease' }]), 2, /type/],
  ['an unknown kind of entry', sealed([head, streamRow('a'), entryRow(1, { kind: 'gone' })]), 3, /kind/],
  ['a gap', sealed([head, streamRow('a', 3), entryRow(1), entryRow(3)]), 4, /entry 3 where 2 comes next/],
  [
    'fewer entries than it says',
    sealed([head, streamRow('a', 2), entryRow()]),
    2,
    /ends with entry 2, and here it ends with 1/,
  ],
  ['a stream twice', sealed([head, streamRow('a'), entryRow(), streamRow('a'), entryRow()]), 4, /ascend by name/],
  ['streams out of order', sealed([head, streamRow('b'), entryRow(), streamRow('a'), entryRow()]), 4, /ascend by name/],
  [
    'an order of UTF-16',
    sealed([head, streamRow('\u{10000}'), entryRow(), streamRow('\uffff'), entryRow()]),
    4,
    /ascend/,
  ],
  [
    'two snapshots',
    sealed([head, streamRow('a'), snapshotRow(), snapshotRow(), entryRow()]),
    4,
    /one snapshot at most/,
  ],
  ['a snapshot after its entries', sealed([head, streamRow('a'), entryRow(), snapshotRow()]), 4, /before its entries/],
  ['a snapshot of the future', sealed([head, streamRow('a'), snapshotRow(2), entryRow()]), 2, /covers entry 2 of 1/],
  [
    'a snapshot without its blob',
    sealed([head, streamRow('a'), snapshotRow(1, { blobs: ['x'] }), entryRow()]),
    2,
    /blob x/,
  ],
  [
    'a compacted stream without its snapshot',
    sealed([head, streamRow('a', 3), entryRow(3)]),
    2,
    /begins after entry 2, so it needs a snapshot/,
  ],
  [
    'a compacted stream with a snapshot of older entries',
    sealed([head, streamRow('a', 3), snapshotRow(1), entryRow(3)]),
    2,
    /begins after entry 2, so it needs a snapshot/,
  ],
  [
    'a compacted stream without the entries after its snapshot',
    sealed([head, streamRow('a', 3), snapshotRow(2)]),
    2,
    /ends with entry 3, and here it ends with 2/,
  ],
  [
    'a gap after what was compacted',
    sealed([head, streamRow('a', 4), snapshotRow(2), entryRow(2), entryRow(4)]),
    5,
    /entry 4 where 3 comes next/,
  ],
  ['a stream without a name', sealed([head, streamRow(''), entryRow()]), 2, /name of a stream/],
  ['a name that is too long', sealed([head, streamRow('a'.repeat(3000)), entryRow()]), 2, /1 to 2000 bytes/],
  ['half a character', sealed([head, streamRow('a'), entryRow(1, { body: '\ud800' })]), 2, /Unicode/],
  ['a body that is no text', sealed([head, streamRow('a'), entryRow(1, { body: {} })]), 3, /body/],
  [
    'a number that JSON makes infinite',
    sealed([head, streamRow('a'), '{"type":"entry","seq":1,"kind":"created","version":1,"atMs":1e999,"body":""}']),
    3,
    /atMs/,
  ],
  ['a wrong count', sealed([head, streamRow('a'), entryRow()], { blobs: 1 }), 4, /it had 1 blobs, and there are 0/],
  ['something after its end', `${sealed([head])}${JSON.stringify(streamRow('a'))}\n`, 3, /something follows/],
  ['deep nesting', sealed([head, '['.repeat(200_000)]), 2, /JSON/],
  [
    'bytes that are no text',
    Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), Buffer.from([0xff, 10])]),
    2,
    /no UTF-8/,
  ],
  ['a mark of byte order', `\ufeff${sealed([head])}`, 1, /no JSON/],
  ['a line without end', `${JSON.stringify(head)}\n${'x'.repeat(34_000_000)}`, 2, /longer than \d+ bytes/],
  [
    'an entry that is too large',
    sealed([head, streamRow('a'), entryRow(1, { body: 'x'.repeat(17_000_000) })]),
    2,
    /at most 16777216/,
  ],
])('given %s, when it is imported, then it is refused with the line', async (_what, given, line, message) => {
  const refused = await refusal(given)
  expect(refused.message).toMatch(message)
  expect(refused.line).toBe(line)
})

test('given a stream that is compacted while it is exported, then the export fails rather than leave something out', async () => {
  const many = entries(0, ...Array.from({ length: 1_500 }, (_, n) => ['handled', { n }] as const))
  const source = await filled([
    stream('/long', many, { snapshot: { seq: 1_400, version: 1, atMs: 0, body: '{}', blobs: [] } }),
  ])
  const journal = await source.open(host)
  const meanwhile = withMethods(journal, {
    read: async (...args) => {
      const page = await journal.read(...args)
      await journal.compact()
      return page
    },
  })
  await expect(exportJournal(meanwhile, testHost(), {})).rejects.toMatchObject({
    code: 'EXPORT_OVERTAKEN',
    retryable: true,
  })
  await journal.close()
})

test('given a stream of which nothing is left when it comes to its entries, then the export fails too', async () => {
  const covering = (seq: number) => ({ seq, version: 1, atMs: 0, body: '{}', blobs: [] })
  const source = await filled([stream('/a', entries(0, ['created', {}], ['handled', {}]), { snapshot: covering(1) })])
  const journal = await source.open(host)
  const meanwhile = withMethods(journal, {
    load: async (name) => {
      const loaded = await journal.load(name)
      await journal.append([stream(name, [], { expectedSeq: 2, snapshot: covering(2) })])
      await journal.compact()
      return loaded
    },
  })
  await expect(exportJournal(meanwhile, testHost(), {})).rejects.toMatchObject({ code: 'EXPORT_OVERTAKEN' })
  await journal.close()
})

test('given a stream that grows while it is exported, then the export has it as it was at one moment', async () => {
  const source = await filled([stream('/a', entries(0, ['created', {}]))])
  const journal = await source.open(host)
  const meanwhile = withMethods(journal, {
    load: async (name) => {
      const loaded = await journal.load(name)
      await journal.append([stream(name, entries(0, ['handled', {}]), { expectedSeq: 1, wakeAtMs: 5 })])
      return loaded
    },
  })
  const test = testHost()
  await exportJournal(meanwhile, test, {})
  await journal.close()
  const target = memoryJournal()
  await imported(test.written.stdout, target)
  expect(await content(target)).toMatchObject([{ name: '/a', lastSeq: 1, wakeAtMs: null }])
})

test('given the command line, when a journal is moved from file to file, then it says what it did', async () => {
  await withFile(orders, async (file) => {
    const whole = await echelon('journal', 'export', file, '--json')
    expect(whole).toMatchObject({ code: 0, notes: ['Exported 3 streams with 13 entries'] })
    await writeFile(`${file}.jsonl`, whole.stdout)
    expect(await echelon('journal', 'import', `${file}.jsonl`, `${file}.new`)).toMatchObject({
      code: 0,
      stdout: 'Imported 3 streams with 13 entries\n',
      notes: [],
    })
    expect(await content(sqliteJournal(`${file}.new`))).toEqual(await content(sqliteJournal(file)))
    const again = await echelon('journal', 'import', `${file}.jsonl`, `${file}.new`)
    expect(again).toMatchObject({ code: 1, stdout: '' })
    expect(again.notes.join()).toMatch(/JOURNAL_CONFLICT.*--skip-existing/s)
    await writeFile(`${file}.cut`, (await readFile(`${file}.jsonl`)).subarray(0, -10))
    const cut = await echelon('journal', 'import', `${file}.cut`, `${file}.third`)
    expect(cut).toMatchObject({ code: 1, stdout: '' })
    await expect(readFile(`${file}.third`)).rejects.toMatchObject({ code: 'ENOENT' })
    expect((await echelon('journal', 'import', '/dev/null', `${file}.third`)).code).toBe(2)
  })
})
