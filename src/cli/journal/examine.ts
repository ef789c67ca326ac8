import { openEntry, openSnapshot, type OpenEntry } from '../../actors/durable/bodies.ts'
import { idempotencyKeyOf } from '../../actors/durable/attempts.ts'
import { Ledger } from '../../actors/durable/ledger.ts'
import type { JournalReader } from '../../core/journal.ts'
import { entriesOf } from './streams.ts'

/** An effect that has an intent and no outcome. `idempotent`: it simply runs again, nobody has to say what came of it. */
export interface OpenEffect {
  readonly key: string
  readonly idempotencyKey: string
  readonly atMs: number
  readonly idempotent: boolean
}

/** What a stream says about its actor as of its last entry. */
export interface Examined {
  readonly definition: string | undefined
  /** Of the definition: those that what is left was written by. */
  readonly versions: readonly number[]
  /** Messages that are neither handled nor given up, and when they came: with the snapshot, if their entry is gone. */
  readonly pending: readonly { readonly seq: number; readonly type: string; readonly atMs: number }[]
  readonly effects: readonly OpenEffect[]
  /** Those of the snapshot that are still to come. Which ones were set since, only a replay can tell. */
  readonly timers: readonly { readonly key: string; readonly type: string; readonly dueMs: number }[]
  /** Why it is not the stream of an actor. */
  readonly foreign: string | undefined
}

/** A body that is not as an actor writes it. */
export class ForeignError extends Error {}

/** What `open` reads. @throws {ForeignError} whatever is wrong with it. */
export function orForeign<Opened>(open: () => Opened): Opened {
  try {
    return open()
  } catch (error) {
    throw new ForeignError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** Goes through what brings an actor back, without its code. One page of entries is in memory at a time. */
export async function examine(reader: JournalReader, stream: string, signal: AbortSignal): Promise<Examined> {
  const { snapshot, entries, lastSeq } = await reader.load(stream)
  const versions = new Set<number>()
  const arrivedMs = new Map<number, number>()
  let ledger = new Ledger('', undefined, 1)
  let foreign: string | undefined
  try {
    if (snapshot !== undefined) {
      const body = orForeign(() => openSnapshot(stream, snapshot.body))
      ledger = Ledger.from(body, 1)
      versions.add(snapshot.version)
      for (const [seq] of body.pending) arrivedMs.set(seq, snapshot.atMs)
    }
    for await (const entry of entriesOf(reader, stream, snapshot?.seq ?? 0, { page: entries, lastSeq })) {
      signal.throwIfAborted()
      const opened = orForeign(() => openEntry(entry))
      apply(ledger, opened)
      versions.add(entry.version)
      if (opened.kind === 'received') arrivedMs.set(entry.seq, entry.atMs)
      if ((opened.kind === 'handled' || opened.kind === 'failed') && opened.body.of !== undefined)
        arrivedMs.delete(opened.body.of)
    }
  } catch (error) {
    if (!(error instanceof ForeignError)) throw error
    foreign = error.message
  }
  return {
    definition: ledger.definition === '' ? undefined : ledger.definition,
    versions: [...versions].sort((a, b) => a - b),
    pending: Array.from(ledger.pending, ([seq, { message }]) => {
      return { seq, type: message.type, atMs: arrivedMs.get(seq) ?? 0 }
    }),
    effects: Array.from(ledger.intents.values(), ({ key, atMs, idempotent = false }) => {
      return { key, idempotencyKey: idempotencyKeyOf(stream, key), atMs, idempotent }
    }),
    timers: Array.from(ledger.timers, ([key, { dueMs, message }]) => ({ key, type: message.type, dueMs })),
    foreign,
  }
}

function apply(ledger: Ledger, { kind, seq, atMs, body }: OpenEntry): void {
  switch (kind) {
    case 'created':
      ledger.definition = body.definition
      break
    case 'received':
      ledger.received(seq, body)
      break
    case 'handled':
      ledger.handled(body, atMs, undefined)
      break
    case 'failed':
      ledger.failed(body, atMs)
      break
    case 'intent':
      ledger.intent(body)
      break
    case 'outcome':
      ledger.outcome(body)
      break
    default:
      kind satisfies never
  }
}
