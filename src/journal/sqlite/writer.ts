import type { Append, Lease, Snapshot } from '../../core/journal.ts'
import { endBefore } from '../append-check.ts'
import { chained } from './checksum.ts'
import { corrupt, failed, FaultError, faultOf, isBusy, type Fault } from './faults.ts'
import type { Heads } from './heads.ts'
import { badCrc, type Head, type Tables } from './tables.ts'
import type { Witness } from './witness.ts'

/** Name of the lease of whoever writes. No lease that is asked for can have it. */
export const writerLease = ''
/** Tries to get at a file that another program writes to, each as long as the timeout of the connection. */
const busyTries = 6
/** Bytes of the log that are moved into the file at once. */
const checkpointBytes = 8 * 1024 * 1024
const pageBytes = 4096
/** Late heads, and bytes of the log, that are worth the time when there is time. */
const tidyHeads = 5000
const tidyBytes = 1024 * 1024

type End = Pick<Head, 'seq' | 'snapshotSeq'>
const beginning: End = { seq: 0, snapshotSeq: 0 }

/**
 * All changes of a journal. One transaction at a time, each with the check that nobody else took over.
 *
 * 1. What a transaction did is on disk when `transaction` returns, or nothing of it is when it throws.
 * 2. After a failure, and after another writer took over, nothing is written any more.
 * 3. Each transaction raises the position, so that the witness of the last one vouches for all of them.
 */
export class Writer {
  readonly tables: Tables
  readonly heads: Heads
  readonly #witness: Witness
  readonly #epoch: number
  readonly #onFailure: (fault: Fault) => void
  #position: number
  #failure: Fault | undefined
  /** Estimate of what the log has that is not in the file yet. */
  #logBytes = 0

  constructor(
    tables: Tables,
    heads: Heads,
    witness: Witness,
    { position, epoch, onFailure }: { position: number; epoch: number; onFailure: (fault: Fault) => void },
  ) {
    this.tables = tables
    this.heads = heads
    this.#witness = witness
    this.#position = position
    this.#epoch = epoch
    this.#onFailure = onFailure
  }

  get position(): number {
    return this.#position
  }

