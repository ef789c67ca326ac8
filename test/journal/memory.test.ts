import { describe, expect, test } from 'vitest'
import { JournalFailedError, JournalFullError, memoryJournal } from 'echelon/journal'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { describeJournal } from './contract.ts'
import { append, bodiesOf, ending } from './contract/material.ts'

describeJournal({
  kind: 'memory',
  histories: 200,
  fresh: async (options) => {
    const clock = new VirtualClock()
    return {
      source: memoryJournal(options),
      clock,
      passTime: async (ms) => {
        clock.advanceBy(ms)
      },
      [Symbol.asyncDispose]: async () => undefined,
    }
  },
})

describe('the seam for tests of the memory journal', () => {
  const host = { node: 'node-a', clock: new VirtualClock() }

  test('given an append that is held back, then it and all behind it are not there before it is let go', async () => {
    const gate = Promise.withResolvers<void>()
    const source = memoryJournal({ beforeCommit: () => gate.promise })
    const journal = await source.open(host)
    const both = Promise.all([journal.append([append('a', 0, [1])]), journal.append([append('b', 0, [2])])])
    expect((await journal.load('a')).lastSeq).toBe(0)
    expect(await journal.list()).toEqual([])
    gate.resolve()
    await both
    expect((await journal.list()).map(({ stream }) => stream)).toEqual(['a', 'b'])
  })

  test('given a disk that is full, then that append alone is refused, and those built on it conflict', async () => {
    let isFull = true
    const source = memoryJournal({
      beforeCommit: () => {
        if (isFull) throw new JournalFullError('memory')
      },
    })
    const journal = await source.open(host)
    expect(await ending(journal.append([append('a', 0, [1])]))).toBe('JOURNAL_FULL')
    isFull = false
    expect(await ending(journal.append([append('a', 1, [2])]))).toBe('JOURNAL_CONFLICT')
    await journal.append([append('a', 0, [3])])
    expect(await bodiesOf(journal, 'a')).toEqual([3])
  })

  test('given a disk that breaks, then nothing more is acknowledged, the host hears of it once, and reading goes on', async () => {
    const failures: unknown[] = []
    const source = memoryJournal({
      beforeCommit: ([first]) => {
        if (first?.stream === 'broken') throw new JournalFailedError('memory', 'EIO')
      },
    })
    const journal = await source.open({ ...host, onFailed: (error) => failures.push(error) })
    await journal.append([append('a', 0, [1])])
    const endings = [ending(journal.append([append('broken', 0, [1])])), ending(journal.append([append('a', 1, [2])]))]
    expect(await Promise.all(endings)).toEqual(['JOURNAL_FAILED', 'JOURNAL_FAILED'])
    expect(await ending(journal.append([append('a', 1, [2])]))).toBe('JOURNAL_FAILED')
    expect(failures).toMatchObject([{ code: 'JOURNAL_FAILED' }])
    expect(await bodiesOf(journal, 'a')).toEqual([1])
  })

  test('given an append that cannot be written while the journal is closed, then closing says so', async () => {
    const source = memoryJournal({
      beforeCommit: () => {
        throw new JournalFullError('memory')
      },
    })
    const journal = await source.open(host)
    const lost = ending(journal.append([append('a', 0, [1])]))
    await expect(journal.close()).rejects.toMatchObject({ code: 'JOURNAL_FULL' })
    expect(await lost).toBe('JOURNAL_FULL')
    await (await source.open(host)).close()
  })
})
