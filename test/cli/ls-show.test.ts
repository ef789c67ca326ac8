import { expect, test } from 'vitest'
import { EndedError } from '../../src/cli/host.ts'
import { list } from '../../src/cli/journal/ls.ts'
import { show, type ShowOptions } from '../../src/cli/journal/show.ts'
import type { Append, JournalReader } from '../../src/core/journal.ts'
import { memoryJournal } from '../../src/journal/memory.ts'
import {
  entries,
  host,
  nowMs,
  orders,
  reading,
  stream,
  testHost,
  withMethods,
  writing,
  type TestHost,
} from './material.ts'

/** What a command writes that reads a journal with these streams. */
async function output(
  appends: readonly Append[],
  command: (reader: JournalReader, host: TestHost) => Promise<number>,
  test = testHost(),
): Promise<string> {
  const source = memoryJournal()
  if (appends.length > 0) await writing(source, (journal) => journal.append(appends))
  expect(await reading(source, (reader) => command(reader, test))).toBe(0)
  return test.written.stdout
}

const lines = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

test('given three streams, when they are listed, then each has a line with aligned columns', async () => {
  expect(await output(orders, (reader, out) => list(reader, out, {}))).toBe(
    `  ENTRIES  SINCE SNAPSHOT        LAST         DUE  STREAM
        3               3     1 h ago           -  /durable/order/16
        9               6   2 min ago   2 min ago  /durable/order/17
        1               1     3 d ago   5 min ago  /durable/reminder/a
`,
  )
})

test('given three streams, when those that are due are listed as JSON, then each is a row with stable names', async () => {
  expect(
    lines(await output(orders, (reader, out) => list(reader, out, { due: true, json: true, prefix: '/durable/o' }))),
  ).toEqual([
    {
      stream: '/durable/order/17',
      lastSeq: 9,
      snapshotSeq: 3,
      sinceSnapshot: 6,
      atMs: nowMs - 120_000,
      wakeAtMs: nowMs - 120_000,
    },
  ])
})

test('given no streams, when they are listed, then the result is empty and a note says so', async () => {
  const test = testHost()
  expect(await output([], (reader, out) => list(reader, out, {}), test)).toBe('')
  expect(test.written.notes).toEqual(['No streams.'])
})

test('given more streams than a page has, when they are listed, then all come once, in order, from pages of a bounded size', async () => {
  const many = Array.from({ length: 2_500 }, (_, n) =>
    stream(`/s/${String(n).padStart(4, '0')}`, entries(1, ['created', { definition: 's' }])),
  )
  const source = memoryJournal()
  await writing(source, (journal) => journal.append(many))
  const asked: (number | undefined)[] = []
  const test = testHost()
  await reading(source, (reader) => {
    const counting = withMethods(reader, {
      list: (options = {}) => {
        asked.push(options.limit)
        return reader.list(options)
      },
    })
    return list(counting, test, { json: true })
  })
  expect(lines(test.written.stdout).map((row) => (row as { stream: string }).stream)).toEqual(
    many.map((append) => append.stream),
  )
  expect(asked).toEqual([1000, 1000, 1000, 1000])

  const some = testHost()
  await reading(source, (reader) => list(reader, some, { limit: 2 }))
  expect(some.written.stdout.trim().split('\n')).toHaveLength(3)
})

test('given a stream with work, when it is shown, then people can read what happened and what is open', async () => {
  expect(await output(orders, (reader, out) => show(reader, out, 'order/17', {}))).toBe(`/durable/order/17
order v1, v2, 9 entries (6 since the snapshot), last 2 min ago, due 2 min ago
Pending: order.pay (entry 4) for 3 min, until its actor runs
Pending: order.remind (entry 8) for 3 min, until its actor runs
In doubt: effect 'charge', which began 3 min ago, idempotency key fbabce09be6b2ce1d6ed4268de951cd2
  It has an intent and no outcome: either it runs now, or nobody knows whether it ran. To settle it, run the program,
  and answer in onInDoubt or by runtime.inDoubt: with what came of it, with its failure, or that it is run again.
Timer 'remind' of the snapshot: order.remind, due in 2 h

     1  2026-01-01 23:56:53.000Z  created   order {"id":17}
     2  2026-01-01 23:56:54.000Z  received  order.add {"item":"tea"} [id m1]
     3  2026-01-01 23:56:55.000Z  handled   order.add [entry 2]
     4  2026-01-01 23:56:56.000Z  received  order.pay {"card":"x"} [id m2]
     5  2026-01-01 23:56:57.000Z  intent    reserve (idempotent) [entry 4]
     6  2026-01-01 23:56:58.000Z  outcome   reserve = {"at":{"$":"date","v":0}} [entry 4]
     7  2026-01-01 23:56:59.000Z  intent    charge [entry 4]
     8  2026-01-01 23:57:00.000Z  received  order.remind [timer remind]
     9  2026-01-01 23:58:00.000Z  outcome   scan = blob scan-1
`)
})

