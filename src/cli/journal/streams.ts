import { EchelonError } from '../../core/errors.ts'
import type { JournalEntry, JournalReader, StreamInfo } from '../../core/journal.ts'
import { printable } from '../format.ts'

/** No stream, or more than one, has the name that was given. */
export class StreamUnknownError extends EchelonError {
  readonly code = 'STREAM_UNKNOWN'
  constructor(name: string, problem: string) {
    super(`${printable(name)} ${problem}`)
  }
}

const pageStreams = 1000

/** All streams, ascending by name, a page in memory at a time. */
export async function* streamsOf(
  reader: JournalReader,
  { prefix = '', signal }: { readonly prefix?: string | undefined; readonly signal?: AbortSignal } = {},
): AsyncGenerator<StreamInfo> {
  let afterStream: string | undefined
  for (;;) {
    const page = await reader.list({
      prefix,
      limit: pageStreams,
      ...(afterStream === undefined ? {} : { afterStream }),
    })
    for (const info of page) {
      signal?.throwIfAborted()
      yield info
    }
    afterStream = page.at(-1)?.stream
    if (afterStream === undefined) return
  }
}

/**
 * Entries of a stream that are left, from after `afterSeq` on, a page in memory at a time. `page` is the first one where
 * it is at hand; after `lastSeq` nothing more is looked for.
 */
export async function* entriesOf(
  reader: JournalReader,
  stream: string,
  afterSeq: number,
  { page, lastSeq = Infinity }: { readonly page?: readonly JournalEntry[] | undefined; readonly lastSeq?: number } = {},
): AsyncGenerator<JournalEntry> {
  let entries = page ?? (await reader.read(stream, afterSeq))
  for (;;) {
    yield* entries
    const seq = entries.at(-1)?.seq
    if (seq === undefined || seq >= lastSeq) return
    entries = await reader.read(stream, seq)
  }
}

export async function infoOf(reader: JournalReader, stream: string): Promise<StreamInfo | undefined> {
  const [first] = await reader.list({ prefix: stream, limit: 1 })
  return first?.stream === stream ? first : undefined
}

/**
 * The stream that a name means: its own, or the end of it, as `order/17` for `/durable/order/17`.
 *
 * @throws {StreamUnknownError} `STREAM_UNKNOWN` when there is none, or more than one.
 */
export async function findStream(reader: JournalReader, name: string): Promise<StreamInfo> {
  const exact = await infoOf(reader, name)
  if (exact !== undefined) return exact
  let found = await existing(reader, [`/durable/${name}`, `/${name}`])
  // Whoever writes less than definition and key wants all names to be gone through.
  if (found.length === 0) found = await endingWith(reader, `/${name}`, 4)
  const [first, second] = found
  if (first === undefined)
    throw new StreamUnknownError(name, "is no stream of this journal: 'echelon journal ls' shows them")
  if (second === undefined) return first
  throw new StreamUnknownError(
    name,
    `could be ${found.map(({ stream }) => printable(stream)).join(', ')}: write it out`,
  )
}

async function existing(reader: JournalReader, names: readonly string[]): Promise<StreamInfo[]> {
  const infos = await Promise.all(names.map((name) => infoOf(reader, name)))
  return infos.filter((info) => info !== undefined)
}

async function endingWith(reader: JournalReader, end: string, most: number): Promise<StreamInfo[]> {
  const found: StreamInfo[] = []
  for await (const info of streamsOf(reader)) {
    if (info.stream.endsWith(end)) found.push(info)
    if (found.length === most) break
  }
  return found
}
