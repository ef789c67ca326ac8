import { describeExit, type ExitReason } from './exit.ts'
import type { Message } from './message.ts'

/** Every error that Echelon raises on purpose. Match on `code`, which is stable; `docs/errors.md` has an entry for each. */
export abstract class EchelonError extends Error {
  abstract readonly code: string
  /** Whether the same call may succeed later without a change to the program. */
  readonly retryable: boolean = false

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** A definition, spec or option that cannot work. `where` names the place, the text says what is wrong and what to write. */
export class DefinitionInvalidError extends EchelonError {
  readonly code = 'DEFINITION_INVALID'
  readonly where: string
  constructor(where: string, problem: string, options?: ErrorOptions) {
    super(`${where}: ${problem}`, options)
    this.where = where
  }
}

/** A message whose type the receiver's protocol does not name. */
export class MessageUnknownError extends EchelonError {
  readonly code = 'MESSAGE_UNKNOWN'
  readonly undelivered: unknown
  constructor(to: string, type: string, known: readonly string[], undelivered: unknown) {
    super(`${to} has no message '${type}': its protocol knows ${known.length === 0 ? 'none' : known.join(', ')}`)
    this.undelivered = undelivered
  }
}

/** A question that the chart of its receiver does not handle in the state that it is in. */
export class MessageUnhandledError extends EchelonError {
  readonly code = 'MESSAGE_UNHANDLED'
  override readonly retryable = true
  readonly undelivered: unknown
  constructor(to: string, type: string, state: string, undelivered: unknown) {
    super(`${to} does not handle '${type}' in state ${state}: add a transition, or postpone it`)
    this.undelivered = undelivered
  }
}

/** A message whose payload its schema refuses; `issues` names each wrong field with its path. */
export class MessageInvalidError extends EchelonError {
  readonly code = 'MESSAGE_INVALID'
  readonly undelivered: unknown
  readonly issues: readonly string[]
  constructor(to: string, type: string, issues: readonly string[], undelivered: unknown) {
    super(`Message '${type}' to ${to} does not fit its schema: ${issues.join('; ')}`)
    this.issues = issues
    this.undelivered = undelivered
  }
}

/** An actor answered a question with a value that the question's answer schema refuses. */
export class AnswerInvalidError extends EchelonError {
  readonly code = 'ANSWER_INVALID'
  readonly issues: readonly string[]
  constructor(from: string, type: string, issues: readonly string[]) {
    super(`Answer of ${from} to '${type}' does not fit its schema: ${issues.join('; ')}`)
    this.issues = issues
  }
}

/** `reply` where there is no question, or a second time. */
export class ReplyMisusedError extends EchelonError {
  readonly code = 'REPLY_MISUSED'
  constructor(from: string, type: string, problem: string) {
    super(`${from} cannot reply to '${type}': ${problem}`)
  }
}

export class MailboxFullError extends EchelonError {
  readonly code = 'MAILBOX_FULL'
  override readonly retryable = true
  readonly undelivered: Message
  constructor(to: string, capacity: number, undelivered: Message) {
    super(`Mailbox of ${to} is full (${capacity} messages): slow the sender or raise mailbox.capacity`)
    this.undelivered = undelivered
  }
}

/** Thrown by `stash()` and `postpone()` in the actor that would hold more than its bound. */
export class StashFullError extends EchelonError {
  readonly code = 'STASH_FULL'
  constructor(at: string, capacity: number) {
    super(`Stash of ${at} is full (${capacity} messages): unstash earlier or raise mailbox.stashCapacity`)
  }
}

export class AskTimeoutError extends EchelonError {
  readonly code = 'ASK_TIMEOUT'
  override readonly retryable = true
  constructor(to: string, type: string, timeoutMs: number) {
    super(
      `${to} did not answer '${type}' within ${Math.round(timeoutMs)} ms: raise timeoutMs, or find out why it is slow`,
    )
  }
}

export class AskCancelledError extends EchelonError {
  readonly code = 'ASK_CANCELLED'
  constructor(to: string, type: string, cause: unknown) {
    super(`The ask '${type}' to ${to} was cancelled by its signal`, { cause })
  }
}

/** An ask whose answer would need an actor that is itself waiting for this ask: it could only time out. */
export class AskCycleError extends EchelonError {
  readonly code = 'ASK_CYCLE'
  readonly cycle: readonly string[]
  constructor(cycle: readonly string[], type: string) {
    super(
      `The ask '${type}' can never be answered, its chain comes back: ${cycle.join(' -> ')}; tell instead, or mark the actor reentrant`,
    )
    this.cycle = cycle
  }
}

/** The target of an ask is not there, or ended before it answered. */
export class TargetDownError extends EchelonError {
  readonly code = 'TARGET_DOWN'
  override readonly retryable = true
  readonly reason: ExitReason
  constructor(to: string, type: string, reason: ExitReason) {
    super(
      `${to} cannot answer '${type}': ${describeExit(reason)}`,
      reason.kind === 'crash' ? { cause: reason.error } : undefined,
    )
    this.reason = reason
  }
}

/** The runtime is shutting down or closed: it takes no new work. */
export class RuntimeClosedError extends EchelonError {
  readonly code = 'RUNTIME_CLOSED'
  constructor(node: string, what: string) {
    super(`Runtime '${node}' is closed: ${what}`)
  }
}

/** A task of the shutdown was not done when the time of its phase was up. */
export class ShutdownTimeoutError extends EchelonError {
  readonly code = 'SHUTDOWN_TIMEOUT'
  constructor(phase: string, ms: number) {
    super(
      `Not done within the ${Math.round(ms)} ms of phase ${phase}: stop when the task's signal aborts, or raise shutdownMs`,
    )
  }
}

/** A package that is only needed for what was just asked for is not installed. */
export class DependencyMissingError extends EchelonError {
  readonly code = 'DEPENDENCY_MISSING'
  constructor(what: string, packageName: string, options?: ErrorOptions) {
    super(`${what} needs the package '${packageName}': npm install ${packageName}`, options)
  }
}

export class NameTakenError extends EchelonError {
  readonly code = 'NAME_TAKEN'
  constructor(name: string, where: string) {
    super(`The name '${name}' is taken in ${where}: choose another, or stop its holder first`)
  }
}

/** Logic that failed in its first step; `cause` is what it threw. */
export class StartFailedError extends EchelonError {
  readonly code = 'START_FAILED'
  constructor(path: string, cause: unknown) {
    super(`${path} failed to start: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** A watched or linked actor ended abnormally and nobody here handles it. @see Pekko's DeathPactException */
export class DeathPactError extends EchelonError {
  readonly code = 'DEATH_PACT'
  constructor(at: string, of: string, reason: ExitReason) {
    super(
      `${at} did not handle the end of ${of} (${describeExit(reason)}): handle 'actor.down', or do not watch it`,
      reason.kind === 'crash' ? { cause: reason.error } : undefined,
    )
  }
}

/** Something asked of a context or of logic that its host cannot do. */
export class NotHostedError extends EchelonError {
  readonly code = 'NOT_HOSTED'
  constructor(what: string) {
    super(`${what} needs an Echelon runtime: start the actor with runtime.spawn`)
  }
}

/** The work of an actor that a restart from its snapshot interrupted: it is reported, never silently run again. */
export class InterruptedError extends EchelonError {
  readonly code = 'INTERRUPTED'
  override readonly retryable = true
  constructor(path: string, what: string) {
    super(`'${what}' of ${path} was interrupted by a restart: handle its error event, or start it again`)
  }
}

/** Code of a fenced incarnation asked for something: it has no effect any more. */
export class FencedError extends EchelonError {
  readonly code = 'FENCED'
  constructor(path: string, effect: string) {
    super(`This incarnation of ${path} has ended, so its '${effect}' has no effect: listen to the context's signal`)
  }
}

/** A handler made no progress for longer than its supervisor allows. */
export class StuckError extends EchelonError {
  readonly code = 'STUCK'
  constructor(path: string, type: string, withinMs: number) {
    super(
      `${path} made no progress on '${type}' for ${withinMs} ms: call progress() in long work, or raise progress.withinMs`,
    )
  }
}

/** An actor used up what its supervisor granted it. */
export class BudgetExceededError extends EchelonError {
  readonly code = 'BUDGET_EXCEEDED'
  readonly resource: string
  constructor(path: string, resource: string, limit: number) {
    super(`${path} used up its budget of ${limit} ${resource}: grant more, or let it stop earlier`)
    this.resource = resource
  }
}
