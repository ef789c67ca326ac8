import type { Journal, JournalReader } from '../../core/journal.ts'
import { bytesText, counted, jsonLine } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { findStream, streamsOf } from './streams.ts'

export interface CompactOptions {
  readonly stream?: string
  readonly json?: boolean
}

/** `echelon journal compact`: removes what snapshots cover. */
export async function compact(
  journal: Journal,
  { out }: CommandHost,
  { stream, json = false }: CompactOptions,
): Promise<number> {
  const only = stream === undefined ? {} : { stream: (await findStream(journal, stream)).stream }
  const { streams, entriesRemoved, blobsRemoved, bytesBefore, bytesAfter } = await journal.compact(only)
  out.progress('')
  if (json) await out.write(jsonLine({ dryRun: false, streams, entriesRemoved, blobsRemoved, bytesBefore, bytesAfter }))
  else {
    const removed = `${counted(entriesRemoved, 'entry', 'entries')} and ${counted(blobsRemoved, 'blob')}`
    const sizes = `${bytesText(bytesBefore)} before, ${bytesText(bytesAfter)} now`
    await out.write(`Removed ${removed} of ${counted(streams, 'stream')}: ${sizes}\n`)
  }
  return exitCodes.ok
}

/** `echelon journal compact --dry-run`: the entries that would go. What blobs and bytes go with them shows only then. */
export async function compactDryRun(
  reader: JournalReader,
  { out, signal }: CommandHost,
  { stream, json = false }: CompactOptions,
): Promise<number> {
  const { streams, entries } = await removable(reader, stream, signal)
  if (json) await out.write(jsonLine({ dryRun: true, streams, entriesRemoved: entries }))
  else await out.write(`Would remove ${counted(entries, 'entry', 'entries')} of ${counted(streams, 'stream')}\n`)
  return exitCodes.ok
}

async function removable(
  reader: JournalReader,
  name: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly streams: number; readonly entries: number }> {
  if (name !== undefined) {
    const { stream, snapshotSeq } = await findStream(reader, name)
    const [first] = await reader.read(stream, 0, { limit: 1 })
    return { streams: 1, entries: Math.max(0, snapshotSeq + 1 - (first?.seq ?? Infinity)) }
  }
  const { entries } = await reader.info()
  let [streams, needed] = [0, 0]
  for await (const { lastSeq, snapshotSeq } of streamsOf(reader, { signal })) {
    streams += 1
    needed += lastSeq - snapshotSeq
  }
  // A writer may append between the two.
  return { streams, entries: Math.max(0, entries - needed) }
}
