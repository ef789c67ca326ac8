import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { encode } from '../../src/actors/durable/values.ts'
import type { CommandHost } from '../../src/cli/host.ts'
import { run } from '../../src/cli/program.ts'
import type { Append, EntryKind, Journal, JournalReader, JournalSource, NewEntry } from '../../src/core/journal.ts'
import { sqliteJournal } from '../../src/journal/sqlite/journal.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

/** When the command runs: 2026-01-02 in UTC. */
export const nowMs = Date.UTC(2026, 0, 2)

/** What a command wrote. */
export interface Written {
  stdout: string
  notes: string[]
  progress: string[]
}

export interface TestHost extends CommandHost {
  readonly written: Written
  readonly stop: (reason: Error) => void
}

/** A host that keeps what is written, without colours. */
export function testHost({ columns = Infinity }: { readonly columns?: number } = {}): TestHost {
  const written: Written = { stdout: '', notes: [], progress: [] }
  const controller = new AbortController()
  return {
    written,
    stop: (reason) => {
      controller.abort(reason)
    },
    clock: new VirtualClock({ epochMs: nowMs }),
    signal: controller.signal,
    out: {
      columns,
      colour: (_colour, text) => text,
      write: async (text) => {
        written.stdout += text
      },
      flush: async () => undefined,
      note: (line) => void written.notes.push(line),
      progress: (line) => void (line === '' || written.progress.push(line)),
    },
  }
}

export interface Ran extends Written {
  readonly code: number
}

/** Runs a command line in this process. */
export async function echelon(...args: readonly string[]): Promise<Ran> {
  const host = testHost()
  const code = await run(args, host)
  return { code, ...host.written }
}

export const host = { node: 'shop', clock: new VirtualClock({ epochMs: nowMs }) }

/** Runs `use` in a folder that is gone afterwards. */
export async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'echelon-cli-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Opens a journal for writing, lets `use` write, and closes it. */
export async function writing<T>(source: JournalSource, use: (journal: Journal) => Promise<T>): Promise<T> {
  const journal = await source.open(host)
  try {
    return await use(journal)
  } finally {
    await journal.close()
  }
}

/** Opens a journal for reading, lets `use` read, and closes it. */
export async function reading<T>(source: JournalSource, use: (reader: JournalReader) => Promise<T>): Promise<T> {
  const reader = await source.openReadOnly(host)
  try {
    return await use(reader)
  } finally {
    await reader.close()
  }
}

/** The same journal, some of whose methods are others. */
export function withMethods(reader: JournalReader, methods: Partial<JournalReader>): JournalReader {
  return new Proxy(reader, {
    get: (target, name) => {
      const method: unknown = Reflect.get(name in methods ? methods : target, name)
      return typeof method === 'function' ? (method.bind(target) as unknown) : method
    },
  })
}

/** Runs `use` with the path of a SQLite journal that has these streams. */
export async function withFile(appends: readonly Append[], use: (file: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const file = path.join(folder, 'app.db')
    await writing(sqliteJournal(file), (journal) => journal.append(appends))
    await use(file)
  })
}

const minute = 60_000

/** Entries as an actor writes them, a second apart, the last one `minutes` before now. */
export function entries(minutes: number, ...bodies: readonly (readonly [EntryKind, object])[]): NewEntry[] {
  return bodies.map(([kind, body], index) => ({
    ...{ kind, version: 1 },
    atMs: nowMs - minutes * minute - (bodies.length - 1 - index) * 1000,
    body: encode(body),
  }))
}

export const stream = (name: string, of: readonly NewEntry[], more: Partial<Append> = {}): Append => ({
  ...{ stream: name, expectedSeq: 0, entries: of, wakeAtMs: null },
  ...more,
})

const state = { definition: 'order', input: { id: 17 }, turns: 2, outcomes: [], seen: [], pending: [], intents: [] }

/** The body of an actor's snapshot. */
export const snapshotBody = (more: object = {}): string =>
  encode({ ...state, state: { paid: false }, timers: [], ...more })

const charge = { key: 'charge', of: 4, atMs: nowMs - 3 * minute }

/** Three streams of orders: one that is done, one with everything that can be open, one that only waits for a timer. */
export const orders: readonly Append[] = [
  stream(
    '/durable/order/16',
    entries(
      90,
      ['created', { definition: 'order', input: { id: 16 } }],
      ['handled', { message: { type: 'order.add', item: 'tea', grams: 250 } }],
      ['failed', { message: { type: 'order.add', item: 'gold' }, error: { name: 'RangeError', message: 'sold out' } }],
    ),
  ),
  stream(
    '/durable/order/17',
    [
      ...entries(
        3,
        ['created', { definition: 'order', input: { id: 17 } }],
        ['received', { id: 'm1', message: { type: 'order.add', item: 'tea' } }],
        ['handled', { of: 2, id: 'm1', digest: 1 }],
        ['received', { id: 'm2', message: { type: 'order.pay', card: 'x' } }],
        ['intent', { key: 'reserve', of: 4, atMs: nowMs - 3 * minute, idempotent: true }],
        ['outcome', { key: 'reserve', of: 4, value: { at: new Date(0) } }],
        ['intent', charge],
        ['received', { timer: 'remind', message: { type: 'order.remind' } }],
      ),
      { kind: 'outcome', version: 2, atMs: nowMs - 2 * minute, body: encode({ key: 'scan', blob: 'scan-1' }) },
    ],
    {
      snapshot: {
        ...{ seq: 3, version: 1, atMs: nowMs - 3 * minute, blobs: ['label'] },
        body: snapshotBody({
          timers: [['remind', { dueMs: nowMs + 2 * 60 * minute, message: { type: 'order.remind' } }]],
        }),
      },
      blobs: [
        { id: 'label', text: '"printed"' },
        { id: 'scan-1', text: '"pixels"' },
      ],
      wakeAtMs: nowMs - 2 * minute,
    },
  ),
  stream('/durable/reminder/a', entries(60 * 24 * 3, ['created', { definition: 'reminder' }]), {
    wakeAtMs: nowMs - 5 * minute,
  }),
]
