/** Wherever a process ends, the files that it leaves are a whole journal: with heads that are late, and half compacted. */
import { copyFileSync, existsSync, rmSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JournalInfo, StreamInfo } from '../../../src/core/journal.ts'
import { Heads } from '../../../src/journal/sqlite/heads.ts'
import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'
import { connect, create } from '../../../src/journal/sqlite/schema.ts'
import { Tables } from '../../../src/journal/sqlite/tables.ts'
import { Witness } from '../../../src/journal/sqlite/witness.ts'
import { Writer } from '../../../src/journal/sqlite/writer.ts'
import { append, ask, codeOf, host, journalPath, openStore } from './material.ts'

/** A writer whose heads are late and forgotten much sooner than usual. */
function smallWriter(file: string): Writer {
  create(file)
  const tables = new Tables(connect(file, false))
  const heads = new Heads(tables, false, { kept: 3, late: 12 })
  for (const _ of heads.recover());
  const options = { position: tables.lastPosition(), epoch: 0, onFailure: () => undefined }
  return new Writer(tables, heads, new Witness(file), options)
}

/** The files as they are now: what a process leaves that is killed. */
function copyOf(file: string): string {
  const copy = `${file}-copy`
  for (const part of ['', '-wal', '-head', '-shm']) {
    rmSync(copy + part, { force: true })
    if (part !== '-shm' && existsSync(file + part)) copyFileSync(file + part, copy + part)
  }
  return copy
}

/** What a process finds that opens the files as they are now. */
function afterCrash(file: string, mode: 'read' | 'write'): unknown {
  const copy = copyOf(file)
  const store = openStore(copy, mode)
  const found = [ask(store, 'list', ''), ask(store, 'due', 1e9), ask(store, 'info')]
  store.close()
  const again = openStore(copy, 'read')
  expect([ask(again, 'list', ''), ask(again, 'due', 1e9)]).toEqual(found.slice(0, 2))
  expect(ask(again, 'verify')).toMatchObject({ problems: [] })
  again.close()
  return found
}

interface Batch {
  readonly streams: readonly number[]
  /** Whether there is space for it. */
  readonly fits: boolean
  readonly withSnapshot: boolean
  readonly wakeAtMs: number | null
  readonly then: 'go on' | 'crash' | 'flush' | 'checkpoint'
}

const batches: fc.Arbitrary<readonly Batch[]> = fc.array(
  fc.record({
    streams: fc.array(fc.nat({ max: 15 }), { minLength: 1, maxLength: 12 }),
    fits: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    withSnapshot: fc.oneof({ weight: 1, arbitrary: fc.constant(true) }, { weight: 4, arbitrary: fc.constant(false) }),
    wakeAtMs: fc.option(fc.nat({ max: 3 })),
    then: fc.constantFrom('go on', 'go on', 'crash', 'flush', 'checkpoint'),
  }),
  { minLength: 1, maxLength: 25 },
)

test('given any appends, then wherever the process ends, readers and the next writer find the same heads', async () => {
  await fc.assert(
    fc.asyncProperty(batches, async (plan) => {
      await using place = await journalPath('memory')
      const writer = smallWriter(place.file)
      const model = new Map<string, StreamInfo>()
      for (const { streams, fits, withSnapshot, wakeAtMs, then } of plan) {
        const before = [...model]
        const calls = streams.map((number, index) => {
          const stream = `s${number}`
          const { lastSeq = 0, snapshotSeq = 0 } = model.get(stream) ?? {}
          const seq = lastSeq + 1
          const snapshot = withSnapshot ? { seq, version: 1, atMs: 1, body: '1', blobs: [] } : undefined
          model.set(stream, { stream, lastSeq: seq, atMs: 1.5, snapshotSeq: snapshot?.seq ?? snapshotSeq, wakeAtMs })
          return [
            append(stream, lastSeq, ['x'.repeat(fits || index + 1 < streams.length ? 1 : 50_000)], {
              wakeAtMs,
              snapshot,
            }),
          ]
        })
        if (fits) expect(new Set(writer.commit(calls))).toEqual(new Set([undefined]))
        else {
          // As large as it is now: a full disk.
          writer.tables.db.exec('PRAGMA max_page_count = 1')
          expect(await codeOf(() => writer.commit(calls))).toBe('JOURNAL_FULL')
          writer.tables.db.exec('PRAGMA max_page_count = 1000000')
          model.clear()
          for (const [stream, info] of before) model.set(stream, info)
        }
        if (then === 'flush') {
          for (const _ of writer.flush());
          expect(writer.heads.late.size).toBe(0)
        }
        if (then === 'checkpoint') writer.checkpoint()
        if (then !== 'crash') continue
        const list = [...model.values()].toSorted((a, b) => (a.stream < b.stream ? -1 : 1))
        const due = list.flatMap(({ stream, wakeAtMs: at }) => (at === null ? [] : [{ stream, wakeAtMs: at }]))
        const entries = list.reduce((sum, { lastSeq }) => sum + lastSeq, 0)
        const wanted = [list, due.toSorted((a, b) => a.wakeAtMs - b.wakeAtMs), expect.objectContaining({ entries })]
        expect(afterCrash(place.file, 'read')).toEqual(wanted)
        expect(afterCrash(place.file, 'write')).toEqual(wanted)
      }
      writer.tables.db.close()
    }),
    { numRuns: 60 },
  )
})

