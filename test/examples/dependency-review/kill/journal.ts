import * as real from 'echelon/journal'
import { pass } from './point.ts'

export const { JournalLockedError } = real

/** The real one, with a moment before and after each append. */
export function sqliteJournal(file: string, options?: real.SqliteJournalOptions): real.JournalSource {
  const source = real.sqliteJournal(file, options)
  return {
    ...source,
    open: async (host) => {
      const journal = await source.open(host)
      const append = journal.append.bind(journal)
      journal.append = async (appends) => {
        await pass('append')
        await append(appends)
        await pass('appended')
        const isOfExaminations = ({ body }: real.NewEntry): boolean => body.includes('packages.examined')
        if (appends.some(({ entries }) => entries.some(isOfExaminations))) await pass('kept')
      }
      return journal
    },
  }
}
