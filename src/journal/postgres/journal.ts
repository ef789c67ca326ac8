import type { TimerHandle } from '../../core/clock.ts'
import { JournalClosedError, JournalFailedError, JournalOverloadedError } from '../../core/journal-errors.ts'
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
import { checkAppends, checkName } from '../append-check.ts'
import { compactSome } from './compact.ts'
import { Database, journalError } from './database.ts'
import { Leases, ownerOf, rowName } from './leases.ts'
import { settingsOf, type PostgresJournalOptions, type Settings } from './options.ts'
import { Reading } from './reading.ts'
import { checkFormat, checkServer, ensureTables } from './schema.ts'
import { verify } from './verify.ts'
import { Writer } from './writer.ts'

/** What an append costs while it waits, besides its texts. */
const overheadBytes = 64

/**
 * A journal in a Postgres database, in a schema of its own. It needs the package `postgres`, and a connection that lasts:
 * to the server itself, or to a pooler that keeps sessions.
 *
 * Opening rejects with `DEPENDENCY_MISSING` when the package is not installed.
 *
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID` for options that cannot work.
 */
export function postgresJournal(options: PostgresJournalOptions): JournalSource {
  const settings = settingsOf(options)
  return {
    kind: 'journal',
    open: (host) => openForWriting(settings, host),
    openReadOnly: async (host) => {
      const reading = await Database.connect(settings, { readOnly: true })
      await orEnd([reading], () => checkFormat(reading))
      return new PostgresJournal(reading, host, undefined)
    },
  }
}

/** What the writer has beside what a reader has. */
interface Writing {
  readonly database: Database
  readonly writer: Writer
  readonly leases: Leases
  /** The right to write. */
  readonly lease: Lease
}

async function openForWriting(settings: Settings, host: JournalHost): Promise<Journal> {
  let lost = (): void => undefined
  const database = await Database.connect(settings, {
    onLost: () => {
      lost()
    },
  })
  const reading = await Database.connect(settings)
  const leases = new Leases(database)
  const lease = await orEnd([database, reading], async () => {
    await checkServer(database)
    await ensureTables(database)
    await checkFormat(database)
    return leases.acquireWriter(ownerOf(host))
  })
  const writer = new Writer(database, host, leases, lease)
  lost = () => {
    writer.fail(new JournalFailedError(database.location, 'the connection to the server was lost'))
  }
  return new PostgresJournal(reading, host, { database, writer, leases, lease })
}

/** Gives connections back when what they were for does not work out. */
async function orEnd<T>(databases: readonly [Database, ...Database[]], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await Promise.all(databases.map((one) => one.end(true)))
    throw journalError(error, databases[0].location)
  }
}

class PostgresJournal implements Journal, JournalReader {
  readonly maxEntryBytes: number
  readonly #database: Database
  readonly #reading: Reading
  readonly #host: JournalHost
  readonly #writing: Writing | undefined
  /** Wakes the tails. */
  readonly #waiting = new Set<() => void>()
  #renewal: TimerHandle | undefined
  #closed: Promise<void> | undefined

  constructor(database: Database, host: JournalHost, writing: Writing | undefined) {
    this.#database = database
    this.maxEntryBytes = database.settings.maxEntryBytes
    this.#reading = new Reading(database)
    this.#host = host
    this.#writing = writing
    if (writing !== undefined) this.#renewLater(writing)
  }