test('given a stream with work, when it is shown as JSON, then its first row has what is open and each entry is a row', async () => {
  const rows = lines(
    await output(orders, (reader, out) =>
      show(reader, out, '/durable/order/17', { json: true, after: 7, snapshot: true }),
    ),
  )
  expect(rows).toMatchObject([
    {
      type: 'stream',
      stream: '/durable/order/17',
      definition: 'order',
      versions: [1, 2],
      lastSeq: 9,
      snapshotSeq: 3,
      pending: [
        { seq: 4, type: 'order.pay', atMs: nowMs - 184_000 },
        { seq: 8, type: 'order.remind' },
      ],
      effects: [{ key: 'charge', idempotent: false, atMs: nowMs - 180_000 }],
      timers: [{ key: 'remind', type: 'order.remind', dueMs: nowMs + 7_200_000 }],
    },
    { type: 'snapshot', seq: 3, version: 1, blobs: ['label'], body: { state: { paid: false } } },
    {
      type: 'entry',
      seq: 8,
      kind: 'received',
      version: 1,
      body: { timer: 'remind', message: { type: 'order.remind' } },
    },
    { type: 'entry', seq: 9, kind: 'outcome', version: 2, body: { key: 'scan', blob: 'scan-1' } },
  ])
})

test('given a failed message, when it is shown, then the failure is told', async () => {
  expect(await output(orders, (reader, out) => show(reader, out, 'order/16', { after: 2 }))).toContain(
    'failed    order.add {"item":"gold"}: RangeError: sold out\n',
  )
})

test('given an effect that may run again, when its stream is shown, then nobody is asked to settle it', async () => {
  const effect = stream('/a', entries(2, ['intent', { key: 'k', atMs: nowMs - 120_000, idempotent: true }]))
  const text = await output([effect], (reader, out) => show(reader, out, '/a', {}))
  expect(text).toContain("\nUnfinished: effect 'k', which began 2 min ago: it is idempotent and runs again\n")
  expect(text).not.toContain('In doubt')
})

test('given raw bodies, when a stream is shown, then they are what the journal has', async () => {
  const { body } = orders[0]!.entries[1]!
  expect(await output(orders, (reader, out) => show(reader, out, 'order/16', { raw: true }))).toContain(
    `handled   ${body}\n`,
  )
  const [, , row] = lines(
    await output(orders, (reader, out) => show(reader, out, 'order/16', { raw: true, json: true })),
  )
  expect(row).toMatchObject({ seq: 2, body })
})

test('given a narrow terminal, when a stream is shown, then a line of an entry fits into it', async () => {
  const text = await output(orders, (reader, out) => show(reader, out, 'order/16', {}), testHost({ columns: 60 }))
  const [first, second] = text.split('\n').slice(3)
  expect(first).toBe('     1  2026-01-01 22:29:58.000Z  created   order {"id":16}')
  expect(second).toBe('     2  2026-01-01 22:29:59.000Z  handled   order.add {"ite…')
})

