import type { Append, Journal, JournalEntry, JournalReader, NewEntry, Snapshot } from '../../../src/core/journal.ts'
import { hostOf, type BenchOptions, type JournalSubject } from './subject.ts'

export const entry = (body: unknown, more: Partial<NewEntry> = {}): NewEntry => ({
  kind: 'handled',
  version: 1,
  atMs: 1_000,
  body: JSON.stringify(body),
  ...more,
})

/** An append of one entry for each body. */
export const append = (
  stream: string,
  expectedSeq: number,
  bodies: readonly unknown[],
  more: Partial<Append> = {},
): Append => ({ stream, expectedSeq, entries: bodies.map((body) => entry(body)), wakeAtMs: null, ...more })

export const snapshot = (seq: number, more: Partial<Snapshot> = {}): Snapshot => ({
  seq,
  version: 1,
  atMs: 2_000,
  body: JSON.stringify({ upTo: seq }),
  blobs: [],
  ...more,
})

/** Runs `use` on a fresh journal that is open for writing, and closes it. */
export async function withJournal(
  subject: JournalSubject,
  use: (journal: Journal, bench: Awaited<ReturnType<JournalSubject['fresh']>>) => Promise<void>,
  options: BenchOptions = {},
): Promise<void> {
  await using bench = await subject.fresh(options)
  const journal = await bench.source.open(hostOf(bench))
  try {
    await use(journal, bench)
  } finally {
    await journal.close()
  }
}

/** All entries of a stream that are left, in as many pages as they take. */
export async function readAll(journal: JournalReader, stream: string, afterSeq = 0): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = []
  for (;;) {
    const page = await journal.read(stream, entries.at(-1)?.seq ?? afterSeq)
    if (page.length === 0) return entries
    entries.push(...page)
  }
}

/** The values in the bodies of a stream's entries. */
export async function bodiesOf(journal: JournalReader, stream: string): Promise<readonly unknown[]> {
  return (await readAll(journal, stream)).map(({ body }) => JSON.parse(body) as unknown)
}

/** The first `count` entries that a tail gives. */
export async function take(tail: AsyncIterable<JournalEntry>, count: number): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = []
  if (count === 0) return entries
  for await (const next of tail) {
    entries.push(next)
    if (entries.length === count) break
  }
  return entries
}

/** How a promise ended: `ok`, or the code of what it rejected with. */
export async function ending(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'ok'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

/** Ascending as UTF-8 bytes: how every adapter sorts names. */
export const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
