import { existsSync } from 'node:fs'
import { JournalFormatError } from '../../core/journal-errors.ts'
import type { JournalHost, JournalReader, JournalSource } from '../../core/journal.ts'
import { sqliteJournal } from '../../journal/sqlite/journal.ts'
import { hideSecrets } from '../format.ts'
import { UsageError, type CommandHost } from '../host.ts'

/**
 * The journal that a command line names: the path of a file, or `postgres://…` with the schema when it is not the usual one.
 *
 * @throws {UsageError} for an address of another kind.
 */
export async function sourceOf(journal: string, schema?: string): Promise<JournalSource> {
  if (/^postgres(ql)?:/i.test(journal)) {
    const { postgresJournal } = await import('../../journal/postgres/journal.ts')
    return postgresJournal({ url: journal, ...(schema === undefined ? {} : { schema }) })
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(journal))
    throw new UsageError(`a journal is the path of a file or postgres://…, not ${hideSecrets(journal)}`)
  return sqliteJournal(journal)
}

export const journalHost = ({ clock, out }: CommandHost): JournalHost => ({
  node: 'echelon-journal',
  clock,
  onProgress: ({ what, done, total }) => {
    out.progress(`${what}: ${done} of ${total}`)
  },
})

/** Runs `use` with what `open` opens, and closes it. */
export async function withOpen<Opened extends JournalReader, Result>(
  open: Promise<Opened>,
  use: (opened: Opened) => Promise<Result>,
): Promise<Result> {
  const opened = await open
  try {
    return await use(opened)
  } finally {
    await opened.close()
  }
}

/** Opening for writing makes a file where there is none: a command that changes a journal wants one that is there. */
export function mustExist(journal: string): void {
  if (!journal.includes('://') && !existsSync(journal)) throw new JournalFormatError(journal, 'there is none')
}
