import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as z from 'zod'
import { defineActor, message, question, systemClock, type ActorContext, type EffectOptions } from 'echelon'
import {
  JournalFailedError,
  JournalFullError,
  memoryJournal,
  sqliteJournal,
  type Append,
  type Journal,
  type JournalSource,
} from 'echelon/journal'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { exportType, exportVersion } from '../../src/cli/journal/export-format.ts'
import { exportJournal } from '../../src/cli/journal/export.ts'
import { importJournal } from '../../src/cli/journal/import.ts'
import { findStream } from '../../src/cli/journal/streams.ts'
import { testHost } from '../cli/material.ts'

// Bad input for the durable parts, one provocation for each error code. See test/errors.test.ts.

const host = { node: 'test', clock: systemClock }

const append = (stream: string, expectedSeq: number, body = '{}'): Append => ({
  stream,
  expectedSeq,
  entries: [{ kind: 'handled', version: 1, atMs: 0, body }],
  wakeAtMs: null,
})

async function rejectionOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error
  }
  return new Error('it did not fail')
}

/** What `use` of an open journal rejects with. */
async function inJournal(use: (journal: Journal) => Promise<unknown>, source = memoryJournal()): Promise<unknown> {
  const journal = await source.open(host)
  try {
    return await rejectionOf(() => use(journal))
  } finally {
    await journal.close().catch(() => undefined)
  }
}

const never = new Promise<never>(() => undefined)
const temporaryFile = (name: string): string => path.join(mkdtempSync(path.join(tmpdir(), 'echelon-errors-')), name)

type Context = ActorContext & { readonly reply: (answer: unknown) => void; readonly state: unknown }

const worker = (run: (context: Context) => unknown, version = 1) =>
  defineActor({
    name: 'worker',
    durable: { version, maxResultBytes: 100, inlineResultBytes: 10 },
    protocol: { go: question({ round: z.int().default(1) }, z.unknown()), note: message() },
    state: () => ({ rounds: 0 }),
    on: {
      go: async (context) => {
        // Its answer may be anything.
        const asked = context as unknown as Context
        const answer = await run(asked)
        asked.reply(answer)
        return { rounds: context.state.rounds + 1 }
      },
      note: () => undefined,
    },
  })

/** The failure of a durable actor that does `run`; with `after`, of the next process, after the first one was killed. */
async function failureOf(
  run: (context: Context) => unknown,
  after?: { readonly run: (context: Context) => unknown; readonly version?: number },
): Promise<unknown> {
  // Nobody closes it, as when a process is killed.
  const journal = memoryJournal({ takeOver: true })
  const failures: unknown[] = []
  const live = async (definition: ReturnType<typeof worker>): Promise<void> => {
    const t = await createTestRuntime({ journal })
    t.runtime.on('failed', ({ error }) => failures.push(error))
    t.runtime
      .get(definition, 'a')
      .ask({ type: 'go' })
      .catch(() => undefined)
    await t.advance(100)
  }
  await live(worker(run))
  if (after === undefined) return failures[0]
  await live(worker(after.run, after.version))
  return failures[0]
}

const effect = (result: () => unknown, options: EffectOptions = {}) =>
  failureOf((context) => context.effect('call', result, options))

async function withSource<T>(source: JournalSource, use: (t: TestRuntime) => Promise<T>): Promise<T> {
  await using t = await createTestRuntime({ journal: source })
  return await use(t)
}

