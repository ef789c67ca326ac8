import path from 'node:path'
import { systemClock } from '../../core/clock.ts'
import {
  JournalClosedError,
  JournalConflictError,
  JournalFailedError,
  JournalOverloadedError,
} from '../../core/journal-errors.ts'
import type {
  Append,
  CompactReport,
  Due,
  Journal,
  JournalEntry,
  JournalHost,
  JournalInfo,
  JournalReader,
  JournalSource,
  Lease,
  LeaseOptions,
  Loaded,
  Page,
  StreamInfo,
  VerifyReport,
} from '../../core/journal.ts'
import { checkAppends, checkName, defaultMaxEntryBytes, defaultMaxWaitingBytes } from '../append-check.ts'
import { StoreThread } from './thread.ts'
import type { Operation, Operations } from './messages.ts'

export interface SqliteJournalOptions {
  /** UTF-8 bytes of the largest body, snapshot or blob. Default 16 MiB. */
  readonly maxEntryBytes?: number
  /** UTF-8 bytes that wait to be written at most. Default 64 MiB. */
  readonly maxWaitingBytes?: number
  /** Opening takes the journal from whoever writes to it, who is fenced from then on. Default false: `JOURNAL_LOCKED`. */
  readonly takeOver?: boolean
}

/** What an entry costs while it waits, besides its body. */
const overheadBytes = 64
/** Milliseconds between two looks at what another process has written. */
const followMs = 25

/**
 * A journal in one file, which any SQLite tool opens: the embedded default. Beside it are the log of SQLite (`-wal`,
 * `-shm`) and the witness of what was acknowledged (`-head`); a backup of a closed journal is a copy of the file alone.
 */
export function sqliteJournal(file: string, options: SqliteJournalOptions = {}): JournalSource {
  const absolute = path.resolve(file)
  return {
    kind: 'journal',
    open: (host) => SqliteJournal.open(absolute, host, options, 'write'),
    openReadOnly: (host) => SqliteJournal.open(absolute, host, options, 'read'),
  }
}

class SqliteJournal implements Journal, JournalReader {
  readonly maxEntryBytes: number
  readonly #file: string
  readonly #host: JournalHost
  readonly #options: SqliteJournalOptions
  readonly #thread: StoreThread
  readonly #mode: 'write' | 'read'
  #waitingBytes = 0
  /** Why the last one of those that could not be written was refused. */
  #unwritten: unknown
  #closed: Promise<void> | undefined

  static async open(
    file: string,
    host: JournalHost,
    options: SqliteJournalOptions,
    mode: 'write' | 'read',
  ): Promise<SqliteJournal> {
    const thread = await StoreThread.open({ file, mode, takeOver: options.takeOver ?? false, host })
    return new SqliteJournal(file, host, options, mode, thread)
  }

  private constructor(
    file: string,
    host: JournalHost,
    options: SqliteJournalOptions,
    mode: 'write' | 'read',
    thread: StoreThread,
  ) {
    this.#file = file
    this.#host = host
    this.#options = options
    this.maxEntryBytes = options.maxEntryBytes ?? defaultMaxEntryBytes
    this.#mode = mode
    this.#thread = thread
  }

  async append(appends: readonly Append[]): Promise<void> {
    const { maxWaitingBytes = defaultMaxWaitingBytes } = this.#options
    this.#checkWriting()
    const bytes = checkAppends(appends, this.maxEntryBytes) + overheadBytes * appends.length
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > maxWaitingBytes)
      throw new JournalOverloadedError(this.#file, `${this.#waitingBytes} bytes`)
    this.#waitingBytes += bytes
    try {
      await this.#thread.append(appends)
    } catch (error) {
      if (!(error instanceof JournalConflictError)) this.#unwritten = error
      throw error
    } finally {
      this.#waitingBytes -= bytes
    }
  }

  load(stream: string): Promise<Loaded> {
    return this.#ask('load', stream)
  }

  read(stream: string, afterSeq: number, { limit }: Page = {}): Promise<readonly JournalEntry[]> {
    return this.#ask('read', stream, afterSeq, limit)
  }

  async *tail(afterPosition: number, { signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<JournalEntry> {
    let position = afterPosition
    while (!isAborted(signal)) {
      const { commits } = this.#thread
      const entries = await this.#ask('tail', position)
      for (const entry of entries) {
        if (isAborted(signal)) return
        position = entry.position
        yield entry
      }
      // What was committed while the answer was on its way is not waited for.
      if (entries.length > 0 || this.#thread.commits > commits || isAborted(signal)) continue
      await (this.#mode === 'write' ? this.#thread.nextCommit(signal) : this.#pause(signal))
    }
  }

  blob(stream: string, id: string): Promise<string> {
    return this.#ask('blob', stream, id)
  }

  list(
    options: Page & { readonly prefix?: string; readonly afterStream?: string } = {},
  ): Promise<readonly StreamInfo[]> {
    const { prefix = '', afterStream, limit } = options
    return this.#ask('list', prefix, afterStream, limit)
  }

  due(beforeMs: number, { limit }: Page = {}): Promise<readonly Due[]> {
    return this.#ask('due', beforeMs, limit)
  }

  /** By a thread and a connection of its own, so that appends go on meanwhile. */
  async verify({ signal }: { readonly signal?: AbortSignal } = {}): Promise<VerifyReport> {
    this.#checkOpen()
    signal?.throwIfAborted()
    const { node, clock } = this.#host
    const thread = await StoreThread.open({ file: this.#file, mode: 'read', takeOver: false, host: { node, clock } })
    const stop = (): void => void thread.kill()
    signal?.addEventListener('abort', stop)
    try {
      const report = await thread.ask('verify')
      await thread.close()
      return report
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  async info(): Promise<JournalInfo> {
    return { kind: 'sqlite', location: this.#file, ...(await this.#ask('info')) }
  }

  async compact({ stream }: { readonly stream?: string } = {}): Promise<CompactReport> {
    this.#checkWriting()
    return this.#ask('compact', stream)
  }

  async acquire(name: string, { ttlMs, takeOver = false }: LeaseOptions): Promise<Lease> {
    this.#checkWriting()
    checkName('the name of a lease', name)
    return this.#ask('acquire', name, ttlMs, takeOver)
  }

  async renew(lease: Lease, ttlMs: number): Promise<Lease> {
    this.#checkWriting()
    return this.#ask('renew', lease, ttlMs)
  }

  async release(lease: Lease): Promise<void> {
    this.#checkWriting()
    return this.#ask('release', lease)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#unwritten = undefined
    await this.#thread.settled()
    await this.#thread.close()
    if (this.#unwritten !== undefined) throw this.#unwritten
  }

  async #ask<K extends Operation>(
    operation: K,
    ...args: Parameters<Operations[K]>
  ): Promise<ReturnType<Operations[K]>> {
    this.#checkOpen()
    return this.#thread.ask(operation, ...args)
  }

  /** Of real time: the process that writes has no other. */
  #pause(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        systemClock.clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = systemClock.setTimeout(done, followMs)
      signal?.addEventListener('abort', done)
    })
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new JournalClosedError(this.#file)
  }

  #checkWriting(): void {
    this.#checkOpen()
    if (this.#mode === 'read') throw new JournalFailedError(this.#file, 'it is open for reading only')
    if (this.#thread.failure !== undefined) throw this.#thread.failure
  }
}

/** A call, since it changes while nobody looks. */
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true
