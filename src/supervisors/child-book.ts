import type { Cell } from '../actors/cell.ts'
import type { TimerHandle } from '../core/clock.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import type { ChildCounts } from './admin.ts'
import type { FailureStreak } from './backoff.ts'
import type { ChildSpec } from './child-spec.ts'
import type { RestartWindow } from './restart-intensity.ts'
import type { Procedure, Supervision } from './supervision.ts'

/** One child of a supervisor: its spec and its last incarnation. */
export class ChildRecord {
  readonly spec: ChildSpec
  /** The id, or what a dynamic child was named; one that was given no name is numbered. */
  readonly givenName: string | undefined
  readonly input: unknown
  state: 'running' | 'restarting' | 'stopped' = 'stopped'
  /** The last incarnation, running or not: its ref is the child's for good. */
  cell: Cell | undefined
  /** Why it is being restarted. */
  reason: ExitReason = exits.normal
  retry: TimerHandle | undefined
  upSinceMs = 0
  streak: FailureStreak | undefined
  /** Counts its own restarts when its spec says so. */
  window: RestartWindow | undefined

  constructor(spec: ChildSpec, givenName: string | undefined, input: unknown) {
    this.spec = spec
    this.givenName = givenName
    this.input = input
  }

  get name(): string {
    return this.cell?.name ?? this.givenName ?? this.spec.id
  }
}

/** The children of one supervisor, and what its kind of supervisor does about them. */
export interface ChildBook {
  list(): Iterable<ChildRecord>
  counts(): ChildCounts
  recordOf(child: Cell): ChildRecord | undefined
  /** Restarts a child whose restart was counted and is due: OTP's restart/3. */
  carryOut(supervision: Supervision, record: ChildRecord): Procedure
  /** The child is gone: forgets it, or keeps its spec without a child. OTP's del_child. */
  drop(record: ChildRecord): void
  /** Forgets a child whose end needs no decision, and no record made for it. False when it does. */
  readonly dropsAtOnce?: (child: Cell) => boolean
  /** The child failed: what is counted about it has to be kept. */
  remember(record: ChildRecord): void
  /** Whether the end of a child that is not restarted ends the supervisor. OTP's do_auto_shutdown. */
  endsWith(record: ChildRecord): boolean
}
