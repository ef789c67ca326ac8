import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { rowCrc, type Checked } from './checksum.ts'
import { corrupt } from './faults.ts'

/** A row of `entries`. */
export interface EntryRow extends Checked {
  readonly crc: number
}

/** What it takes to walk along a stream. */
export interface Link {
  readonly stream: number
  readonly seq: number
  readonly prev: number
  readonly bytes: number
}

/** Where a stream ends, and from where on it is kept. */
export class Head {
  readonly id: number
  readonly name: string
  /** Of the last entry. */
  position: number
  seq: number
  entryCrc: number
  atMs: number
  /** Last entry that was compacted, and the chain there; 0 and the seed of the chain when all entries are there. */
  baseSeq: number
  baseCrc: number
  snapshotSeq: number
  wakeAtMs: number | null
  /** Whether it is newer than its row. */
  isLate = false
  /** The transaction that changes it, or that did last. */
  changedIn = 0

  constructor(row: HeadRow) {
    this.id = row.id
    this.name = row.name
    this.position = row.position
    this.seq = row.seq
    this.entryCrc = row.entryCrc
    this.atMs = row.atMs
    this.baseSeq = row.baseSeq
    this.baseCrc = row.baseCrc
    this.snapshotSeq = row.snapshotSeq
    this.wakeAtMs = row.wakeAtMs
  }
}

/** A row of `streams`. */
type HeadRow = Omit<Head, 'isLate' | 'changedIn'>

export interface SnapshotRow {
  readonly seq: number
  /** The chain of the stream at `seq`. */
  readonly entryCrc: number
  readonly version: number
  readonly atMs: number
  readonly body: string
  /** JSON: a list of ids. */
  readonly blobs: string
}

export interface LeaseRow {
  readonly name: string
  readonly node: string
  readonly host: string
  readonly pid: number
  /** JSON: which process of all those that had this pid. Only of the writer. */
  readonly process: string
  readonly epoch: number
  readonly expiresAtMs: number
}

/** What tells whether a row of `streams` is whole, also that its name fits to the index that led to it. */
const headCrc = (head: HeadRow): number =>
  rowCrc(
    head.id,
    head.name,
    head.position,
    head.seq,
    head.entryCrc,
    head.atMs,
    head.baseSeq,
    head.baseCrc,
    head.snapshotSeq,
    head.wakeAtMs,
  )

const snapshotCrc = (id: number, row: SnapshotRow): number =>
  rowCrc(id, row.seq, row.entryCrc, row.version, row.atMs, row.body, row.blobs)

const leaseCrc = (row: LeaseRow): number =>
  rowCrc(row.name, row.node, row.host, row.pid, row.process, row.epoch, row.expiresAtMs)

const entryColumns =
  'e.position, e.stream, e.seq, e.prev, e.at_ms AS atMs, e.kind, e.version, e.wake_ms AS wakeAtMs, e.body, e.crc'
const headColumns = `id, name, position, seq, entry_crc AS entryCrc, at_ms AS atMs, base_seq AS baseSeq,
  base_crc AS baseCrc, snapshot_seq AS snapshotSeq, wake_ms AS wakeAtMs, crc`

const selectEntry = `SELECT ${entryColumns} FROM entries e WHERE e.position = ?`
const selectEntries = `SELECT ${entryColumns} FROM entries e WHERE e.position > ? ORDER BY e.position LIMIT ?`
const selectHeadByName = `SELECT ${headColumns} FROM streams WHERE name = ?`
const selectHeadById = `SELECT ${headColumns} FROM streams WHERE id = ?`
const entriesWithStreams = `SELECT ${entryColumns}, p.crc AS before, s.name, s.base_seq AS baseSeq, s.base_crc AS baseCrc
  FROM entries e LEFT JOIN entries p ON p.position = e.prev LEFT JOIN streams s ON s.id = e.stream`

/** A tail's entry with what it takes to check it: the entry before it, and its stream. */
export interface TailRow extends EntryRow {
  readonly name: string | null
  readonly before: number | null
  readonly baseSeq: number
  readonly baseCrc: number
}

type Row<T> = T & { readonly crc: number }

