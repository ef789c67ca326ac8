import type { ReviewReport } from '../report/report.ts'
import type { BegunRun } from '../team/protocols.ts'
import type { ReviewProgress } from './progress.ts'

export interface Started {
  readonly input: string
  readonly out: string
  readonly chaos: number
  readonly run: BegunRun
}

export interface Finished {
  /** Paths of the files that were written. */
  readonly files: readonly string[]
  readonly summary: ReviewReport['summary']
  readonly restarts: number
  /** Of this process. */
  readonly durationMs: number
  readonly run: BegunRun
}

export interface Interrupted {
  readonly signal: string
  /** Names of the files that were to be written and are not; what stood there before is untouched. */
  readonly notWritten: readonly string[]
  readonly done: number
  readonly total: number
}

/** Where a review shows what it does. */
export interface Display {
  started(started: Started): void
  progress(progress: ReviewProgress, nowMs: number): void
  finished(finished: Finished): void
  interrupted(interrupted: Interrupted): void
  failed(code: string, message: string): void
}

/** The part of a stream that displays use. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}
