/**
 * Makes a large journal and dies: `build.ts FILE STREAMS ENTRIES BYTES LONG`. It has STREAMS streams of ENTRIES entries
 * of BYTES bytes, and one, `long`, of LONG entries, as actors would have written them.
 */
import { systemClock } from 'echelon'
import { sqliteJournal, type Append, type NewEntry } from 'echelon/journal'
import { streamOf, tally } from './tally.ts'

const [file = '', ...figures] = process.argv.slice(2)
const [streams = 0, entries = 0, bytes = 0, long = 0] = figures.map(Number)
const atMs = systemClock.wallNow()
const journal = await sqliteJournal(file).open({ node: 'builder', clock: systemClock })

const entry = (kind: NewEntry['kind'], body: unknown): NewEntry => ({
  ...{ kind, version: 1, atMs, body: JSON.stringify(body) },
})
const created = entry('created', { definition: tally.name })
const handled = entry('handled', { message: { type: 'tally.add', filling: 'x'.repeat(bytes) } })
const append = (key: string, expectedSeq: number, added: readonly NewEntry[]): Append => ({
  ...{ stream: streamOf(key), expectedSeq, entries: added, wakeAtMs: null },
})

/** Appends that are on their way together: enough to keep the disk busy, and not more than fits into the journal's bound. */
const atOnce = Math.max(1, Math.floor(16e6 / (bytes + 200) / 100))
let underway: Promise<void>[] = []
async function write(appends: readonly Append[]): Promise<void> {
  underway.push(journal.append(appends))
  if (underway.length < atOnce) return
  await Promise.all(underway)
  underway = []
}

for (let seq = 0; seq < entries; seq += 1) {
  for (let from = 0; from < streams; from += 100) {
    const keys = Array.from({ length: Math.min(100, streams - from) }, (_, i) => String(from + i))
    await write(keys.map((key) => append(key, seq, [seq === 0 ? created : handled])))
  }
  await Promise.all(underway)
}
for (let seq = 0; seq < long; seq += 100) {
  const added = Array.from({ length: 100 }, (_, i) => (seq + i === 0 ? created : handled))
  await write([append('long', seq, added)])
}
await Promise.all(underway)
// As after a crash: whoever opens it has to find the ends of the streams.
process.kill(process.pid, 'SIGKILL')