  async append(appends: readonly Append[]): Promise<void> {
    const { writer } = this.#forWriting()
    const { maxWaitingBytes } = this.#database.settings
    const bytes = checkAppends(appends, this.maxEntryBytes) + overheadBytes * appends.length
    if (writer.waitingBytes > 0 && writer.waitingBytes + bytes > maxWaitingBytes)
      throw new JournalOverloadedError(this.#database.location, `${writer.waitingBytes} bytes`)
    await writer.append(appends, bytes)
    this.#wake()
  }

  load(stream: string): Promise<Loaded> {
    return this.#ask(() => this.#reading.load(stream))
  }

  read(stream: string, afterSeq: number, { limit }: Page = {}): Promise<readonly JournalEntry[]> {
    return this.#ask(() => this.#reading.read(stream, afterSeq, limit))
  }

  /**
   * Looks again after each append of this process, and otherwise every `pollMs`. Positions become visible in their
   * order, since one writer takes them, and one transaction at a time.
   */
  async *tail(afterPosition: number, { signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<JournalEntry> {
    let position = afterPosition
    while (!isAborted(signal)) {
      // Before asking: what is written while the answer is on its way is not waited for.
      const change = this.#change(signal)
      try {
        const entries = await this.#ask(() => this.#reading.after(position))
        for (const entry of entries) {
          if (isAborted(signal)) return
          position = entry.position
          yield entry
        }
        if (entries.length === 0) await change.happened
      } finally {
        change.stop()
      }
    }
  }

  blob(stream: string, id: string): Promise<string> {
    return this.#ask(() => this.#reading.blob(stream, id))
  }

  list(
    options: Page & { readonly prefix?: string; readonly afterStream?: string } = {},
  ): Promise<readonly StreamInfo[]> {
    const { prefix = '', afterStream = '', limit } = options
    return this.#ask(() => this.#reading.list(prefix, afterStream, limit))
  }

  due(beforeMs: number, { limit }: Page = {}): Promise<readonly Due[]> {
    return this.#ask(() => this.#reading.due(beforeMs, limit))
  }

  async verify({ signal }: { readonly signal?: AbortSignal } = {}): Promise<VerifyReport> {
    try {
      return await this.#ask(() => verify(this.#database, signal))
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  }

  info(): Promise<JournalInfo> {
    return this.#ask(async () => ({
      ...(await this.#reading.info()),
      writer: await new Leases(this.#database).writer(),
    }))
  }

  async compact({ stream }: { readonly stream?: string } = {}): Promise<CompactReport> {
    this.#forWriting()
    const bytesBefore = await this.#ask(() => this.#reading.bytes())
    const streams = stream === undefined ? await this.#ask(() => this.#reading.streams()) : 1
    let [entriesRemoved, blobsRemoved] = [0, 0]
    for (let after: string | undefined = ''; after !== undefined;) {
      const from = after
      const { writer, database, leases, lease } = this.#forWriting() // it may have been closed meanwhile
      const held = { name: rowName('writer', lease.name), epoch: lease.epoch }
      const removed = await writer.exclusive(async (heads) => {
        const some = await compactSome(database, heads, held, { only: stream, after: from })
        if (some === undefined) throw await leases.fenced(held.name, held.epoch)
        return some
      })
      entriesRemoved += removed.entriesRemoved
      blobsRemoved += removed.blobsRemoved
      after = removed.after
    }
    const bytesAfter = await this.#ask(() => this.#reading.bytes())
    return { streams, entriesRemoved, blobsRemoved, bytesBefore, bytesAfter }
  }

  async acquire(name: string, options: LeaseOptions): Promise<Lease> {
    const { leases } = this.#forWriting()
    checkName('the name of a lease', name)
    return this.#ask(() => leases.acquire(name, ownerOf(this.#host), options))
  }

  async renew(lease: Lease, ttlMs: number): Promise<Lease> {
    const { leases } = this.#forWriting()
    return this.#ask(() => leases.renew(lease, ttlMs))
  }

  async release(lease: Lease): Promise<void> {
    const { leases } = this.#forWriting()
    return this.#ask(() => leases.release(lease))
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#host.clock.clearTimeout(this.#renewal)
    this.#wake()
    const unwritten = await this.#writing?.writer.close()
    await this.#database.end()
    if (unwritten !== undefined) throw unwritten
  }

  /** So that the lease outlasts a pause of this process, and the writer hears of it when it did not. */
  #renewLater(writing: Writing): void {
    const { leaseMs } = this.#database.settings
    this.#renewal = this.#host.clock.setTimeout(() => {
      void writing.writer
        .attempt(() => writing.leases.renew(writing.lease, leaseMs, 'writer'))
        .then(() => {
          if (this.#closed === undefined && writing.writer.failure === undefined) this.#renewLater(writing)
        })
    }, leaseMs / 3)
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    this.#checkOpen()
    try {
      return await work()
    } catch (error) {
      const failure = journalError(error, this.#database.location)
      // What was asked before the end may find its connection gone.
      if (failure instanceof JournalFailedError) this.#checkOpen()
      throw failure
    }
  }

  #change(signal: AbortSignal | undefined): { readonly happened: Promise<void>; readonly stop: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const stop = (): void => {
      this.#waiting.delete(stop)
      this.#host.clock.clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      resolve()
    }
    const timer = this.#host.clock.setTimeout(stop, this.#database.settings.pollMs)
    this.#waiting.add(stop)
    signal?.addEventListener('abort', stop)
    return { happened: promise, stop }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new JournalClosedError(this.#database.location)
  }

  #forWriting(): Writing {
    this.#checkOpen()
    if (this.#writing === undefined)
      throw new JournalFailedError(this.#database.location, 'it is open for reading only')
    if (this.#writing.writer.failure !== undefined) throw this.#writing.writer.failure
    return this.#writing
  }
}

/** A call, since it changes while nobody looks. */
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true
