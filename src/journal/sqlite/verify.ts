import type { Problem, VerifyReport } from '../../core/journal.ts'
import { fits, rowCrc, seedOf } from './checksum.ts'
import { faultOf } from './faults.ts'
import { Heads } from './heads.ts'
import { badCrc, type Head, type Tables, type TailRow } from './tables.ts'

/**
 * Reads all that a journal has and checks it: the pages and indexes of SQLite, the chain of every stream from its base
 * to its head, the heads, snapshots, blobs, leases. Stops after `most` problems. In memory is one row at a time.
 *
 * Each entry is checked against the one before it, and each head against its entry. So what hangs together is whole;
 * and that nothing else is there, and nothing twice, follows from the count.
 */
export function verifyAll(tables: Tables, witnessed: number, most: number): VerifyReport {
  const problems: Problem[] = []
  const found = (where: string, problem: string): void => {
    if (problems.length < most) problems.push({ where, problem })
  }
  /** Goes on after what cannot be read. */
  const look = (where: string, check: () => void): void => {
    if (problems.length >= most) return
    try {
      check()
    } catch (error) {
      const fault = faultOf(error)
      if (fault.code === 'JOURNAL_CORRUPT') found(fault.where === 'file' ? where : fault.where, fault.problem)
      else throw error
    }
  }
  let [streams, entries, kept, snapshots] = [0, 0, 0, 0]
  const heads = new Heads(tables, true)

  look('file', () => {
    for (const row of tables.all<Record<string, string>>(`PRAGMA integrity_check(${most})`)) {
      const [problem = 'ok'] = Object.values(row)
      if (problem !== 'ok') found('file', problem)
    }
  })
  look('file', () => {
    const position = tables.lastPosition()
    if (position < witnessed) found('file', endsEarly(position, witnessed))
    for (const _ of heads.recover());
  })
  look('entries', () => {
    for (const row of tables.entriesWithStreams()) {
      entries += 1
      const problem = entryProblem(row)
      if (problem !== undefined) found(`stream ${row.name ?? row.stream} at ${row.seq}`, problem)
      if (problems.length >= most) return
    }
  })
  look('streams', () => {
    for (const row of tables.everyHead()) {
      streams += 1
      const head = heads.current(row)
      kept += head.seq - head.baseSeq
      look(`stream ${head.name}`, () => {
        const problem = headProblem(tables, head)
        if (problem !== undefined) found(`stream ${head.name}`, problem)
        if (tables.headByName(head.name)?.id !== head.id) found(`stream ${head.name}`, 'the index of names lost it')
      })
    }
    if (kept !== entries) found('entries', `there are ${entries}, and the streams have ${kept}`)
  })
  look('snapshots', () => {
    for (const { stream } of tables.each<{ stream: number }>('SELECT stream FROM snapshots')) {
      snapshots += 1
      look(`snapshot of stream ${stream}`, () => {
        const snapshot = tables.snapshot(stream)
        if (snapshot?.seq !== tables.headById(stream)?.snapshotSeq)
          found(`snapshot of stream ${stream}`, 'it is not the one that its stream names')
      })
    }
  })
  look('blobs', () => {
    for (const { stream, id, seq, crc, text } of tables.each<BlobRow>('SELECT stream, id, seq, crc, text FROM blobs'))
      if (crc !== rowCrc(stream, id, seq, text)) found(`blob ${id} of stream ${stream}`, badCrc)
  })
  look('leases', () => {
    for (const { name } of tables.all<{ name: string }>('SELECT name FROM leases')) tables.lease(name)
  })
  return { streams, entries, snapshots, problems }
}

export const endsEarly = (position: number, witnessed: number): string =>
  `it ends at position ${position}, and ${witnessed} was acknowledged; if an older copy was put back on purpose, remove the file beside it that ends in -head`

interface BlobRow {
  readonly stream: number
  readonly id: string
  readonly seq: number
  readonly crc: number
  readonly text: string
}

/** What is wrong with an entry, seen from the one before it. */
export function entryProblem(row: TailRow): string | undefined {
  const { name, seq, baseSeq, baseCrc, before } = row
  if (name === null) return 'its stream is missing'
  const crc = seq === 1 ? seedOf(name) : seq - 1 === baseSeq ? baseCrc : before
  if (crc === null) return `entry ${seq - 1} is missing`
  return fits(crc, row) ? undefined : badCrc
}

function headProblem(tables: Tables, head: Head): string | undefined {
  const { id, name, position, seq, entryCrc, baseSeq, baseCrc, snapshotSeq } = head
  if (baseSeq === 0 && baseCrc !== seedOf(name)) return 'its chain begins wrongly'
  if (snapshotSeq > 0 && tables.snapshot(id) === undefined) return 'its snapshot is missing'
  if (seq === baseSeq) return entryCrc === baseCrc ? undefined : badCrc
  const last = tables.entry(position)
  return last?.stream === id && last.seq === seq && last.crc === entryCrc ? undefined : `entry ${seq} is missing`
}