export const durableProvocations: Readonly<Record<string, (t: TestRuntime) => unknown>> = {
  DOUBT_LIMIT: async () => {
    const journal = memoryJournal()
    const hang = defineActor({
      name: 'hang',
      durable: true,
      protocol: { go: message() },
      on: {
        go: async (context) => {
          await Promise.all(Array.from({ length: 1001 }, (_, n) => context.effect(`call-${n}`, () => never)))
        },
      },
    })
    await withSource(journal, async (t) => {
      t.runtime.get(hang, 'a').tell({ type: 'go' })
      await t.settle()
      t.runtime.get(hang, 'a').kill()
    })
    await using t = await createTestRuntime({ journal })
    const failures: unknown[] = []
    t.runtime.on('failed', ({ error }) => failures.push(error))
    t.runtime.get(hang, 'a').tell({ type: 'go' })
    await t.settle()
    return failures[0]
  },
  EFFECT_FAILED: () => effect(() => Promise.reject(new Error('no'))),
  EFFECT_RESULT_TOO_LARGE: async () => {
    const failure = await effect(() => 'x'.repeat(200))
    const { EffectResultTooLargeError } = await import('echelon')
    // In a handler it comes as the failure of the effect, with this code.
    const { code } = (failure as { readonly failure: { readonly code: string } }).failure
    return Object.assign(new EffectResultTooLargeError('call', 202, 100), { code })
  },
  EFFECT_TIMEOUT: async () => {
    const failure = await effect(() => never, { timeoutMs: 10 })
    const { EffectTimeoutError } = await import('echelon')
    const { code } = (failure as { readonly failure: { readonly code: string } }).failure
    return Object.assign(new EffectTimeoutError('call', 10), { code })
  },
  ENTRY_TOO_LARGE: () =>
    inJournal((journal) => journal.append([append('/a', 0, 'x'.repeat(20))]), memoryJournal({ maxEntryBytes: 10 })),
  EXPORT_INVALID: async () => {
    const file = temporaryFile('cut.jsonl')
    writeFileSync(file, `{"type":"${exportType}","version":${exportVersion}}\n`)
    return inJournal((journal) => importJournal(file, () => Promise.resolve(journal), testHost(), {}))
  },
  EXPORT_OVERTAKEN: () =>
    inJournal(async (journal) => {
      await journal.append([append('/a', 0)])
      const reader = Object.assign(Object.create(journal) as Journal, {
        load: async (stream: string) => ({ ...(await journal.load(stream)), entries: [] }),
        read: () => Promise.resolve([]),
        list: journal.list.bind(journal),
        info: journal.info.bind(journal),
      })
      await exportJournal(reader, testHost(), {})
    }),
  JOURNAL_CLOSED: () =>
    inJournal(async (journal) => {
      await journal.close()
      await journal.append([append('/a', 0)])
    }),
  JOURNAL_CONFLICT: () => inJournal((journal) => journal.append([append('/a', 5)])),
  JOURNAL_CORRUPT: () => inJournal((journal) => journal.blob('/a', 'nothing')),
  JOURNAL_FAILED: () =>
    inJournal(
      (journal) => journal.append([append('/a', 0)]),
      memoryJournal({
        beforeCommit: () => {
          throw new JournalFailedError('memory', 'the disk broke')
        },
      }),
    ),
  JOURNAL_FENCED: () => {
    const source = memoryJournal({ takeOver: true })
    return inJournal(async (journal) => {
      const next = await source.open(host)
      await journal.append([append('/a', 0)]).finally(() => next.close())
    }, source)
  },
  JOURNAL_FORMAT: () => {
    const file = temporaryFile('letter.db')
    writeFileSync(file, 'Dear reader, this is no journal. '.repeat(100))
    return rejectionOf(() => sqliteJournal(file).open(host))
  },
  JOURNAL_FULL: async () => {
    const source = memoryJournal({
      beforeCommit: () => {
        throw new JournalFullError('memory')
      },
    })
    await using t = await createTestRuntime({ journal: source })
    const told = t.runtime.get(
      worker(() => 1),
      'a',
    )
    return await rejectionOf(() => t.until(told.tell({ type: 'note' }, { durable: true })))
  },
  JOURNAL_LOCKED: () => {
    const source = memoryJournal()
    return inJournal(() => source.open(host), source)
  },
  JOURNAL_MISSING: (t) => {
    try {
      return t.runtime.get(
        worker(() => 1),
        'a',
      )
    } catch (error) {
      return error
    }
  },
  JOURNAL_OVERLOADED: () =>
    inJournal(
      async (journal) => {
        await Promise.all([journal.append([append('/a', 0, '1234')]), journal.append([append('/b', 0, '12345678')])])
      },
      memoryJournal({ maxWaitingBytes: 10 }),
    ),
  LEASE_HELD: () => {
    const source = memoryJournal({ takeOver: true })
    return inJournal(async (journal) => {
      await journal.acquire('crown', { ttlMs: 60_000 })
      const other = await source.open({ ...host, node: 'other' })
      await other.acquire('crown', { ttlMs: 60_000 }).finally(() => other.close())
    }, source)
  },
  NOT_DURABLE: (t) => {
    const plain = defineActor({ name: 'plain', protocol: { note: message() }, on: { note: () => undefined } })
    return rejectionOf(() => t.runtime.spawn(plain).tell({ type: 'note' }, { durable: true }))
  },
  NOT_REPLAYABLE: () => failureOf(({ spawn }) => spawn(defineActor({ name: 'child', protocol: {}, on: {} }))),
  NOT_SERIALIZABLE: async () => {
    await using t = await createTestRuntime({ journal: memoryJournal() })
    const keeper = defineActor({
      name: 'keeper',
      durable: true,
      protocol: { keep: message({ value: z.unknown() }) },
      on: { keep: () => undefined },
    })
    const told = t.runtime.get(keeper, 'a').tell({ type: 'keep', value: () => 1 }, { durable: true })
    return await t.until(rejectionOf(() => told))
  },
  REPLAY_DIVERGED: () =>
    failureOf((context) => context.effect('one', () => 1), { run: (context) => context.effect('two', () => 1) }),
  STREAM_MISMATCH: async () => {
    const journal = memoryJournal()
    const open = await journal.open(host)
    await open.append([
      {
        stream: '/durable/worker/a',
        expectedSeq: 0,
        entries: [{ kind: 'created', version: 1, atMs: 0, body: '{"definition":"somebody"}' }],
        wakeAtMs: null,
      },
    ])
    await open.close()
    return withSource(journal, async (t) => {
      const failures: unknown[] = []
      t.runtime.on('failed', ({ error }) => failures.push(error))
      t.runtime
        .get(
          worker(() => 1),
          'a',
        )
        .tell({ type: 'note' })
      await t.settle()
      return failures[0]
    })
  },
  STREAM_UNKNOWN: () => inJournal((journal) => findStream(journal, 'nobody')),
  VERSION_MISMATCH: () => failureOf(() => 1, { run: () => 1, version: 2 }),
}
