import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'
import { VirtualClock } from '../../../src/testing/virtual-clock.ts'
import { describeJournal } from '../contract.ts'
import { journalPath } from './material.ts'

describeJournal({
  kind: 'sqlite',
  histories: 12,
  fresh: async (options) => {
    const place = await journalPath('memory')
    const clock = new VirtualClock()
    return {
      source: sqliteJournal(place.file, options),
      clock,
      passTime: async (ms) => {
        clock.advanceBy(ms)
      },
      [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
    }
  },
})
