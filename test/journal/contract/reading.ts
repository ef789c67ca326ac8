import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JournalReader, StreamInfo } from '../../../src/core/journal.ts'
import type { JournalSubject } from './subject.ts'
import { append, byBytes, readAll, snapshot, withJournal } from './material.ts'

/** Names in which an adapter could see more than letters. */
const names = [
  ' ',
  '%',
  '*',
  'A',
  'a',
  'a b',
  "a'b",
  'a"b',
  'a%',
  'a%b',
  'a*b',
  'a/1',
  'a/1/b',
  'a/10',
  'a/2',
  'a?',
  'a[bc]',
  'a\\',
  'a\\%b',
  'a\nb',
  'a_',
  'a_b',
  'aa',
  'ab',
  'b',
  'null',
  '\u007f',
  'ä',
  'a\u0308',
  '日本',
  '\ufffd',
  '\u{1F600}',
  '\u{10FFFF}',
  "'; drop table streams; --",
  'x'.repeat(512),
  'x'.repeat(2000),
  '日'.repeat(512),
]

const prefixes = [
  '',
  'a',
  'a%',
  'a_',
  'a/1',
  'a\\',
  'a*',
  'A',
  'x',
  '日',
  '\ufffd',
  '\u{1F600}',
  '\u{10FFFF}',
  "'",
  'z',
]

