/** Where durable actors keep what they must not forget: journals, and the port to write another one. */
export { memoryJournal, type MemoryJournalOptions } from './memory.ts'
export { postgresJournal } from './postgres/journal.ts'
export type { PostgresJournalOptions } from './postgres/options.ts'
export { sqliteJournal, type SqliteJournalOptions } from './sqlite/journal.ts'
export type {
  Append,
  Blob,
  CompactReport,
  Due,
  EntryKind,
  Journal,
  JournalEntry,
  JournalHost,
  JournalInfo,
  JournalReader,
  JournalSource,
  Lease,
  LeaseOptions,
  LeaseOwner,
  Loaded,
  NewEntry,
  Page,
  Problem,
  Snapshot,
  StreamInfo,
  VerifyReport,
} from '../core/journal.ts'
export {
  EntryTooLargeError,
  JournalClosedError,
  JournalConflictError,
  JournalCorruptError,
  JournalFailedError,
  JournalFencedError,
  JournalFormatError,
  JournalFullError,
  JournalLockedError,
  JournalOverloadedError,
  LeaseHeldError,
} from '../core/journal-errors.ts'
