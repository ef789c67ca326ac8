import type {
  CompactReport,
  Due,
  JournalEntry,
  JournalInfo,
  Lease,
  Loaded,
  StreamInfo,
  VerifyReport,
} from '../../core/journal.ts'
import type { Fault } from './faults.ts'
import type { Packed } from './packing.ts'

/** What the thread of the store is started with. */
export interface StoreSetup {
  readonly file: string
  readonly node: string
  readonly mode: 'write' | 'read'
  readonly takeOver: boolean
  /** Which opening of the starting thread this is, and those that are open. */
  readonly thread: number
  readonly opening: number
  readonly openings: readonly number[]
  readonly nowMs: number
}

/** What the store can be asked for, besides appending. */
export interface Operations {
  load(stream: string): Loaded
  read(stream: string, afterSeq: number, limit?: number): readonly JournalEntry[]
  tail(afterPosition: number): readonly JournalEntry[]
  blob(stream: string, id: string): string
  list(prefix: string, afterStream?: string, limit?: number): readonly StreamInfo[]
  due(beforeMs: number, limit?: number): readonly Due[]
  info(): Omit<JournalInfo, 'kind' | 'location'>
  verify(): VerifyReport
  compact(stream?: string): CompactReport
  acquire(name: string, ttlMs: number, takeOver: boolean): Lease
  renew(lease: Lease, ttlMs: number): Lease
  release(lease: Lease): void
  close(): void
}

export type Operation = keyof Operations

export interface Question {
  readonly id: number
  readonly operation: Operation
  readonly args: readonly unknown[]
}

export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly fault: Fault }

/** To the thread of the store. `nowMs`: the wall clock of the host, which leases are measured by. */
export type ToStore = (
  | { readonly kind: 'ask'; readonly questions: readonly Question[] }
  | { readonly kind: 'append'; readonly packed: Packed }
) & { readonly nowMs: number }

/** From the thread of the store. */
export type FromStore =
  | { readonly kind: 'opened' }
  | { readonly kind: 'refused'; readonly fault: Fault }
  | { readonly kind: 'progress'; readonly what: string; readonly done: number; readonly total: number }
  /** The oldest batch of calls is on disk, except for those that were refused, by their number. */
  | { readonly kind: 'written'; readonly refused: readonly (readonly [call: number, fault: Fault])[] }
  | { readonly kind: 'unwritten'; readonly fault: Fault }
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }
  /** Nothing more will be written. */
  | { readonly kind: 'failed'; readonly fault: Fault }
