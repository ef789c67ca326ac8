import { EchelonError } from './errors.ts'
import type { LeaseOwner } from './journal.ts'

/** A stream has another last entry than the writer knows of: somebody else wrote to it. Nothing was written. */
export class JournalConflictError extends EchelonError {
  readonly code = 'JOURNAL_CONFLICT'
  readonly stream: string
  readonly expectedSeq: number
  readonly actualSeq: number
  constructor(stream: string, expectedSeq: number, actualSeq: number) {
    super(`Stream ${stream} ends at entry ${actualSeq}, not ${expectedSeq}: load it again before you append`)
    this.stream = stream
    this.expectedSeq = expectedSeq
    this.actualSeq = actualSeq
  }
}

/** No space left. Nothing was written; reading goes on, and appending too as soon as there is space. */
export class JournalFullError extends EchelonError {
  readonly code = 'JOURNAL_FULL'
  override readonly retryable = true
  constructor(location: string, options?: ErrorOptions) {
    super(`No space left for the journal ${location}: free some, and send again`, options)
  }
}

/** More waits to be written than the journal's bound: its disk is too slow for what is asked of it. */
export class JournalOverloadedError extends EchelonError {
  readonly code = 'JOURNAL_OVERLOADED'
  override readonly retryable = true
  constructor(location: string, waiting: string) {
    super(`${waiting} wait to be written to the journal ${location}: slow down, or give it a faster disk`)
  }
}

/** The disk or the database failed. Nothing more is acknowledged, since nobody knows what was written. */
export class JournalFailedError extends EchelonError {
  readonly code = 'JOURNAL_FAILED'
  constructor(location: string, problem: string, options?: ErrorOptions) {
    super(`The journal ${location} failed and takes nothing more: ${problem}. Open it again to recover`, options)
  }
}

/** What was read is not what was written. `where` names the place; nothing is repaired silently. */
export class JournalCorruptError extends EchelonError {
  readonly code = 'JOURNAL_CORRUPT'
  readonly where: string
  constructor(location: string, where: string, problem: string, options?: ErrorOptions) {
    super(
      `The journal ${location} is damaged, ${where}: ${problem}. See it all with 'echelon journal verify', and restore a backup`,
      options,
    )
    this.where = where
  }
}

/** Not a journal, or one of a format that this version cannot read. */
export class JournalFormatError extends EchelonError {
  readonly code = 'JOURNAL_FORMAT'
  constructor(location: string, problem: string, options?: ErrorOptions) {
    super(`${location} cannot be opened as a journal: ${problem}`, options)
  }
}

/** Another process writes to this journal. */
export class JournalLockedError extends EchelonError {
  readonly code = 'JOURNAL_LOCKED'
  override readonly retryable = true
  readonly owner: LeaseOwner
  constructor(location: string, owner: LeaseOwner) {
    super(
      `The journal ${location} belongs to process ${owner.pid} on ${owner.host} (node '${owner.node}'): stop it first. If it hangs, a program that opens it with takeOver: true fences it`,
    )
    this.owner = owner
  }
}

/** Somebody else has this lease. */
export class LeaseHeldError extends EchelonError {
  readonly code = 'LEASE_HELD'
  override readonly retryable = true
  readonly owner: LeaseOwner
  constructor(name: string, owner: LeaseOwner, expiresAtMs: number) {
    super(
      `The lease '${name}' belongs to process ${owner.pid} on ${owner.host} until ${new Date(expiresAtMs).toISOString()}`,
    )
    this.owner = owner
  }
}

/** Another writer took over: nothing of this one is written any more. */
export class JournalFencedError extends EchelonError {
  readonly code = 'JOURNAL_FENCED'
  constructor(location: string, lease: string, epoch: number, current: number) {
    super(
      `Epoch ${epoch} of '${lease}' in the journal ${location} is over, ${current} has begun: another writer took over, so nothing was written`,
    )
  }
}

export class JournalClosedError extends EchelonError {
  readonly code = 'JOURNAL_CLOSED'
  constructor(location: string) {
    super(`The journal ${location} is closed`)
  }
}

/** An entry, a snapshot or a blob above the bound. */
export class EntryTooLargeError extends EchelonError {
  readonly code = 'ENTRY_TOO_LARGE'
  constructor(what: string, bytes: number, maxBytes: number) {
    super(`${what} has ${bytes} bytes, at most ${maxBytes} are kept: keep large data elsewhere and refer to it`)
  }
}
