/**
 * How late the event loop is while the journal writes as fast as it can: the 99th percentile of its delay. The disk is
 * another thread's business; bare node:sqlite on the main thread shows what it is otherwise.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Bench, Run } from './frame/bench.ts'
import { temporaryFolder } from './frame/at-end.ts'

const pending = 1_000
const body = JSON.stringify({ message: { type: 'order.pay', card: '4711', note: 'x'.repeat(130) } })

/** Milliseconds: the 99th percentile of the delay of the loop while `load` runs again and again. */
const stallOf =
  (load: () => unknown): Run =>
  async (ms) => {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const endMs = performance.now() + ms
    while (performance.now() < endMs) {
      await load()
      await new Promise((resolve) => setImmediate(resolve))
    }
    delay.disable()
    return { value: delay.percentile(99) / 1e6 }
  }

async function bare(): Promise<Run> {
  const { DatabaseSync } = await import('node:sqlite')
  const db = new DatabaseSync(`${temporaryFolder()}/bare.db`)
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE entries (pos INTEGER PRIMARY KEY, body TEXT)')
  const insert = db.prepare('INSERT INTO entries (body) VALUES (?)')
  return stallOf(() => {
    db.exec('BEGIN')
    for (let i = 0; i < pending; i++) insert.run(body)
    db.exec('COMMIT')
  })
}

async function echelon(): Promise<Run> {
  const { systemClock } = await import('echelon')
  const { sqliteJournal } = await import('echelon/journal')
  const journal = await sqliteJournal(`${temporaryFolder()}/journal.db`).open({ node: 'bench', clock: systemClock })
  let seq = 0
  return stallOf(async () => {
    const expectedSeq = seq++
    const entries = [{ kind: 'handled', version: 1, atMs: 1_700_000_000_000, body }] as const
    await Promise.all(
      Array.from({ length: pending }, (_, n) =>
        journal.append([{ stream: `/durable/order/${n}`, expectedSeq, entries, wakeAtMs: null }]),
      ),
    )
  })
}

export default {
  name: 'durable-stall',
  question: 'How late is the event loop, at the 99th percentile, while 1,000 appends at a time are written?',
  unit: 'ms',
  goals: [{ subject: 'Echelon', atMost: 20 }],
  subjects: { 'node:sqlite on the main thread': bare, Echelon: echelon },
} satisfies Bench
