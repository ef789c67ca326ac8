import * as z from 'zod'
import { EchelonError } from '../../core/errors.ts'
import type { Append, Blob, NewEntry, Snapshot } from '../../core/journal.ts'
import { checkAppends, defaultMaxEntryBytes } from '../../journal/append-check.ts'

// The lines of an export, version 1. docs/guides/journal-command.md is the reference.

export const exportType = 'echelon-journal-export'
export const exportVersion = 1

/** UTF-8 bytes of a line at most: a body of the largest size in which every sign is escaped. */
export const maxLineBytes = 2 * defaultMaxEntryBytes + 64 * 1024
/** UTF-8 bytes of one stream at most, since it is appended as a whole. */
export const maxStreamBytes = 256 * 1024 * 1024
/** What an entry costs besides its body. */
const overheadBytes = 256

/** An export that was cut off, changed or never was one. Nothing of it was written. */
export class ExportInvalidError extends EchelonError {
  readonly code = 'EXPORT_INVALID'
  readonly line: number
  constructor(line: number, problem: string, options?: ErrorOptions) {
    super(`Line ${line} of the export: ${problem}`, options)
    this.line = line
  }
}

const countSchema = z.int().nonnegative()
const seqSchema = z.int().positive()
const kinds = ['created', 'received', 'handled', 'failed', 'intent', 'outcome'] as const satisfies NewEntry['kind'][]

const headSchema = z.strictObject({
  type: z.literal(exportType),
  version: z.literal(exportVersion),
  exportedAtMs: z.number(),
  /** The whole journal when the export began: how much is to be expected. */
  journal: z.strictObject({ kind: z.string(), formatVersion: countSchema, streams: countSchema, entries: countSchema }),
  stream: z.string().optional(),
  prefix: z.string().optional(),
})
const written = { version: countSchema, atMs: z.number(), body: z.string() }
const counts = { streams: countSchema, snapshots: countSchema, blobs: countSchema, entries: countSchema }
const rowSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('stream'),
    stream: z.string(),
    lastSeq: seqSchema,
    wakeAtMs: z.number().nullable(),
  }),
  z.strictObject({ type: z.literal('snapshot'), seq: seqSchema, blobs: z.array(z.string()), ...written }),
  z.strictObject({ type: z.literal('blob'), id: z.string(), text: z.string() }),
  z.strictObject({ type: z.literal('entry'), seq: seqSchema, kind: z.enum(kinds), ...written }),
  /** `sha256`: of all bytes before this line. */
  z.strictObject({ type: z.literal('end'), ...counts, sha256: z.string() }),
])

export type ExportHead = z.infer<typeof headSchema>
export type ExportRow = z.infer<typeof rowSchema>
type Row<Type extends ExportRow['type']> = Extract<ExportRow, { readonly type: Type }>

/** How many of each an export has. */
export type ExportCounts = Record<keyof typeof counts, number>
const plurals = { stream: 'streams', snapshot: 'snapshots', blob: 'blobs', entry: 'entries' } as const

export const noCounts = (): ExportCounts => ({ streams: 0, snapshots: 0, blobs: 0, entries: 0 })

export function count(into: ExportCounts, { type }: ExportRow): void {
  if (type !== 'end') into[plurals[type]] += 1
}

/** A line of a file. `sha256`: that of everything before it. */
export interface Line {
  readonly number: number
  readonly text: string
  readonly sha256: () => string
}

/** A stream, ready to be appended where there is none of its name. */
export interface ExportedStream {
  readonly line: number
  readonly append: Append
  readonly bytes: number
}

/** What belongs to the stream that is being read. */
interface Draft {
  readonly line: number
  readonly row: Row<'stream'>
  snapshot: Snapshot | undefined
  /** Last entry that was compacted; 0 when all are there. */
  baseSeq: number
  readonly blobs: Blob[]
  readonly entries: NewEntry[]
  bytes: number
}

/**
 * The streams of an export, one in memory at a time. Everything is checked that can be known without a journal; whether
 * the export is whole, only after the last stream.
 *
 * @throws {ExportInvalidError} `EXPORT_INVALID`
 */
