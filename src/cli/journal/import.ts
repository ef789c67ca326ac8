import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { JournalConflictError } from '../../core/journal-errors.ts'
import type { Append, Journal } from '../../core/journal.ts'
import { counted, jsonLine } from '../format.ts'
import { exitCodes, UsageError, type CommandHost } from '../host.ts'
import { ExportInvalidError, maxLineBytes, readExport, type ExportedStream, type Line } from './export-format.ts'
import { withOpen } from './open.ts'
import { infoOf } from './streams.ts'

export interface ImportOptions {
  /** Streams that are there already are left as they are. */
  readonly skipExisting?: boolean
  readonly json?: boolean
}

/** Bytes of streams, and streams, that share one write to the disk. */
const batchBytes = 4 * 1024 * 1024
const batchStreams = 512

/**
 * `echelon journal import`: the streams of an export, where they are not there yet. The export is read twice or more:
 * before anything is written, all of it has been checked, and `openJournal` is not called for one that is damaged.
 *
 * 1. A stream is there as a whole or not at all, whenever the process dies.
 * 2. A stream that is there is never changed: `JOURNAL_CONFLICT`, or it is skipped.
 */
export async function importJournal(
  file: string,
  openJournal: () => Promise<Journal>,
  host: CommandHost,
  { skipExisting = false, json = false }: ImportOptions,
): Promise<number> {
  const { out } = host
  const handle = await open(file)
  try {
    if (!(await handle.stat()).isFile())
      throw new UsageError(`${file} is no file: an export is read twice, so it cannot come through a pipe`)
    for await (const { line } of streamsIn(handle, host)) out.progress(`checking line ${line}`)
    const done = await withOpen(openJournal(), (journal) => write(handle, journal, host, skipExisting))
    out.progress('')
    if (json) await out.write(jsonLine(done))
    else {
      const skipped = done.skipped === 0 ? '' : `, skipped ${done.skipped} that were there`
      const what = `${counted(done.streams, 'stream')} with ${counted(done.entries, 'entry', 'entries')}`
      await out.write(`Imported ${what}${skipped}\n`)
    }
    return exitCodes.ok
  } finally {
    await handle.close()
  }
}

async function* streamsIn(handle: FileHandle, { signal }: CommandHost): AsyncGenerator<ExportedStream> {
  for await (const stream of readExport(linesOf(handle))) {
    signal.throwIfAborted()
    yield stream
  }
}

async function write(
  handle: FileHandle,
  journal: Journal,
  host: CommandHost,
  skipExisting: boolean,
): Promise<{ readonly streams: number; readonly entries: number; readonly skipped: number }> {
  const present = (await journal.info()).streams
  if (present > 0 && !skipExisting)
    for await (const { append } of streamsIn(handle, host)) {
      const there = await infoOf(journal, append.stream)
      if (there !== undefined) throw new JournalConflictError(append.stream, 0, there.lastSeq)
    }
  let [streams, entries, skipped, bytes] = [0, 0, 0, 0]
  let batch: Append[] = []
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await journal.append(batch)
    ;[batch, bytes] = [[], 0]
    host.out.progress(`${streams} streams written`)
  }
  for await (const exported of streamsIn(handle, host)) {
    const { append } = exported
    if (present > 0 && skipExisting && (await infoOf(journal, append.stream)) !== undefined) {
      skipped += 1
      continue
    }
    if (bytes + exported.bytes > batchBytes) await flush()
    batch.push(append)
    bytes += exported.bytes
    streams += 1
    entries += append.entries.length
    if (batch.length >= batchStreams) await flush()
  }
  await flush()
  return { streams, entries, skipped }
}

const chunkBytes = 256 * 1024
const newline = 10

/** The lines of a file from its beginning. @throws {ExportInvalidError} `EXPORT_INVALID` for one that is too long, or no UTF-8. */
async function* linesOf(handle: FileHandle): AsyncGenerator<Line> {
  const hash = createHash('sha256')
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let number = 1
  let place = 0
  let parts: Buffer[] = []
  let length = 0
  const line = (end: Buffer): Line & { readonly bytes: Buffer } => {
    const bytes = Buffer.concat([...parts, end])
    ;[parts, length] = [[], 0]
    let text: string
    try {
      text = decoder.decode(bytes)
    } catch (error) {
      throw new ExportInvalidError(number, 'it is no UTF-8', { cause: error })
    }
    return { number, text, bytes, sha256: () => hash.copy().digest('hex') }
  }
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, place)
    if (bytesRead === 0) break
    place += bytesRead
    const chunk = buffer.subarray(0, bytesRead)
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const next = line(chunk.subarray(start, end))
      yield next
      hash.update(next.bytes).update('\n')
      number += 1
      start = end + 1
    }
    const rest = chunk.subarray(start)
    if (rest.length > 0) parts.push(rest)
    length += rest.length
    if (length > maxLineBytes)
      throw new ExportInvalidError(number, `it is longer than ${maxLineBytes} bytes, and no line of an export is`)
  }
  // A last line without its end was cut off, even when it reads well.
  if (length > 0) throw new ExportInvalidError(number, 'it stops here, in the middle of a line: it was cut off')
}
