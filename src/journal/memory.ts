import { hostname } from 'node:os'
import {
  JournalClosedError,
  JournalCorruptError,
  JournalFailedError,
  JournalLockedError,
  JournalOverloadedError,
  LeaseHeldError,
} from '../core/journal-errors.ts'
import type {
  Append,
  CompactReport,
  Due,
  Journal,
  JournalEntry,
  JournalHost,
  JournalInfo,
  JournalSource,
  Lease,
  LeaseOptions,
  LeaseOwner,
  Loaded,
  Page,
  StreamInfo,
  VerifyReport,
} from '../core/journal.ts'
import { byCodePoints, memoryLocation, MemoryStore, pageOf } from './memory-store.ts'
import { checkAppends, checkName, defaultMaxEntryBytes, defaultMaxWaitingBytes } from './append-check.ts'

export interface MemoryJournalOptions {
  /** UTF-8 bytes of the largest body, snapshot or blob. Default 16 MiB. */
  readonly maxEntryBytes?: number
  /** UTF-8 bytes that wait to be written at most. Default 64 MiB. */
  readonly maxWaitingBytes?: number
  /** Opening takes the journal from whoever writes to it, who is fenced from then on. Default false: `JOURNAL_LOCKED`. */
  readonly takeOver?: boolean
  /**
   * Runs before each append is written, and is waited for: where a test lets the disk be slow, full or broken. What it
   * throws rejects the append, and nothing is written. A `JournalFailedError` breaks the journal for good.
   */
  readonly beforeCommit?: (appends: readonly Append[]) => void | Promise<void>
}

/**
 * A journal in memory, for tests and for what need not outlive the process. Its content belongs to the source: closed
 * and opened again, it is still there.
 */
export function memoryJournal(options: MemoryJournalOptions = {}): JournalSource {
  return memoryJournalOn(new MemoryStore(), options)
}

/** As `memoryJournal`, over a store that somebody else looks into: what a simulation crashes, corrupts and checks. */
export function memoryJournalOn(store: MemoryStore, options: MemoryJournalOptions = {}): JournalSource {
  return {
    kind: 'journal',
    // Async, since opening rejects and never throws.
    open: async (host) => {
      const current = store.leases.get(writer)
      if (current !== undefined && current.expiresAtMs > 0 && options.takeOver !== true)
        throw new JournalLockedError(memoryLocation, current.owner)
      return Promise.resolve(new MemoryJournal(store, host, options, store.grant(writer, ownerOf(host), never)))
    },
    openReadOnly: (host) => Promise.resolve(new MemoryJournal(store, host, options, undefined)),
  }
}

const writer = 'writer'
/** The last time that a date can show. */
const never = 8.64e15
const pageEntries = 1000

const ownerOf = (host: JournalHost): LeaseOwner => ({ node: host.node, host: hostname(), pid: process.pid })

class MemoryJournal implements Journal {
  readonly maxEntryBytes: number
  readonly #store: MemoryStore
  readonly #host: JournalHost
  readonly #options: MemoryJournalOptions
  /** Its right to write; none when it is open for reading. */
  readonly #writer: Lease | undefined
  /** Settles when all that was appended so far is written or refused. */
  #written: Promise<void> = Promise.resolve()
  #waitingBytes = 0
  /** Why something that waited at the close could not be written. */
  #lost: { readonly error: unknown } | undefined
  #failure: Error | undefined
  #closed: Promise<void> | undefined

  constructor(store: MemoryStore, host: JournalHost, options: MemoryJournalOptions, lease: Lease | undefined) {
    this.#store = store
    this.#host = host
    this.#options = options
    this.maxEntryBytes = options.maxEntryBytes ?? defaultMaxEntryBytes
    this.#writer = lease
  }

