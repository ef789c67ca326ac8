import { statfsSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import type { JournalInfo, JournalReader, LeaseOwner } from '../../core/journal.ts'
import type { CommandHost } from '../host.ts'
import { examine, type OpenEffect } from './examine.ts'
import { streamsOf } from './streams.ts'

/** Entries since the snapshot from which on a stream takes long to bring back: ten times what actors let come together. */
export const longTail = 1000
/** Streams and effects that are named at most; all are counted. */
const mostNamed = 20

/** Things of which something is the case: how many, since when, and the first ones. */
export interface Group<Item = string> {
  readonly count: number
  readonly oldestAtMs: number | null
  readonly some: readonly Item[]
}

/** What there is to know about a journal. `docs/guides/journal-command.md` has the fields. */
export interface Survey {
  readonly info: JournalInfo
  /** Bytes of the log of SQLite, and those that are free on its disk. */
  readonly file: { readonly walBytes: number; readonly freeBytes: number } | undefined
  /** Whether the process that writes to it lives. Undefined when there is none, or on another machine. */
  readonly isWriterAlive: boolean | undefined
  readonly streams: number
  /** Those that were looked into. */
  readonly examined: number
  readonly definitions: readonly {
    readonly definition: string
    readonly streams: number
    readonly versions: readonly number[]
  }[]
  /** Streams with messages that are not handled; those with nothing but a timer whose time has passed. */
  readonly unfinished: Group
  readonly overdue: Group
  readonly longTails: Group
  /** Streams that no actor wrote. */
  readonly foreign: Group
  /** Effects with an intent and no outcome that are not idempotent. */
  readonly inDoubt: Group<OpenEffect & { readonly stream: string }>
}

class Gathering<Item> implements Group<Item> {
  count = 0
  oldestAtMs: number | null = null
  readonly some: Item[] = []

  add(item: Item, atMs: number): void {
    this.count += 1
    this.oldestAtMs = Math.min(this.oldestAtMs ?? atMs, atMs)
    if (this.some.length < mostNamed) this.some.push(item)
  }
}

/** Looks into at most `most` streams: those that are due first, since they are the ones with something to do. */
export async function survey(reader: JournalReader, host: CommandHost, most: number): Promise<Survey> {
  const { clock, signal, out } = host
  const nowMs = clock.wallNow()
  const info = await reader.info()
  const inDoubt = new Gathering<OpenEffect & { readonly stream: string }>()
  const unfinished = new Gathering<string>()
  const overdue = new Gathering<string>()
  const longTails = new Gathering<string>()
  const foreign = new Gathering<string>()
  const definitions = new Map<string, { streams: number; readonly versions: Set<number> }>()
  const known = new Set<string>()

  const look = async (stream: string, atMs: number, wakeAtMs: number | null): Promise<void> => {
    known.add(stream)
    out.progress(`${known.size} streams looked into`)
    const { definition, versions, pending, effects, foreign: problem } = await examine(reader, stream, signal)
    if (problem !== undefined || definition === undefined) {
      foreign.add(stream, atMs)
      return
    }
    const seen = definitions.get(definition) ?? { streams: 0, versions: new Set() }
    definitions.set(definition, seen)
    seen.streams += 1
    for (const version of versions) seen.versions.add(version)
    for (const effect of effects) if (!effect.idempotent) inDoubt.add({ stream, ...effect }, effect.atMs)
    if (pending.length > 0)
      unfinished.add(
        stream,
        pending.reduce((first, message) => Math.min(first, message.atMs), Infinity),
      )
    // A chart is due for effects of its own too.
    else if (wakeAtMs !== null && wakeAtMs <= nowMs && effects.length === 0) overdue.add(stream, wakeAtMs)
  }

  // What is unfinished has no time of its own.
  for (const { stream, wakeAtMs } of await reader.due(nowMs, { limit: most }))
    await look(stream, wakeAtMs || nowMs, wakeAtMs)
  let streams = 0
  for await (const { stream, lastSeq, snapshotSeq, atMs, wakeAtMs } of streamsOf(reader, { signal })) {
    streams += 1
    if (lastSeq - snapshotSeq >= longTail) longTails.add(stream, atMs)
    if (known.size < most && !known.has(stream)) await look(stream, atMs, wakeAtMs)
  }
  return {
    ...{ info, streams, examined: known.size, unfinished, overdue, longTails, foreign, inDoubt },
    file: info.kind === 'sqlite' ? fileFacts(info.location) : undefined,
    isWriterAlive: info.writer === undefined ? undefined : isAlive(info.writer.owner),
    definitions: Array.from(definitions, ([definition, seen]) => {
      return { definition, streams: seen.streams, versions: [...seen.versions].sort((a, b) => a - b) }
    }).sort((a, b) => b.streams - a.streams),
  }
}

function fileFacts(file: string): Survey['file'] {
  const { bavail, bsize } = statfsSync(path.dirname(file))
  return { walBytes: statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0, freeBytes: bavail * bsize }
}

function isAlive({ host, pid }: LeaseOwner): boolean | undefined {
  if (host !== hostname()) return undefined
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
