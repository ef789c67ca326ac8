import type { JournalReader, StreamInfo } from '../../core/journal.ts'
import { agoText, jsonLine, printable, dueText } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { streamsOf } from './streams.ts'

export interface ListOptions {
  readonly prefix?: string
  /** Only streams that want to be woken by now. */
  readonly due?: boolean
  readonly limit?: number
  readonly json?: boolean
}

/** `echelon journal ls`: a line for each stream. */
export async function list(reader: JournalReader, host: CommandHost, options: ListOptions): Promise<number> {
  const { out, clock, signal } = host
  const { prefix, due = false, limit = Infinity, json = false } = options
  const nowMs = clock.wallNow()
  let shown = 0
  if (limit > 0)
    for await (const info of streamsOf(reader, { prefix, signal })) {
      if (due && (info.wakeAtMs === null || info.wakeAtMs > nowMs)) continue
      if (json) await out.write(jsonLine(rowOf(info)))
      else await out.write((shown === 0 ? out.colour('bold', `${header}\n`) : '') + lineOf(info, nowMs))
      shown += 1
      if (shown >= limit) break
    }
  if (shown === 0 && !json) out.note(due ? 'No stream is due.' : 'No streams.')
  return exitCodes.ok
}

/** The name is last: how long the longest is, nobody knows before the end. */
const columnsOf = (entries: string, since: string, last: string, due: string, stream: string): string =>
  `${entries.padStart(9)}  ${since.padStart(14)}  ${last.padStart(10)}  ${due.padStart(10)}  ${stream}`

const header = columnsOf('ENTRIES', 'SINCE SNAPSHOT', 'LAST', 'DUE', 'STREAM')

const sinceSnapshot = ({ lastSeq, snapshotSeq }: StreamInfo): number => lastSeq - snapshotSeq

function lineOf(info: StreamInfo, nowMs: number): string {
  const { stream, lastSeq, atMs, wakeAtMs } = info
  const [entries, since] = [String(lastSeq), String(sinceSnapshot(info))]
  return `${columnsOf(entries, since, agoText(atMs, nowMs), dueText(wakeAtMs, nowMs), printable(stream))}\n`
}

const rowOf = (info: StreamInfo): object => ({
  stream: info.stream,
  lastSeq: info.lastSeq,
  snapshotSeq: info.snapshotSeq,
  sinceSnapshot: sinceSnapshot(info),
  atMs: info.atMs,
  wakeAtMs: info.wakeAtMs,
})
