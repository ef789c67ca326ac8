import { JournalFailedError, JournalFencedError } from '../../core/journal-errors.ts'
import type { Append, JournalHost, Lease } from '../../core/journal.ts'
import { Batch } from './batch.ts'
import { codeOf, journalError, type Database } from './database.ts'
import { Heads } from './heads.ts'
import { rowName, type Leases } from './leases.ts'

/** An append that waits. */
interface Call {
  readonly appends: readonly Append[]
  readonly bytes: number
  readonly settle: (refusal: Error | undefined) => void
}

/** Codes of what another transaction may undo by its end: the same again may go through. */
const passing = new Set(['40001', '40P01', '55P03'])
const duplicate = '23505'
const mostTries = 5
/** UTF-8 bytes and calls that one transaction writes, about. */
const batchBytes = 4 * 1024 * 1024
const batchCalls = 4000

/**
 * All that changes what a journal has, in the order in which it was asked for, over one connection.
 *
 * 1. One transaction at a time: what is visible under a position is all that there will ever be under it or below, so
 *    that a tail may go on from there.
 * 2. Each transaction holds the leases that it writes under, the writer's own among them, until it has ended: who takes
 *    one over waits for it, and finds all that it wrote.
 * 3. When nobody knows whether something was written, nothing more is.
 */
export class Writer {
  readonly #database: Database
  readonly #host: JournalHost
  readonly #leases: Leases
  readonly #lease: Lease
  readonly #heads: Heads
  /** Waiting, in order: appends, and what runs between transactions. */
  #queue: (Call | (() => Promise<void>))[] = []
  #waitingBytes = 0
  #running: Promise<void> | undefined
  #failure: Error | undefined
  /** Why something that waited at the close was not written. */
  #unwritten: Error | undefined
  #state: 'open' | 'closing' | 'closed' = 'open'

  constructor(database: Database, host: JournalHost, leases: Leases, lease: Lease) {
    this.#database = database
    this.#host = host
    this.#leases = leases
    this.#lease = lease
    this.#heads = new Heads(database)
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  append(appends: readonly Append[], bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waitingBytes += bytes
      const settle = (refusal: Error | undefined): void => {
        this.#waitingBytes -= bytes
        if (this.#state !== 'open') this.#unwritten ??= refusal
        if (refusal === undefined) resolve()
        else reject(refusal)
      }
      this.#enqueue({ appends, bytes, settle })
    })
  }

  /** Runs `work` when what was asked for before it is done, and nothing else meanwhile. Rejects as it does. */
  exclusive<T>(work: (heads: Heads) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#enqueue(async () => {
        try {
          if (this.#failure !== undefined) throw this.#failure
          resolve(await work(this.#heads))
        } catch (error) {
          reject(this.#failedBy(error))
        }
      })
    })
  }

  /** Does something else under the writer's lease; when it fails, nothing is written any more. */
  async attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await this.#answered(work())
    } catch (error) {
      this.#failedBy(error)
    }
  }

  /** Writes what waits, gives the right to write back, and ends the connection. Answers why something was not written. */
  async close(): Promise<Error | undefined> {
    this.#state = 'closing'
    await this.#running
    if (this.#failure === undefined) await this.attempt(() => this.#leases.release(this.#lease, 'writer'))
    this.#state = 'closed'
    await this.#database.end()
    return this.#unwritten
  }

  /** The connection is gone, or somebody else took over: nothing more is written. Says so once. */
  fail(error: Error): void {
    if (this.#failure !== undefined || this.#state === 'closed') return
    this.#failure = error
    // What the server may still be doing for us ends with the connection.
    if (error instanceof JournalFailedError) void this.#database.end(true)
    this.#host.onFailed?.(error)
  }

  #enqueue(work: Call | (() => Promise<void>)): void {
    this.#queue.push(work)
    // A turn later: what is asked for in this one shares the transaction.
    this.#running ??= Promise.resolve().then(() => this.#run())
  }

  async #run(): Promise<void> {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (typeof next === 'function') {
        this.#queue.shift()
        await next()
      } else await this.#write(this.#takeBatch())
    }
    this.#running = undefined
  }

  #takeBatch(): readonly Call[] {
    let [count, bytes] = [0, 0]
    for (const next of this.#queue) {
      if (typeof next === 'function' || count === batchCalls || (count > 0 && bytes + next.bytes > batchBytes)) break
      count += 1
      bytes += next.bytes
    }
    return this.#queue.splice(0, count).filter((one) => typeof one !== 'function')
  }

  async #write(calls: readonly Call[]): Promise<void> {
    let refusals = new Map<Call, Error>()
    try {
      if (this.#failure !== undefined) throw this.#failure
      refusals = await this.#answered(this.#written(calls))
    } catch (error) {
      const failure = this.#failedBy(error)
      for (const { settle } of calls) settle(failure)
      return
    }
    for (const call of calls) call.settle(refusals.get(call))
  }

  /** Writes what can be written of `calls`, and answers why the others were not. */
  async #written(calls: readonly Call[]): Promise<Map<Call, Error>> {
    const fenced = new Map<Call, Error>()
    for (let tries = 1; ; tries += 1) {
      const left = calls.filter((call) => !fenced.has(call))
      await this.#heads.fetch(left.flatMap(({ appends }) => appends.map(({ stream }) => stream)))
      const batch = new Batch(this.#heads, rowName('writer', this.#lease.name), this.#lease.epoch)
      const refusals = new Map(fenced)
      for (const call of left) {
        const refusal = batch.refusal(call.appends)
        if (refusal === undefined) batch.add(call.appends)
        else refusals.set(call, refusal)
      }
      if (batch.isEmpty) return refusals
      try {
        const held = await batch.write(this.#database)
        const over = batch.leases.find(
          ({ name, epoch }) => !held.some((one) => one.name === name && one.epoch === epoch),
        )
        if (over === undefined) {
          this.#heads.keep(batch.heads)
          return refusals
        }
        const error = await this.#leases.fenced(over.name, over.epoch)
        if (over.name === rowName('writer', this.#lease.name)) throw error
        for (const call of left) if (isUnder(call, over)) fenced.set(call, error)
      } catch (error) {
        const code = codeOf(error) ?? ''
        if (tries >= mostTries || !(passing.has(code) || code === duplicate)) throw error
        // Somebody wrote who does not keep to the leases: what they wrote counts, and ours may conflict.
        this.#heads.forget(batch.heads.keys())
      }
    }
  }

  /** Waits for the server as long as it may take. */
  async #answered<T>(answer: Promise<T>): Promise<T> {
    const { location, settings } = this.#database
    const late = Promise.withResolvers<never>()
    const timer = this.#host.clock.setTimeout(() => {
      late.reject(new JournalFailedError(location, `the server did not answer for ${settings.timeoutMs} ms`))
    }, settings.timeoutMs)
    try {
      return await Promise.race([answer, late.promise])
    } finally {
      this.#host.clock.clearTimeout(timer)
    }
  }

  /** The error of the journal that `error` is, after which it may have failed for good. */
  #failedBy(error: unknown): Error {
    if (this.#failure !== undefined) return this.#failure
    const failure = journalError(error, this.#database.location)
    if (failure instanceof JournalFailedError || failure instanceof JournalFencedError) this.fail(failure)
    return failure
  }
}

const isUnder = ({ appends }: Call, { name, epoch }: { readonly name: string; readonly epoch: number }): boolean =>
  appends.some(({ lease }) => lease !== undefined && rowName('lease', lease.name) === name && lease.epoch === epoch)
