/* eslint-disable no-restricted-imports -- this adapter is the edge: the journal is a file */
import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { corrupt, FaultError } from './faults.ts'
import { Heads } from './heads.ts'
import { ownerOf } from './leases.ts'
import type { FromStore, StoreSetup } from './messages.ts'
import { markOf, mayBeAlive, thisHost } from './process.ts'
import { connect, create, isThere } from './schema.ts'
import { Tables, type LeaseRow } from './tables.ts'
import { verifyAll } from './verify.ts'
import { readWitness, Witness, witnessOf } from './witness.ts'
import { Writer, writerLease } from './writer.ts'

type Progress = Extract<FromStore, { readonly kind: 'progress' }>

/** Bytes of the largest journal that is read and checked as a whole whenever it is opened. */
const checkedBytes = 16 * 1024 * 1024
/** Milliseconds until a writer whose machine nobody can ask is given up. It renews three times as often. */
export const writerTtlMs = 30_000

/**
 * Opens a journal for writing, and makes it when it is not there. All checks are done by a connection that cannot write:
 * what is damaged stays as it is.
 */
export function openWriter(setup: StoreSetup, post: (progress: Progress) => void, onFailure: FailureListener): Writer {
  const { file } = setup
  const witnessed = readWitness(file)
  if (!isThere(file)) {
    if (witnessed > 0) throw missing(file, witnessed, 0)
    create(file)
  }
  const looking = connect(file, true)
  try {
    refuseIfHeld(new Tables(looking), setup)
    check(looking, file, witnessed)
  } finally {
    looking.close()
  }

  const db = connect(file, false)
  try {
    const tables = new Tables(db)
    const { epoch, position } = take(tables, setup)
    const heads = new Heads(tables, false)
    recover(heads, position - tables.meta('indexed'), post)
    return new Writer(tables, heads, new Witness(file), { epoch, position, onFailure })
  } catch (error) {
    db.close()
    throw error
  }
}

type FailureListener = ConstructorParameters<typeof Writer>[3]['onFailure']

/** Opens a journal that is there, beside a process that writes to it or not. */
export function openReader(file: string, post: (progress: Progress) => void): { tables: Tables; heads: Heads } {
  const witnessed = readWitness(file)
  if (!isThere(file)) throw witnessed > 0 ? missing(file, witnessed, 0) : noJournal
  const db = connect(file, true)
  try {
    db.exec('BEGIN')
    const tables = new Tables(db)
    check(db, file, witnessed)
    const heads = new Heads(tables, true)
    recover(heads, tables.lastPosition() - tables.meta('indexed'), post)
    db.exec('COMMIT')
    return { tables, heads }
  } catch (error) {
    db.close()
    throw error
  }
}

const noJournal = new FaultError({ code: 'JOURNAL_FORMAT', problem: 'there is none' })

function missing(file: string, witnessed: number, position: number): FaultError {
  return corrupt(
    'file',
    `it ends at position ${position}, and ${witnessed} was acknowledged; if an older copy was put back on purpose, remove ${witnessOf(file)}`,
  )
}

function check(db: DatabaseSync, file: string, witnessed: number): void {
  const position = new Tables(db).lastPosition()
  if (position < witnessed) throw missing(file, witnessed, position)
  if (bytesOf(file) + bytesOf(`${file}-wal`) > checkedBytes) return
  const [first] = verifyAll(db, 1).problems
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

function recover(heads: Heads, total: number, post: (progress: Progress) => void): void {
  for (const done of heads.recover()) post({ kind: 'progress', what: 'entries', done, total })
}
