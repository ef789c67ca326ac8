/** A disk that is full, and one that has space again. */
import { expect, test } from 'vitest'
import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'
import { temporaryFolder } from '../../crash/support/folder.ts'
import { smallDisk, smallDiskOrSkip } from '../../crash/support/small-disk.ts'
import { append, codeOf, host } from './material.ts'

test('given a disk that is full, then appends are refused, reading goes on, and with space again appends are taken', async (context) => {
  smallDiskOrSkip(context)
  using folder = temporaryFolder()
  using disk = smallDisk(folder, 4 * 1024 * 1024)
  const source = sqliteJournal(`${disk.path}/journal.db`)
  const failures: unknown[] = []
  const journal = await source.open(host({ onFailed: (error) => failures.push(error) }))
  await journal.append([append('a', 0, ['first']), append('b', 0, ['first'])])
  let written = 1
  for (let round = 0; round < 3; round += 1) {
    disk.fill()
    let end: unknown = 'ok'
    // The log had some space of its own.
    for (let tries = 0; end === 'ok' && tries < 2000; tries += 1) {
      end = await codeOf(() => journal.append([append('a', written, ['x'.repeat(500)]), append('b', written, [''])]))
      if (end === 'ok') written += 1
    }
    expect(end).toBe('JOURNAL_FULL')
    expect(await codeOf(() => journal.append([append('a', written, ['y'.repeat(50_000)])]))).toBe('JOURNAL_FULL')
    expect((await journal.load('a')).lastSeq).toBe(written)
    expect(await journal.list()).toHaveLength(2)
    expect((await journal.verify()).problems).toEqual([])

    disk.free()
    await journal.append([append('a', written, ['again']), append('b', written, ['again'])])
    written += 1
  }
  disk.fill()
  await journal.close() // what is late is found again
  disk.free()
  const again = await source.open(host())
  expect(await again.list()).toMatchObject([{ lastSeq: written }, { lastSeq: written }])
  expect((await again.verify()).problems).toEqual([])
  await again.close()
  expect(failures).toEqual([])
})
