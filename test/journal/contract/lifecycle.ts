import { describe, expect, test } from 'vitest'
import type { Journal } from '../../../src/core/journal.ts'
import { hostOf, type JournalSubject } from './subject.ts'
import { append, bodiesOf, ending, snapshot, take, withJournal } from './material.ts'

/** Everything that one can ask of an open journal. */
const requests: readonly [name: string, ask: (journal: Journal) => Promise<unknown>][] = [
  ['append', (journal) => journal.append([append('a', 1, [2])])],
  ['compact', (journal) => journal.compact()],
  ['acquire', (journal) => journal.acquire('a', { ttlMs: 1000 })],
  [
    'renew',
    (journal) => journal.renew({ name: 'a', owner: { node: 'x', host: 'x', pid: 1 }, epoch: 1, expiresAtMs: 0 }, 1),
  ],
  [
    'release',
    (journal) => journal.release({ name: 'a', owner: { node: 'x', host: 'x', pid: 1 }, epoch: 1, expiresAtMs: 0 }),
  ],
  ['load', (journal) => journal.load('a')],
  ['read', (journal) => journal.read('a', 0)],
  ['tail', (journal) => take(journal.tail(0), 1)],
  ['blob', (journal) => journal.blob('a', 'b')],
  ['list', (journal) => journal.list()],
  ['due', (journal) => journal.due(0)],
  ['verify', (journal) => journal.verify()],
  ['info', (journal) => journal.info()],
]

export function describeLifecycle(subject: JournalSubject): void {
  describe('opening and closing', () => {
    test.each(requests)('given a closed journal, then %s is refused', async (_, ask) => {
      await using bench = await subject.fresh()
      const journal = await bench.source.open(hostOf(bench))
      await journal.append([append('a', 0, [1], { blobs: [{ id: 'b', text: '' }] })])
      await journal.close()
      expect(await ending(ask(journal))).toBe('JOURNAL_CLOSED')
      await journal.close() // once more harms nobody
      const again = await bench.source.open(hostOf(bench))
      expect(await bodiesOf(again, 'a')).toEqual([1])
      await again.close()
    })

    test('given appends on their way, when the journal is closed, then what was acknowledged is there and nothing else', async () => {
      await using bench = await subject.fresh()
      const journal = await bench.source.open(hostOf(bench))
      await journal.append([append('a', 0, ['first'])])
      const endings = Array.from({ length: 300 }, (_, index) =>
        ending(journal.append([append(`s${index}`, 0, [index])])),
      )
      const wrong = ending(journal.append([append('a', 0, ['wrong'])]))
      await journal.close().catch(() => undefined) // it may say that one of them could not be written
      expect(await wrong).toMatch(/JOURNAL_(CONFLICT|CLOSED)/)

      const again = await bench.source.open(hostOf(bench))
      for (const [index, end] of (await Promise.all(endings)).entries()) {
        expect(end).toMatch(/ok|JOURNAL_CLOSED/)
        expect((await again.load(`s${index}`)).lastSeq).toBe(end === 'ok' ? 1 : 0)
      }
      expect(await bodiesOf(again, 'a')).toEqual(['first'])
      await again.close()
    })

    test('given a journal that is open for writing, then a second writer is refused with its owner, and comes in after it', async () => {
      await using bench = await subject.fresh()
      const first = await bench.source.open(hostOf(bench, 'node-a'))
      await first.append([append('a', 0, [1])])
      await expect(bench.source.open(hostOf(bench, 'node-b'))).rejects.toMatchObject({
        code: 'JOURNAL_LOCKED',
        owner: { node: 'node-a', pid: process.pid },
      })
      await first.append([append('a', 1, [2])])
      await first.close()
      const second = await bench.source.open(hostOf(bench, 'node-b'))
      await second.append([append('a', 2, [3])])
      expect((await second.info()).writer?.owner.node).toBe('node-b')
      await second.close()
    })

    if (subject.noTakeOver === undefined)
      test('given a writer, when another one takes over, then the first writes nothing more and says so once', async () => {
        await using bench = await subject.fresh({ takeOver: true })
        const failures: unknown[] = []
        const first = await bench.source.open(hostOf(bench, 'node-a', { onFailed: (error) => failures.push(error) }))
        await first.append([append('a', 0, [1])])
        const second = await bench.source.open(hostOf(bench, 'node-b'))
        const endings = await Promise.all([1, 2, 3].map((n) => ending(first.append([append(`old-${n}`, 0, [n])]))))
        expect(endings).toEqual(['JOURNAL_FENCED', 'JOURNAL_FENCED', 'JOURNAL_FENCED'])
        expect(await ending(first.compact())).toBe('JOURNAL_FENCED')
        expect(failures).toMatchObject([{ code: 'JOURNAL_FENCED' }])
        await second.append([append('a', 1, [2])])
        await first.close().catch(() => undefined)
        await second.append([append('a', 2, [3])])
        expect((await second.list()).map(({ stream }) => stream)).toEqual(['a'])
        expect(await bodiesOf(second, 'a')).toEqual([1, 2, 3])
        await second.close()
      })

    test('given a writer, then a reader beside it finds what was acknowledged, follows it, and may go', async () => {
      await withJournal(subject, async (journal, bench) => {
        await journal.append([
          append('a', 0, [1], { snapshot: snapshot(1), wakeAtMs: 3, blobs: [{ id: 'b', text: 'B' }] }),
        ])
        const reader = await bench.source.openReadOnly(hostOf(bench, 'node-r'))
        expect(await reader.load('a')).toEqual(await journal.load('a'))
        const following = take(reader.tail(0), 3)
        await journal.append([append('a', 1, [2])])
        await journal.append([append('b', 0, [3])])
        expect((await following).map(({ body }) => body)).toEqual(['1', '2', '3'])
        expect(await bodiesOf(reader, 'a')).toEqual([1, 2])
        expect(await reader.blob('a', 'b')).toBe('B')
        expect(await reader.list()).toEqual(await journal.list())
        expect(await reader.due(9)).toEqual([])
        expect(await reader.verify()).toEqual(await journal.verify())
        expect((await reader.info()).writer?.owner.node).toBe('node-a')
        await reader.close()
        expect(await ending(reader.load('a'))).toBe('JOURNAL_CLOSED')
        await journal.append([append('a', 2, [4])])
        expect(await bodiesOf(journal, 'a')).toEqual([1, 2, 4])
      })
    })

    test('given a journal, then info counts what it has', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1, 2]), append('b', 0, [1])])
        const info = await journal.info()
        expect(info).toMatchObject({
          kind: subject.kind,
          streams: 2,
          entries: 3,
          writer: { owner: { node: 'node-a' } },
        })
        expect(info.bytes).toBeGreaterThan(0)
        expect(info.formatVersion).toBeGreaterThan(0)
        expect(info.location.length).toBeGreaterThan(0)
        expect(await journal.verify()).toEqual({ streams: 2, entries: 3, snapshots: 0, problems: [] })
      })
    })
  })
}
