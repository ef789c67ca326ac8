import type { Clock } from '../core/clock.ts'

/** How a command ends: all is well; it failed, or found a problem; it was called in a way that makes no sense. */
export const exitCodes = { ok: 0, problem: 1, usage: 2, outputClosed: 141 } as const

export type Colour = 'bold' | 'dim' | 'red' | 'yellow' | 'green'

/** Where a command writes. */
export interface Output {
  /** The result and nothing else. Resolves when there is room for more, and rejects when nobody reads it any more. */
  write(text: string): Promise<void>
  /** Lets out what was written: before waiting for more to come. */
  flush(): Promise<void>
  /** A line for the person who looks on. */
  note(text: string): void
  /** How far something long is: one line that the next one replaces. Only on a terminal. Empty: it is over. */
  progress(text: string): void
  /** The text in a colour, on a terminal that wants it. */
  colour(colour: Colour, text: string): string
  /** Columns that a line of a terminal has; `Infinity` for a file or a pipe. */
  readonly columns: number
}

/** What a command is given by whoever runs it. */
export interface CommandHost {
  readonly out: Output
  readonly clock: Clock
  /** Aborted with an `EndedError` when the command is to end early. */
  readonly signal: AbortSignal
}

/** The command was called in a way that makes no sense. */
export class UsageError extends Error {}

/** The command ends before its time, silently: at a signal, or since nobody reads its output, as after `| head`. */
export class EndedError extends Error {
  readonly exitCode: number
  constructor(exitCode: number) {
    super('ended')
    this.exitCode = exitCode
  }
}
