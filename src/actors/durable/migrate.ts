import type { Message } from '../../core/message.ts'
import { VersionMismatchError } from './errors.ts'
import type { Durability, Migration } from './options.ts'

/** Carries what older versions of a definition wrote over to the current one, version by version. */
export class Migrator {
  readonly #stream: string
  readonly #current: number
  readonly #migrations: Readonly<Record<number, Migration>>

  constructor(stream: string, { version, migrations }: Durability) {
    this.#stream = stream
    this.#current = version
    this.#migrations = migrations
  }

  /** Whether something of this version is read as it is. */
  isCurrent(version: number): boolean {
    return version === this.#current
  }

  /** `seq`: the entry that has it. @throws {VersionMismatchError} `VERSION_MISMATCH` when there is no way. */
  message(message: Message, version: number, seq: number): Message {
    return this.#along(version, seq).reduce((older, step) => step.message?.(older) ?? older, message)
  }

  /** @throws {VersionMismatchError} `VERSION_MISMATCH` when there is no way. */
  state(state: unknown, version: number, seq: number): unknown {
    return this.#along(version, seq).reduce(
      (older, step) => (step.state === undefined ? older : step.state(older)),
      state,
    )
  }

  #along(version: number, seq: number): readonly Migration[] {
    const steps: Migration[] = []
    for (let from = version; from !== this.#current; from += 1) {
      const step = from < this.#current ? this.#migrations[from] : undefined
      if (step === undefined) throw new VersionMismatchError(this.#stream, seq, from, this.#current)
      steps.push(step)
    }
    return steps
  }
}
