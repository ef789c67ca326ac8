/** A review that cannot start or cannot end as asked. `code` is stable, `exitCode` is what the process ends with. */
export class ReviewError extends Error {
  readonly code: ReviewErrorCode
  readonly exitCode: 1 | 2

  constructor(code: ReviewErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ReviewError'
    this.code = code
    this.exitCode = failures.has(code) ? 1 : 2
  }
}

export type ReviewErrorCode =
  | 'USAGE' // an unknown option, or a value that makes no sense
  | 'INPUT_MISSING' // --input names nothing that exists
  | 'INPUT_NOT_A_FOLDER'
  | 'INPUT_NOT_A_PROJECT' // no package.json, no npm lockfile and no node_modules
  | 'INPUT_UNREADABLE'
  | 'OUTPUT_NOT_A_FOLDER'
  | 'OUTPUT_FAILED' // the report could not be written
  | 'JOURNAL_LOCKED' // another process is at this review
  | 'JOURNAL_CORRUPT' // what an unfinished review left is damaged
  | 'JOURNAL_FORMAT' // it is nothing that this program can go on with
  | 'JOURNAL_FULL' // no space left on the disk of the journal
  | 'JOURNAL_FAILED' // that disk failed

/** What is nobody's mistake. */
const failures: ReadonlySet<ReviewErrorCode> = new Set(['OUTPUT_FAILED', 'JOURNAL_FULL', 'JOURNAL_FAILED'])
