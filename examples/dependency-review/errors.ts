/** A review that cannot start or cannot end as asked. `code` is stable, `exitCode` is what the process ends with. */
export class ReviewError extends Error {
  readonly code: ReviewErrorCode
  readonly exitCode: 1 | 2

  constructor(code: ReviewErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ReviewError'
    this.code = code
    this.exitCode = code === 'OUTPUT_FAILED' ? 1 : 2
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
