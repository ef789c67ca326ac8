import type { Lease, LeaseOwner } from '../../core/journal.ts'
import { FaultError } from './faults.ts'
import type { LeaseRow, Tables } from './tables.ts'
import type { Writer } from './writer.ts'

export const ownerOf = ({ node, host, pid }: LeaseRow): LeaseOwner => ({ node, host, pid })

const publicLease = (row: LeaseRow): Lease => ({
  name: row.name,
  owner: ownerOf(row),
  epoch: row.epoch,
  expiresAtMs: row.expiresAtMs,
})

export interface AcquireOptions {
  readonly ttlMs: number
  readonly takeOver: boolean
  readonly nowMs: number
}

/** The leases that the users of a journal hold. Only whoever writes the journal grants them. */
export class Leases {
  readonly #writer: Writer
  readonly #tables: Tables
  readonly #owner: LeaseOwner

  constructor(writer: Writer, owner: LeaseOwner) {
    this.#writer = writer
    this.#tables = writer.tables
    this.#owner = owner
  }

  acquire(name: string, { ttlMs, takeOver, nowMs }: AcquireOptions): Lease {
    return this.#writer.transaction(() => {
      const current = this.#tables.lease(name)
      if (current !== undefined && current.expiresAtMs > nowMs && !takeOver && !this.#isMine(current)) {
        const { expiresAtMs } = current
        throw new FaultError({ code: 'LEASE_HELD', name, owner: ownerOf(current), expiresAtMs })
      }
      const epoch = (current?.epoch ?? 0) + 1
      return this.#put({ ...this.#owner, name, process: '', epoch, expiresAtMs: nowMs + ttlMs })
    })
  }

  renew(lease: Lease, ttlMs: number, nowMs: number): Lease {
    return this.#writer.transaction(() => {
      this.#writer.checkLease(lease)
      const current = this.#tables.lease(lease.name)
      // It was there when it was checked.
      return current === undefined ? lease : this.#put({ ...current, expiresAtMs: nowMs + ttlMs })
    })
  }

  /** A released lease is nobody's: its epoch ends too. */
  release(lease: Lease): void {
    this.#writer.transaction(() => {
      const current = this.#tables.lease(lease.name)
      if (current?.epoch === lease.epoch) this.#put({ ...current, epoch: lease.epoch + 1, expiresAtMs: 0 })
    })
  }

  #put(row: LeaseRow): Lease {
    this.#tables.putLease(row)
    return publicLease(row)
  }

  #isMine({ node, host, pid }: LeaseRow): boolean {
    return node === this.#owner.node && host === this.#owner.host && pid === this.#owner.pid
  }
}

/** Who writes the journal now, if anybody does. */
export function writerOf(row: LeaseRow | undefined): Lease | undefined {
  return row === undefined || row.expiresAtMs === 0 ? undefined : { ...publicLease(row), name: 'writer' }
}
