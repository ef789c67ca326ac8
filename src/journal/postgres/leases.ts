import { hostname } from 'node:os'
import { crc32 } from 'node:zlib'
import { JournalFencedError, JournalLockedError, LeaseHeldError } from '../../core/journal-errors.ts'
import type { JournalHost, Lease, LeaseOptions, LeaseOwner } from '../../core/journal.ts'
import type { Database, Within } from './database.ts'

interface LeaseRow extends LeaseOwner {
  readonly epoch: number
  readonly expiresAtMs: number
}

/** How leases that users ask for, and those of writers, are named in the table: nobody can ask for a writer's. */
export const rowName = (kind: 'lease' | 'writer', name: string): string => `${kind}:${name}`

export const ownerOf = (host: JournalHost): LeaseOwner => ({ node: host.node, host: hostname(), pid: process.pid })

/** The time by which leases expire: the server's, since its clock is the one that all who want them share. */
const nowMs = `(extract(epoch FROM clock_timestamp()) * 1000)::float8`
const columns = 'l.node, l.host, l.pid, l.epoch, l.expires_ms AS "expiresAtMs"'

const leaseOf = (name: string, { node, host, pid, epoch, expiresAtMs }: LeaseRow): Lease => ({
  name,
  owner: { node, host, pid },
  epoch,
  expiresAtMs,
})

/** Leases in the table. What they protect is protected by the epoch, which `writer.ts` checks with each write. */
export class Leases {
  readonly #database: Database
  readonly #table: string

  constructor(database: Database) {
    this.#database = database
    this.#table = database.table('leases')
  }

  /** @throws {LeaseHeldError} `LEASE_HELD`. */
  async acquire(name: string, owner: LeaseOwner, { ttlMs, takeOver = false }: LeaseOptions): Promise<Lease> {
    for (;;) {
      const lease = await this.#grant(this.#database, rowName('lease', name), owner, ttlMs, takeOver)
      if (lease !== undefined) return leaseOf(name, lease)
      const held = await this.#current(this.#database, rowName('lease', name))
      if (held !== undefined) throw new LeaseHeldError(name, leaseOf(name, held).owner, held.expiresAtMs)
    }
  }

  /** @throws {JournalFencedError} `JOURNAL_FENCED` when it is over. */
  async renew(lease: Lease, ttlMs: number, kind: 'lease' | 'writer' = 'lease'): Promise<Lease> {
    const name = rowName(kind, lease.name)
    const [row] = await this.#database.rows<LeaseRow>(
      `UPDATE ${this.#table} AS l SET expires_ms = ${nowMs} + $3 WHERE name = $1 AND epoch = $2 RETURNING ${columns}`,
      [name, lease.epoch, ttlMs],
    )
    if (row === undefined) throw await this.fenced(name, lease.epoch)
    return leaseOf(lease.name, row)
  }

  /** A released lease is nobody's: its epoch ends too. */
  async release({ name, epoch }: Lease, kind: 'lease' | 'writer' = 'lease'): Promise<void> {
    await this.#database.rows(
      `UPDATE ${this.#table} SET epoch = epoch + 1, expires_ms = 0 WHERE name = $1 AND epoch = $2`,
      [rowName(kind, name), epoch],
    )
  }

  async fenced(name: string, epoch: number): Promise<JournalFencedError> {
    const current = await this.#current(this.#database, name)
    const { location } = this.#database
    return new JournalFencedError(location, name.replace(/^[a-z]+:/, ''), epoch, current?.epoch ?? 0)
  }

  async writer(): Promise<Lease | undefined> {
    const { writer } = this.#database.settings
    const row = await this.#current(this.#database, rowName('writer', writer))
    return row === undefined || row.expiresAtMs === 0 ? undefined : leaseOf(writer, row)
  }

  /**
   * The right to write. It is free when it expired, and also when the session of its owner has ended: each owner locks
   * its epoch for as long as its session lasts, so that a process that died is not waited for.
   *
   * @throws {JournalLockedError} `JOURNAL_LOCKED`.
   */
  async acquireWriter(owner: LeaseOwner): Promise<Lease> {
    const { location, settings } = this.#database
    const { writer, leaseMs, takeOver, schema } = settings
    const name = rowName('writer', writer)
    const key = crc32(`echelon writer ${schema} ${writer}`) | 0
    return this.#database.transaction('', async (within) => {
      await within.rows('SELECT pg_advisory_xact_lock($1, 0)', [key])
      const held = await this.#current(within, name)
      if (held !== undefined && !takeOver) {
        const [state] = await within.rows<{ readonly isGone: boolean }>(
          `SELECT ${nowMs} >= $3 OR pg_try_advisory_xact_lock($1, $2) AS "isGone"`,
          [key, held.epoch, held.expiresAtMs],
        )
        if (state?.isGone !== true) throw new JournalLockedError(location, leaseOf(writer, held).owner)
      }
      const lease = await this.#grant(within, name, owner, leaseMs, true)
      if (lease === undefined) throw new Error('a grant by force is never refused')
      await within.rows('SELECT pg_advisory_lock($1, $2)', [key, lease.epoch])
      return leaseOf(writer, lease)
    })
  }

  /** Nothing when somebody else has it. */
  async #grant(
    within: Pick<Within, 'rows'>,
    name: string,
    { node, host, pid }: LeaseOwner,
    ttlMs: number,
    byForce: boolean,
  ): Promise<LeaseRow | undefined> {
    const [row] = await within.rows<LeaseRow>(
      `INSERT INTO ${this.#table} AS l (name, node, host, pid, epoch, expires_ms) VALUES ($1, $2, $3, $4, 1, ${nowMs} + $5)
       ON CONFLICT (name) DO UPDATE SET node = $2, host = $3, pid = $4, epoch = l.epoch + 1, expires_ms = excluded.expires_ms
       WHERE $6 OR l.expires_ms <= ${nowMs} OR (l.node, l.host, l.pid) = ($2, $3, $4)
       RETURNING ${columns}`,
      [name, node, host, pid, ttlMs, byForce],
    )
    return row
  }

  async #current(within: Pick<Within, 'rows'>, name: string): Promise<LeaseRow | undefined> {
    const [row] = await within.rows<LeaseRow>(`SELECT ${columns} FROM ${this.#table} l WHERE l.name = $1`, [name])
    return row
  }
}
