import type { InspectionEvent, Observer } from 'xstate'
import type { ActorPath } from '../core/ids.ts'

/** How long a child may take to stop: milliseconds, as long as it needs, or no time at all. OTP's `shutdown`. */
export type Shutdown = number | 'infinity' | 'brutal_kill'

/**
 * What becomes of an actor whose handler failed. `restart`: by its restart type. `resume`: it goes on as if the message
 * had not come. `stop`: it ends and stays down. `escalate`: its supervisor fails too, so that the next one decides.
 */
export type Directive = 'restart' | 'resume' | 'stop' | 'escalate'

export interface Failure {
  readonly error: unknown
  readonly path: ActorPath
  readonly incarnation: number
  /** Type of the message that was being handled, if there was one. */
  readonly messageType: string | undefined
}

export type Decider = (failure: Failure) => Directive

/** What an incarnation may use up before it fails with `BUDGET_EXCEEDED`. Each is optional and has no default. */
export interface Budget {
  readonly usd?: number
  readonly tokens?: number
  readonly calls?: number
  /** Messages handled. */
  readonly messages?: number
  /** Milliseconds since its start. */
  readonly wallMs?: number
}

/** What the parent of an actor grants and asks of it. Supervisors set it from the child spec. */
export interface ChildRules {
  /** What the names of children that are given none begin with. Default: the name of their definition. */
  readonly id: string | undefined
  readonly shutdown: Shutdown
  readonly decide: Decider | undefined
  /** Whether mailbox and watchers outlive a crash. OTP: no. */
  readonly keepMailbox: boolean
  /** With `keepMailbox`: a failing message is tried again until it failed so many times, then it is a dead letter. */
  readonly poisonAfter: number | undefined
  /** `replay`: by the journal, which is how durable actors always come back, and others cannot. */
  readonly stateOnRestart: 'fresh' | 'snapshot' | 'replay'
  readonly progressWithinMs: number | undefined
  readonly budget: Budget | undefined
  /** Leaves memory when it has nothing to do, and comes back when it is wanted: a durable actor that `get` started. */
  readonly isPassive: boolean
  /** XState's inspection observer, for actors that XState hosts. */
  readonly inspect: Observer<InspectionEvent> | ((event: InspectionEvent) => void) | undefined
}

/** OTP's defaults, with the shutdown of a worker. */
export const workerRules: ChildRules = {
  id: undefined,
  shutdown: 5000,
  decide: undefined,
  keepMailbox: false,
  poisonAfter: undefined,
  stateOnRestart: 'fresh',
  progressWithinMs: undefined,
  budget: undefined,
  isPassive: false,
  inspect: undefined,
}

export const supervisorRules: ChildRules = { ...workerRules, shutdown: 'infinity' }
