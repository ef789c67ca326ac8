/** The front door: what a program needs. */
export {
  defineActor,
  type ActorDefinition,
  type AnyDefinition,
  type InputOf,
  type Signal,
  type SpawnOptions,
} from './actors/definition.ts'
export { message, question, type AnswerOf, type MessageOf, type Protocol } from './actors/protocol.ts'
export type { ActorContext, HandlerContext, RefOf } from './actors/actor-context.ts'
export type { AnyRef, Ref, StopOptions } from './actors/ref.ts'
export type { AskOptions } from './actors/ask.ts'
export type { DeadLetter } from './actors/dead-letters.ts'
export type { Down, DownSignal } from './actors/watch.ts'
export type { Budget, Decider, Directive, Failure, Shutdown } from './actors/child-rules.ts'
export type { MailboxOptions, OverflowPolicy } from './actors/mailbox.ts'
export type { ActorTimers } from './actors/timers.ts'
export {
  child,
  type ChildInput,
  type ChildOptions,
  type ChildSpec,
  type RestartType,
} from './supervisors/child-spec.ts'
export { supervisor, type SupervisorOptions } from './supervisors/supervisor.ts'
export { dynamicSupervisor, type DynamicSupervisorOptions } from './supervisors/dynamic-supervisor.ts'
export {
  countChildren,
  deleteChild,
  restartChild,
  startChild,
  startDynamicChild,
  SupervisorError,
  terminateChild,
  whichChildren,
  type ChildCounts,
  type ChildInfo,
} from './supervisors/admin.ts'
export type { AutoShutdown, Strategy } from './supervisors/strategy.ts'
export type { Intensity } from './supervisors/restart-intensity.ts'
export type { Backoff } from './supervisors/backoff.ts'
export { memoryJournal } from './journal/memory.ts'
export { sqliteJournal } from './journal/sqlite/journal.ts'
export type { DurableOptions, Migration } from './actors/durable/options.ts'
export type { EffectFunction, EffectOptions, EffectRun, RetryOptions } from './actors/durable/attempts.ts'
export {
  DoubtLimitError,
  EffectFailedError,
  EffectResultTooLargeError,
  EffectTimeoutError,
  JournalMissingError,
  NotDurableError,
  NotReplayableError,
  NotSerializableError,
  ReplayDivergedError,
  StreamMismatchError,
  VersionMismatchError,
} from './actors/durable/errors.ts'
export type { CronOptions, MissedTicks } from './actors/schedule.ts'
export type { TellOptions } from './actors/ref.ts'
export type { DoubtRule, PendingDoubt } from './runtime/durable/doubts.ts'
export type { InDoubt, Resolution } from './core/services.ts'
export { createRuntime, type Runtime, type RuntimeOptions } from './runtime/runtime.ts'
export { systemClock, type Clock } from './core/clock.ts'
export { seededRandom, type Random } from './core/random.ts'
export { systemScheduler, type Scheduler } from './core/scheduler.ts'
export { defineKey, defineTopic, type DiscoveryKey, type Topic } from './core/services.ts'
export { exits, type ExitReason } from './core/exit.ts'
export * as errors from './core/errors.ts'
export { EchelonError } from './core/errors.ts'
export type { RuntimeEvent, RuntimeEventOf, RuntimeEventType } from './core/events.ts'
export {
  operational,
  strategic,
  tactical,
  type Decide,
  type Matter,
  type TierDefinition,
  type TierOptions,
  type Verdict,
} from './supervisors/tiers.ts'
export { pool, type PoolDefinition, type PoolOptions } from './supervisors/pool.ts'
export { AuthorityWidenedError, type Authority } from './supervisors/authority.ts'
export { EscalationInvalidError, EscalationLimitError, type PendingEscalation } from './supervisors/escalation.ts'
export type { EscalationOutcome, EscalationRequest, Risk } from './core/services.ts'
export { ActorNotFoundError } from './actors/lookup.ts'
export type { PhaseReport, ShutdownOptions, ShutdownPhase, ShutdownReport, ShutdownTask } from './runtime/shutdown.ts'
export type { ProcessPort, StopSignal } from './runtime/signals.ts'
export { logEvents, type Logger, type LogLevel, type LogOptions } from './runtime/log.ts'
