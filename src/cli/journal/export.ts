import { createHash } from 'node:crypto'
import { EchelonError } from '../../core/errors.ts'
import type { JournalEntry, JournalReader } from '../../core/journal.ts'
import { counted } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { count, exportType, exportVersion, noCounts, type ExportHead, type ExportRow } from './export-format.ts'
import { entriesOf, findStream, streamsOf } from './streams.ts'

/** Entries of a stream went away while it was exported. */
export class ExportOvertakenError extends EchelonError {
  readonly code = 'EXPORT_OVERTAKEN'
  override readonly retryable = true
  constructor(stream: string) {
    super(`Stream ${stream} was compacted while it was exported: export again, and do not compact meanwhile`)
  }
}

export interface ExportOptions {
  readonly stream?: string
  readonly prefix?: string
}

/** `echelon journal export`: everything that another journal needs to have the same streams, as JSON Lines. */
export async function exportJournal(
  reader: JournalReader,
  { out, clock, signal }: CommandHost,
  options: ExportOptions,
): Promise<number> {
  const hash = createHash('sha256')
  const counts = noCounts()
  const put = async (row: ExportHead | ExportRow): Promise<void> => {
    const text = `${JSON.stringify(row)}\n`
    hash.update(text)
    await out.write(text)
  }
  const { kind, formatVersion, streams, entries } = await reader.info()
  const only = options.stream === undefined ? undefined : await findStream(reader, options.stream)
  await put({
    ...{ type: exportType, version: exportVersion, exportedAtMs: clock.wallNow() },
    journal: { kind, formatVersion, streams, entries },
    ...(only === undefined ? {} : { stream: only.stream }),
    ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
  })
  const names = only === undefined ? streamsOf(reader, { prefix: options.prefix, signal }) : [only]
  for await (const { stream } of names) {
    for await (const row of rowsOf(reader, stream)) {
      signal.throwIfAborted()
      count(counts, row)
      await put(row)
    }
    out.progress(`${counts.streams} of ${streams} streams`)
  }
  const sha256 = hash.digest('hex')
  await out.write(`${JSON.stringify({ type: 'end', ...counts, sha256 } satisfies ExportRow)}\n`)
  out.progress('')
  out.note(`Exported ${counted(counts.streams, 'stream')} with ${counted(counts.entries, 'entry', 'entries')}`)
  return exitCodes.ok
}

type StreamRow = Extract<ExportRow, { readonly type: 'stream' | 'snapshot' | 'blob' | 'entry' }>

/** One stream as it was at one moment: what a writer appends meanwhile is left out. */
async function* rowsOf(reader: JournalReader, stream: string): AsyncGenerator<StreamRow> {
  const { lastSeq, wakeAtMs, snapshot, entries } = await reader.load(stream)
  yield { type: 'stream', stream, lastSeq, wakeAtMs }
  const blobs = new Set<string>()
  if (snapshot !== undefined) {
    const { seq, version, atMs, body } = snapshot
    yield { type: 'snapshot', seq, version, atMs, blobs: [...snapshot.blobs], body }
    for (const id of snapshot.blobs) yield { type: 'blob', id, text: await reader.blob(stream, id) }
    for (const id of snapshot.blobs) blobs.add(id)
  }
  let next: number | undefined
  const page = snapshot === undefined ? entries : undefined
  for await (const entry of entriesOf(reader, stream, 0, { page, lastSeq })) {
    const { seq, kind, version, atMs, body } = entry
    if (seq > lastSeq) break
    if (seq !== (next ?? seq)) throw new ExportOvertakenError(stream)
    next = seq + 1
    const id = blobOf(entry)
    if (id !== undefined && !blobs.has(id)) yield { type: 'blob', id, text: await reader.blob(stream, id) }
    yield { type: 'entry', seq, kind, version, atMs, body }
  }
  if (next === undefined ? snapshot?.seq !== lastSeq : next <= lastSeq) throw new ExportOvertakenError(stream)
}

/** The blob that an entry names, as an actor writes it. */
function blobOf({ kind, body }: JournalEntry): string | undefined {
  if (kind !== 'outcome' || !body.includes('"blob"')) return undefined
  try {
    const outcome: unknown = JSON.parse(body)
    if (typeof outcome !== 'object' || outcome === null || !('blob' in outcome)) return undefined
    return typeof outcome.blob === 'string' ? outcome.blob : undefined
  } catch {
    return undefined
  }
}