export function describeReading(subject: JournalSubject): void {
  describe('reading', () => {
    test('given a stream that nobody wrote to, then it is empty', async () => {
      await withJournal(subject, async (journal) => {
        expect(await journal.load('a')).toEqual({ lastSeq: 0, wakeAtMs: null, snapshot: undefined, entries: [] })
        expect(await journal.read('a', 0)).toEqual([])
        expect(await journal.list()).toEqual([])
        expect(await journal.due(Infinity)).toEqual([])
      })
    })

    test('given a snapshot, then loading gives it and only the entries after it', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1, 2, 3, 4])])
        await journal.append([append('a', 4, [5], { snapshot: snapshot(3), wakeAtMs: 9 })])
        const loaded = await journal.load('a')
        expect(loaded).toMatchObject({ lastSeq: 5, wakeAtMs: 9, snapshot: snapshot(3) })
        expect(loaded.entries.map(({ seq, body }) => [seq, body])).toEqual([
          [4, '4'],
          [5, '5'],
        ])
        await journal.append([append('a', 5, [], { snapshot: snapshot(5) })])
        expect(await journal.load('a')).toMatchObject({
          lastSeq: 5,
          wakeAtMs: null,
          snapshot: snapshot(5),
          entries: [],
        })
      })
    })

    test('given many entries, then a page has 1,000, and pages follow each other without gap', async () => {
      await withJournal(subject, async (journal) => {
        const bodies = Array.from({ length: 2500 }, (_, index) => index)
        await journal.append([append('a', 0, bodies)])
        const loaded = await journal.load('a')
        expect(loaded.lastSeq).toBe(2500)
        expect(loaded.entries).toHaveLength(1000)
        const rest = await readAll(journal, 'a', 1000)
        expect([...loaded.entries, ...rest].map(({ body }) => JSON.parse(body) as number)).toEqual(bodies)
        expect((await journal.read('a', 10, { limit: 3 })).map(({ seq }) => seq)).toEqual([11, 12, 13])
        expect(await journal.read('a', 2500)).toEqual([])
      })
    })

    test('given large entries, then a page ends after a few MiB, and still has one entry at least', async () => {
      await withJournal(subject, async (journal) => {
        const mebibyte = 'm'.repeat(1024 * 1024)
        for (let seq = 0; seq < 12; seq += 1) await journal.append([append('a', seq, [mebibyte])])
        await journal.append([append('a', 12, ['h'.repeat(9 * 1024 * 1024)])])
        const { entries } = await journal.load('a')
        expect(entries.length).toBeGreaterThan(0)
        expect(entries.length).toBeLessThan(12)
        expect((await readAll(journal, 'a')).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
      })
    })

    test('given unusual names, then each is a stream of its own, and they are listed by prefix in the order of their bytes', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append(names.map((name, index) => append(name, 0, [index], { wakeAtMs: 1 })))
        for (const [index, name] of names.entries())
          expect((await journal.load(name)).entries).toMatchObject([{ stream: name, body: String(index) }])
        for (const prefix of prefixes) {
          const expected = names.filter((name) => name.startsWith(prefix)).toSorted(byBytes)
          expect(namesOf(await journal.list({ prefix }))).toEqual(expected)
          expect(await listByPages(journal, prefix, 2)).toEqual(expected)
        }
        const inOrder = names.toSorted(byBytes)
        expect((await journal.due(1)).map(({ stream }) => stream)).toEqual(inOrder)
        // Listing may go on after a name that is no stream, or that is outside of the prefix.
        expect(namesOf(await journal.list({ afterStream: 'a/0' }))).toEqual(
          inOrder.filter((name) => byBytes(name, 'a/0') > 0),
        )
        expect(namesOf(await journal.list({ prefix: 'x', afterStream: 'b' }))).toEqual([
          'x'.repeat(512),
          'x'.repeat(2000),
        ])
      })
    })

    test('given any names, then listing gives what sorting and filtering them would', async () => {
      const name = fc.string({
        unit: fc.constantFrom('a', 'b', '%', '_', '\\', '/', 'é', '\uffff', '\u{1F600}'),
        minLength: 1,
        maxLength: 4,
      })
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(name, { maxLength: 12 }), name, name, async (streams, prefix, afterStream) => {
          await withJournal(subject, async (journal) => {
            await journal.append(streams.map((stream) => append(stream, 0, [1])))
            const expected = streams
              .filter((stream) => stream.startsWith(prefix) && byBytes(stream, afterStream) > 0)
              .toSorted(byBytes)
            expect(namesOf(await journal.list({ prefix, afterStream }))).toEqual(expected)
          })
        }),
        { numRuns: subject.histories },
      )
    })

    test('given streams, then the list says where each of them is', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([
          append('a', 0, [1, 2], { wakeAtMs: 12.5 }),
          append('b', 0, [1], { snapshot: snapshot(1) }),
        ])
        expect(await journal.list()).toEqual([
          { stream: 'a', lastSeq: 2, atMs: 1000, snapshotSeq: 0, wakeAtMs: 12.5 },
          { stream: 'b', lastSeq: 1, atMs: 1000, snapshotSeq: 1, wakeAtMs: null },
        ])
      })
    })
  })

  describe('wake-ups', () => {
    test('given streams with wake-ups, then those that are due come earliest first, up to the limit', async () => {
      await withJournal(subject, async (journal) => {
        const times: Readonly<Record<string, number | null>> = { a: 30, b: 10, c: null, d: 20, e: 10, f: 40, g: -5 }
        await journal.append(Object.entries(times).map(([stream, wakeAtMs]) => append(stream, 0, [1], { wakeAtMs })))
        expect(await journal.due(30)).toEqual([
          { stream: 'g', wakeAtMs: -5 },
          { stream: 'b', wakeAtMs: 10 },
          { stream: 'e', wakeAtMs: 10 },
          { stream: 'd', wakeAtMs: 20 },
          { stream: 'a', wakeAtMs: 30 },
        ])
        expect((await journal.due(29.999)).map(({ stream }) => stream)).toEqual(['g', 'b', 'e', 'd'])
        expect((await journal.due(100, { limit: 2 })).map(({ stream }) => stream)).toEqual(['g', 'b'])
        expect(await journal.due(-6)).toEqual([])
      })
    })

    test('given a wake-up, when a later append moves or clears it, then only the last one counts', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1], { wakeAtMs: 10 })])
        await journal.append([append('a', 1, [2], { wakeAtMs: 50 })])
        expect(await journal.due(49)).toEqual([])
        expect(await journal.due(50)).toEqual([{ stream: 'a', wakeAtMs: 50 }])
        await journal.append([append('a', 2, [], { snapshot: snapshot(1), wakeAtMs: 60 })])
        expect(await journal.due(Infinity)).toEqual([{ stream: 'a', wakeAtMs: 60 }])
        await journal.append([append('a', 2, [3])])
        expect(await journal.due(Infinity)).toEqual([])
        expect((await journal.load('a')).wakeAtMs).toBeNull()
      })
    })
  })
}

const namesOf = (streams: readonly StreamInfo[]): readonly string[] => streams.map(({ stream }) => stream)

async function listByPages(journal: JournalReader, prefix: string, limit: number): Promise<readonly string[]> {
  const found: string[] = []
  for (;;) {
    const afterStream = found.at(-1)
    const page = await journal.list({ prefix, limit, ...(afterStream === undefined ? {} : { afterStream }) })
    if (page.length === 0) return found
    found.push(...namesOf(page))
  }
}
