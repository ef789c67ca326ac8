import { describe } from 'vitest'
import { describeAppends } from './contract/appends.ts'
import { describeBases } from './contract/bases.ts'
import { describeBounds } from './contract/bounds.ts'
import { describeCompaction } from './contract/compaction.ts'
import { describeLeases } from './contract/leases.ts'
import { describeLifecycle } from './contract/lifecycle.ts'
import { describeModel } from './contract/model.ts'
import { describeReading } from './contract/reading.ts'
import type { JournalSubject } from './contract/subject.ts'
import { describeTail } from './contract/tail.ts'

/** Registers every rule of the journal port as a test of one adapter. */
export function describeJournal(subject: JournalSubject): void {
  describe(`the ${subject.kind} journal`, () => {
    describeAppends(subject)
    describeBounds(subject)
    describeReading(subject)
    describeTail(subject)
    describeCompaction(subject)
    describeBases(subject)
    describeLeases(subject)
    describeLifecycle(subject)
    describeModel(subject)
  })
}
