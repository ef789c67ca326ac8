import { rm } from 'node:fs/promises'
import path from 'node:path'
import { createRuntime, EchelonError, errors, type Clock, type ExitReason, type Runtime } from 'echelon'
import { JournalLockedError, sqliteJournal, type JournalSource } from 'echelon/journal'

import { ReviewError, type ReviewErrorCode } from '../errors.ts'

/** Characters of the largest survey that is kept: more than one of as many packages as a review takes. */
export const MAX_SURVEY = 256 * 1024 * 1024

/** How long the examinations at hand may take to finish when a review is interrupted. */
const DRAIN_MS = 5_000

const DEFAULT_NAME = '.dependency-review.journal'

/** Files of a journal, in the order in which they are removed: interrupted in between, what is left is none or whole. */
const PARTS = ['-head', '-wal', '-shm', ''] as const

/** Where an unfinished review is: one file, from the first moment of a review to its end. One process at a time has it. */
export class ReviewJournal {
  readonly #path: string
  readonly #source: JournalSource

  constructor(folder: string, given: string | undefined) {
    this.#path = given ?? path.join(folder, DEFAULT_NAME)
    this.#source = sqliteJournal(this.#path, { maxEntryBytes: 4 * MAX_SURVEY }) // UTF-8: up to four bytes a character
  }

  /** A runtime that keeps in it what is durable. `fresh`: what is there is dropped, whatever it is. */
  async open(clock: Clock, seed: number, fresh: boolean): Promise<Runtime> {
    if (fresh) await this.#drop(clock)
    return createRuntime({ node: 'review', clock, seed, shutdownMs: DRAIN_MS, journal: this.#source })
  }

  async #drop(clock: Clock): Promise<void> {
    try {
      const journal = await this.#source.open({ node: 'review', clock })
      await journal.close()
    } catch (error) {
      if (error instanceof JournalLockedError) throw error
    }
    await this.remove()
  }

  async remove(): Promise<void> {
    for (const part of PARTS) await rm(this.#path + part, { force: true })
  }

  /** What to tell people about a failure of the journal; other errors as they are. */
  explain(error: unknown): unknown {
    const cause = error instanceof errors.TargetDownError ? causeOf(error.reason) : error
    if (cause instanceof JournalLockedError) {
      const { pid, host } = cause.owner
      const message = `process ${pid} on ${host} is at this review: wait for it or stop it, or give another --out`
      return new ReviewError('JOURNAL_LOCKED', message, { cause })
    }
    const code = cause instanceof EchelonError ? codes[cause.code] : undefined
    if (!(cause instanceof EchelonError) || code === undefined) return error
    const advice = unusable.has(code) ? 'To begin anew, run with --fresh' : 'To go on where it was, run it again'
    return new ReviewError(code, `${cause.message}. ${advice}`, { cause })
  }
}

/** The runtime's words for it, and ours. */
const codes: Readonly<Record<string, ReviewErrorCode>> = {
  JOURNAL_CORRUPT: 'JOURNAL_CORRUPT',
  JOURNAL_FORMAT: 'JOURNAL_FORMAT',
  REPLAY_DIVERGED: 'JOURNAL_FORMAT',
  STREAM_MISMATCH: 'JOURNAL_FORMAT',
  VERSION_MISMATCH: 'JOURNAL_FORMAT',
  JOURNAL_FULL: 'JOURNAL_FULL',
  JOURNAL_CONFLICT: 'JOURNAL_FAILED',
  JOURNAL_FAILED: 'JOURNAL_FAILED',
  JOURNAL_FENCED: 'JOURNAL_FAILED',
  JOURNAL_OVERLOADED: 'JOURNAL_FAILED',
  ENTRY_TOO_LARGE: 'JOURNAL_FAILED',
}
const unusable: ReadonlySet<ReviewErrorCode> = new Set(['JOURNAL_CORRUPT', 'JOURNAL_FORMAT'])

/** The error behind the end of an actor. */
export function causeOf(reason: ExitReason): Error | undefined {
  const cause = reason.kind === 'crash' ? reason.error : reason.kind === 'shutdown' ? reason.detail : undefined
  return cause instanceof Error ? cause : undefined
}
