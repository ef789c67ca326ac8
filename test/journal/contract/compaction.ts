import { describe, expect, test } from 'vitest'
import { hostOf, type JournalSubject } from './subject.ts'
import { append, bodiesOf, ending, readAll, snapshot, withJournal } from './material.ts'

export function describeCompaction(subject: JournalSubject): void {
  describe('compacting', () => {
    test('given snapshots, when a journal is compacted, then loading gives the same, and what they cover is gone', async () => {
      await using bench = await subject.fresh()
      const journal = await bench.source.open(hostOf(bench))
      await journal.append([append('a', 0, [1, 2, 3, 4], { snapshot: snapshot(3), wakeAtMs: 8 })])
      await journal.append([append('b', 0, [1, 2], { snapshot: snapshot(2) })])
      await journal.append([append('c', 0, [1, 2])])
      const before = await Promise.all(['a', 'b', 'c'].map((stream) => journal.load(stream)))
      const report = await journal.compact()
      expect(report).toMatchObject({ streams: 3, entriesRemoved: 5, blobsRemoved: 0 })
      expect(await Promise.all(['a', 'b', 'c'].map((stream) => journal.load(stream)))).toEqual(before)
      expect(await bodiesOf(journal, 'a')).toEqual([4])
      expect(await bodiesOf(journal, 'b')).toEqual([])
      expect(await bodiesOf(journal, 'c')).toEqual([1, 2])
      expect(await journal.compact()).toMatchObject({ entriesRemoved: 0, blobsRemoved: 0 })
      await journal.append([append('b', 2, [3])])
      await journal.close()

      const again = await bench.source.open(hostOf(bench))
      expect(await again.load('a')).toEqual(before[0])
      expect((await readAll(again, 'b')).map(({ seq }) => seq)).toEqual([3])
      expect(await again.verify()).toMatchObject({ streams: 3, entries: 4, snapshots: 2, problems: [] })
      await again.close()
    })

    test('given one stream to compact, then the others stay as they are', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([
          append('a', 0, [1], { snapshot: snapshot(1) }),
          append('b', 0, [1], { snapshot: snapshot(1) }),
        ])
        expect(await journal.compact({ stream: 'a' })).toMatchObject({ streams: 1, entriesRemoved: 1 })
        expect(await journal.compact({ stream: 'nobody' })).toMatchObject({ entriesRemoved: 0, blobsRemoved: 0 })
        expect(await bodiesOf(journal, 'a')).toEqual([])
        expect(await bodiesOf(journal, 'b')).toEqual([1])
        expect((await journal.list()).map(({ stream, lastSeq }) => [stream, lastSeq])).toEqual([
          ['a', 1],
          ['b', 1],
        ])
      })
    })

    test('given blobs, then those that the snapshot names and those of later entries are kept', async () => {
      await withJournal(subject, async (journal) => {
        const blob = (id: string): { readonly id: string; readonly text: string } => ({ id, text: `text of ${id}` })
        await journal.append([append('a', 0, [1], { blobs: [blob('old'), blob('needed')] })])
        await journal.append([append('b', 0, [1], { blobs: [blob('old')] })])
        await journal.append([append('a', 1, [2], { blobs: [blob('last'), blob('needed too')] })])
        await journal.append([append('a', 2, [3], { blobs: [blob('later')] })])
        await journal.append([append('a', 3, [], { snapshot: snapshot(2, { blobs: ['needed', 'needed too'] }) })])
        expect(await journal.blob('a', 'old')).toBe('text of old')
        expect(await journal.compact()).toMatchObject({ entriesRemoved: 2, blobsRemoved: 2 })
        const endings = ['old', 'needed', 'last', 'needed too', 'later'].map((id) => ending(journal.blob('a', id)))
        expect(await Promise.all(endings)).toEqual(['JOURNAL_CORRUPT', 'ok', 'JOURNAL_CORRUPT', 'ok', 'ok'])
        expect(await journal.blob('b', 'old')).toBe('text of old')
        expect((await journal.verify()).problems).toEqual([])
      })
    })

    test('given a blob that is written again under its id, then the later one counts', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1], { blobs: [{ id: 'b', text: 'first' }] })])
        await journal.append([append('a', 1, [2], { blobs: [{ id: 'b', text: 'second' }] })])
        await journal.append([append('a', 2, [], { snapshot: snapshot(1) })])
        await journal.compact()
        expect(await journal.blob('a', 'b')).toBe('second')
      })
    })

    test('given appends on their way, when a journal is compacted, then both are as if one had come after the other', async () => {
      await withJournal(subject, async (journal) => {
        const work: Promise<unknown>[] = []
        for (let seq = 0; seq < 60; seq += 1) {
          const withSnapshot = seq % 7 === 6 ? { snapshot: snapshot(seq + 1) } : {}
          work.push(journal.append([append('a', seq, [seq], withSnapshot)]))
          if (seq % 10 === 9) work.push(journal.compact())
        }
        await Promise.all(work)
        const { lastSeq, snapshot: last, entries } = await journal.load('a')
        expect([lastSeq, last?.seq]).toEqual([60, 56])
        expect(entries.map(({ seq }) => seq)).toEqual([57, 58, 59, 60])
        expect((await journal.verify()).problems).toEqual([])
      })
    })
  })
}