/** The tables of a journal as typed rows. Whatever is read is checked, except for entries: those need the one before them. */
export class Tables {
  readonly db: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  constructor(db: DatabaseSync) {
    this.db = db
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values)
  }

  /** Its type is a promise of the caller: what its statement selects. */
  get<T>(sql: string, ...values: SQLInputValue[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined
  }

  all<T>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#statement(sql).all(...values) as T[]
  }

  /** Row by row: no more than one is in memory. */
  each<T>(sql: string, ...values: SQLInputValue[]): IteratorObject<T> {
    return this.#statement(sql).iterate(...values) as unknown as IteratorObject<T> // it is one, and has its methods
  }

  /** Runs `work` on one state of the file. */
  consistently<T>(work: () => T): T {
    this.run('BEGIN')
    try {
      return work()
    } finally {
      // Some failures end it by themselves.
      if (this.db.isTransaction) this.run('COMMIT')
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      statement = this.db.prepare(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }

  insertEntry = (row: Checked, crc: number): void => {
    this.#insert ??= this.db.prepare('INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    const { position, stream, seq, prev, atMs, kind, version, wakeAtMs, body } = row
    this.#insert.run(position, stream, seq, prev, atMs, kind, version, wakeAtMs, crc, body)
  }
  #insert: StatementSync | undefined

  entry(position: number): EntryRow | undefined {
    return this.get(selectEntry, position)
  }

  link(position: number): Link | undefined {
    return this.get('SELECT stream, seq, prev, octet_length(body) AS bytes FROM entries WHERE position = ?', position)
  }

  entriesAfter(position: number, limit: number): IteratorObject<EntryRow> {
    return this.each(selectEntries, position, limit)
  }

  tailAfter(position: number, limit: number): IteratorObject<TailRow> {
    return this.each(`${entriesWithStreams} WHERE e.position > ? ORDER BY e.position LIMIT ?`, position, limit)
  }

  entriesWithStreams(): IteratorObject<TailRow> {
    return this.each(`${entriesWithStreams} ORDER BY e.position`)
  }

  removeEntry(position: number): void {
    this.run('DELETE FROM entries WHERE position = ?', position)
  }

  headByName(name: string): Head | undefined {
    const row = this.get<Row<HeadRow>>(selectHeadByName, name)
    return row === undefined ? undefined : checkedHead(row)
  }

  headById(id: number): Head | undefined {
    const row = this.get<Row<HeadRow>>(selectHeadById, id)
    return row === undefined ? undefined : checkedHead(row)
  }

  /** By another index: a stream that the damage of one hides is found by the other. */
  isHidden(name: string, hash: number): boolean {
    return this.all<{ name: string }>('SELECT name FROM streams WHERE hash = ?', hash).some((row) => row.name === name)
  }

  headsByName(after: string, orEqual: boolean, limit: number): Head[] {
    const sql = `SELECT ${headColumns} FROM streams WHERE name ${orEqual ? '>=' : '>'} ? ORDER BY name LIMIT ?`
    return this.all<Row<HeadRow>>(sql, after, limit).map(checkedHead)
  }

  headsById(afterId: number, limit: number): Head[] {
    const sql = `SELECT ${headColumns} FROM streams WHERE id > ? ORDER BY id LIMIT ?`
    return this.all<Row<HeadRow>>(sql, afterId, limit).map(checkedHead)
  }

  /** Whether the index of wake-ups has what the rows have: one that is missing there would never be found missing. */
  isWakeIndexWhole(): boolean {
    const sums = (how: string): string =>
      JSON.stringify(
        this.get(`SELECT count(*), total(id), sum(CAST(wake_ms AS INTEGER) % 1000000007) FROM streams ${how}
          WHERE wake_ms IS NOT NULL`),
      )
    return sums('INDEXED BY streams_by_wake') === sums('NOT INDEXED')
  }

  everyHead(): IteratorObject<Head> {
    return this.each<Row<HeadRow>>(`SELECT ${headColumns} FROM streams ORDER BY id`).map(checkedHead)
  }

  headsByWake(beforeMs: number): IteratorObject<Head> {
    const sql = `SELECT ${headColumns} FROM streams WHERE wake_ms IS NOT NULL AND wake_ms <= ? ORDER BY wake_ms, name`
    return this.each<Row<HeadRow>>(sql, beforeMs).map(checkedHead)
  }

  insertHead(head: Head, hash: number): void {
    const { id, name, position, seq, entryCrc, atMs, baseSeq, baseCrc, snapshotSeq, wakeAtMs } = head
    this.run(
      'INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ...[id, name, hash, position, seq, entryCrc, atMs, baseSeq, baseCrc, snapshotSeq, wakeAtMs, headCrc(head)],
    )
  }

  updateHead(head: Head): void {
    const { id, position, seq, entryCrc, atMs, baseSeq, baseCrc, snapshotSeq, wakeAtMs } = head
    this.run(
      `UPDATE streams SET position = ?, seq = ?, entry_crc = ?, at_ms = ?, base_seq = ?, base_crc = ?,
       snapshot_seq = ?, wake_ms = ?, crc = ? WHERE id = ?`,
      ...[position, seq, entryCrc, atMs, baseSeq, baseCrc, snapshotSeq, wakeAtMs, headCrc(head), id],
    )
  }

  snapshot(id: number): SnapshotRow | undefined {
    const row = this.get<Row<SnapshotRow>>(
      'SELECT seq, entry_crc AS entryCrc, version, at_ms AS atMs, blobs, crc, body FROM snapshots WHERE stream = ?',
      id,
    )
    if (row !== undefined && row.crc !== snapshotCrc(id, row)) throw corrupt(`snapshot of stream ${id}`, badCrc)
    return row
  }

  putSnapshot(id: number, row: SnapshotRow): void {
    const { seq, entryCrc, version, atMs, blobs, body } = row
    this.run(
      'INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[id, seq, entryCrc, version, atMs, blobs, snapshotCrc(id, row), body],
    )
  }

  blob(stream: number, id: string): string | undefined {
    const row = this.get<Row<{ seq: number; text: string }>>(
      'SELECT seq, crc, text FROM blobs WHERE stream = ? AND id = ?',
      stream,
      id,
    )
    if (row !== undefined && row.crc !== rowCrc(stream, id, row.seq, row.text))
      throw corrupt(`blob ${id} of stream ${stream}`, badCrc)
    return row?.text
  }

  putBlob(stream: number, id: string, seq: number, text: string): void {
    this.removeBlob(stream, id)
    this.run('INSERT INTO blobs VALUES (?, ?, ?, ?, ?)', stream, id, seq, rowCrc(stream, id, seq, text), text)
  }

  /** Ids of the blobs that came with entries that the snapshot covers, except for those that it names. */
  coveredBlobs(stream: number, { seq, blobs }: SnapshotRow): string[] {
    const kept = new Set(JSON.parse(blobs) as string[]) // what `putSnapshot` wrote: its checksum fits
    return this.all<{ id: string }>('SELECT id FROM blobs WHERE stream = ? AND seq <= ?', stream, seq)
      .map(({ id }) => id)
      .filter((id) => !kept.has(id))
  }

  removeBlob(stream: number, id: string): void {
    this.run('DELETE FROM blobs WHERE stream = ? AND id = ?', stream, id)
  }

  lease(name: string): LeaseRow | undefined {
    const row = this.get<Row<LeaseRow>>(
      'SELECT name, node, host, pid, process, epoch, expires_ms AS expiresAtMs, crc FROM leases WHERE name = ?',
      name,
    )
    if (row !== undefined && row.crc !== leaseCrc(row)) throw corrupt(`lease '${name}'`, badCrc)
    return row
  }

  /** The epoch of a lease; 0 for none. */
  epoch(name: string): number {
    return this.get<{ epoch: number }>('SELECT epoch FROM leases WHERE name = ?', name)?.epoch ?? 0
  }

  putLease(row: LeaseRow): void {
    const { name, node, host, pid, process, epoch, expiresAtMs } = row
    this.run(
      'INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[name, node, host, pid, process, epoch, expiresAtMs, leaseCrc(row)],
    )
  }

  meta(name: 'indexed' | 'position'): number {
    const row = this.get<{ value: number; crc: number }>('SELECT value, crc FROM meta WHERE name = ?', name)
    if (row?.crc !== rowCrc(name, row?.value ?? null)) throw corrupt(`meta ${name}`, 'it is missing or damaged')
    return row.value
  }

  putMeta(name: 'indexed' | 'position', value: number): void {
    this.run('UPDATE meta SET value = ?, crc = ? WHERE name = ?', value, rowCrc(name, value), name)
  }

  pragma(name: 'page_count' | 'page_size' | 'freelist_count'): number {
    return this.get<Record<string, number>>(`PRAGMA ${name}`)?.[name] ?? 0
  }

  /** The last position that was ever given: entries that had it may be gone. */
  lastPosition(): number {
    const last = this.get<{ last: number | null }>('SELECT max(position) AS last FROM entries')?.last ?? 0
    return Math.max(last, this.meta('position'))
  }
}

export const badCrc = 'its checksum does not fit'

function checkedHead(row: Row<HeadRow>): Head {
  if (row.crc !== headCrc(row)) throw corrupt(`stream ${row.id}`, badCrc)
  return new Head(row)
}
