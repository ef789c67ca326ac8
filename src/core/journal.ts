import type { Clock } from './clock.ts'

/**
 * The port for what is remembered. A journal is many streams, one for each durable actor, each an ordered list of
 * entries. Acknowledged means on disk: a promise of `append` resolves when the entries survive the loss of the process
 * and of the power.
 *
 * Bodies are JSON text: adapters keep them and give them back, and never look inside.
 */

/**
 * What an entry says of its actor.
 *
 * `created`: its definition and input, the first entry of a stream. `received`: a message is on disk and not handled
 * yet. `handled`: a message was handled, and the state is the one after it. `failed`: a message was given up.
 * `intent`: an effect is about to run. `outcome`: how an effect ended.
 */
export type EntryKind = 'created' | 'received' | 'handled' | 'failed' | 'intent' | 'outcome'

export interface NewEntry {
  readonly kind: EntryKind
  /** Version of the definition that wrote it. */
  readonly version: number
  /** Epoch milliseconds. */
  readonly atMs: number
  /** JSON. */
  readonly body: string
}

export interface JournalEntry extends NewEntry {
  readonly stream: string
  /** Counts the entries of its stream, from 1, without gaps. */
  readonly seq: number
  /** Place among all entries of the journal: ascends, with gaps. */
  readonly position: number
}

/** State of a stream as it was after an entry, so that the entries up to there need not be read again. */
export interface Snapshot {
  /** Last entry that it covers. */
  readonly seq: number
  readonly version: number
  readonly atMs: number
  /** JSON. */
  readonly body: string
  /** Ids of the blobs of older entries that are still needed with it. */
  readonly blobs: readonly string[]
}

/** A value too large for an entry, which names it by its id. */
export interface Blob {
  /** Unique in its stream. */
  readonly id: string
  readonly text: string
}

/** What one stream gets. All of it is on disk together, or nothing is. */
export interface Append {
  readonly stream: string
  /** `seq` of the last entry that the writer knows of; 0 when there is none. */
  readonly expectedSeq: number
  /**
   * Begins a stream as if its entries from 1 to this one had been compacted away: to put back one that was. The stream
   * does not exist yet (`JOURNAL_CONFLICT`), `expectedSeq` is the same, and the snapshot of this append covers this entry
   * at least (`DEFINITION_INVALID`). 1 or more.
   */
  readonly baseSeq?: number | undefined
  /** May be empty when there is a snapshot. */
  readonly entries: readonly NewEntry[]
  /** Replaces the one before. Its `seq` is at most that of the last entry. */
  readonly snapshot?: Snapshot | undefined
  readonly blobs?: readonly Blob[] | undefined
  /** When the stream wants its actor back at the latest, in epoch milliseconds: for a timer, or for unfinished work. `null`: not by itself. */
  readonly wakeAtMs: number | null
  /** Checked as the entries are written: an append under a lease that somebody else has by now is refused. */
  readonly lease?: Lease | undefined
}

/** What it takes to bring an actor back. */
export interface Loaded {
  /** 0 for a stream that does not exist. */
  readonly lastSeq: number
  readonly wakeAtMs: number | null
  readonly snapshot: Snapshot | undefined
  /** Entries after the snapshot, as many as fit into a page; the rest by `read`. */
  readonly entries: readonly JournalEntry[]
}

export interface StreamInfo {
  readonly stream: string
  readonly lastSeq: number
  /** Epoch milliseconds of the last entry; of the snapshot for a stream that began with `baseSeq` and has no entry since. */
  readonly atMs: number
  /** Last entry that its snapshot covers; 0 without one. */
  readonly snapshotSeq: number
  readonly wakeAtMs: number | null
}

export interface Due {
  readonly stream: string
  readonly wakeAtMs: number
}

export interface LeaseOwner {
  readonly node: string
  readonly host: string
  readonly pid: number
}

/** The right to write what `name` stands for. Its epoch ascends with every owner: a writer with an older one is fenced. */
export interface Lease {
  readonly name: string
  readonly owner: LeaseOwner
  readonly epoch: number
  /** Epoch milliseconds: from then on somebody else may have it. Safety rests on the epoch alone, never on this. */
  readonly expiresAtMs: number
}

export interface LeaseOptions {
  /** Milliseconds until it expires, unless it is renewed. */
  readonly ttlMs: number
  /** Takes it from whoever has it, who is fenced from then on. Default false. */
  readonly takeOver?: boolean
}

export interface Problem {
  /** `stream 7 at 12`, `snapshot of …`, `file`. */
  readonly where: string
  readonly problem: string
}

export interface VerifyReport {
  readonly streams: number
  readonly entries: number
  readonly snapshots: number
  readonly problems: readonly Problem[]
}