export async function* readExport(lines: AsyncIterable<Line>): AsyncGenerator<ExportedStream> {
  const found = noCounts()
  let draft: Draft | undefined
  let state: 'head' | 'rows' | 'over' = 'head'
  let last = 0
  for await (const line of lines) {
    last = line.number
    if (state === 'over') throw new ExportInvalidError(last, 'something follows the end')
    if (state === 'head') {
      checkHead(line)
      state = 'rows'
      continue
    }
    const row = parse(rowSchema, line)
    count(found, row)
    if (row.type === 'stream' || row.type === 'end') {
      if (draft !== undefined) yield finish(draft)
      if (row.type === 'end') {
        checkEnd(line, row, found)
        state = 'over'
        continue
      }
      if (draft !== undefined && Buffer.compare(Buffer.from(draft.row.stream), Buffer.from(row.stream)) >= 0)
        throw new ExportInvalidError(last, 'streams ascend by name, and each comes once')
      draft = { line: last, row, snapshot: undefined, baseSeq: 0, blobs: [], entries: [], bytes: 0 }
      continue
    }
    if (draft === undefined) throw new ExportInvalidError(last, `${row.type} before the first stream`)
    add(draft, row, line)
  }
  if (state !== 'over')
    throw new ExportInvalidError(Math.max(1, last), 'it stops here, without its end: it was cut off')
}

function checkHead(line: Line): void {
  const given = json(line)
  if (typeof given !== 'object' || given === null || !('type' in given) || given.type !== exportType)
    throw new ExportInvalidError(line.number, "it is no export of a journal: 'echelon journal export' makes one")
  if ('version' in given && given.version !== exportVersion)
    throw new ExportInvalidError(
      line.number,
      `its format is version ${String(given.version)}, and this program reads version ${exportVersion}: update Echelon`,
    )
  parse(headSchema, line)
}

function checkEnd({ number, sha256 }: Line, row: Row<'end'>, found: ExportCounts): void {
  for (const what of Object.values(plurals))
    if (row[what] !== found[what])
      throw new ExportInvalidError(number, `it had ${row[what]} ${what}, and there are ${found[what]}`)
  if (row.sha256 !== sha256()) throw new ExportInvalidError(number, 'its checksum does not fit: it was changed')
}

function add(draft: Draft, row: Row<'snapshot' | 'blob' | 'entry'>, { number, text }: Line): void {
  draft.bytes += text.length + overheadBytes
  if (draft.bytes > maxStreamBytes)
    throw new ExportInvalidError(
      number,
      `its stream has more than ${maxStreamBytes} bytes, which is more than can be appended at once`,
    )
  if (row.type === 'blob') draft.blobs.push({ id: row.id, text: row.text })
  else if (row.type === 'snapshot') {
    if (draft.snapshot !== undefined || draft.entries.length > 0)
      throw new ExportInvalidError(number, 'a stream has one snapshot at most, before its entries')
    const { type: _, ...snapshot } = row
    draft.snapshot = snapshot
  } else {
    const { type: _, seq, ...entry } = row
    if (draft.entries.length === 0) draft.baseSeq = seq - 1
    const expected = draft.baseSeq + draft.entries.length + 1
    if (seq !== expected) throw new ExportInvalidError(number, `entry ${seq} where ${expected} comes next`)
    draft.entries.push(entry)
  }
}

function finish({ line, row, snapshot, baseSeq: before, blobs, entries, bytes }: Draft): ExportedStream {
  const { stream, lastSeq, wakeAtMs } = row
  // Nothing but a snapshot is left of a stream that is covered to its end.
  const baseSeq = entries.length === 0 ? (snapshot?.seq ?? 0) : before
  const endSeq = baseSeq + entries.length
  if (endSeq !== lastSeq)
    throw new ExportInvalidError(line, `its stream ends with entry ${lastSeq}, and here it ends with ${endSeq}`)
  const known = new Set(blobs.map(({ id }) => id))
  const missing = snapshot?.blobs.find((id) => !known.has(id))
  if (missing !== undefined) throw new ExportInvalidError(line, `blob ${missing} of its snapshot is not there`)
  const base = baseSeq === 0 ? undefined : baseSeq
  const append: Append = { stream, expectedSeq: baseSeq, baseSeq: base, entries, snapshot, blobs, wakeAtMs }
  try {
    checkAppends([append], defaultMaxEntryBytes)
  } catch (error) {
    throw new ExportInvalidError(line, error instanceof Error ? error.message : String(error), { cause: error })
  }
  return { line, append, bytes }
}

function json({ number, text }: Line): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ExportInvalidError(number, 'it is no JSON', { cause: error })
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, line: Line): z.output<Schema> {
  const parsed = schema.safeParse(json(line))
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join('.')} ${message}`.trim())
  throw new ExportInvalidError(line.number, problems.join('; '), { cause: parsed.error })
}