  /** What a transaction that changes something does. `flush`: how many late heads it writes along the way. */
  transaction<T>(work: () => T, flush = 64): T {
    return this.#transaction(
      work,
      () => true,
      () => flush,
    )
  }

  /** Writes each of the calls wholly or not at all, and says for each why not. */
  commit(calls: Iterable<readonly Append[]>): (Fault | undefined)[] {
    let entries = 0
    return this.#transaction(
      () => {
        const outcomes: (Fault | undefined)[] = []
        for (const call of calls) {
          const refusal = this.#refusal(call)
          outcomes.push(refusal)
          if (refusal === undefined)
            for (const append of call) {
              this.#write(append)
              entries += append.entries.length
            }
        }
        return outcomes
      },
      () => this.heads.hasChanges,
      () => Math.max(64, 2 * entries), // twice the pace at which they become late, at least
    )
  }

  #transaction<T>(work: () => T, hasChanges: () => boolean, flush: () => number): T {
    if (this.#failure !== undefined) throw new FaultError(this.#failure)
    const before = this.#position
    try {
      this.#begin()
      const epoch = this.tables.epoch(writerLease)
      if (epoch !== this.#epoch)
        throw new FaultError({
          code: 'JOURNAL_FENCED',
          lease: 'writer',
          isWriter: true,
          epoch: this.#epoch,
          current: epoch,
        })
      const result = work()
      if (!hasChanges()) {
        this.tables.run('ROLLBACK')
        this.heads.rolledBack()
        return result
      }
      this.heads.write(flush())
      if (this.#position === before) {
        this.#position += 1
        this.tables.putMeta('position', this.#position)
      }
      this.tables.run('COMMIT')
      this.heads.committed(this.#position)
      this.#witness.write(this.#position, this.#epoch)
      this.#logBytes += 2 * pageBytes
      return result
    } catch (error) {
      this.#position = before
      this.heads.rolledBack()
      this.#rollBack()
      const fault = faultOf(error)
      if (isFinal(fault)) this.#fail(fault)
      throw new FaultError(fault)
    }
  }

  #begin(): void {
    for (let tries = 1; ; tries += 1)
      try {
        this.tables.run('BEGIN IMMEDIATE')
        return
      } catch (error) {
        if (!isBusy(error)) throw error
        if (tries >= busyTries) throw failed('another program has been writing to the file for half a minute')
      }
  }

  #rollBack(): void {
    try {
      if (this.tables.db.isTransaction) this.tables.run('ROLLBACK')
    } catch (error) {
      this.#fail(faultOf(error))
    }
  }

  #fail(fault: Fault): void {
    if (this.#failure !== undefined) return
    this.#failure = fault
    this.#onFailure(fault)
  }

  /** Why a call may not be written. Nothing has been written for it yet. */
  #refusal(call: readonly Append[]): Fault | undefined {
    // Where streams would end: only in a call of several does that matter to another append.
    const ends = call.length > 1 ? new Map<string, End>() : undefined
    try {
      for (const append of call) {
        const { stream, expectedSeq, entries, snapshot, lease } = append
        if (lease !== undefined) this.checkLease(lease)
        const end = ends?.get(stream) ?? this.heads.find(stream) ?? beginning
        const wanted = endBefore(append)
        if (end.seq !== wanted) return { code: 'JOURNAL_CONFLICT', stream, expectedSeq: wanted, actualSeq: end.seq }
        if (snapshot !== undefined && snapshot.seq < end.snapshotSeq)
          return { code: 'DEFINITION_INVALID', stream, seq: snapshot.seq, presentSeq: end.snapshotSeq }
        ends?.set(stream, { seq: expectedSeq + entries.length, snapshotSeq: snapshot?.seq ?? end.snapshotSeq })
      }
    } catch (error) {
      const fault = faultOf(error)
      // What is damaged is this stream; the others of the transaction need not suffer.
      if (fault.code === 'JOURNAL_FAILED' || fault.code === 'JOURNAL_FULL') throw error
      return fault
    }
    return undefined
  }

  /** @throws {FaultError} `JOURNAL_FENCED` when the lease is over. */
  checkLease({ name, epoch }: Lease): void {
    const current = this.tables.epoch(name)
    if (current !== epoch)
      throw new FaultError({ code: 'JOURNAL_FENCED', lease: name, isWriter: false, epoch, current })
  }

  #write({ stream, baseSeq, entries, snapshot, blobs, wakeAtMs }: Append): void {
    const head = this.heads.find(stream) ?? this.heads.create(stream, baseSeq, snapshot?.atMs)
    this.heads.touch(head, snapshot !== undefined || entries.length === 0)
    let snapshotCrc = snapshot?.seq === head.seq ? head.entryCrc : undefined
    for (const { kind, version, atMs, body } of entries) {
      this.#position += 1
      const { id, position: prev } = head
      const row = { position: this.#position, stream: id, seq: head.seq + 1, prev, atMs, kind, version, wakeAtMs, body }
      const crc = chained(head.entryCrc, row)
      this.tables.insertEntry(row, crc)
      head.position = row.position
      head.seq = row.seq
      head.entryCrc = crc
      head.atMs = atMs
      if (snapshot?.seq === row.seq) snapshotCrc = crc
      this.#logBytes += body.length + 100
    }
    head.wakeAtMs = wakeAtMs
    if (snapshot !== undefined) this.#writeSnapshot(head, snapshot, snapshotCrc ?? this.#crcAt(head, snapshot.seq))
    for (const { id, text } of blobs ?? []) {
      this.tables.putBlob(head.id, id, head.seq, text)
      this.#logBytes += text.length
    }
  }

  #writeSnapshot(head: Head, { seq, version, atMs, body, blobs }: Snapshot, entryCrc: number): void {
    head.snapshotSeq = seq
    this.tables.putSnapshot(head.id, { seq, entryCrc, version, atMs, body, blobs: JSON.stringify(blobs) })
    this.#logBytes += body.length
  }

  /** The chain of a stream at an entry before its last one. */
  #crcAt(head: Head, seq: number): number {
    if (seq === head.baseSeq) return head.baseCrc
    const snapshot = this.tables.snapshot(head.id)
    if (snapshot?.seq === seq) return snapshot.entryCrc
    let position = head.position
    for (let at = head.seq; at > seq; at -= 1) position = this.tables.link(position)?.prev ?? 0
    const entry = this.tables.entry(position)
    if (entry?.stream !== head.id || entry.seq !== seq) throw corrupt(`stream ${head.name} at ${seq}`, badCrc)
    return entry.crc
  }

  /** Moves the log into the file when it is large, so that it is written from its beginning again. */
  checkpointIfLarge(): void {
    if (this.#logBytes > checkpointBytes) this.checkpoint()
  }

  /** @throws what the disk says: after a sync that failed, nobody knows what is on it. */
  checkpoint(): void {
    this.#logBytes = 0
    if (this.#failure !== undefined) return
    try {
      // Passive: it waits for nobody, and what a reader still needs is moved the next time.
      this.tables.get('PRAGMA wal_checkpoint(PASSIVE)')
    } catch (error) {
      const fault = faultOf(error)
      // Without space it stays in the log, which is as good.
      if (fault.code !== 'JOURNAL_FULL' && !isBusy(error)) this.#fail(fault)
    }
  }

  /** Says that this writer is still there, to those that cannot ask its machine. */
  renew(expiresAtMs: number): void {
    try {
      this.transaction(() => {
        const row = this.tables.lease(writerLease)
        if (row !== undefined) this.tables.putLease({ ...row, expiresAtMs })
      })
    } catch {
      // Whoever has to know was told; a disk that is full has space again before long, or somebody else takes over.
    }
  }

  /** What makes the next start and the next commits faster, when there is enough of it. */
  *tidy(): Generator<undefined, void> {
    if (this.heads.late.size > tidyHeads) yield* this.flush()
    if (this.#logBytes > tidyBytes) this.checkpoint()
  }

  /** Writes what is late, gives the right to write back, and moves the log into the file. */
  close(): void {
    try {
      for (const _ of this.flush());
      this.transaction(() => {
        const row = this.tables.lease(writerLease)
        if (row !== undefined) this.tables.putLease({ ...row, epoch: row.epoch + 1, expiresAtMs: 0 })
      })
    } catch {
      // What could not be written is found again when it is opened, and a process that ended holds no lease.
    } finally {
      this.checkpoint()
      this.#witness.close()
    }
  }

  /** Writes all heads that are late. Yields between transactions. */
  *flush(): Generator<undefined, void> {
    if (this.heads.late.size === 0) return
    this.heads.beginFlush(this.#position)
    while (this.heads.isFlushing) {
      this.transaction(() => undefined, 2000)
      yield
    }
  }
}

const isFinal = (fault: Fault): boolean =>
  fault.code === 'JOURNAL_FAILED' ||
  fault.code === 'JOURNAL_CORRUPT' ||
  (fault.code === 'JOURNAL_FENCED' && fault.isWriter)
