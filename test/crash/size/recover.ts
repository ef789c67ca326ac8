/** Opens a large journal, wakes one of its actors, and then the one with the most entries: `recover.ts FILE`. */
import { createRuntime, systemClock } from 'echelon'
import { sqliteJournal, type JournalSource } from 'echelon/journal'
import { tally } from './tally.ts'

export interface Recovered {
  /** Milliseconds from the opening of the journal until one actor of many has answered. */
  readonly firstMs: number
  /** What a small actor and the long one count. */
  readonly small: number
  readonly long: number
  readonly longMs: number
  /** How often it was said how far the opening, or the recovery of the long one, is. */
  readonly progress: number
  /** Bytes that the process had in memory at most. */
  readonly peakBytes: number
}

const [file = ''] = process.argv.slice(2)
let progress = 0
const source = sqliteJournal(file)
const watched: JournalSource = {
  ...source,
  open: (host) =>
    source.open({
      ...host,
      onProgress: () => {
        progress += 1
      },
    }),
}
const patient = { timeoutMs: 600_000 }
const beganMs = systemClock.now()
const runtime = await createRuntime({ journal: watched, definitions: [tally] })
runtime.on('recovering', () => {
  progress += 1
})
const small = runtime.get(tally, '7')
await small.tell({ type: 'tally.add', filling: '' }, { durable: true })
const firstMs = systemClock.now() - beganMs
const longBeganMs = systemClock.now()
const recovered: Recovered = {
  firstMs,
  small: await small.ask({ type: 'tally.read' }, patient),
  long: await runtime.get(tally, 'long').ask({ type: 'tally.read' }, patient),
  longMs: systemClock.now() - longBeganMs,
  progress,
  peakBytes: process.resourceUsage().maxRSS * 1024,
}
process.stdout.write(`${JSON.stringify({ ...recovered, progress })}\n`)
await runtime.shutdown()
