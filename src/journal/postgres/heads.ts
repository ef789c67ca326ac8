import { JournalCorruptError } from '../../core/journal-errors.ts'
import type { Database } from './database.ts'
import { columns, headColumns, headCrc, noHead, type Head } from './rows.ts'

/** Heads that are kept at most. */
const most = 50_000

/**
 * The ends of the streams that were written to lately. They need not be asked for again: nobody else writes, and each
 * write finds out whether that is still so.
 */
export class Heads {
  readonly #database: Database
  readonly #heads = new Map<string, Head>()

  constructor(database: Database) {
    this.#database = database
  }

  of(stream: string): Head {
    return this.#heads.get(stream) ?? noHead
  }

  /** Gets those that are not known. */
  async fetch(streams: readonly string[]): Promise<void> {
    const missing = [...new Set(streams)].filter((stream) => !this.#heads.has(stream))
    if (missing.length === 0) return
    const rows = await this.#database.rows<Head & { readonly stream: string; readonly headCrc: number }>(
      `SELECT s.stream, ${headColumns} FROM ${this.#database.table('streams')} s WHERE s.stream = ANY($1::text[])`,
      columns(
        missing.map((stream) => ({ stream })),
        ['stream'],
      ),
    )
    for (const stream of missing) this.#heads.set(stream, noHead)
    for (const row of rows) this.#heads.set(row.stream, checkedHead(row.stream, row, this.#database.location))
  }

  /** Takes over what was written, the oldest going first when there are too many. */
  keep(heads: ReadonlyMap<string, Head>): void {
    for (const [stream, head] of heads) {
      this.#heads.delete(stream)
      this.#heads.set(stream, head)
    }
    for (const stream of this.#heads.keys()) {
      if (this.#heads.size <= most) return
      this.#heads.delete(stream)
    }
  }

  forget(streams: Iterable<string>): void {
    for (const stream of streams) this.#heads.delete(stream)
  }
}

/** @throws {JournalCorruptError} `JOURNAL_CORRUPT` when it is not what was written. */
export function checkedHead(stream: string, row: Head & { readonly headCrc: number }, location: string): Head {
  const { headCrc: crc, lastSeq, chain, lastAtMs, baseSeq, snapshotSeq, nextWakeMs } = row
  const head = { lastSeq, chain, lastAtMs, baseSeq, snapshotSeq, nextWakeMs }
  if (headCrc(stream, head) !== crc) throw new JournalCorruptError(location, `stream ${stream}`, badCrc)
  return head
}

export const badCrc = 'its checksum does not fit'
