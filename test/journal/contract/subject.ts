import type { Clock } from '../../../src/core/clock.ts'
import type { JournalHost, JournalSource } from '../../../src/core/journal.ts'

/** What the contract asks an adapter to be set up with. */
export interface BenchOptions {
  readonly maxEntryBytes?: number
  readonly maxWaitingBytes?: number
  /** Opening for writing takes over from whoever writes. */
  readonly takeOver?: boolean
}

/** A journal that nobody has written to yet. */
export interface Bench extends AsyncDisposable {
  /** Opened again, it has what was written before. */
  readonly source: JournalSource
  readonly clock: Clock
  /** Lets the time pass by which leases expire. */
  readonly passTime: (ms: number) => Promise<void>
}

export interface JournalSubject {
  /** As `JournalInfo.kind` says it. */
  readonly kind: string
  readonly fresh: (options?: BenchOptions) => Promise<Bench>
  /** How many random histories are compared with the model. */
  readonly histories: number
  /** Why opening cannot take over from a writer, for an adapter that cannot: those cases are left out. */
  readonly noTakeOver?: string
}

/** The host that a bench opens its journal for. */
export const hostOf = (bench: Bench, node = 'node-a', more: Partial<JournalHost> = {}): JournalHost => ({
  node,
  clock: bench.clock,
  ...more,
})
