import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemClock } from '../../../src/core/clock.ts'
import type { Append, JournalHost } from '../../../src/core/journal.ts'
import type { Operation, StoreSetup } from '../../../src/journal/sqlite/messages.ts'
import { Store } from '../../../src/journal/sqlite/store.ts'

/** A file system in memory, where there is one: for tests that make thousands of journals, and no crash of the machine. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

interface Place extends AsyncDisposable {
  readonly folder: string
  readonly file: string
}

/** A folder of its own with the path of a journal in it, removed at the end of the test. */
export async function journalPath(where: 'disk' | 'memory' = 'disk'): Promise<Place> {
  const folder = await mkdtemp(path.join(where === 'disk' ? tmpdir() : memory, 'echelon-journal-'))
  return {
    folder,
    file: path.join(folder, 'journal.db'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

export const host = (more: Partial<JournalHost> = {}): JournalHost => ({ node: 'test', clock: systemClock, ...more })

/** A store in this thread: it is fast to open, and can be left as a crash would leave it. */
export function openStore(file: string, mode: StoreSetup['mode'], more: Partial<StoreSetup> = {}): Store {
  const setup: StoreSetup = {
    ...{ file, mode, node: 'test', takeOver: false, thread: 0, opening: 1, openings: [], nowMs: 1000 },
    ...more,
  }
  return new Store(
    setup,
    () => undefined,
    () => undefined,
  )
}

/** What the store answers to a question, all steps of it. */
export function ask(store: Store, operation: Exclude<Operation, 'close'>, ...args: readonly unknown[]): unknown {
  const steps = store.begin(operation, args)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** Everything that a reader can find, as text. */
export function contentOf(
  file: string,
  streams: readonly string[],
  blobs: readonly [stream: string, id: string][],
): string {
  const store = openStore(file, 'read')
  try {
    return JSON.stringify([
      ask(store, 'list', ''),
      ask(store, 'due', 1e9),
      ask(store, 'tail', 0),
      ask(store, 'info'),
      streams.map((stream) => [ask(store, 'load', stream), ask(store, 'read', stream, 0)]),
      blobs.map(([stream, id]) => ask(store, 'blob', stream, id)),
    ])
  } finally {
    store.close()
  }
}

/** One append of one entry for each text. */
export const append = (
  stream: string,
  expectedSeq: number,
  texts: readonly string[],
  more: Partial<Append> = {},
): Append => ({
  stream,
  expectedSeq,
  entries: texts.map((text) => ({ kind: 'handled', version: 1, atMs: 1.5, body: JSON.stringify(text) })),
  wakeAtMs: null,
  ...more,
})

/** The code of what a promise or a function fails with; `ok` for none. */
export async function codeOf(work: () => unknown): Promise<unknown> {
  try {
    await work()
    return 'ok'
  } catch (error) {
    if (error instanceof Error && 'fault' in error) return (error.fault as { readonly code: string }).code
    return error instanceof Error && 'code' in error ? error.code : error
  }
}
