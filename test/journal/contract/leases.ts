import { describe, expect, test } from 'vitest'
import { hostOf, type JournalSubject } from './subject.ts'
import { append, bodiesOf, ending, withJournal } from './material.ts'

const ttlMs = 300

export function describeLeases(subject: JournalSubject): void {
  describe('leases', () => {
    test('given a lease that another node has, then it is refused with its owner until it expires; then the epoch is higher', async () => {
      await using bench = await subject.fresh()
      const first = await bench.source.open(hostOf(bench, 'node-a'))
      const theirs = await first.acquire('timers', { ttlMs: 60_000 })
      const short = await first.acquire('short', { ttlMs })
      expect(theirs).toMatchObject({ name: 'timers', owner: { node: 'node-a', pid: process.pid } })
      expect(theirs.expiresAtMs - short.expiresAtMs).toBeGreaterThan(50_000)
      await first.close()

      const second = await bench.source.open(hostOf(bench, 'node-b'))
      await expect(second.acquire('timers', { ttlMs })).rejects.toMatchObject({
        code: 'LEASE_HELD',
        owner: { node: 'node-a' },
      })
      await bench.passTime(ttlMs)
      const mine = await second.acquire('short', { ttlMs: 60_000 })
      expect(mine.epoch).toBeGreaterThan(short.epoch)
      expect(mine.owner.node).toBe('node-b')
      expect(await ending(second.renew(short, ttlMs))).toBe('JOURNAL_FENCED')
      expect(await ending(second.acquire('timers', { ttlMs }))).toBe('LEASE_HELD')
      await second.release(mine)
      await second.close()
    })

    test('given a lease that is renewed, then it lasts for as long as it is, and its epoch stays', async () => {
      await using bench = await subject.fresh()
      const first = await bench.source.open(hostOf(bench, 'node-a'))
      const lease = await first.acquire('timers', { ttlMs })
      const renewed = await first.renew(lease, 60_000)
      expect(renewed).toMatchObject({ name: lease.name, owner: lease.owner, epoch: lease.epoch })
      expect(renewed.expiresAtMs).toBeGreaterThan(lease.expiresAtMs)
      await first.close()
      const second = await bench.source.open(hostOf(bench, 'node-b'))
      await bench.passTime(ttlMs)
      expect(await ending(second.acquire('timers', { ttlMs }))).toBe('LEASE_HELD')
      await second.close()
    })

    test('given a lease that expired, when nobody took it, then its owner may renew it', async () => {
      await withJournal(subject, async (journal, bench) => {
        const lease = await journal.acquire('timers', { ttlMs: 1 })
        await bench.passTime(2)
        expect((await journal.renew(lease, 60_000)).epoch).toBe(lease.epoch)
      })
    })

    test('given a lease that is released, then another node has it at once, and what the old one would do is fenced', async () => {
      await using bench = await subject.fresh()
      const first = await bench.source.open(hostOf(bench, 'node-a'))
      const lease = await first.acquire('timers', { ttlMs: 60_000 })
      await first.release(lease)
      await first.release(lease)
      expect(await ending(first.renew(lease, ttlMs))).toBe('JOURNAL_FENCED')
      expect(await ending(first.append([append('a', 0, ['old'], { lease })]))).toBe('JOURNAL_FENCED')
      await first.close()
      const second = await bench.source.open(hostOf(bench, 'node-b'))
      const mine = await second.acquire('timers', { ttlMs: 60_000 })
      expect(mine.epoch).toBeGreaterThan(lease.epoch)
      await second.release(lease) // is over: it must not end the one that is not
      expect((await second.renew(mine, 60_000)).epoch).toBe(mine.epoch)
      await second.close()
    })

    test('given a lease that is taken over, then appends under the old one are refused and nothing of them is written', async () => {
      await using bench = await subject.fresh()
      const first = await bench.source.open(hostOf(bench, 'node-a'))
      const old = await first.acquire('shard-1', { ttlMs: 60_000 })
      const other = await first.acquire('shard-2', { ttlMs: 60_000 })
      await first.append([append('a', 0, [1], { lease: old }), append('b', 0, [1], { lease: other })])
      await first.close()

      const second = await bench.source.open(hostOf(bench, 'node-b'))
      const mine = await second.acquire('shard-1', { ttlMs: 60_000, takeOver: true })
      expect(mine.epoch).toBeGreaterThan(old.epoch)
      const endings = await Promise.all([
        ending(second.append([append('a', 1, ['old'], { lease: old })])),
        ending(second.append([append('c', 0, ['old']), append('a', 1, ['old'], { lease: old })])),
        ending(second.append([append('a', 1, ['new'], { lease: mine })])),
        ending(second.append([append('b', 1, ['new'], { lease: other })])),
        ending(second.append([append('d', 0, ['no lease'])])),
      ])
      expect(endings).toEqual(['JOURNAL_FENCED', 'JOURNAL_FENCED', 'ok', 'ok', 'ok'])
      expect(await bodiesOf(second, 'a')).toEqual([1, 'new'])
      expect(await bodiesOf(second, 'b')).toEqual([1, 'new'])
      expect(await bodiesOf(second, 'c')).toEqual([])
      expect(await ending(second.renew(old, ttlMs))).toBe('JOURNAL_FENCED')
      expect((await second.verify()).problems).toEqual([])
      await second.close()
    })

    test('given a lease of a name that nobody ever had, then an append under it is refused', async () => {
      await withJournal(subject, async (journal) => {
        const made = { name: 'made up', owner: { node: 'x', host: 'x', pid: 1 }, epoch: 1, expiresAtMs: 9e12 }
        expect(await ending(journal.append([append('a', 0, [1], { lease: made })]))).toBe('JOURNAL_FENCED')
        expect(await journal.list()).toEqual([])
      })
    })
  })
}
