import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postgresJournal, type PostgresJournalOptions } from 'echelon/journal'
import { Database } from '../../../src/journal/postgres/database.ts'
import { settingsOf } from '../../../src/journal/postgres/options.ts'
import { hasPostgres, postgresOrSkip, startPostgres, type PostgresServer } from '../../support/postgres.ts'
import { append, bodiesOf, ending } from '../contract/material.ts'
import { host, openSession, query } from './material.ts'

test('given no package postgres, then opening says which one to install', async () => {
  const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  const connecting = Database.connect(settingsOf({}), {}, () => Promise.reject(missing))
  await expect(connecting).rejects.toMatchObject({
    code: 'DEPENDENCY_MISSING',
    message: expect.stringMatching(/npm install postgres/) as unknown,
  })
})

test.each<[string, PostgresJournalOptions]>([
  ['a url that is none', { url: 'user:hunter2@nowhere' }],
  ['a schema with quotes', { schema: 'a"; DROP SCHEMA b' }],
  ['a writer without a name', { writer: '' }],
  ['a lease of no time', { leaseMs: 0 }],
  ['a time that is no number', { timeoutMs: NaN }],
  ['no room to wait', { maxWaitingBytes: -1 }],
])('given %s, then it is refused by name, and nothing secret is shown', (_, options) => {
  expect(() => postgresJournal(options)).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
  try {
    postgresJournal(options)
  } catch (error) {
    expect(inspect(error, { showHidden: true })).not.toContain('hunter2')
  }
})

