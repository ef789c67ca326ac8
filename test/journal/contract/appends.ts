import { describe, expect, test } from 'vitest'
import type { NewEntry } from '../../../src/core/journal.ts'
import { hostOf, type JournalSubject } from './subject.ts'
import { append, bodiesOf, ending, entry, readAll, snapshot, withJournal } from './material.ts'

const kinds: readonly NewEntry['kind'][] = ['created', 'received', 'handled', 'failed', 'intent', 'outcome']

/** Texts that a store could change on the way. */
const bodies: readonly [what: string, body: string][] = [
  ['no text', ''],
  ['the smallest JSON', '0'],
  ['control characters', JSON.stringify('\u0000\u0001\b\t\n\r\u001f\u007f\u0085\u2028\u2029\ufeff')],
  ['quotes, backslashes and braces', JSON.stringify(`' '' " \\ \\\\ { } [ ] ( ) , ; -- $1 ? % _ \\N NULL`)],
  ['letters of many scripts', JSON.stringify('ä ß é e\u0301 日本 العربية \u{1F600} \u{10FFFF} \uFFFD')],
  ['lone surrogates, as JSON.stringify escapes them', JSON.stringify('\ud800 \udc00 \udc00\ud800')],
  ['spaces around it', ' \n {"a" : 1} \n '],
  ['a mebibyte', JSON.stringify('0123456789abcdef'.repeat(65_536))],
  ['a mebibyte that does not compress', JSON.stringify(noise(400_000))],
]

export function describeAppends(subject: JournalSubject): void {
  describe('appending', () => {
    test('given appends, when the journal is opened again, then all that was acknowledged is there as it was written', async () => {
      await using bench = await subject.fresh()
      const written = kinds.map((kind, index) => entry({ index }, { kind, version: index, atMs: 1_000.5 + index }))
      const first = await bench.source.open(hostOf(bench))
      await first.append([append('a', 0, [], { entries: written, wakeAtMs: 7 })])
      const before = await first.load('a')
      await first.close()

      const second = await bench.source.open(hostOf(bench))
      const after = await second.load('a')
      expect(after).toEqual(before)
      expect(after).toMatchObject({ lastSeq: 6, wakeAtMs: 7, snapshot: undefined })
      expect(after.entries).toEqual(
        written.map((one, index) => ({
          ...one,
          stream: 'a',
          seq: index + 1,
          position: expect.any(Number) as number,
        })),
      )
      await second.append([append('a', 6, ['next'])])
      expect((await readAll(second, 'a')).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7])
      await second.close()
    })

    test('given a stream, when the writer knows another last entry, then only that append is refused', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, ['one'])])
        const refused = journal.append([append('a', 0, ['other'])])
        const accepted = journal.append([append('b', 0, ['more'])])
        await expect(refused).rejects.toMatchObject({
          code: 'JOURNAL_CONFLICT',
          stream: 'a',
          expectedSeq: 0,
          actualSeq: 1,
        })
        await accepted
        expect(await ending(journal.append([append('a', 2, ['gap'])]))).toBe('JOURNAL_CONFLICT')
        expect(await ending(journal.append([append('c', 1, ['gap'])]))).toBe('JOURNAL_CONFLICT')
        expect(await bodiesOf(journal, 'a')).toEqual(['one'])
        expect(await bodiesOf(journal, 'b')).toEqual(['more'])
        expect((await journal.list()).map(({ stream }) => stream)).toEqual(['a', 'b'])
      })
    })

    test('given appends that nobody waits for, then each finds what those before it wrote', async () => {
      await withJournal(subject, async (journal) => {
        const plan = [0, 1, 2, 2, 3, 9, 4] // the second 2 and the 9 are wrong
        const endings = await Promise.all(plan.map((seq, index) => ending(journal.append([append('a', seq, [index])]))))
        expect(endings).toEqual(['ok', 'ok', 'ok', 'JOURNAL_CONFLICT', 'ok', 'JOURNAL_CONFLICT', 'ok'])
        expect(await bodiesOf(journal, 'a')).toEqual([0, 1, 2, 4, 6])
      })
    })

    test('given 1,000 appends at once over many streams, then positions ascend in the order of the calls', async () => {
      await withJournal(subject, async (journal) => {
        const calls = Array.from({ length: 1000 }, (_, call) => call)
        await Promise.all(calls.map((call) => journal.append([append(`s${call % 7}`, Math.floor(call / 7), [call])])))
        const entries = (await Promise.all([0, 1, 2, 3, 4, 5, 6].map((n) => readAll(journal, `s${n}`)))).flat()
        const byPosition = entries.toSorted((a, b) => a.position - b.position)
        expect(byPosition.map(({ body }) => JSON.parse(body) as number)).toEqual(calls)
        expect(new Set(entries.map(({ position }) => position)).size).toBe(1000)
      })
    })

    test('given a group in which one stream conflicts, then nothing of the group is written', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('b', 0, ['b1'])])
        const group = [
          append('a', 0, ['a1'], { wakeAtMs: 1, snapshot: snapshot(1), blobs: [{ id: 'x', text: 'x' }] }),
          append('b', 0, ['b2'], { wakeAtMs: 2 }),
          append('c', 0, ['c1']),
        ]
        await expect(journal.append(group)).rejects.toMatchObject({ code: 'JOURNAL_CONFLICT', stream: 'b' })
        expect((await journal.list()).map(({ stream }) => stream)).toEqual(['b'])
        expect(await journal.due(Infinity)).toEqual([])
        expect(await journal.load('a')).toEqual({ lastSeq: 0, wakeAtMs: null, snapshot: undefined, entries: [] })
        await expect(journal.blob('a', 'x')).rejects.toMatchObject({ code: 'JOURNAL_CORRUPT' })
        expect((await journal.verify()).problems).toEqual([])
      })
    })

    test('given a group, then all of its streams are written; and one stream may be in it twice', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1, 2]), append('b', 0, [3]), append('a', 2, [4], { wakeAtMs: 5 })])
        expect(await bodiesOf(journal, 'a')).toEqual([1, 2, 4])
        expect(await bodiesOf(journal, 'b')).toEqual([3])
        expect((await journal.load('a')).wakeAtMs).toBe(5)
        expect(await ending(journal.append([append('a', 3, [5]), append('a', 3, [6])]))).toBe('JOURNAL_CONFLICT')
        expect(await bodiesOf(journal, 'a')).toEqual([1, 2, 4])
      })
    })

    test('given no appends at all, then there is nothing to wait for', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([])
        expect(await journal.list()).toEqual([])
      })
    })

    test.each(bodies)('given a body of %s, then entry, snapshot and blob come back as they were', async (_, body) => {
      await withJournal(subject, async (journal) => {
        const wanted = snapshot(1, { body, version: 3, atMs: 4.25, blobs: ['b', 'other'] })
        await journal.append([
          append('a', 0, [], { entries: [entry(0, { body })], blobs: [{ id: 'b', text: body }] }),
          append('b', 0, [0, 1], { snapshot: wanted }),
        ])
        const loaded = await journal.load('a')
        expect(loaded.entries[0]?.body === body).toBe(true) // a failure need not print a mebibyte
        expect((await journal.blob('a', 'b')) === body).toBe(true)
        const other = await journal.load('b')
        expect(other.snapshot).toEqual(wanted)
        expect(other.entries.map(({ seq }) => seq)).toEqual([2])
        expect((await journal.verify()).problems).toEqual([])
      })
    })
  })
}

/** Text that has no pattern, always the same. */
function noise(length: number): string {
  let state = 1
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647
    return String.fromCharCode(33 + (state % 90))
  }).join('')
}