test('given a compaction that ends anywhere, while appends go on, then loading gives what it gave, and all is whole', async () => {
  await using place = await journalPath('memory')
  const store = openStore(place.file, 'write')
  const streams = ['a', 'b', 'c', 'd']
  const texts = Array.from({ length: 1600 }, (_, index) => `entry ${index}`)
  const blobs = ['kept', 'gone'].map((id) => ({ id, text: id.repeat(3000) }))
  const snapshot = { seq: 1500, version: 1, atMs: 3, body: '"sum"', blobs: ['kept'] }
  const [first = '', ...rest] = texts
  store.commit(
    streams.map((stream) => [
      append(stream, 0, [first], { blobs }),
      append(stream, 1, rest, { snapshot, wakeAtMs: 7 }),
    ]),
  )

  const before = ask(store, 'info') as JournalInfo
  const steps = store.begin('compact', [])
  let [written, taken, most] = [1600, 0, Infinity]
  for (let done = false; !done; taken += 1) {
    done = steps.next().done === true
    store.commit([[append('d', written, ['meanwhile'], { wakeAtMs: 7 })]])
    written += 1
    const left = openStore(copyOf(place.file), taken % 2 === 0 ? 'read' : 'write')
    for (const stream of streams) expect(ask(left, 'load', stream)).toEqual(ask(store, 'load', stream))
    expect(ask(left, 'load', 'a')).toMatchObject({ lastSeq: 1600, snapshot, wakeAtMs: 7 })
    const { entries } = ask(left, 'info') as JournalInfo
    expect(entries - taken).toBeLessThanOrEqual(most)
    most = entries - taken
    left.close()
    const again = openStore(copyOf(place.file), 'read')
    expect(ask(again, 'verify')).toMatchObject({ problems: [], entries })
    expect(ask(again, 'blob', 'b', 'kept')).toBe(blobs[0]?.text)
    again.close()
  }
  expect(taken).toBeGreaterThan(5)
  const { bytes, entries } = ask(store, 'info') as JournalInfo
  expect(entries).toBe(4 * 100 + taken)
  expect(bytes).toBeLessThan(before.bytes / 2)
  expect(await codeOf(() => ask(store, 'blob', 'a', 'gone'))).toBe('JOURNAL_CORRUPT')
  store.close()
})

test('given many entries whose heads are late, when the journal is opened, then it says how far it is', async () => {
  await using place = await journalPath('memory')
  const store = openStore(place.file, 'write')
  for (let seq = 0; seq < 5000; seq += 1000) store.commit([[append('a', seq, Array<string>(1000).fill('x'))]])
  const copy = copyOf(place.file)
  store.close()
  const seen: unknown[] = []
  const journal = await sqliteJournal(copy).open(host({ onProgress: (progress) => seen.push(progress) }))
  expect(seen.length).toBeGreaterThan(3)
  expect(seen[0]).toEqual({ what: 'entries', done: 1000, total: expect.closeTo(5000, -2) as number })
  expect((await journal.load('a')).lastSeq).toBe(5000)
  await journal.close()
})
