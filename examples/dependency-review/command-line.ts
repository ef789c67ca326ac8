import { parseArgs } from 'node:util'

import { ReviewError } from './errors.ts'

export interface Options {
  readonly input: string
  readonly out: string
  /** Where an unfinished review is kept; undefined: in `out`. */
  readonly journal: string | undefined
  /** Whether an unfinished review is dropped. */
  readonly fresh: boolean
  readonly json: boolean
  /** Probability, from 0 to 1, that an examination crashes its examiner. */
  readonly chaos: number
  /** What `chaos` is derived from; undefined: a fresh one. */
  readonly seed: number | undefined
  readonly help: boolean
}

export const usage = `Reviews the dependencies of an npm project from what is really on disk.

Usage: npm start -- [options]

  --input PATH   the project: a folder with a package.json (default: the current folder)
  --out DIR      where dependency-review.md, dependency-review.json and run.json go; made
                 when it does not exist (default: the current folder)
  --fresh        drop an unfinished review and begin anew; without it, what was interrupted
                 goes on where it was
  --journal FILE where an unfinished review is kept, on a disk of this machine
                 (default: .dependency-review.journal in the folder of --out)
  --json         progress as JSON lines on standard output, for programs
  --chaos P      crash each examiner with probability P (0 to 1) at each examination: the
                 reports are the same, byte by byte; what happened stands in run.json
  --seed N       whole number that --chaos is derived from: the same seed, the same crashes
  --help         this text

Exit codes: 0 the reports are written (whatever they say) · 1 the review or the writing
failed · 2 the command line or the project cannot be used · 130 interrupted (SIGINT) ·
143 terminated (SIGTERM). A second signal ends the program at once. However it ended, the
same command goes on where it was.
`

/** Reads the command line. @throws {ReviewError} `USAGE`; its text says what is wrong. */
export function readCommandLine(args: readonly string[], cwd: string): Options {
  const { values } = parse(args)
  return {
    input: nonEmpty('--input', values.input ?? cwd),
    out: nonEmpty('--out', values.out ?? cwd),
    journal: values.journal === undefined ? undefined : nonEmpty('--journal', values.journal),
    fresh: values.fresh ?? false,
    json: values.json ?? false,
    chaos: values.chaos === undefined ? 0 : probability(values.chaos),
    seed: values.seed === undefined ? undefined : wholeNumber(values.seed),
    help: values.help ?? false,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        input: { type: 'string' },
        out: { type: 'string' },
        fresh: { type: 'boolean' },
        journal: { type: 'string' },
        json: { type: 'boolean' },
        chaos: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new ReviewError('USAGE', error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function nonEmpty(option: string, text: string): string {
  if (text.trim() === '') throw new ReviewError('USAGE', `${option} is empty: give a path`)
  return text
}

function probability(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value <= 1) return value
  throw new ReviewError('USAGE', `--chaos ${text} is no probability: give a number from 0 to 1`)
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value)) return value
  throw new ReviewError('USAGE', `--seed ${text} is no whole number`)
}
