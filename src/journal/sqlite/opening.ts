/* eslint-disable no-restricted-imports -- this adapter is the edge: the journal is a file */
import { statSync } from 'node:fs'
import { corrupt, FaultError, faultOf, type Fault } from './faults.ts'
import { Heads } from './heads.ts'
import { ownerOf } from './leases.ts'
import type { FromStore, StoreSetup } from './messages.ts'
import { markOf, mayBeAlive, thisHost } from './process.ts'
import { connect, create, isThere, syncFolder } from './schema.ts'
import { Tables, type LeaseRow } from './tables.ts'
import { endsEarly, verifyAll } from './verify.ts'
import { readWitness, Witness } from './witness.ts'
import { Writer, writerLease } from './writer.ts'

type Progress = Extract<FromStore, { readonly kind: 'progress' }>

/** Bytes of the largest journal that is read and checked as a whole whenever it is opened. */
const checkedBytes = 16 * 1024 * 1024
/** Milliseconds until a writer whose machine nobody can ask is given up. It renews three times as often. */
export const writerTtlMs = 30_000

type FailureListener = ConstructorParameters<typeof Writer>[3]['onFailure']

/**
 * Opens a journal for writing, and makes it when it is not there. All checks are done by a connection that cannot write:
 * what is damaged stays as it is.
 */
export function openWriter(setup: StoreSetup, post: (progress: Progress) => void, onFailure: FailureListener): Writer {
  const { file } = setup
  const witnessed = readWitness(file)
  if (!isThere(file)) {
    if (witnessed > 0) throw corrupt('file', endsEarly(0, witnessed))
    create(file)
  }
  const looking = connect(file, true)
  try {
    const tables = new Tables(looking)
    tables.consistently(() => {
      refuseIfHeld(tables, setup)
      check(tables, file, witnessed)
    })
  } finally {
    looking.close()
  }

  const db = connect(file, false)
  try {
    const tables = new Tables(db)
    const { epoch, position } = take(tables, setup)
    // The log is new, and SQLite does not look at what its own sync of the folder comes to.
    syncFolder(file)
    const heads = new Heads(tables, false)
    recover(tables, heads, post)
    return new Writer(tables, heads, new Witness(file), { epoch, position, onFailure })
  } catch (error) {
    db.close()
    throw error
  }
}

export interface Reader {
  readonly tables: Tables
  readonly heads: Heads
  /** Last position that was acknowledged when it was opened. */
  readonly witnessed: number
  /** Why nothing can be read, and only be verified. */
  readonly damage: Fault | undefined
}

/** Opens a journal that is there, beside a process that writes to it or not. One that is damaged too: to look at the damage. */
export function openReader(file: string, post: (progress: Progress) => void): Reader {
  const witnessed = readWitness(file)
  if (!isThere(file))
    throw witnessed > 0
      ? corrupt('file', endsEarly(0, witnessed))
      : new FaultError({ code: 'JOURNAL_FORMAT', problem: 'there is none' })
  const tables = new Tables(connect(file, true))
  const heads = new Heads(tables, true)
  let damage: Fault | undefined
  try {
    tables.consistently(() => {
      check(tables, file, witnessed)
      recover(tables, heads, post)
    })
  } catch (error) {
    damage = faultOf(error)
    if (damage.code !== 'JOURNAL_CORRUPT') {
      tables.db.close()
      throw error
    }
  }
  return { tables, heads, witnessed, damage }
}

/** The quick check. `witnessed` was read before: a writer may go on. */
function check(tables: Tables, file: string, witnessed: number): void {
  const position = tables.lastPosition()
  if (position < witnessed) throw corrupt('file', endsEarly(position, witnessed))
  if (bytesOf(file) + bytesOf(`${file}-wal`) > checkedBytes) {
    // Of a larger one whatever is read is checked when it is; but nobody reads what is not found.
    if (!tables.isWakeIndexWhole()) throw corrupt('wake-ups', 'their index does not have what the streams have')
    return
  }
  const [first] = verifyAll(tables, witnessed, 1).problems
  if (first !== undefined) throw corrupt(first.where, first.problem)
}

const bytesOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

function refuseIfHeld(tables: Tables, { takeOver, thread, openings, nowMs }: StoreSetup): LeaseRow | undefined {
  const row = tables.lease(writerLease)
  if (row !== undefined && !takeOver && mayBeAlive(row, nowMs, thread, openings))
    throw new FaultError({ code: 'JOURNAL_LOCKED', owner: ownerOf(row) })
  return row
}

/** Takes the right to write, in a transaction: of two that try, one finds the other. */
function take(tables: Tables, setup: StoreSetup): { readonly epoch: number; readonly position: number } {
  const { node, thread, opening, nowMs } = setup
  tables.run('BEGIN IMMEDIATE')
  try {
    const epoch = (refuseIfHeld(tables, setup)?.epoch ?? 0) + 1
    const position = tables.lastPosition() + 1
    const process = markOf(thread, opening)
    tables.putLease({
      name: writerLease,
      ...{ node, host: thisHost, pid: globalThis.process.pid, process },
      ...{ epoch, expiresAtMs: nowMs + writerTtlMs },
    })
    tables.putMeta('position', position)
    tables.run('COMMIT')
    return { epoch, position }
  } catch (error) {
    if (tables.db.isTransaction) tables.run('ROLLBACK')
    throw error
  }
}

function recover(tables: Tables, heads: Heads, post: (progress: Progress) => void): void {
  const total = tables.lastPosition() - tables.meta('indexed')
  for (const done of heads.recover()) post({ kind: 'progress', what: 'entries', done, total })
}
