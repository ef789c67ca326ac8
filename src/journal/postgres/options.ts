import { DefinitionInvalidError } from '../../core/errors.ts'
import { defaultMaxEntryBytes, defaultMaxWaitingBytes } from '../append-check.ts'

export interface PostgresJournalOptions {
  /** `postgres://user:password@host:port/database`. What is left out of all options comes from `PGHOST`, `PGPORT`, … */
  readonly url?: string
  /** A name, an address, or the folder of a socket. */
  readonly host?: string
  readonly port?: number
  readonly database?: string
  readonly user?: string
  readonly password?: string | (() => string | Promise<string>)
  /** As the package `postgres` takes it: `verify-full`, or the options of `tls.connect`, check who the server is. Default false. */
  readonly ssl?: boolean | 'require' | 'allow' | 'prefer' | 'verify-full' | object
  /** Where the tables are. Made when it is not there. Default `echelon`. */
  readonly schema?: string
  /** Name of the lease of whoever writes. Default `writer`: there is one writer to a journal. */
  readonly writer?: string
  /** Opening takes the journal from whoever writes to it, who is fenced from then on. Default false: `JOURNAL_LOCKED`. */
  readonly takeOver?: boolean
  /** Milliseconds after which somebody else may write, when the writer does not answer though its session lasts. Default 30,000. */
  readonly leaseMs?: number
  /** Milliseconds until a write that the server does not answer fails the journal. Default 30,000. */
  readonly timeoutMs?: number
  /** Milliseconds between two looks at what another process has written. Default 50. */
  readonly pollMs?: number
  /** UTF-8 bytes of the largest body, snapshot or blob. Default 16 MiB. */
  readonly maxEntryBytes?: number
  /** UTF-8 bytes that wait to be written at most. Default 64 MiB. */
  readonly maxWaitingBytes?: number
}

export type Settings = Required<Omit<PostgresJournalOptions, ConnectionOption>> &
  Pick<PostgresJournalOptions, ConnectionOption>
type ConnectionOption = 'url' | 'host' | 'port' | 'database' | 'user' | 'password' | 'ssl'

const positive = ['leaseMs', 'timeoutMs', 'pollMs', 'maxEntryBytes', 'maxWaitingBytes'] as const

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID`, which names the option and never shows the url. */
export function settingsOf(options: PostgresJournalOptions): Settings {
  const settings = {
    schema: 'echelon',
    writer: 'writer',
    takeOver: false,
    leaseMs: 30_000,
    timeoutMs: 30_000,
    pollMs: 50,
    maxEntryBytes: defaultMaxEntryBytes,
    maxWaitingBytes: defaultMaxWaitingBytes,
    ...options,
  }
  for (const name of positive)
    if (!(settings[name] > 0)) throw invalid(name, `it is a positive number, not ${settings[name]}`)
  for (const name of ['schema', 'writer'] as const)
    if (!/^[A-Za-z0-9_.:-]{1,60}$/.test(settings[name]))
      throw invalid(name, 'it has 1 to 60 letters, digits, or any of _ . : -')
  if (
    settings.url !== undefined &&
    !(URL.canParse(settings.url) && /^postgres(ql)?:$/.test(new URL(settings.url).protocol))
  )
    throw invalid('url', 'write it as postgres://user:password@host:port/database')
  return settings
}

const invalid = (name: string, problem: string): DefinitionInvalidError =>
  new DefinitionInvalidError(`postgresJournal ${name}`, problem)
