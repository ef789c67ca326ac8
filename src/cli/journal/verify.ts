import { JournalCorruptError } from '../../core/journal-errors.ts'
import type { JournalReader, VerifyReport } from '../../core/journal.ts'
import { counted, jsonLine, printable } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { withOpen } from './open.ts'

/** `echelon journal verify`: reads everything, and says what is wrong and where. */
export async function verify(
  open: () => Promise<JournalReader>,
  host: CommandHost,
  { json = false }: { readonly json?: boolean },
): Promise<number> {
  const { out, signal } = host
  const report = await verified(open, signal)
  const { streams, entries, snapshots, problems } = report
  out.progress('')
  if (json) await out.write(jsonLine({ ok: problems.length === 0, streams, entries, snapshots, problems }))
  else {
    for (const { where, problem } of problems)
      await out.write(`${out.colour('red', printable(where))}: ${printable(problem)}\n`)
    const read = `${counted(streams, 'stream')}, ${counted(entries, 'entry', 'entries')}, ${counted(snapshots, 'snapshot')}`
    await out.write(
      problems.length === 0
        ? `${out.colour('green', 'No problem found')}: ${read}\n`
        : `${counted(problems.length, 'problem')} found: ${read}. Stop what writes to it, and restore a backup\n`,
    )
  }
  return problems.length === 0 ? exitCodes.ok : exitCodes.problem
}

async function verified(open: () => Promise<JournalReader>, signal: AbortSignal): Promise<VerifyReport> {
  try {
    return await withOpen(open(), (reader) => reader.verify({ signal }))
  } catch (error) {
    // So damaged that it does not even open: that is a finding too.
    if (!(error instanceof JournalCorruptError)) throw error
    return { streams: 0, entries: 0, snapshots: 0, problems: [{ where: error.where, problem: error.message }] }
  }
}
