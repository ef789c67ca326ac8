import { JournalConflictError } from '../../core/journal-errors.ts'
import type { Append, Snapshot } from '../../core/journal.ts'
import { endBefore, olderSnapshot } from '../append-check.ts'
import type { Database } from './database.ts'
import type { Heads } from './heads.ts'
import { rowName } from './leases.ts'
import {
  blobCrc,
  chained,
  columns,
  headCrc,
  noHead,
  snapshotCrc,
  type BlobRow,
  type EntryRow,
  type Head,
} from './rows.ts'

interface Held {
  readonly name: string
  readonly epoch: number
}

/** What one transaction writes, and how the streams end after it. */
export class Batch {
  readonly #before: Heads
  readonly #heads = new Map<string, Head>()
  readonly #entries: Omit<EntryRow, 'position'>[] = []
  /** The last one of each stream. */
  readonly #snapshots = new Map<string, Snapshot>()
  /** The last one of each id, by stream and id. */
  readonly #blobs = new Map<string, Omit<BlobRow, 'crc'>>()
  readonly #leases = new Map<string, Held>()

  constructor(before: Heads, writer: string, epoch: number) {
    this.#before = before
    this.#leases.set(writer, { name: writer, epoch })
  }

  get isEmpty(): boolean {
    return this.#heads.size === 0
  }

  /** How each stream that is written ends. */
  get heads(): ReadonlyMap<string, Head> {
    return this.#heads
  }

