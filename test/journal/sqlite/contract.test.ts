import { rm } from 'node:fs/promises'
import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'
import { VirtualClock } from '../../../src/testing/virtual-clock.ts'
import { describeJournal } from '../contract.ts'
import { temporaryFolder } from './material.ts'

describeJournal({
  kind: 'sqlite',
  histories: 25,
  fresh: async (options) => {
    const folder = await temporaryFolder()
    const clock = new VirtualClock()
    return {
      source: sqliteJournal(`${folder}/journal.db`, options),
      clock,
      passTime: async (ms) => {
        clock.advanceBy(ms)
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    }
  },
})
