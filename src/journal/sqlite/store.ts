import { systemClock } from '../../core/clock.ts'
import type { Append, CompactReport, Lease } from '../../core/journal.ts'
import { compactSteps } from './compact.ts'
import { failed, FaultError, type Fault } from './faults.ts'
import type { Heads } from './heads.ts'
import { Leases, writerOf } from './leases.ts'
import type { FromStore, Operation, Operations, StoreSetup } from './messages.ts'
import { openReader, openWriter, writerTtlMs } from './opening.ts'
import { thisHost } from './process.ts'
import { Reading } from './reading.ts'
import { formatVersion } from './schema.ts'
import type { Tables } from './tables.ts'
import { verifyAll } from './verify.ts'
import { writerLease, type Writer } from './writer.ts'

type Steps<T> = Generator<undefined, T>
type Handlers = {
  readonly [K in Exclude<Operation, 'close'>]: (...args: Parameters<Operations[K]>) => Steps<ReturnType<Operations[K]>>
}

/** Everything that can be done with an open journal, in the thread that has it. */
export class Store {
  readonly #tables: Tables
  readonly #heads: Heads
  readonly #reading: Reading
  /** None when it is open for reading. */
  readonly #writer: Writer | undefined
  readonly #leases: Leases | undefined
  #hostMs: number
  #hostMsAt: number
  /** When the right to write was renewed last, and whether anything was written since the last beat. */
  #renewedAt: number
  #isIdle = false
  #isCompacting = false
  /** What was wrong with it when it was opened for reading. */
  readonly #damage: Fault | undefined
  readonly #witnessed: number = 0
  readonly #handlers: Handlers

  constructor(setup: StoreSetup, post: (message: FromStore) => void, onFailure: (fault: Fault) => void) {
    if (setup.mode === 'write') {
      this.#writer = openWriter(setup, post, onFailure)
      this.#tables = this.#writer.tables
      this.#heads = this.#writer.heads
      this.#leases = new Leases(this.#writer, { node: setup.node, host: thisHost, pid: process.pid })
    } else {
      const reader = openReader(setup.file, post)
      this.#tables = reader.tables
      this.#heads = reader.heads
      this.#damage = reader.damage
      this.#witnessed = reader.witnessed
    }
    this.#reading = new Reading(this.#tables, this.#heads)
    this.#hostMs = setup.nowMs
    this.#hostMsAt = this.#renewedAt = systemClock.now()
    this.#handlers = this.#allHandlers()
  }

  /** The wall clock of the host, as it was when the last message was sent. */
  timeIs(hostMs: number): void {
    this.#hostMs = hostMs
    this.#hostMsAt = systemClock.now()
  }

  /**
   * Once in a while: says that the writer is still there, which also finds out whether it still is the writer. When nothing
   * was written since the last time, answers what to do with the time.
   */
  beat(): Steps<unknown> | undefined {
    const writer = this.#writing()
    const nowMs = systemClock.now()
    if (nowMs - this.#renewedAt > writerTtlMs / 3) {
      this.#renewedAt = nowMs
      writer.renew(this.#hostMs + (nowMs - this.#hostMsAt) + writerTtlMs)
    }
    const isIdle = this.#isIdle
    this.#isIdle = true
    return isIdle ? writer.tidy() : undefined
  }

  commit(calls: Iterable<readonly Append[]>): (Fault | undefined)[] {
    this.#isIdle = false
    return this.#writing().commit(calls)
  }

  afterCommit(): void {
    this.#writing().checkpointIfLarge()
  }

  begin(operation: Exclude<Operation, 'close'>, args: readonly unknown[]): Steps<unknown> {
    // The arguments are those of `Operations`: the other side is typed by it.
    const handler = this.#handlers[operation] as (...args: readonly unknown[]) => Steps<unknown>
    if (this.#writer !== undefined) return handler(...args)
    if (this.#damage !== undefined && operation !== 'verify') throw new FaultError(this.#damage)
    return this.#consistent(() => handler(...args))
  }

  /** Reads beside a writer: all of it at once. */
  *#consistent(read: () => Steps<unknown>): Steps<unknown> {
    return this.#tables.consistently(() => {
      if (this.#damage === undefined) for (const _ of this.#heads.recover());
      const steps = read()
      for (;;) {
        const { done, value } = steps.next()
        if (done === true) return value
      }
    })
  }

  #allHandlers(): Handlers {
    const reading = this.#reading
    const leases = (): Leases => this.#leases ?? this.#notWriting()
    return {
      load: (stream) => reading.load(stream),
      read: (stream, afterSeq, limit) => reading.read(stream, afterSeq, limit),
      tail: one((afterPosition) => reading.tail(afterPosition)),
      blob: one((stream, id) => reading.blob(stream, id)),
      list: one((prefix, afterStream, limit) => reading.list(prefix, afterStream, limit)),
      due: one((beforeMs, limit) => reading.due(beforeMs, limit)),
      info: () => this.#info(),
      verify: one(() => verifyAll(this.#tables, this.#witnessed, 1000)),
      compact: (stream) => this.#compact(stream),
      acquire: one((name, ttlMs, takeOver) => leases().acquire(name, { ttlMs, takeOver, nowMs: this.#hostMs })),
      renew: one((lease: Lease, ttlMs) => leases().renew(lease, ttlMs, this.#hostMs)),
      release: one((lease: Lease) => {
        leases().release(lease)
      }),
    }
  }

  *#info(): Steps<ReturnType<Operations['info']>> {
    const counts = yield* this.#reading.count()
    return { ...counts, formatVersion, writer: writerOf(this.#tables.lease(writerLease)) }
  }

  *#compact(stream: string | undefined): Steps<CompactReport> {
    while (this.#isCompacting) yield
    this.#isCompacting = true
    try {
      return yield* compactSteps(this.#writing(), this.#reading, stream)
    } finally {
      this.#isCompacting = false
    }
  }

  #writing(): Writer {
    return this.#writer ?? this.#notWriting()
  }

  #notWriting(): never {
    throw failed('it is open for reading only')
  }

  close(): void {
    try {
      this.#writer?.close()
    } finally {
      this.#tables.db.close()
    }
  }
}

/** What is done in one step. */
const one = <A extends readonly unknown[], R>(work: (...args: A) => R): ((...args: A) => Steps<R>) =>
  function* (...args) {
    return work(...args)
  }
