import { JournalFailedError, JournalFormatError } from '../../core/journal-errors.ts'
import type { Database } from './database.ts'

export const formatVersion = 1

/** Format 1. Names sort by their bytes, whatever language the database is set to. Times have fractions. */
const format1 = (schema: string): string => `
  CREATE TABLE ${schema}.meta(name text PRIMARY KEY, value bigint NOT NULL);
  CREATE TABLE ${schema}.streams(
    stream text COLLATE "C" PRIMARY KEY, last_seq bigint NOT NULL, chain bigint NOT NULL, at_ms float8 NOT NULL,
    base_seq bigint NOT NULL, snapshot_seq bigint NOT NULL, wake_ms float8, crc bigint NOT NULL) WITH (fillfactor = 80);
  CREATE INDEX streams_by_wake ON ${schema}.streams(wake_ms, stream) WHERE wake_ms IS NOT NULL;
  CREATE TABLE ${schema}.entries(
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text COLLATE "C" NOT NULL, seq bigint NOT NULL,
    kind text NOT NULL, version bigint NOT NULL, at_ms float8 NOT NULL, wake_ms float8, prev bigint NOT NULL,
    crc bigint NOT NULL, body text NOT NULL, UNIQUE (stream, seq));
  CREATE TABLE ${schema}.snapshots(
    stream text COLLATE "C" PRIMARY KEY, seq bigint NOT NULL, version bigint NOT NULL, at_ms float8 NOT NULL,
    blobs text NOT NULL, crc bigint NOT NULL, body text NOT NULL);
  CREATE TABLE ${schema}.blobs(
    stream text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, seq bigint NOT NULL, crc bigint NOT NULL,
    text text NOT NULL, PRIMARY KEY (stream, id));
  CREATE TABLE ${schema}.leases(
    name text COLLATE "C" PRIMARY KEY, node text NOT NULL, host text NOT NULL, pid bigint NOT NULL,
    epoch bigint NOT NULL, expires_ms float8 NOT NULL);
  INSERT INTO ${schema}.meta VALUES ('format', ${formatVersion})`

/** Makes the tables when there are none. All of them are there or none, also when several processes do it at once. */
export async function ensureTables(database: Database): Promise<void> {
  const { schema } = database.settings
  await database.transaction('', async ({ rows }) => {
    await rows('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`echelon schema ${schema}`])
    const [found] = await rows<{ readonly tables: number }>(
      `SELECT (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'v', 'p')) AS tables
       FROM pg_namespace n WHERE nspname = $1`,
      [schema],
    )
    // Asked first: to make one, even one that is there, takes a right that not everybody has.
    if (found === undefined) await rows(`CREATE SCHEMA ${database.schema}`)
    if (found === undefined || found.tables === 0)
      for (const statement of format1(database.schema).split(';')) await rows(statement)
  })
}

/**
 * @throws {JournalFormatError} `JOURNAL_FORMAT` for a database that cannot keep every text.
 * @throws {JournalFailedError} `JOURNAL_FAILED` for a server on which acknowledged would not mean on disk.
 */
export async function checkServer(database: Database): Promise<void> {
  const { location } = database
  const [server] = await database.rows<{ readonly fsync: string; readonly encoding: string }>(
    `SELECT current_setting('fsync') AS fsync, current_setting('server_encoding') AS encoding`,
  )
  if (server?.encoding !== 'UTF8')
    throw new JournalFormatError(
      location,
      `its encoding is ${server?.encoding}: make a database with the encoding UTF8`,
    )
  if (server.fsync !== 'on')
    throw new JournalFailedError(location, 'the server runs with fsync = off, so nothing would be safe: set it to on')
  // Stricter settings stay as they are.
  await database.rows(
    `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`,
  )
}

/** @throws {JournalFormatError} `JOURNAL_FORMAT` for what is no journal of a known format. */
export async function checkFormat(database: Database): Promise<void> {
  const { location } = database
  const [meta] = await database.rows<{ readonly isThere: boolean }>('SELECT to_regclass($1) IS NOT NULL AS "isThere"', [
    database.table('meta'),
  ])
  if (meta?.isThere !== true) throw new JournalFormatError(location, 'there is no journal in this schema')
  const [format] = await database.rows<{ readonly value: number }>(
    `SELECT value FROM ${database.table('meta')} WHERE name = 'format'`,
  )
  if (format?.value !== formatVersion)
    throw new JournalFormatError(
      location,
      `its format is version ${format?.value}, and this program reads version ${formatVersion}: update Echelon`,
    )
}