  async append(appends: readonly Append[]): Promise<void> {
    const { maxWaitingBytes = defaultMaxWaitingBytes } = this.#options
    this.#checkOpen()
    if (this.#failure !== undefined) throw this.#failure
    const bytes = checkAppends(appends, this.maxEntryBytes)
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > maxWaitingBytes)
      throw new JournalOverloadedError(memoryLocation, `${this.#waitingBytes} bytes`)
    this.#waitingBytes += bytes
    const written = this.#written.then(() => this.#commit(appends))
    this.#written = written.catch((error: unknown) => {
      if (this.#closed !== undefined) this.#lost ??= { error }
    })
    try {
      await written
    } finally {
      this.#waitingBytes -= bytes
    }
  }

  async #commit(appends: readonly Append[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      await this.#options.beforeCommit?.(appends)
    } catch (error) {
      if (error instanceof JournalFailedError) this.#fail(error)
      throw error
    }
    this.#checkWriter()
    this.#store.write(appends)
  }

  /** @throws {JournalFencedError} `JOURNAL_FENCED` when another writer took over. */
  #checkWriter(): void {
    if (this.#writer === undefined) throw new JournalFailedError(memoryLocation, 'it is open for reading only')
    try {
      this.#store.checkLease(this.#writer)
    } catch (error) {
      if (error instanceof Error) this.#fail(error)
      throw error
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#host.onFailed?.(error)
  }

  async load(name: string): Promise<Loaded> {
    this.#checkOpen()
    const stream = this.#store.streams.get(name)
    const { lastSeq = 0, wakeAtMs = null, snapshot } = stream ?? {}
    return Promise.resolve({ lastSeq, wakeAtMs, snapshot, entries: pageOf(stream, snapshot?.seq ?? 0, pageEntries) })
  }

  async read(name: string, afterSeq: number, { limit = pageEntries }: Page = {}): Promise<readonly JournalEntry[]> {
    this.#checkOpen()
    return Promise.resolve(pageOf(this.#store.streams.get(name), afterSeq, limit))
  }

  async *tail(afterPosition: number, { signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<JournalEntry> {
    let position = afterPosition
    while (signal?.aborted !== true) {
      this.#checkOpen()
      const next = this.#store.firstAfter(position)
      if (next === undefined) {
        await this.#store.change(signal)
        continue
      }
      position = next.position
      yield next
    }
  }

  async blob(stream: string, id: string): Promise<string> {
    this.#checkOpen()
    const blob = this.#store.streams.get(stream)?.blobs.get(id)
    if (blob === undefined) throw new JournalCorruptError(memoryLocation, `stream ${stream}`, `there is no blob ${id}`)
    return Promise.resolve(blob.text)
  }

  async list({
    prefix = '',
    afterStream,
    limit = pageEntries,
  }: Page & { readonly prefix?: string; readonly afterStream?: string } = {}): Promise<readonly StreamInfo[]> {
    this.#checkOpen()
    const { streams } = this.#store
    const found = this.#store
      .names()
      .filter((name) => name.startsWith(prefix) && (afterStream === undefined || byCodePoints(name, afterStream) > 0))
    return Promise.resolve(
      found.slice(0, limit).flatMap((name) => {
        const stream = streams.get(name)
        if (stream === undefined) return []
        const { lastSeq, atMs, snapshot, wakeAtMs } = stream
        return [{ stream: name, lastSeq, atMs, snapshotSeq: snapshot?.seq ?? 0, wakeAtMs }]
      }),
    )
  }

  async due(beforeMs: number, { limit = pageEntries }: Page = {}): Promise<readonly Due[]> {
    this.#checkOpen()
    const due = [...this.#store.streams].flatMap(([stream, { wakeAtMs }]) =>
      wakeAtMs !== null && wakeAtMs <= beforeMs ? [{ stream, wakeAtMs }] : [],
    )
    due.sort((a, b) => a.wakeAtMs - b.wakeAtMs || byCodePoints(a.stream, b.stream))
    return Promise.resolve(due.slice(0, limit))
  }

  async compact({ stream }: { readonly stream?: string } = {}): Promise<CompactReport> {
    this.#checkOpen()
    this.#checkWriter()
    const bytesBefore = this.#store.bytes()
    const removed = this.#store.compact(stream === undefined ? this.#store.names() : [stream])
    return Promise.resolve({ ...removed, bytesBefore, bytesAfter: this.#store.bytes() })
  }

  async acquire(name: string, { ttlMs, takeOver = false }: LeaseOptions): Promise<Lease> {
    this.#checkOpen()
    this.#checkWriter()
    checkName('the name of a lease', name)
    const owner = ownerOf(this.#host)
    const nowMs = this.#host.clock.wallNow()
    const current = this.#store.leases.get(name)
    if (current !== undefined && current.expiresAtMs > nowMs && !takeOver && !isSame(current.owner, owner))
      throw new LeaseHeldError(name, current.owner, current.expiresAtMs)
    return Promise.resolve(this.#store.grant(name, owner, nowMs + ttlMs))
  }

  async renew(lease: Lease, ttlMs: number): Promise<Lease> {
    this.#checkOpen()
    this.#checkWriter()
    this.#store.checkLease(lease)
    const renewed = { ...lease, expiresAtMs: this.#host.clock.wallNow() + ttlMs }
    this.#store.leases.set(lease.name, renewed)
    return Promise.resolve(renewed)
  }

  async release(lease: Lease): Promise<void> {
    this.#checkOpen()
    this.#store.release(lease)
    return Promise.resolve()
  }

  async verify(): Promise<VerifyReport> {
    this.#checkOpen()
    const streams = [...this.#store.streams.values()]
    const snapshots = streams.filter(({ snapshot }) => snapshot !== undefined).length
    return Promise.resolve({ streams: streams.length, entries: this.#store.log.length, snapshots, problems: [] })
  }

  async info(): Promise<JournalInfo> {
    this.#checkOpen()
    const { streams, log, leases } = this.#store
    const lease = leases.get(writer)
    return Promise.resolve({
      kind: 'memory',
      location: memoryLocation,
      formatVersion: 1,
      streams: streams.size,
      entries: log.length,
      bytes: this.#store.bytes(),
      writer: lease !== undefined && lease.expiresAtMs > 0 ? lease : undefined,
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#written
    if (this.#writer !== undefined) this.#store.release(this.#writer)
    this.#store.wake()
    if (this.#lost !== undefined) throw this.#lost.error
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new JournalClosedError(memoryLocation)
  }
}

const isSame = (a: LeaseOwner, b: LeaseOwner): boolean => a.node === b.node && a.host === b.host && a.pid === b.pid
