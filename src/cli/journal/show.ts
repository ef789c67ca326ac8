import type { JournalEntry, JournalReader, Snapshot, StreamInfo } from '../../core/journal.ts'
import { agoText, counted, cut, jsonLine, printable, spanText, timeText, dueText } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { Describer } from './describe.ts'
import { examine, type Examined } from './examine.ts'
import { entriesOf, findStream } from './streams.ts'

export interface ShowOptions {
  /** Only entries after this one. */
  readonly after?: number
  readonly limit?: number
  /** Goes on with what is written from now on, until it is interrupted. */
  readonly follow?: boolean
  readonly snapshot?: boolean
  /** Bodies as the journal has them. */
  readonly raw?: boolean
  readonly json?: boolean
}

/** `echelon journal show`: what a stream says about its actor, and its entries. */
export async function show(
  reader: JournalReader,
  host: CommandHost,
  name: string,
  options: ShowOptions,
): Promise<number> {
  const { out, signal } = host
  const { after = 0, limit = Infinity, follow = false } = options
  const info = await findStream(reader, name)
  const examined = await examine(reader, info.stream, signal)
  const pen = options.json === true ? jsonPen(options) : textPen(host, options)
  await out.write(pen.head(info, examined))
  const { snapshot } = options.snapshot === true ? await reader.load(info.stream) : {}
  if (snapshot !== undefined) await out.write(pen.snapshot(snapshot))

  let [shown, seq, position] = [0, after, 0]
  const put = async (entry: JournalEntry): Promise<void> => {
    signal.throwIfAborted()
    if (shown === 0 && entry.seq > after + 1) await out.write(pen.gap(after + 1, entry.seq - 1))
    await out.write(pen.entry(entry))
    shown += 1
    ;[seq, position] = [entry.seq, entry.position]
  }
  if (limit > 0)
    for await (const entry of entriesOf(reader, info.stream, after)) {
      await put(entry)
      if (shown >= limit) return exitCodes.ok
    }
  if (!follow || limit === 0) return exitCodes.ok
  await out.flush()
  if (shown === 0) position = (await reader.read(info.stream, info.lastSeq - 1, { limit: 1 }))[0]?.position ?? 0
  for await (const entry of reader.tail(position, { signal })) {
    if (entry.stream !== info.stream || entry.seq <= seq) continue
    await put(entry)
    await out.flush()
    if (shown >= limit) break
  }
  return exitCodes.ok
}

/** How a stream is written down. `gap`: entries that were compacted. */
interface Pen {
  readonly head: (info: StreamInfo, examined: Examined) => string
  readonly snapshot: (snapshot: Snapshot) => string
  readonly gap: (first: number, last: number) => string
  readonly entry: (entry: JournalEntry) => string
}

/** JSON Lines; `docs/guides/journal-command.md` has the fields. */
function jsonPen({ raw = false }: ShowOptions): Pen {
  const bodyOf = (text: string): unknown => {
    try {
      return raw ? text : JSON.parse(text)
    } catch {
      return text
    }
  }
  return {
    head: (info, { definition = null, versions, pending, effects, timers }) =>
      jsonLine({ type: 'stream', ...info, definition, versions, pending, effects, timers }),
    snapshot: ({ seq, version, atMs, blobs, body }) =>
      jsonLine({ type: 'snapshot', seq, version, atMs, blobs, body: bodyOf(body) }),
    gap: () => '',
    entry: ({ seq, position, kind, version, atMs, body }) =>
      jsonLine({ type: 'entry', seq, position, kind, version, atMs, body: bodyOf(body) }),
  }
}

const colours = { failed: 'red', intent: 'yellow' } as const

function textPen(host: CommandHost, { raw = false }: ShowOptions): Pen {
  const { out } = host
  const describer = new Describer()
  const line = ({ seq, atMs }: { readonly seq: number; readonly atMs: number }, kind: string, what: string): string => {
    const colour = kind in colours ? colours[kind as keyof typeof colours] : undefined // it is one of its keys
    const start = `${String(seq).padStart(6)}  ${timeText(atMs)}  `
    const name = kind.padEnd(8)
    const room = raw ? Infinity : out.columns - start.length - name.length - 2
    return `${start}${colour === undefined ? name : out.colour(colour, name)}  ${cut(printable(what), room)}\n`
  }
  return {
    head: (info, examined) => headText(host, info, examined),
    snapshot: (snapshot) => line(snapshot, 'snapshot', snapshot.body),
    gap: (first, last) => out.colour('dim', `Entries ${first} to ${last} are gone: the snapshot covers them.\n`),
    entry: (entry) => line(entry, entry.kind, raw ? entry.body : describer.describe(entry)),
  }
}

function headText({ out, clock }: CommandHost, info: StreamInfo, examined: Examined): string {
  const nowMs = clock.wallNow()
  const { stream, lastSeq, snapshotSeq, atMs, wakeAtMs } = info
  const { definition, versions, foreign, pending, effects, timers } = examined
  const what = definition === undefined ? '' : `${printable(definition)} v${versions.join(', v')}, `
  const since = snapshotSeq === 0 ? 'no snapshot' : `${lastSeq - snapshotSeq} since the snapshot`
  const due = wakeAtMs === null ? '' : `, due ${dueText(wakeAtMs, nowMs)}`
  const lines = [
    out.colour('bold', printable(stream)),
    `${what}${counted(lastSeq, 'entry', 'entries')} (${since}), last ${agoText(atMs, nowMs)}${due}`,
  ]
  if (foreign !== undefined) lines.push('No actor of this version wrote it: bodies are shown as they are.')
  for (const { seq, type, atMs: cameMs } of pending)
    lines.push(`Pending: ${printable(type)} (entry ${seq}) for ${spanText(nowMs - cameMs)}, until its actor runs`)
  for (const { key, atMs: beganMs, idempotent, idempotencyKey } of effects) {
    const effect = `effect '${printable(key)}', which began ${agoText(beganMs, nowMs)}`
    lines.push(
      ...(idempotent
        ? [`Unfinished: ${effect}: it is idempotent and runs again`]
        : [out.colour('yellow', `In doubt: ${effect}, idempotency key ${idempotencyKey}`), ...inDoubt]),
    )
  }
  for (const { key, type, dueMs } of timers)
    lines.push(`Timer '${printable(key)}' of the snapshot: ${printable(type)}, due ${dueText(dueMs, nowMs)}`)
  return `${lines.join('\n')}\n\n`
}

const inDoubt = [
  '  It has an intent and no outcome: either it runs now, or nobody knows whether it ran. To settle it, run the program,',
  '  and answer in onInDoubt or by runtime.inDoubt: with what came of it, with its failure, or that it is run again.',
]