export interface CompactReport {
  /** That were looked at, whether or not there was something to remove: all of the journal, or the one that was asked for. */
  readonly streams: number
  readonly entriesRemoved: number
  readonly blobsRemoved: number
  /** Bytes of the store before and after; equal for a store that has no size of its own. */
  readonly bytesBefore: number
  readonly bytesAfter: number
}

export interface JournalInfo {
  /** `memory`, `sqlite`, `postgres`. */
  readonly kind: string
  /** Where it is, without secrets. */
  readonly location: string
  readonly formatVersion: number
  readonly streams: number
  readonly entries: number
  readonly bytes: number
  readonly writer: Lease | undefined
}

export interface Page {
  /** Default 1,000. */
  readonly limit?: number
}

/** A journal that is open for reading. Every promise may also reject with `JOURNAL_FAILED`, `JOURNAL_CORRUPT` or `JOURNAL_CLOSED`. */
export interface JournalReader {
  load(stream: string): Promise<Loaded>
  /** Entries with a `seq` above `afterSeq`, ascending, at most `limit` and at most a few MiB. Compacted ones are gone. */
  read(stream: string, afterSeq: number, page?: Page): Promise<readonly JournalEntry[]>
  /** All entries after a position as they were and will be written, until `signal` aborts. Only what is on disk. */
  tail(afterPosition: number, options?: { readonly signal?: AbortSignal }): AsyncIterable<JournalEntry>
  /** Rejects with `JOURNAL_CORRUPT` when there is none of this id. */
  blob(stream: string, id: string): Promise<string>
  /** Streams whose name begins with `prefix`, ascending by name from after `afterStream` on. */
  list(options?: Page & { readonly prefix?: string; readonly afterStream?: string }): Promise<readonly StreamInfo[]>
  /** Streams that want to be woken at `beforeMs` or earlier, earliest first. */
  due(beforeMs: number, page?: Page): Promise<readonly Due[]>
  /** Reads everything and checks it. */
  verify(options?: { readonly signal?: AbortSignal }): Promise<VerifyReport>
  info(): Promise<JournalInfo>
  /** Writes what waits, and gives everything back. Rejects for what could not be written. */
  close(): Promise<void>
}

/** A journal that is open for writing: one writer at a time. */
export interface Journal extends JournalReader {
  /** Bytes of UTF-8 that an entry, a snapshot or a blob may have. */
  readonly maxEntryBytes: number
  /**
   * Appends to one stream or to several, atomically. Resolves when all of it is on disk. Appends that are made while
   * others are on their way share one write to the disk. Rejects with `JOURNAL_CONFLICT` (a stream has another last
   * entry than the writer knows of, or is there already), `JOURNAL_FENCED` (another writer took over), `JOURNAL_FULL` (no space: nothing was
   * written, the same append may succeed later), `JOURNAL_OVERLOADED` (too much is waiting to be written),
   * `ENTRY_TOO_LARGE`.
   */
  append(appends: readonly Append[]): Promise<void>
  /** Removes the entries that snapshots cover and the blobs that nothing needs, of one stream or of all. */
  compact(options?: { readonly stream?: string }): Promise<CompactReport>
  /** Rejects with `LEASE_HELD` while somebody else has it. */
  acquire(name: string, options: LeaseOptions): Promise<Lease>
  /** The same lease, expiring later. Rejects with `JOURNAL_FENCED` when somebody else has it by now. */
  renew(lease: Lease, ttlMs: number): Promise<Lease>
  release(lease: Lease): Promise<void>
}

/** What a journal needs from whoever opens it. */
export interface JournalHost {
  readonly node: string
  readonly clock: Clock
  /** How far a long opening or recovery is: `done` of `total` units of `what`. */
  readonly onProgress?: (progress: { readonly what: string; readonly done: number; readonly total: number }) => void
  /** The journal can write no more: with `JOURNAL_FAILED` or `JOURNAL_FENCED`. Called once. */
  readonly onFailed?: (error: Error) => void
}

/** A journal that is not open yet: plain data, safe to import. Made by `memoryJournal`, `sqliteJournal`, `postgresJournal`. */
export interface JournalSource {
  readonly kind: 'journal'
  /** Opens it for writing, and makes it when it is not there. Rejects with `JOURNAL_LOCKED`, `JOURNAL_FORMAT`, `JOURNAL_CORRUPT` or `JOURNAL_FAILED`. */
  open(host: JournalHost): Promise<Journal>
  /** Opens what is there for reading, beside a process that writes. Rejects with `JOURNAL_FORMAT`, `JOURNAL_CORRUPT` or `JOURNAL_FAILED`. */
  openReadOnly(host: JournalHost): Promise<JournalReader>
}