test('given entries that no actor wrote, when they are shown, then bodies are shown and nothing steers the terminal', async () => {
  const evil = stream('/x\u001b[2J', [
    { kind: 'handled', version: 1, atMs: 0, body: '{"$":"map","v":7,"text":"\u009b31m\u202e"}' },
    { kind: 'created', version: 1, atMs: 1e300, body: 'no JSON' },
  ])
  const text = await output([evil], (reader, out) => show(reader, out, evil.stream, {}))
  expect(text).toMatch(/^\/x\\u\{1b\}\[2J\n2 entries .*\nNo actor of this version wrote it/)
  expect(text).toContain('"text":"\\u{9b}31m\\u{202e}"}')
  expect(text).toContain('  1e+300  created   no JSON\n')
  const json = await output([evil], (reader, out) => show(reader, out, evil.stream, { json: true }))
  expect(json + text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
})

test('given entries that were compacted, when a stream is shown, then what is gone is told', async () => {
  const source = memoryJournal()
  const test = testHost()
  await writing(source, async (journal) => {
    await journal.append(orders)
    await journal.compact()
    await show(journal, test, 'order/17', {})
  })
  expect(test.written.stdout).toMatch(/Entries 1 to 3 are gone: the snapshot covers them\.\n {5}4 .*received/)
})

test.each([
  ['its own name', 'a/b', ['a/b', '/durable/a/b'], 'a/b'],
  ['definition and key', 'a/b', ['/durable/a/b', '/x/a/b'], '/durable/a/b'],
  ['a path without its slash', 'a/b', ['/a/b'], '/a/b'],
  ['the end of its name', 'b', ['/durable/a/b', '/durable/a/bb'], '/durable/a/b'],
])('given %s, when a stream is asked for, then it is found', async (_what, name, names, expected) => {
  const streams = names.map((each) => stream(each, entries(1, ['created', { definition: 'a' }])))
  expect(await output(streams, (reader, out) => show(reader, out, name, {}))).toMatch(new RegExp(`^${expected}\n`))
})

test.each([
  ['nothing', 'b', ['/durable/a/c'], /^b is no stream of this journal: 'echelon journal ls'/],
  [
    'more than one',
    'b',
    ['/durable/x/b', '/durable/y/b'],
    /^b could be \/durable\/x\/b, \/durable\/y\/b: write it out/,
  ],
  ['a path and a key', 'a/b', ['/durable/a/b', '/a/b'], /^a\/b could be/],
])(
  'given a name that means %s, when a stream is asked for, then it is refused',
  async (_what, name, names, message) => {
    const streams = names.map((each) => stream(each, entries(1, ['created', { definition: 'a' }])))
    await expect(output(streams, (reader, out) => show(reader, out, name, {}))).rejects.toMatchObject({
      code: 'STREAM_UNKNOWN',
      message: expect.stringMatching(message) as unknown,
    })
  },
)

/** Follows order/16, which has three entries; `seqs` are those that were shown when it ended. */
async function following(
  options: ShowOptions,
  meanwhile: (append: (name: string, lastSeq: number, count: number) => Promise<void>, test: TestHost) => Promise<void>,
): Promise<readonly unknown[]> {
  const source = memoryJournal()
  const test = testHost()
  const journal = await source.open(host)
  await journal.append(orders)
  const waits = Promise.withResolvers<void>()
  const out = { ...test.out, flush: async () => waits.resolve() }
  const shown = reading(source, (reader) =>
    show(reader, { ...test, out }, 'order/16', { ...options, follow: true, json: true }),
  )
  await waits.promise
  await meanwhile(async (name, expectedSeq, count) => {
    const more = Array.from({ length: count }, (_, n) => ['handled', { n }] as const)
    await journal.append([stream(name, entries(0, ...more), { expectedSeq })])
  }, test)
  expect(await shown).toBe(0)
  await journal.close()
  return lines(test.written.stdout).flatMap((row) => (row as { seq?: number }).seq ?? [])
}

test('given a stream that is followed, when entries come to it and to others, then its own are shown once, until the limit', async () => {
  const seqs = await following({ after: 2, limit: 3 }, async (append) => {
    await append('/durable/order/18', 0, 2)
    await append('/durable/order/16', 3, 1)
    await append('/durable/order/16', 4, 5)
  })
  expect(seqs).toEqual([3, 4, 5])
})

test('given a stream that is followed from an entry that is still to come, then what comes after that is shown', async () => {
  const seqs = await following({ after: 5, limit: 1 }, (append) => append('/durable/order/16', 3, 4))
  expect(seqs).toEqual([6])
})

test('given a stream that is followed, when it is interrupted, then that is its end', async () => {
  const seqs = await following({ after: 3 }, async (append, test) => {
    await append('/durable/order/18', 0, 1)
    test.stop(new EndedError(130))
  })
  expect(seqs).toEqual([])
})
