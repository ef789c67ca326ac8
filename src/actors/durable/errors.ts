import { EchelonError } from '../../core/errors.ts'

/** A durable actor in a runtime that has nowhere to keep it. */
export class JournalMissingError extends EchelonError {
  readonly code = 'JOURNAL_MISSING'
  constructor(what: string) {
    super(`${what} is durable and the runtime has no journal: createRuntime({ journal: sqliteJournal('app.db') })`)
  }
}

/** Asked of an actor what only a durable one can do. */
export class NotDurableError extends EchelonError {
  readonly code = 'NOT_DURABLE'
  constructor(path: string, what: string) {
    super(`${path} is not durable, so it cannot ${what}: define it with durable: true`)
  }
}

/** A value that cannot be written down and read back the same. `at` is its place. */
export class NotSerializableError extends EchelonError {
  readonly code = 'NOT_SERIALIZABLE'
  readonly at: string
  constructor(at: string, problem: string) {
    super(
      `${at} is ${problem}, which a journal cannot keep: use data (JSON values, undefined, bigint, Date, Map, Set, bytes, Error)`,
    )
    this.at = at
  }
}

/** A handler of a durable actor did something whose result a replay could not give again. */
export class NotReplayableError extends EchelonError {
  readonly code = 'NOT_REPLAYABLE'
  constructor(path: string, type: string, what: string, instead: string) {
    super(`${what} in the handler of '${type}' of durable ${path} could not be replayed: ${instead}`)
  }
}

/** What a handler does instead that goes on after its end. */
export const waitForAll = 'let the handler wait for all that it does'

/** Replay did not do what the journal says was done: the code has changed, or depends on more than messages and effects. */
export class ReplayDivergedError extends EchelonError {
  readonly code = 'REPLAY_DIVERGED'
  readonly stream: string
  /** The entry that the replay does not agree with. */
  readonly seq: number
  constructor(stream: string, seq: number, problem: string) {
    super(
      `Replay of ${stream} diverged at entry ${seq}: ${problem}. Undo the change, raise the definition's version with a migration, or make the handler depend on its messages and effects only`,
    )
    this.stream = stream
    this.seq = seq
  }
}

/** An entry or snapshot of another version of the definition, and no way from there to here. */
export class VersionMismatchError extends EchelonError {
  readonly code = 'VERSION_MISMATCH'
  readonly found: number
  readonly current: number
  constructor(stream: string, seq: number, found: number, current: number) {
    super(
      found > current
        ? `Entry ${seq} of ${stream} is of version ${found} and this program knows ${current}: run the newer program`
        : `Entry ${seq} of ${stream} is of version ${found} and this program is at ${current}: add durable.migrations[${found}]`,
    )
    this.found = found
    this.current = current
  }
}

/** A stream that another definition wrote. */
export class StreamMismatchError extends EchelonError {
  readonly code = 'STREAM_MISMATCH'
  constructor(stream: string, found: string, expected: string) {
    super(`Stream ${stream} was written by '${found}', not '${expected}': give the actor another name or key`)
  }
}

/** An effect that failed. The same in a replay: `name` and `code` of what it threw are kept, its stack is not. */
export class EffectFailedError extends EchelonError {
  readonly code = 'EFFECT_FAILED'
  readonly key: string
  /** `name` and `code` of the error that the effect threw. */
  readonly failure: { readonly name: string; readonly message: string; readonly code: string | undefined }
  constructor(path: string, key: string, failure: EffectFailedError['failure'], options?: ErrorOptions) {
    super(`Effect '${key}' of ${path} failed: ${failure.name}: ${failure.message}`, options)
    this.key = key
    this.failure = failure
  }
}

/** An attempt of an effect that took too long. What it did is unknown. */
export class EffectTimeoutError extends EchelonError {
  readonly code = 'EFFECT_TIMEOUT'
  override readonly retryable = true
  constructor(key: string, timeoutMs: number) {
    super(`Effect '${key}' was not done within ${timeoutMs} ms: raise timeoutMs, or find out why it is slow`)
  }
}

/** An effect came to more than is kept. It did run. */
export class EffectResultTooLargeError extends EchelonError {
  readonly code = 'EFFECT_RESULT_TOO_LARGE'
  constructor(key: string, bytes: number, maxBytes: number) {
    super(
      `The result of effect '${key}' has ${bytes} characters, at most ${maxBytes} are kept: keep it elsewhere and give its address`,
    )
  }
}

/** More effects are in doubt than are kept waiting for a person. */
export class DoubtLimitError extends EchelonError {
  readonly code = 'DOUBT_LIMIT'
  override readonly retryable = true
  constructor(stream: string, key: string, limit: number) {
    super(`Effect '${key}' of ${stream} is in doubt, and ${limit} others wait: settle some of runtime.inDoubt first`)
  }
}
