import { describe, expect, test } from 'vitest'
import { hostOf, type JournalSubject } from './subject.ts'
import { append, ending, snapshot, take, withJournal } from './material.ts'

export function describeTail(subject: JournalSubject): void {
  describe('following', () => {
    test('given past and coming entries, then a tail gives each of them once, in the order of their positions', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1, 2])])
        await journal.append([append('b', 0, [3])])
        const following = take(journal.tail(0), 5)
        await journal.append([append('a', 2, [4]), append('b', 1, [5])])
        const entries = await following
        expect(entries.map(({ stream, seq, body }) => [stream, seq, body])).toEqual([
          ['a', 1, '1'],
          ['a', 2, '2'],
          ['b', 1, '3'],
          ['a', 3, '4'],
          ['b', 2, '5'],
        ])
        expect(entries.map(({ position }) => position)).toEqual(
          entries.map(({ position }) => position).toSorted((a, b) => a - b),
        )
        const after = await take(journal.tail(entries[2]!.position), 2)
        expect(after).toEqual(entries.slice(3))
      })
    })

    test('given more entries than a page has, then a tail gives them all', async () => {
      await withJournal(subject, async (journal) => {
        const bodies = Array.from({ length: 2500 }, (_, index) => index)
        await journal.append([append('a', 0, bodies)])
        const entries = await take(journal.tail(0), 2500)
        expect(entries.map(({ body }) => JSON.parse(body) as number)).toEqual(bodies)
      })
    })

    test('given a tail that waits, when its signal aborts, then it ends', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1])])
        const stop = new AbortController()
        const seen: string[] = []
        for await (const { body } of journal.tail(0, { signal: stop.signal })) {
          seen.push(body)
          // Aborted once with an entry in hand, and not looked at again.
          stop.abort()
        }
        expect(seen).toEqual(['1'])
        const waiting = new AbortController()
        const next = journal.tail(Number.MAX_SAFE_INTEGER, { signal: waiting.signal })[Symbol.asyncIterator]().next()
        waiting.abort()
        expect(await next).toEqual({ done: true, value: undefined })
        expect(await take(journal.tail(0, { signal: AbortSignal.abort() }), 1)).toEqual([])
      })
    })

    test('given a tail that waits, when the journal is closed, then it rejects', async () => {
      await using bench = await subject.fresh()
      const journal = await bench.source.open(hostOf(bench))
      const waiting = journal.tail(0)[Symbol.asyncIterator]().next()
      const end = ending(waiting)
      await journal.close()
      expect(await end).toBe('JOURNAL_CLOSED')
      expect(await ending(journal.tail(0)[Symbol.asyncIterator]().next())).toBe('JOURNAL_CLOSED')
    })

    test('given appends on their way, then a tail gives none that a second reader does not find', async () => {
      await withJournal(subject, async (journal, bench) => {
        const reader = await bench.source.openReadOnly(hostOf(bench))
        const writing = Array.from({ length: 200 }, (_, index) =>
          journal.append([append(`s${index % 5}`, Math.floor(index / 5), [index])]),
        )
        let count = 0
        for await (const { stream, seq } of journal.tail(0)) {
          expect((await reader.load(stream)).lastSeq).toBeGreaterThanOrEqual(seq)
          count += 1
          if (count === 200) break
        }
        await Promise.all(writing)
        await reader.close()
      })
    })

    test('given entries that conflicted or were compacted, then a tail leaves them out, and later positions are higher', async () => {
      await withJournal(subject, async (journal) => {
        await journal.append([append('a', 0, [1, 2, 3])])
        const [, , third] = await take(journal.tail(0), 3)
        expect(await ending(journal.append([append('b', 0, ['no']), append('a', 0, ['no'])]))).toBe('JOURNAL_CONFLICT')
        await journal.append([append('a', 3, [], { snapshot: snapshot(3) })])
        await journal.compact()
        const following = take(journal.tail(0), 1)
        await journal.append([append('a', 3, [4])])
        const [fourth] = await following
        expect(fourth).toMatchObject({ stream: 'a', seq: 4 })
        expect(fourth!.position).toBeGreaterThan(third!.position)
      })
    })
  })
}
