/** A disk that is full, and one that has space again. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'
import { append, codeOf, host, journalPath } from './material.ts'

const isRoot = process.getuid?.() === 0

/** A disk of its own that has `size` bytes. */
function mount(folder: string, size: string): Disposable & { readonly file: string; readonly filler: string } {
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
  return {
    file: path.join(folder, 'journal.db'),
    filler: path.join(folder, 'filler'),
    [Symbol.dispose]: () => {
      execFileSync('umount', ['-l', folder])
    },
  }
}

function fill(file: string): void {
  for (let size = 1 << 22; size >= 1; size >>= 1)
    try {
      writeFileSync(file, Buffer.alloc(size), { flag: 'a' })
    } catch {
      // That much was not left.
    }
}

test('given a disk that is full, then appends are refused, reading goes on, and with space again appends are taken', async (context) => {
  context.skip(!isRoot, 'Only root can make a small disk: the test of a full disk is skipped')
  await using place = await journalPath()
  using disk = mount(path.join(place.folder, 'disk'), '4m')
  const failures: unknown[] = []
  const journal = await sqliteJournal(disk.file).open(host({ onFailed: (error) => failures.push(error) }))
  await journal.append([append('a', 0, ['first']), append('b', 0, ['first'])])
  let written = 1
  for (let round = 0; round < 3; round += 1) {
    fill(disk.filler)
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

    rmSync(disk.filler)
    await journal.append([append('a', written, ['again']), append('b', written, ['again'])])
    written += 1
  }
  fill(disk.filler)
  await journal.close() // what is late is found again
  rmSync(disk.filler)
  const again = await sqliteJournal(disk.file).open(host())
  expect(await again.list()).toMatchObject([{ lastSeq: written }, { lastSeq: written }])
  expect((await again.verify()).problems).toEqual([])
  await again.close()
  expect(failures).toEqual([])
})
