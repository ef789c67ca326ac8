import { openSync, readFileSync, writeSync } from 'node:fs'
import type { Resolution } from 'echelon'

/** One run of an effect, as the outside world saw it. */
export interface Run {
  readonly key: string
  readonly idempotencyKey: string
  readonly idempotent: boolean
  /** What came of it: no two runs come to the same. */
  readonly value: string
}

/**
 * The world that effects act upon: a file to which each run appends one line. A line that was written is there whatever
 * becomes of the process, as a letter is that was posted.
 */
export class Outside {
  readonly #file: string
  readonly #fd: number
  readonly #name: string
  #runs = 0

  /** `name` tells this life from all others. */
  constructor(file: string, name: string) {
    this.#file = file
    this.#fd = openSync(file, 'a')
    this.#name = name
  }

  run(key: string, idempotencyKey: string, idempotent: boolean, filling = ''): string {
    this.#runs += 1
    const value = `${key} by run ${this.#runs} of ${this.#name}${filling}`
    writeSync(this.#fd, `${JSON.stringify({ key, idempotencyKey, idempotent, value } satisfies Run)}\n`)
    return value
  }

  /** Settles an effect in doubt by what the world saw of it: a run, or none. */
  settle({ key }: { readonly key: string }): Resolution {
    const run = runsOf(this.#file).find((one) => one.key === key)
    return run === undefined ? { kind: 'retry' } : { kind: 'value', value: run.value }
  }
}

export function runsOf(file: string): readonly Run[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Run) // what `run` wrote
}
