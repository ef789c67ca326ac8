import { hostname } from 'node:os'
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { doctor, type DoctorOptions } from '../../src/cli/journal/doctor.ts'
import type { Append, JournalInfo, JournalReader, LeaseOwner } from '../../src/core/journal.ts'
import { memoryJournal } from '../../src/journal/memory.ts'
import { sqliteJournal } from '../../src/journal/sqlite/journal.ts'
import { echelon, entries, host, nowMs, orders, stream, testHost, withFile, withMethods, writing } from './material.ts'

/** A reader of what `appends` wrote, whose journal belongs to `owner`. */
async function owned(
  appends: readonly Append[],
  owner?: LeaseOwner,
  expiresAtMs = nowMs + 1000,
): Promise<JournalReader> {
  const source = memoryJournal()
  if (appends.length > 0) await writing(source, (journal) => journal.append(appends))
  const reader = await source.openReadOnly(host)
  const writer = owner === undefined ? undefined : { name: 'writer', owner, epoch: 7, expiresAtMs }
  const info = async (): Promise<JournalInfo> => ({ ...(await reader.info()), writer })
  return withMethods(reader, { info })
}

async function report(
  appends: readonly Append[],
  owner?: LeaseOwner,
  options: Partial<DoctorOptions> = {},
): Promise<{ readonly code: number; readonly text: string }> {
  const test = testHost()
  const code = await doctor(() => owned(appends, owner), test, { examine: 100, ...options })
  return { code, text: test.written.stdout }
}

async function findings(...args: Parameters<typeof report>): Promise<string[]> {
  const { code, text } = await report(args[0], args[1], { ...args[2], json: true })
  const { findings: all } = JSON.parse(text) as {
    readonly findings: { readonly code: string; readonly level: string }[]
  }
  expect(code).toBe(all.some(({ level }) => level === 'problem') ? 1 : 0)
  return all.map((finding) => `${finding.level} ${finding.code}`)
}

/** This very process, which surely runs; and one that surely does not any more. */
const living: LeaseOwner = { node: 'shop', host: hostname(), pid: process.pid }
const gone: LeaseOwner = { ...living, pid: spawnSync(process.execPath, ['-e', '']).pid }

test('given a journal that nobody writes to, when the doctor looks, then it reads like this', async () => {
  expect(await report(orders)).toEqual({
    code: 1,
    text: `Journal  memory (memory, format 1)
Size     863 B
Content  3 streams, 13 entries
Writer   nobody
Actors   order v1, v2: 2 streams
         reminder v1: 1 stream

Problem: 1 effect with an intent and no outcome, such as 'charge' of /durable/order/17, which began 3 min ago.
  Nobody knows whether they ran: 'echelon journal show' says what to do.
Note: 1 stream with a timer that is due, the oldest for 5 min: /durable/reminder/a.
  They tick when the program runs.
Note: 1 stream with messages that are not handled, the oldest for 3 min: /durable/order/17.
  They go on when a program runs that has their definitions. If one does: did they fail?
`,
  })
})

test('given a journal, when the doctor looks for a program, then all facts have stable names', async () => {
  const { text } = await report(orders, gone, { json: true })
  expect(JSON.parse(text)).toEqual({
    kind: 'memory',
    location: 'memory',
    formatVersion: 1,
    bytes: 863,
    walBytes: null,
    freeBytes: null,
    streams: 3,
    entries: 13,
    examined: 3,
    writer: { ...gone, epoch: 7, isAlive: false },
    definitions: [
      { definition: 'order', streams: 2, versions: [1, 2] },
      { definition: 'reminder', streams: 1, versions: [1] },
    ],
    unfinished: { count: 1, oldestAtMs: nowMs - 184_000, some: ['/durable/order/17'] },
    overdue: { count: 1, oldestAtMs: nowMs - 300_000, some: ['/durable/reminder/a'] },
    longTails: { count: 0, oldestAtMs: null, some: [] },
    foreign: { count: 0, oldestAtMs: null, some: [] },
    inDoubt: {
      count: 1,
      oldestAtMs: nowMs - 180_000,
      some: [
        {
          stream: '/durable/order/17',
          key: 'charge',
          idempotencyKey: 'fbabce09be6b2ce1d6ed4268de951cd2',
          atMs: nowMs - 180_000,
          idempotent: false,
        },
      ],
    },
    findings: expect.any(Array) as unknown,
  })
})