  /** Under which it is written. */
  get leases(): readonly Held[] {
    return [...this.#leases.values()]
  }

  /** Why a group cannot be written after what is in the batch. */
  refusal(appends: readonly Append[]): Error | undefined {
    const after = new Map<string, { readonly lastSeq: number; readonly snapshotSeq: number }>()
    for (const append of appends) {
      const { stream, expectedSeq, entries, snapshot } = append
      const { lastSeq, snapshotSeq } = after.get(stream) ?? this.#head(stream)
      const end = endBefore(append)
      if (lastSeq !== end) return new JournalConflictError(stream, end, lastSeq)
      if (snapshot !== undefined && snapshot.seq < snapshotSeq) return olderSnapshot(stream, snapshot.seq, snapshotSeq)
      after.set(stream, { lastSeq: expectedSeq + entries.length, snapshotSeq: snapshot?.seq ?? snapshotSeq })
    }
    return undefined
  }

  add(appends: readonly Append[]): void {
    for (const append of appends) {
      const { stream, entries, snapshot, blobs = [], wakeAtMs, lease } = append
      const head = append.baseSeq === undefined ? this.#head(stream) : beginning(append.baseSeq, snapshot)
      const { baseSeq } = head
      let { lastSeq, chain, lastAtMs, snapshotSeq } = head
      for (const { kind, version, atMs, body } of entries) {
        lastSeq += 1
        lastAtMs = atMs
        const entry = { stream, seq: lastSeq, kind, version, atMs, wakeAtMs, body, prev: chain }
        chain = chained(entry)
        this.#entries.push({ ...entry, crc: chain })
      }
      if (snapshot !== undefined) {
        snapshotSeq = snapshot.seq
        this.#snapshots.set(stream, snapshot)
      }
      for (const { id, text } of blobs)
        this.#blobs.set(JSON.stringify([stream, id]), { stream, id, text, seq: lastSeq })
      if (lease !== undefined) {
        const name = rowName('lease', lease.name)
        this.#leases.set(JSON.stringify([name, lease.epoch]), { name, epoch: lease.epoch })
      }
      this.#heads.set(stream, { lastSeq, chain, lastAtMs, baseSeq, snapshotSeq, nextWakeMs: wakeAtMs })
    }
  }

  /** Writes all of it if all its leases are held, else nothing. Answers those that are. One round trip, one commit. */
  write(database: Database): Promise<readonly Held[]> {
    const heads = [...this.#heads].map(([stream, head]) => ({ stream, ...head, crc: headCrc(stream, head) }))
    const snapshots = [...this.#snapshots].map(([stream, { blobs, ...snapshot }]) => {
      const row = { stream, ...snapshot, blobs: JSON.stringify(blobs) }
      return { ...row, crc: snapshotCrc(row) }
    })
    const blobs = [...this.#blobs.values()].map((blob) => ({ ...blob, crc: blobCrc(blob) }))
    return database.rows<Held>(statement(database), [
      ...columns(this.leases, ['name', 'epoch']),
      ...columns(this.#entries, ['stream', 'seq', 'kind', 'version', 'atMs', 'wakeAtMs', 'prev', 'crc', 'body']),
      ...columns(heads, ['stream', 'lastSeq', 'chain', 'lastAtMs', 'baseSeq', 'snapshotSeq', 'nextWakeMs', 'crc']),
      ...columns(snapshots, ['stream', 'seq', 'version', 'atMs', 'blobs', 'crc', 'body']),
      ...columns(blobs, ['stream', 'id', 'seq', 'crc', 'text']),
    ])
  }

  #head(stream: string): Head {
    return this.#heads.get(stream) ?? this.#before.of(stream)
  }
}

/** A stream of which the entries up to `baseSeq` are gone from the start. */
const beginning = (baseSeq: number, snapshot: Snapshot | undefined): Head => ({
  ...noHead,
  lastSeq: baseSeq,
  baseSeq,
  lastAtMs: snapshot?.atMs ?? 0,
})

/** The leases $1 with epochs $2 that are held, locked until the transaction ends; and whether they are all. */
export const heldLeases = (database: Database): string => `
  held AS MATERIALIZED (
    SELECT l.name, l.epoch FROM ${database.table('leases')} l
    JOIN unnest($1::text[], $2::bigint[]) AS w(name, epoch) ON l.name = w.name AND l.epoch = w.epoch FOR SHARE OF l),
  allowed AS MATERIALIZED (SELECT count(*) = cardinality($1::text[]) AS yes FROM held)`

/** Positions are given in the order of the rows. */
const statement = (database: Database): string => `
  WITH ${heldLeases(database)},
  new_entries AS (
    INSERT INTO ${database.table('entries')} (stream, seq, kind, version, at_ms, wake_ms, prev, crc, body)
    SELECT stream, seq, kind, version, at_ms, wake_ms, prev, crc, body
    FROM unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::float8[], $8::float8[], $9::bigint[],
      $10::bigint[], $11::text[]) WITH ORDINALITY AS e(stream, seq, kind, version, at_ms, wake_ms, prev, crc, body, place)
    WHERE (SELECT yes FROM allowed) ORDER BY place),
  new_heads AS (
    INSERT INTO ${database.table('streams')} AS s (stream, last_seq, chain, at_ms, base_seq, snapshot_seq, wake_ms, crc)
    SELECT * FROM unnest($12::text[], $13::bigint[], $14::bigint[], $15::float8[], $16::bigint[], $17::bigint[],
      $18::float8[], $19::bigint[]) WHERE (SELECT yes FROM allowed)
    ON CONFLICT (stream) DO UPDATE SET last_seq = excluded.last_seq, chain = excluded.chain, at_ms = excluded.at_ms,
      base_seq = excluded.base_seq, snapshot_seq = excluded.snapshot_seq, wake_ms = excluded.wake_ms, crc = excluded.crc),
  new_snapshots AS (
    INSERT INTO ${database.table('snapshots')} (stream, seq, version, at_ms, blobs, crc, body)
    SELECT * FROM unnest($20::text[], $21::bigint[], $22::bigint[], $23::float8[], $24::text[], $25::bigint[],
      $26::text[]) WHERE (SELECT yes FROM allowed)
    ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, version = excluded.version, at_ms = excluded.at_ms,
      blobs = excluded.blobs, crc = excluded.crc, body = excluded.body),
  new_blobs AS (
    INSERT INTO ${database.table('blobs')} (stream, id, seq, crc, text)
    SELECT * FROM unnest($27::text[], $28::text[], $29::bigint[], $30::bigint[], $31::text[])
    WHERE (SELECT yes FROM allowed)
    ON CONFLICT (stream, id) DO UPDATE SET seq = excluded.seq, crc = excluded.crc, text = excluded.text)
  SELECT name, epoch FROM held`
