import { beforeEach, describe, expect, test } from 'vitest'
import { postgresJournal, type Journal, type StreamInfo } from 'echelon/journal'
import { postgresOrSkip, startPostgres } from '../../support/postgres.ts'
import { append, bodiesOf, ending } from '../contract/material.ts'
import { host } from './material.ts'

describe('a Postgres server that dies', () => {
  beforeEach(postgresOrSkip)

  test('given appends under load, when the server is killed and started again, then nothing acknowledged is lost', async () => {
    await using server = await startPostgres()
    const source = postgresJournal({ url: server.url, schema: 'load' })
    const streams = Array.from({ length: 32 }, (_, index) => `s${index}`)
    /** How many entries of each stream were acknowledged. */
    const acknowledged = new Map<string, number>()
    const first = await source.open(host())
    await first.append(streams.map((stream) => append(stream, 0, [0])))
    await first.append(streams.map((stream) => append(`${stream}'`, 0, [0])))
    await first.close()
    for (const killAfter of [1, 40, 300, 1500]) {
      const failures: unknown[] = []
      const journal = await source.open(host('node-a', { onFailed: (error) => failures.push(error) }))
      const reached = Promise.withResolvers<void>()
      let count = 0
      const write = async ({ stream, lastSeq }: StreamInfo): Promise<string> => {
        let seq = lastSeq
        for (;;) {
          const end = await ending(journal.append([append(stream, seq, [seq]), append(`${stream}'`, seq, [seq])]))
          if (end !== 'ok') return end
          seq += 1
          acknowledged.set(stream, seq)
          count += 1
          if (count >= killAfter) reached.resolve()
        }
      }
      const writers = (await journal.list()).filter(({ stream }) => !stream.endsWith("'")).map(write)
      await reached.promise
      await server.crash()
      expect(new Set(await Promise.all(writers))).toEqual(new Set(['JOURNAL_FAILED']))
      expect(failures).toMatchObject([{ code: 'JOURNAL_FAILED' }])
      expect(await ending(journal.append([append('later', 0, [1])]))).toBe('JOURNAL_FAILED')
      await journal.close().catch(() => undefined)
      await server.restart()
    }

    const journal = await source.open(host())
    for (const [stream, seq] of acknowledged) {
      const { lastSeq } = await journal.load(stream)
      expect(lastSeq).toBeGreaterThanOrEqual(seq)
      expect(await bodiesOf(journal, stream)).toEqual(Array.from({ length: lastSeq }, (_, index) => index))
      expect((await journal.load(`${stream}'`)).lastSeq).toBe(lastSeq) // a group: both or none
    }
    expect(await journal.load('later')).toMatchObject({ lastSeq: 0 })
    expect((await journal.verify()).problems).toEqual([])
    await journal.close()
  })

  test('given a writer that waits, when the server is started again, then it has failed, and another may open at once', async () => {
    await using server = await startPostgres()
    const source = postgresJournal({ url: server.url, schema: 'idle' })
    const failed = Promise.withResolvers<Error>()
    const first = await source.open(host('node-a', { onFailed: failed.resolve }))
    await first.append([append('a', 0, [1])])
    const reader = await source.openReadOnly(host('node-r'))
    const following = follow(reader)
    await server.crash()
    expect(await failed.promise).toMatchObject({ code: 'JOURNAL_FAILED' })
    await server.restart()

    const second = await source.open(host('node-b'))
    await second.append([append('a', 1, [2])])
    expect(await bodiesOf(reader, 'a')).toEqual([1, 2]) // a reader connects again by itself
    expect(await following).toMatch(/ok|JOURNAL_FAILED/)
    expect(await ending(first.append([append('a', 2, [3])]))).toBe('JOURNAL_FAILED')
    for (const journal of [first, second, reader]) await journal.close()
  })
})

async function follow(reader: Pick<Journal, 'tail'>): Promise<string> {
  return ending(
    (async () => {
      for await (const { seq } of reader.tail(0)) if (seq === 2) break
    })(),
  )
}
