import {
  JournalConflictError,
  JournalCorruptError,
  JournalFailedError,
  JournalFencedError,
  JournalFormatError,
  JournalFullError,
  JournalLockedError,
  LeaseHeldError,
} from '../../core/journal-errors.ts'
import type { LeaseOwner } from '../../core/journal.ts'
import { olderSnapshot } from '../append-check.ts'

/** What went wrong in the thread of the store, as data: an error would lose its class on the way to the main thread. */
export type Fault =
  | {
      readonly code: 'JOURNAL_CONFLICT'
      readonly stream: string
      readonly expectedSeq: number
      readonly actualSeq: number
    }
  | { readonly code: 'JOURNAL_CORRUPT'; readonly where: string; readonly problem: string }
  | { readonly code: 'JOURNAL_FAILED' | 'JOURNAL_FORMAT'; readonly problem: string }
  | {
      readonly code: 'JOURNAL_FENCED'
      readonly lease: string
      /** Whether it is the right to write the journal itself. */
      readonly isWriter: boolean
      readonly epoch: number
      readonly current: number
    }
  | { readonly code: 'JOURNAL_FULL' }
  | { readonly code: 'JOURNAL_LOCKED'; readonly owner: LeaseOwner }
  | {
      readonly code: 'LEASE_HELD'
      readonly name: string
      readonly owner: LeaseOwner
      readonly expiresAtMs: number
    }
  | { readonly code: 'DEFINITION_INVALID'; readonly stream: string; readonly seq: number; readonly presentSeq: number }

export class FaultError extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.code)
    this.fault = fault
  }
}

export const corrupt = (where: string, problem: string): FaultError =>
  new FaultError({ code: 'JOURNAL_CORRUPT', where, problem })

export const failed = (problem: string): FaultError => new FaultError({ code: 'JOURNAL_FAILED', problem })

/** Result codes of SQLite that mean something else than a failure. @see https://sqlite.org/rescode.html */
const busy = 5
const full = 13
/** Damage: as SQLite finds it; a table that is not as it was made; a row that is there twice; a file that is no database. */
const damaged: Readonly<Record<number, true>> = { 11: true, 1: true, 19: true, 26: true }
/** A file that ends early. */
const shortRead = 522
/** Codes of Node for a value that is not what it was written as. */
const wrongValue: readonly unknown[] = ['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE']

/** What an error that was caught is about. */
export function faultOf(error: unknown): Fault {
  if (error instanceof FaultError) return error.fault
  const code = primaryCode(error)
  const problem = error instanceof Error ? error.message : String(error)
  if (code === full || codeOfNode(error) === 'ENOSPC') return { code: 'JOURNAL_FULL' }
  if (code !== undefined && (damaged[code] === true || codeOf(error) === shortRead))
    return { code: 'JOURNAL_CORRUPT', where: 'file', problem }
  if (wrongValue.includes(codeOfNode(error))) return { code: 'JOURNAL_CORRUPT', where: 'file', problem }
  return { code: 'JOURNAL_FAILED', problem }
}

/** Whether another connection is writing. */
export const isBusy = (error: unknown): boolean => primaryCode(error) === busy

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined
}

const codeOfNode = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

function primaryCode(error: unknown): number | undefined {
  const code = codeOf(error)
  return code === undefined ? undefined : code & 0xff
}

/** The error that callers get for a fault of the journal at `location`. */
export function errorOf(location: string, fault: Fault): Error {
  switch (fault.code) {
    case 'JOURNAL_CONFLICT':
      return new JournalConflictError(fault.stream, fault.expectedSeq, fault.actualSeq)
    case 'JOURNAL_CORRUPT':
      return new JournalCorruptError(location, fault.where, fault.problem)
    case 'JOURNAL_FAILED':
      return new JournalFailedError(location, fault.problem)
    case 'JOURNAL_FORMAT':
      return new JournalFormatError(location, fault.problem)
    case 'JOURNAL_FENCED':
      return new JournalFencedError(location, fault.lease, fault.epoch, fault.current)
    case 'JOURNAL_FULL':
      return new JournalFullError(location)
    case 'JOURNAL_LOCKED':
      return new JournalLockedError(location, fault.owner)
    case 'LEASE_HELD':
      return new LeaseHeldError(fault.name, fault.owner, fault.expiresAtMs)
    case 'DEFINITION_INVALID':
      return olderSnapshot(fault.stream, fault.seq, fault.presentSeq)
    default:
      return fault satisfies never
  }
}