describe('a Postgres journal in trouble', () => {
  let server: PostgresServer
  let schemas = 0
  const fresh = (options: PostgresJournalOptions = {}): PostgresJournalOptions & { readonly schema: string } => {
    schemas += 1
    return { url: server.url, schema: `trouble_${schemas}`, ...options }
  }
  beforeEach(postgresOrSkip)
  beforeAll(async () => {
    if (hasPostgres) server = await startPostgres()
  })
  afterAll(async () => {
    if (hasPostgres) await server[Symbol.asyncDispose]()
  })

  test('given a server without space, then appends are refused as such and nothing is written, until there is space', async () => {
    const options = fresh()
    const failures: unknown[] = []
    const journal = await postgresJournal(options).open(host('node-a', { onFailed: (error) => failures.push(error) }))
    await journal.append([append('a', 0, [1])])
    // What the server says when it cannot make a file longer.
    await query(
      server.url,
      `CREATE FUNCTION ${options.schema}.no_space() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
       CREATE TRIGGER no_space BEFORE INSERT ON ${options.schema}.entries FOR EACH ROW EXECUTE FUNCTION ${options.schema}.no_space()`,
    )
    const endings = [1, 2].map((seq) => ending(journal.append([append('a', seq, [2]), append(`b${seq}`, 0, [1])])))
    expect(await Promise.all(endings)).toEqual(['JOURNAL_FULL', 'JOURNAL_FULL'])
    expect(await bodiesOf(journal, 'a')).toEqual([1])
    await query(server.url, `DROP TRIGGER no_space ON ${options.schema}.entries`)
    await journal.append([append('a', 1, [3])])
    expect(await bodiesOf(journal, 'a')).toEqual([1, 3])
    expect((await journal.list()).map(({ stream }) => stream)).toEqual(['a'])
    expect(failures).toEqual([])
    await journal.close()
  })

  test('given a server that does not answer, then the journal fails after its time, and says so once', async () => {
    const options = fresh({ timeoutMs: 200, leaseMs: 3_600_000 })
    const failures: unknown[] = []
    const journal = await postgresJournal(options).open(host('node-a', { onFailed: (error) => failures.push(error) }))
    await using session = openSession(server.url)
    await session.sql.unsafe(`BEGIN; SELECT 1 FROM ${options.schema}.leases FOR UPDATE`)
    const endings = ['a', 'b'].map((stream) => ending(journal.append([append(stream, 0, [1])])))
    expect(await Promise.all(endings)).toEqual(['JOURNAL_FAILED', 'JOURNAL_FAILED'])
    expect(await ending(journal.append([append('c', 0, [1])]))).toBe('JOURNAL_FAILED')
    expect(failures).toMatchObject([{ code: 'JOURNAL_FAILED', message: expect.stringMatching(/200 ms/) as unknown }])
    expect(await journal.load('c')).toMatchObject({ lastSeq: 0 }) // reading goes on
    await session.sql.unsafe('ROLLBACK')
    await journal.close()
  })

  test.each<[string, (options: PostgresJournalOptions) => PostgresJournalOptions]>([
    [
      'nobody listens',
      ({ url }) => ({ url: url!.replace(/:\d+\//, ':1/').replace('//echelon@', '//echelon:hunter2@') }),
    ],
    ['there is no such database', ({ url }) => ({ url: url!.replace('/postgres', '/nowhere'), password: 'hunter2' })],
    ['there is no such user', ({ url }) => ({ url: url!.replace('//echelon@', '//nobody:hunter2@') })],
  ])('given that %s, then opening fails with the reason, and without the password', async (_, change) => {
    const source = postgresJournal(change(fresh()))
    for (const open of [source.open, source.openReadOnly]) {
      const error: unknown = await open(host()).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'JOURNAL_FAILED' })
      expect(error).not.toHaveProperty('cause')
      expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain('hunter2')
    }
  })

  test('given a statement that the server refuses, then neither the error nor the host is shown what was to be written', async () => {
    const options = fresh()
    const failures: unknown[] = []
    const journal = await postgresJournal(options).open(host('node-a', { onFailed: (error) => failures.push(error) }))
    await query(server.url, `ALTER TABLE ${options.schema}.entries ADD CHECK (body NOT LIKE '%hunter2%')`)
    const error: unknown = await journal.append([append('a', 0, ['hunter2'])]).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'JOURNAL_FAILED' })
    expect(inspect([error, failures], { showHidden: true, depth: 9 })).not.toContain('hunter2')
    await journal.close()
  })

  test('given a journal, then its location says where it is, without user and password', async () => {
    const options = fresh()
    const url = options.url!.replace('//echelon@', '//echelon:hunter2@')
    const journal = await postgresJournal({ ...options, url }).open(host())
    const { location } = await journal.info()
    expect(location).toMatch(/^postgres 127\.0\.0\.1:\d+\/postgres, schema trouble_\d+$/)
    await journal.close()
    // The folder of a socket instead of an address, and single options instead of a url.
    const [folder] = await query(server.url, 'SHOW unix_socket_directories')
    const parts = { host: String(folder?.['unix_socket_directories']), port: Number(new URL(url).port) }
    const { url: _, ...rest } = options
    const other = await postgresJournal({ ...rest, ...parts, user: 'echelon', database: 'postgres' }).open(host())
    expect((await other.info()).location).toContain(`${parts.host}/.s.PGSQL.${parts.port}/postgres, schema trouble_`)
    await other.close()
  })

  test('given a schema without a journal, then reading it is refused, and nothing is made', async () => {
    const options = fresh()
    expect(await ending(postgresJournal(options).openReadOnly(host()))).toBe('JOURNAL_FORMAT')
    expect(await query(server.url, `SELECT 1 FROM pg_namespace WHERE nspname = '${options.schema}'`)).toHaveLength(0)
  })

  test('given a schema with tables of something else, then it is refused and left alone', async () => {
    const options = fresh()
    await query(server.url, `CREATE SCHEMA ${options.schema}; CREATE TABLE ${options.schema}.invoices(id int)`)
    expect(await ending(postgresJournal(options).open(host()))).toBe('JOURNAL_FORMAT')
    expect(await query(server.url, `SELECT 1 FROM pg_tables WHERE schemaname = '${options.schema}'`)).toHaveLength(1)
  })

  test('given a schema that somebody else made, then whoever may only use it can keep a journal in it', async () => {
    const options = fresh()
    await query(
      server.url,
      `CREATE ROLE tenant LOGIN; CREATE SCHEMA ${options.schema}; GRANT ALL ON SCHEMA ${options.schema} TO tenant`,
    )
    const journal = await postgresJournal({ ...options, url: options.url!.replace('//echelon@', '//tenant@') }).open(
      host(),
    )
    await journal.append([append('a', 0, [1])])
    await journal.close()
  })

  test('given a journal of a later format, then both versions are named', async () => {
    const options = fresh()
    await (await postgresJournal(options).open(host())).close()
    await query(server.url, `UPDATE ${options.schema}.meta SET value = 2`)
    const source = postgresJournal(options)
    for (const open of [source.open, source.openReadOnly])
      await expect(open(host())).rejects.toMatchObject({
        code: 'JOURNAL_FORMAT',
        message: expect.stringMatching(/version 2.*version 1/) as unknown,
      })
  })

  test('given a database that cannot keep every text, then it is refused', async () => {
    await query(server.url, `CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0`)
    const url = server.url.replace('/postgres', '/ascii')
    expect(await ending(postgresJournal({ url }).open(host()))).toBe('JOURNAL_FORMAT')
  })

  test('given a server that does not wait for the disk, then it is refused', async () => {
    await using careless = await startPostgres({ fsync: 'off' })
    expect(await ending(postgresJournal({ url: careless.url }).open(host()))).toBe('JOURNAL_FAILED')
  })

  test('given a database that does not wait for the disk by default, then the journal does all the same', async () => {
    const options = fresh()
    await query(server.url, `CREATE ROLE hasty SUPERUSER LOGIN; ALTER ROLE hasty SET synchronous_commit = off`)
    const journal = await postgresJournal({ ...options, url: options.url!.replace('//echelon@', '//hasty@') }).open(
      host(),
    )
    await query(
      server.url,
      `CREATE FUNCTION ${options.schema}.note() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN NEW.kind := current_setting('synchronous_commit'); RETURN NEW; END $$;
       CREATE TRIGGER note BEFORE INSERT ON ${options.schema}.entries FOR EACH ROW EXECUTE FUNCTION ${options.schema}.note()`,
    )
    await journal.append([append('a', 0, [1])])
    expect(await query(server.url, `SELECT kind FROM ${options.schema}.entries`)).toMatchObject([{ kind: 'on' }])
    await journal.close()
  })
})
