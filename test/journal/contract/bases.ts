import { describe, expect, test } from 'vitest'
import type { Append, Loaded } from '../../../src/core/journal.ts'
import { hostOf, type JournalSubject } from './subject.ts'
import { append, bodiesOf, ending, readAll, snapshot, withJournal } from './material.ts'

/** An append that begins a stream after `baseSeq`. */
const beginning = (
  stream: string,
  baseSeq: number,
  bodies: readonly unknown[],
  snapshotSeq: number,
  more: Partial<Append> = {},
): Append => append(stream, baseSeq, bodies, { baseSeq, snapshot: snapshot(snapshotSeq, { blobs: ['kept'] }), ...more })

const kept = [{ id: 'kept', text: 'text' }]

/** Streams that begin in their middle: the snapshot covers all, some or none of the entries that are there. */
const begun: readonly Append[] = [
  beginning('all', 7, [8, 9], 9, { blobs: kept, wakeAtMs: 5 }),
  beginning('bare', 7, [], 7, { blobs: kept, wakeAtMs: 6 }),
  beginning('none', 7, [8, 9], 7, { blobs: kept }),
  beginning('some', 7, [8, 9], 8, { blobs: kept }),
]
const names = begun.map(({ stream }) => stream)

/** The same stream, made by appends between which it is compacted. */
const original = ({ stream, expectedSeq, entries, snapshot: wanted, wakeAtMs }: Append): readonly [Append, Append] => [
  append(stream, 0, [1, 2, 3, 4, 5, 6, 7], { snapshot: snapshot(expectedSeq, { blobs: ['kept'] }), blobs: kept }),
  { stream, expectedSeq, entries, snapshot: wanted, wakeAtMs },
]

const withoutPositions = ({ entries, ...loaded }: Loaded): object => ({
  ...loaded,
  entries: entries.map(({ position: _, ...entry }) => entry),
})

export function describeBases(subject: JournalSubject): void {
  describe('streams that begin in their middle', () => {
    test('given a base, then the stream is as one that was compacted up to there, also when it is opened again', async () => {
      await using bench = await subject.fresh()
      await using other = await subject.fresh()
      const wanted = await other.source.open(hostOf(other))
      for (const one of begun) {
        const [first, last] = original(one)
        await wanted.append([first])
        await wanted.compact({ stream: one.stream })
        await wanted.append([last])
      }
      let journal = await bench.source.open(hostOf(bench))
      await journal.append(begun)
      for (let opened = 1; opened <= 2; opened += 1) {
        for (const name of names) {
          expect(withoutPositions(await journal.load(name))).toEqual(withoutPositions(await wanted.load(name)))
          expect(await bodiesOf(journal, name)).toEqual(await bodiesOf(wanted, name))
          expect((await readAll(journal, name)).map(({ seq }) => seq)).toEqual(name === 'bare' ? [] : [8, 9])
          expect(await journal.blob(name, 'kept')).toBe('text')
        }
        expect(await journal.list()).toEqual(
          (await wanted.list()).map((info) => (info.stream === 'bare' ? { ...info, atMs: snapshot(1).atMs } : info)),
        )
        expect(await journal.due(9)).toEqual(await wanted.due(9))
        expect(await journal.verify()).toEqual({ streams: 4, entries: 6, snapshots: 4, problems: [] })
        expect(await journal.info()).toMatchObject({ streams: 4, entries: 6 })
        await journal.close()
        journal = await bench.source.open(hostOf(bench))
      }
      await journal.close()
      await wanted.close()
    })

    test('given such streams, when they go on and are compacted, then what the snapshots cover is gone', async () => {
      await using bench = await subject.fresh()
      const journal = await bench.source.open(hostOf(bench))
      await journal.append(begun)
      expect(await journal.compact()).toMatchObject({ streams: 4, entriesRemoved: 3, blobsRemoved: 0 })
      await journal.append(names.map((name) => append(name, name === 'bare' ? 7 : 9, ['next'])))
      expect(await Promise.all(names.map((name) => bodiesOf(journal, name)))).toEqual([
        ['next'],
        ['next'],
        [8, 9, 'next'],
        [9, 'next'],
      ])
      const before = await Promise.all(names.map((name) => journal.load(name)))
      await journal.append([append('none', 10, [11], { snapshot: snapshot(11) })])
      expect(await journal.compact({ stream: 'none' })).toMatchObject({ entriesRemoved: 4, blobsRemoved: 1 })
      await journal.close()

      const again = await bench.source.open(hostOf(bench))
      const after = await Promise.all(names.map((name) => again.load(name)))
      expect(after.toSpliced(2, 1)).toEqual(before.toSpliced(2, 1))
      expect(after[2]).toMatchObject({ lastSeq: 11, snapshot: { seq: 11 }, entries: [] })
      expect(await again.verify()).toMatchObject({ streams: 4, entries: 4, snapshots: 4, problems: [] })
      await again.append([append('none', 11, [12])])
      expect(await bodiesOf(again, 'none')).toEqual([12])
      await again.close()
    })

    test('given a stream that is there, when it is to begin at a base, then the append conflicts', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1, 2]), beginning('b', 2, [], 2)])
        for (const stream of ['a', 'b'])
          await expect(journal.append([beginning(stream, 2, [3], 3)])).rejects.toMatchObject({
            code: 'JOURNAL_CONFLICT',
            stream,
            expectedSeq: 0,
            actualSeq: 2,
          })
        expect(await ending(journal.append([append('c', 0, [1]), beginning('c', 1, [], 1)]))).toBe('JOURNAL_CONFLICT')
        expect(await ending(journal.append([beginning('c', 4, [5], 4), append('c', 1, [2])]))).toBe('JOURNAL_CONFLICT')
        expect((await journal.list()).map(({ stream, lastSeq }) => [stream, lastSeq])).toEqual([
          ['a', 2],
          ['b', 2],
        ])
        await journal.append([beginning('c', 4, [5], 4), append('c', 5, [6])])
        expect((await readAll(journal, 'c')).map(({ seq }) => seq)).toEqual([5, 6])
        expect((await journal.verify()).problems).toEqual([])
      })
    })

    test.each<[string, Append]>([
      ['no snapshot', append('a', 2, [3], { baseSeq: 2 })],
      ['a snapshot of older entries', beginning('a', 2, [3], 1)],
      ['a snapshot of entries that do not come', beginning('a', 2, [3], 4)],
      ['another expectedSeq', beginning('a', 2, [3], 2, { expectedSeq: 0 })],
      ['a base of nothing', beginning('a', 0, [1], 1)],
      ['a base that is no count', beginning('a', 1.5, [1], 2)],
      ['a base that is not a number', beginning('a', NaN, [1], 2)],
      ['a base too high to count on', beginning('a', Number.MAX_SAFE_INTEGER, [1], Number.MAX_SAFE_INTEGER)],
    ])('given a base with %s, then it is a mistake, and nothing is written', async (_what, wrong) => {
      await withJournal(subject, async (journal) => {
        expect(await ending(journal.append([append('b', 0, [1]), wrong]))).toBe('DEFINITION_INVALID')
        expect(await journal.list()).toEqual([])
      })
    })
  })
}
