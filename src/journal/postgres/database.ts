import type postgres from 'postgres'
import { systemClock } from '../../core/clock.ts'
import { DependencyMissingError, EchelonError } from '../../core/errors.ts'
import { JournalFailedError, JournalFullError } from '../../core/journal-errors.ts'
import type { Settings } from './options.ts'

type Sql = postgres.Sql<{ int8: number }>
type Value = string | number | boolean | null

/** Code of a server that has no space. What it says so of is rolled back. */
const diskFull = '53100'
/** Connections for everything that does not write entries. */
const readers = 4

/** A connection or several to one database, and the names of the tables in it. */
export class Database {
  /** Where it is, without user and password. */
  readonly location: string
  readonly settings: Settings
  readonly #sql: Sql
  readonly #unanswered = new Set<Promise<unknown>>()

  private constructor(sql: Sql, settings: Settings) {
    const { host, port, path, database } = sql.options
    this.#sql = sql
    this.settings = settings
    const hosts = host.map((name, index) => `${name}:${port[index]}`).join(',')
    const place = typeof path === 'string' ? path : hosts // it is false without a socket, whatever its type says
    this.location = `postgres ${place}/${database}, schema ${settings.schema}`
  }

  /**
   * @param onLost The one connection of a writer is gone. Never called after `end`.
   * @throws {DependencyMissingError} `DEPENDENCY_MISSING`. `load` is for tests.
   */
  static async connect(
    settings: Settings,
    { readOnly = false, onLost }: { readonly readOnly?: boolean; readonly onLost?: () => void } = {},
    load: () => Promise<{ default: typeof postgres }> = () => import('postgres'),
  ): Promise<Database> {
    const { url, host, port, database, user, password, ssl } = settings
    const given = Object.entries({ host, port, database, user, password, ssl }).filter(
      ([, value]) => value !== undefined,
    )
    const options = {
      ...Object.fromEntries(given),
      max: onLost === undefined ? readers : 1,
      idle_timeout: onLost === undefined ? 60 : 0,
      max_lifetime: 0, // a session ends when we end it: the lock of a writer is its
      fetch_types: false, // arrays are written as text (`rows.ts`)
      types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
      connection: {
        application_name: 'echelon',
        // The writer says the same all the time: planned once.
        ...(onLost === undefined ? {} : { plan_cache_mode: 'force_generic_plan' }),
        ...(readOnly ? { default_transaction_read_only: true } : {}),
      },
      onnotice: () => undefined,
      onclose: () => onLost?.(),
    }
    const connect = (await loaded(load)).default
    return new Database(url === undefined ? connect(options) : connect(url, options), settings)
  }

  /** Name of a table, to write into a statement. */
  table(name: 'meta' | 'streams' | 'entries' | 'snapshots' | 'blobs' | 'leases'): string {
    return `${this.schema}.${name}`
  }

  get schema(): string {
    return `"${this.settings.schema}"` // has no quotes: see `settingsOf`
  }

  /** Answers the rows, which the caller knows the columns of. Prepared once for each connection. */
  async rows<Row extends object>(text: string, values: readonly Value[] = []): Promise<readonly Row[]> {
    return this.#counted(this.#sql.unsafe<Row[]>(text, [...values], { prepare: true }))
  }

  /** Runs `work` in one transaction. */
  async transaction<T>(
    mode: '' | 'isolation level repeatable read read only',
    work: (within: Within) => Promise<T>,
  ): Promise<T> {
    // It unwraps an array of promises, which `T` is not.
    const end = this.#sql.begin(mode, (sql) =>
      work({
        rows: async <Row extends object>(text: string, values: readonly Value[] = []) =>
          sql.unsafe<Row[]>(text, [...values], { prepare: true }),
        pages: <Row extends object>(text: string, rowsAtOnce: number) => sql.unsafe<Row[]>(text).cursor(rowsAtOnce),
      }),
    )
    return (await this.#counted(end)) as T // it would unwrap an array of promises, which `T` is not
  }

  /** Ends all sessions: when what was asked is answered, or at once. */
  async end(atOnce = false): Promise<void> {
    if (!atOnce && this.#unanswered.size > 0) {
      const late = Promise.withResolvers<void>()
      const timer = systemClock.setTimeout(late.resolve, this.settings.timeoutMs) // a server keeps no other time
      await Promise.race([Promise.allSettled(this.#unanswered), late.promise])
      systemClock.clearTimeout(timer)
    }
    // With a time-out of 0: without, it would wait for answers that were lost with their connection.
    await this.#sql.end({ timeout: 0 })
  }

  async #counted<T>(answer: Promise<T>): Promise<T> {
    this.#unanswered.add(answer)
    try {
      return await answer
    } finally {
      this.#unanswered.delete(answer)
    }
  }
}

/** What can be asked inside a transaction. */
export interface Within {
  rows<Row extends object>(text: string, values?: readonly Value[]): Promise<readonly Row[]>
  pages<Row extends object>(text: string, rowsAtOnce: number): AsyncIterable<readonly Row[]>
}

async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (codeOf(error) === 'ERR_MODULE_NOT_FOUND')
      throw new DependencyMissingError('postgresJournal', 'postgres', { cause: error })
    throw error
  }
}

/** Of the server (`23505`), the client (`CONNECTION_CLOSED`) or the system (`ECONNREFUSED`). */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/**
 * What a server or a connection raised, as an error of the journal. Only its code and message: details, and the
 * statement that the client adds, may quote what was to be written, and a cause would show them.
 */
export function journalError(error: unknown, location: string): Error {
  if (error instanceof EchelonError) return error
  const code = codeOf(error)
  if (code === diskFull) return new JournalFullError(location)
  const message = error instanceof Error ? error.message : ''
  return new JournalFailedError(
    location,
    [message, code === undefined ? '' : `(${code})`].join(' ').trim() || 'no reason is known',
  )
}