const quiet = stream('/durable/a/1', entries(1, ['created', { definition: 'a' }]))
const timerDue = (seconds: number): Append => ({ ...quiet, wakeAtMs: nowMs - seconds * 1000 })
const long = (count: number): Append =>
  stream(
    '/durable/a/1',
    entries(
      1,
      ['created', { definition: 'a' }],
      ...Array.from({ length: count - 1 }, () => ['handled', { message: { type: 'a.b' } }] as const),
    ),
  )
const doubtful = stream(
  '/durable/a/1',
  entries(1, ['created', { definition: 'a' }], ['intent', { key: 'k', atMs: nowMs }]),
  { wakeAtMs: nowMs },
)
const repeatable = stream(
  '/durable/a/1',
  entries(1, ['created', { definition: 'a' }], ['intent', { key: 'k', atMs: nowMs, idempotent: true }]),
  { wakeAtMs: nowMs },
)
const failedInDoubt = stream(
  '/durable/a/1',
  entries(
    1,
    ['created', { definition: 'a' }],
    ['received', { message: { type: 'a.b' } }],
    ['intent', { key: 'k', of: 2, atMs: nowMs }],
    ['failed', { of: 2, error: { name: 'Error', message: 'no' } }],
  ),
)

test.each<[string, readonly Append[], LeaseOwner | undefined, readonly string[]]>([
  ['nothing in it', [], undefined, []],
  ['quiet streams and a living writer', [quiet], living, []],
  ['a writer that is gone', [quiet], gone, ['note writer-gone']],
  ['a writer on another machine', [quiet], { ...gone, host: 'elsewhere' }, []],
  ['a timer that is due, and nobody to wake for it', [timerDue(1)], undefined, ['note timers-due']],
  ['a timer that was due just now, and a living writer', [timerDue(59)], living, []],
  ['a timer that a living writer does not wake for', [timerDue(60)], living, ['problem timers-overdue']],
  ['an effect that may be running', [doubtful], living, ['note effects-open']],
  ['an effect in doubt', [doubtful], undefined, ['problem effects-in-doubt']],
  ['an effect of a writer that is gone', [doubtful], gone, ['problem effects-in-doubt', 'note writer-gone']],
  ['an effect that simply runs again', [repeatable], undefined, []],
  ['an effect in doubt of a message that was given up', [failedInDoubt], undefined, ['problem effects-in-doubt']],
  ['nearly too many entries without a snapshot', [long(999)], undefined, []],
  ['too many entries without a snapshot', [long(1000)], undefined, ['note long-tails']],
  ['a stream of something else', [stream('/x', entries(1, ['created', { x: 1 }]))], undefined, ['note foreign']],
])(
  'given a journal with %s, when the doctor looks, then it finds just that',
  async (_what, appends, owner, expected) => {
    expect(await findings(appends, owner)).toEqual(expected)
  },
)

test('given more streams than are to be looked into, when the doctor looks, then those that are due come first, and it says so', async () => {
  const many = Array.from({ length: 30 }, (_, n) =>
    stream(`/durable/a/${n}`, entries(1, ['created', { definition: 'a' }])),
  )
  const due = { ...doubtful, stream: '/z' }
  expect(await findings([...many, due], undefined, { examine: 1 })).toEqual([
    'problem effects-in-doubt',
    'note not-examined',
  ])
  expect((await report([...many, due], undefined, { examine: 1 })).text).toContain('1 of 31 streams were looked into.')
  expect(await findings([...many, due], undefined, { examine: 31 })).toEqual(['problem effects-in-doubt'])
})

test('given a file with a writer, when the doctor looks beside it, then it says who it is and how full the disk is', async () => {
  await withFile(orders, async (file) => {
    const journal = await sqliteJournal(file).open(host)
    const { code, stdout } = await echelon('journal', 'doctor', file)
    await journal.close()
    expect(stdout).toMatch(
      new RegExp(`^Journal  ${file} \\(sqlite, format 1\\)\nSize     \\d+ kB, its log [\\d.]+ k?B, free \\d+ [GTM]B\n`),
    )
    expect(stdout).toContain(`Writer   process ${process.pid} on ${hostname()}, node 'shop', epoch 3: running\n`)
    expect(stdout).toMatch(
      /\n\nProblem: 1 stream with a timer that is due.*\nNote: 1 effect with an intent and no outcome/s,
    )
    expect(code).toBe(1)
  })
})
