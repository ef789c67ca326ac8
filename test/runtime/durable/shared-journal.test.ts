import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryJournal } from 'echelon/journal'
import { VirtualClock } from 'echelon/testing'
import type { Append } from '../../../src/core/journal.ts'
import { SharedJournal } from '../../../src/runtime/durable/shared-journal.ts'

const later = (task: () => void): void => void setImmediate(task)
const turn = (): Promise<void> => new Promise(later)

/** Lets time pass until all have settled. */
async function settled<T>(clock: VirtualClock, promises: readonly Promise<T>[]): Promise<void> {
  let left = promises.length
  for (const promise of promises) void promise.finally(() => (left -= 1))
  for (let turns = 0; left > 0 && turns < 1000; turns += 1) {
    await turn()
    if (clock.nextDueMs !== undefined) clock.advanceTo(clock.nextDueMs)
  }
  expect(left).toBe(0)
}

test('given appends of any size and a journal with little room, then all are written, each stream in its order', async () => {
  const append = fc.record({ stream: fc.constantFrom('/a', '/b', '/c'), length: fc.constantFrom(1, 40, 90, 300) })
  // Those of a burst come before anything can be known of the first.
  const bursts = fc.array(fc.array(append, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(bursts, async (given) => {
      const clock = new VirtualClock()
      const source = memoryJournal({ maxWaitingBytes: 100, beforeCommit: turn })
      const journal = await source.open({ node: 'here', clock })
      const shared = new SharedJournal(journal, clock, later)
      const made = new Map<string, string[]>()
      const appended: Promise<void>[] = []
      for (const burst of given) {
        for (const { stream, length } of burst) {
          const bodies = made.get(stream) ?? []
          made.set(stream, bodies)
          const body = `"${bodies.length} ${'x'.repeat(length)}"`
          const entries = [{ kind: 'handled', version: 1, atMs: 0, body }] as const
          appended.push(
            shared.append([{ stream, expectedSeq: bodies.length, entries, wakeAtMs: null } satisfies Append]),
          )
          bodies.push(body)
        }
        await turn()
      }
      await settled(clock, appended)
      await Promise.all(appended)
      for (const [stream, bodies] of made)
        expect((await journal.read(stream, 0)).map(({ body }) => body)).toEqual(bodies)
      await shared.close(new AbortController().signal)
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 60 },
  )
})

test('given an append that is refused for good, then those behind it in its stream are too, and no others', async () => {
  const clock = new VirtualClock()
  const source = memoryJournal({ maxWaitingBytes: 100, beforeCommit: turn })
  const shared = new SharedJournal(await source.open({ node: 'here', clock }), clock, later)
  const append = (stream: string, expectedSeq: number, length: number): Promise<string> =>
    shared
      .append([
        {
          stream,
          expectedSeq,
          entries: [{ kind: 'handled', version: 1, atMs: 0, body: `"${'x'.repeat(length)}"` }],
          wakeAtMs: null,
        },
      ])
      .then(
        () => 'written',
        (error: unknown) => (error as { code: string }).code,
      )
  // The second is too large beside the first, and has a wrong place in its stream.
  const endings = [append('/a', 0, 80), append('/b', 7, 80), append('/b', 8, 1), append('/c', 0, 80)]
  await settled(clock, endings)
  expect(await Promise.all(endings)).toEqual(['written', 'JOURNAL_CONFLICT', 'JOURNAL_CONFLICT', 'written'])
})

test('given a large append that waits for room, then small ones of others do not go on and on before it', async () => {
  const clock = new VirtualClock()
  const written: string[] = []
  const source = memoryJournal({
    maxWaitingBytes: 100,
    beforeCommit: async (appends) => {
      for (let i = 0; i < 20; i += 1) await turn()
      written.push(...appends.map(({ stream }) => stream))
    },
  })
  const shared = new SharedJournal(await source.open({ node: 'here', clock }), clock, later)
  const append = (stream: string, length: number): Promise<void> => {
    const entries = [{ kind: 'handled', version: 1, atMs: 0, body: 'x'.repeat(length) }] as const
    return shared.append([{ stream, expectedSeq: 0, entries, wakeAtMs: null }])
  }
  const appended = [append('/first', 80), append('/large', 80)]
  for (const stream of ['/a', '/b', '/c']) {
    await turn()
    clock.advanceBy(5)
    appended.push(append(stream, 1))
  }
  await settled(clock, appended)
  expect(written.slice(0, 2)).toEqual(['/first', '/large'])
})
