/* eslint-disable no-restricted-imports -- this adapter is the edge: the journal is a file */
import { closeSync, constants, fsyncSync, linkSync, lstatSync, openSync, readSync, rmSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { rowCrc } from './checksum.ts'
import { failed, FaultError } from './faults.ts'

export const formatVersion = 1
/** `ECHJ`, at byte 68 of the file: how a journal is told from any other database. */
const applicationId = 0x4543484a

/**
 * Format 1. `entries` is in the order of the appends, so that a commit touches the pages at its end and few others, and
 * nothing that is written for each entry is scattered: `prev` makes each stream a list that is read from its head.
 * Times have fractions. The rows of `streams` are made with the first entry; after that those of busy streams are late
 * (`heads.ts`), and what is missing is in the entries after the position `indexed`.
 */
const format1 = `
  CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE entries(
    position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, seq INTEGER NOT NULL, prev INTEGER NOT NULL,
    at_ms REAL NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL, wake_ms REAL, crc INTEGER NOT NULL,
    body TEXT NOT NULL);
  CREATE TABLE streams(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, hash INTEGER NOT NULL, position INTEGER NOT NULL, seq INTEGER NOT NULL,
    entry_crc INTEGER NOT NULL, at_ms REAL NOT NULL, base_seq INTEGER NOT NULL, base_crc INTEGER NOT NULL,
    snapshot_seq INTEGER NOT NULL, wake_ms REAL, crc INTEGER NOT NULL);
  CREATE UNIQUE INDEX streams_by_name ON streams(name);
  CREATE INDEX streams_by_hash ON streams(hash);
  CREATE INDEX streams_by_wake ON streams(wake_ms) WHERE wake_ms IS NOT NULL;
  CREATE TABLE snapshots(
    stream INTEGER PRIMARY KEY, seq INTEGER NOT NULL, entry_crc INTEGER NOT NULL, version INTEGER NOT NULL,
    at_ms REAL NOT NULL, blobs TEXT NOT NULL, crc INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE TABLE blobs(
    stream INTEGER NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, crc INTEGER NOT NULL, text TEXT NOT NULL);
  CREATE UNIQUE INDEX blobs_by_id ON blobs(stream, id);
  CREATE TABLE leases(
    name TEXT PRIMARY KEY, node TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, process TEXT NOT NULL,
    epoch INTEGER NOT NULL, expires_ms REAL NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('indexed', 0, ${rowCrc('indexed', 0)}), ('position', 0, ${rowCrc('position', 0)});
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};`

/**
 * Looks at what is at `file` before SQLite does: whether there is something. Nothing is written.
 *
 * @throws {FaultError} `JOURNAL_FORMAT` for what is no journal of a known format.
 */
export function isThere(file: string): boolean {
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return false
  if (stat.isSymbolicLink()) throw notOne('it is a symbolic link: give the path of the file itself')
  if (!stat.isFile()) throw notOne(stat.isDirectory() ? 'it is a directory: give the path of a file' : 'it is no file')
  if (stat.size === 0) throw notOne('it is empty: remove it, and a journal is made in its place')
  const header = headerOf(file)
  if (header.toString('latin1', 0, 16) !== 'SQLite format 3\0') throw notOne('it is not a journal')
  if (header.readUInt32BE(68) !== applicationId) throw notOne('it is the database of something else, not a journal')
  const version = header.readUInt32BE(60)
  if (version !== formatVersion)
    throw notOne(`its format is version ${version}, and this program reads version ${formatVersion}: update Echelon`)
  return true
}

function headerOf(file: string): Buffer {
  const header = Buffer.alloc(100)
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    readSync(fd, header, 0, header.length, 0)
  } finally {
    closeSync(fd)
  }
  return header
}

const notOne = (problem: string): FaultError => new FaultError({ code: 'JOURNAL_FORMAT', problem })

/**
 * Makes an empty journal, beside its place and then linked into it: it is there wholly or not at all, whenever the process
 * dies, and of two that make one the first one's stays.
 */
export function create(file: string): void {
  const draft = `${file}-new-${process.pid}`
  try {
    rmSync(draft, { force: true })
    closeSync(openSync(draft, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600))
  } catch (error) {
    throw codeOf(error) === 'ENOENT' ? failed(`the folder ${path.dirname(file)} does not exist: make it first`) : error
  }
  try {
    const db = new DatabaseSync(draft)
    try {
      db.exec(`PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;
        BEGIN; ${format1}; COMMIT; PRAGMA journal_mode = WAL`)
    } finally {
      db.close()
    }
    sync(draft)
    linkSync(draft, file)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  syncFolder(file)
}

/** Makes sure that files which are new beside `file` are found after a crash. */
export function syncFolder(file: string): void {
  if (process.platform !== 'win32') sync(path.dirname(file)) // where folders cannot be synced, they need not be
}

function sync(file: string): void {
  const fd = openSync(file, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

/** Bytes that the log keeps when it begins anew: a reader that took its time made it larger. */
const mostLogBytes = 64 * 1024 * 1024

/**
 * A connection to a journal that is there. One that only reads leaves everything as it is: the end of the last
 * connection that may write moves the log into the file, also when it is damaged.
 */
export function connect(file: string, readOnly: boolean): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly, timeout: 5000 })
  try {
    db.exec('PRAGMA cache_size = -16000; PRAGMA mmap_size = 0')
    if (!readOnly)
      db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
        PRAGMA journal_size_limit = ${mostLogBytes}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}
