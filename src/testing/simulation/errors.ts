import { EchelonError } from '../../core/errors.ts'

/** Code in a simulated world reached for something real: the run would not be repeatable. */
export class EscapedSimulationError extends EchelonError {
  readonly code = 'SIMULATION_ESCAPED'
  /** `Date.now`, `a real timer`, `fetch`. */
  readonly what: string
  /** The first line of the stack that is not of a library: `file:line:column`. */
  readonly where: string
  constructor(what: string, where: string, advice: string) {
    super(`${what} in a simulated world, at ${where}: ${advice}`)
    this.what = what
    this.where = where
  }
}

/** Two worlds in one thread at the same time: they would share globals. */
export class SimulationBusyError extends EchelonError {
  readonly code = 'SIMULATION_BUSY'
  constructor(what: string) {
    super(`${what}: another simulated world is open in this thread; close it first (\`await using\`), or await it`)
  }
}

/** What was asked of a node could not be done because its process was down, or went down before the answer. */
export class NodeDownError extends EchelonError {
  readonly code = 'NODE_DOWN'
  override readonly retryable = true
  readonly node: string
  constructor(node: string, what: string) {
    super(`${what}: node ${node} is down, or went down before it answered; nobody knows whether it was done`)
    this.node = node
  }
}

/** A simulated service did not give an answer: the fault of the world, not of the code. */
export class CallFailedError extends EchelonError {
  readonly code = 'CALL_FAILED'
  override readonly retryable: boolean
  /** HTTP status, where the fault has one. */
  readonly status: number | undefined
  /** Milliseconds to wait, where the answer says so. */
  readonly retryAfterMs: number | undefined
  constructor(
    what: string,
    fault: string,
    terms: { readonly status?: number; readonly retryAfterMs?: number; readonly retryable?: boolean } = {},
  ) {
    super(`${what}: ${fault}`)
    this.status = terms.status
    this.retryAfterMs = terms.retryAfterMs
    this.retryable = terms.retryable ?? true
  }
}

/** A simulation found what breaks the scenario. `report` is for people; `file` is the case that replays, if it was written. */
export class SimulationFailedError extends EchelonError {
  readonly code = 'SIMULATION_FAILED'
  readonly invariant: string
  readonly report: string
  readonly file: string | undefined
  constructor(invariant: string, report: string, file: string | undefined, cause: unknown) {
    super(report, { cause })
    this.invariant = invariant
    this.report = report
    this.file = file
  }
}

/** A case that cannot be replayed: not one of ours, of another scenario, or of code that has changed since. */
export class SimulationCaseError extends EchelonError {
  readonly code = 'SIMULATION_CASE'
  constructor(where: string, problem: string) {
    super(`${where}: ${problem}`)
  }
}
