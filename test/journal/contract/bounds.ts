import { describe, expect, test } from 'vitest'
import type { Append } from '../../../src/core/journal.ts'
import type { JournalSubject } from './subject.ts'
import { append, bodiesOf, ending, entry, snapshot, withJournal } from './material.ts'

/** What no adapter writes as it is meant. */
const mistakes: readonly [what: string, mistake: Append][] = [
  ['a stream without a name', append('', 0, [1])],
  ['a NUL in the name of a stream', append('a\0b', 0, [1])],
  ['half a character in the name of a stream', append('a\ud800', 0, [1])],
  ['a name of more than 2,000 bytes', append('é'.repeat(1001), 0, [1])],
  ['neither an entry nor a snapshot', append('a', 0, [])],
  ['a last entry that is no count', append('a', -1, [1])],
  ['a last entry that is no whole number', append('a', 0.5, [1])],
  ['a snapshot of what is not there', append('a', 0, [1], { snapshot: snapshot(2) })],
  ['a snapshot of nothing', append('a', 0, [1], { snapshot: snapshot(0) })],
  ['a wake-up that is no time', append('a', 0, [1], { wakeAtMs: NaN })],
  ['a time that is none', append('a', 0, [], { entries: [entry(1, { atMs: Infinity })] })],
  ['a version that is none', append('a', 0, [], { entries: [entry(1, { version: 1.5 })] })],
  ['a NUL in a body', append('a', 0, [], { entries: [entry(1, { body: '"\0"' })] })],
  ['half a character in a body', append('a', 0, [], { entries: [entry(1, { body: '"\ud800"' })] })],
  ['a blob without an id', append('a', 0, [1], { blobs: [{ id: '', text: '' }] })],
]

export function describeBounds(subject: JournalSubject): void {
  describe('bounds', () => {
    test.each(mistakes)('given %s, then the append is refused, and the next one is written', async (_, mistake) => {
      await withJournal(subject, async (journal) => {
        const refused = journal.append([append('before', 0, [1]), mistake])
        await expect(refused).rejects.toMatchObject({ code: 'DEFINITION_INVALID' })
        await journal.append([append('a', 0, ['next'])])
        expect((await journal.list()).map(({ stream }) => stream)).toEqual(['a'])
      })
    })

    test('given a snapshot, then an older one does not replace it: what it covers may be gone', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1, 2, 3], { snapshot: snapshot(2) })])
        const older = journal.append([append('a', 3, [4], { snapshot: snapshot(1) })])
        await expect(older).rejects.toMatchObject({ code: 'DEFINITION_INVALID' })
        await journal.append([append('a', 3, [], { snapshot: snapshot(2, { body: '"again"' }) })])
        expect((await journal.load('a')).snapshot).toMatchObject({ seq: 2, body: '"again"' })
      })
    })

    test('given the largest entry in bytes, then one more byte is refused: as entry, snapshot and blob', async () => {
      await withJournal(
        subject,
        async (journal) => {
          expect(journal.maxEntryBytes).toBe(1000)
          const fits = 'é'.repeat(500)
          const tooLarge = `${fits}.`
          const all = (text: string): Append =>
            append('a', 0, [], {
              entries: [entry(1, { body: text })],
              snapshot: snapshot(1, { body: text }),
              blobs: [{ id: 'b', text }],
            })
          const { entries, ...rest } = all(fits)
          for (const one of [
            { ...all(fits), entries: [entry(1, { body: tooLarge })] },
            { ...rest, entries, snapshot: snapshot(1, { body: tooLarge }) },
            { ...rest, entries, blobs: [{ id: 'b', text: tooLarge }] },
          ])
            await expect(journal.append([one])).rejects.toMatchObject({ code: 'ENTRY_TOO_LARGE' })
          expect(await journal.list()).toEqual([])
          await journal.append([all(fits)])
          expect(await journal.list()).toHaveLength(1)
        },
        { maxEntryBytes: 1000 },
      )
    })

    test('given more than may wait to be written, then the rest is refused at once, and later appends are taken', async () => {
      await withJournal(
        subject,
        async (journal) => {
          const text = 'x'.repeat(10_000)
          const endings = await Promise.all(
            Array.from({ length: 40 }, (_, index) => ending(journal.append([append(`s${index}`, 0, [text])]))),
          )
          const refused = endings.filter((end) => end === 'JOURNAL_OVERLOADED').length
          expect(endings[0]).toBe('ok')
          expect(refused).toBeGreaterThan(0)
          expect(endings.filter((end) => end === 'ok')).toHaveLength(40 - refused)
          for (const [index, end] of endings.entries())
            expect((await journal.load(`s${index}`)).lastSeq).toBe(end === 'ok' ? 1 : 0)
          await journal.append([append('later', 0, [1])])
          await journal.append([append('alone', 0, ['y'.repeat(200_000)])])
          expect(await bodiesOf(journal, 'later')).toEqual([1])
        },
        { maxWaitingBytes: 100_000 },
      )
    })
  })
}
