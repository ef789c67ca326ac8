import { readFile, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { sqliteJournal } from '../../src/journal/sqlite/journal.ts'
import { echelon, host, inFolder, nowMs, orders, stream, entries, testHost, withFile } from './material.ts'
import { EndedError } from '../../src/cli/host.ts'
import { run } from '../../src/cli/program.ts'

const commands = ['ls', 'show', 'verify', 'compact', 'export', 'import', 'doctor']

test.each(commands)(
  'given --help, when it is asked of %s, then usage, options and examples are the result',
  async (name) => {
    const { code, stdout, notes } = await echelon('journal', name, '--help')
    expect([code, notes]).toEqual([0, []])
    expect(stdout).toMatch(new RegExp(`^Usage: echelon journal ${name} \\[options\\] <`))
    expect(stdout).toContain('--json')
    expect(stdout).toContain(`Examples:\n  echelon journal ${name} `)
    expect(stdout).toContain('Exit codes: 0 fine, 1 failed or a problem found, 2 called in a way that makes no sense.')
  },
)

test('given --help and --version, when they are asked of the program, then they are the result', async () => {
  const { stdout } = await echelon('journal', '--help')
  for (const name of commands) expect(stdout).toMatch(new RegExp(`^  ${name} \\[options\\]`, 'm'))
  expect(await echelon('--version')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as unknown,
  })
})

test.each([
  ['nothing', [], /Usage: echelon/],
  ['no command', ['journal'], /Usage: echelon journal/],
  ['an unknown command', ['journal', 'lst'], /unknown command 'lst'.*Did you mean ls/s],
  ['an unknown option', ['journal', 'ls', 'x', '--jsn'], /unknown option '--jsn'.*Did you mean --json/s],
  ['no journal', ['journal', 'ls'], /missing required argument 'journal'/],
  ['too many arguments', ['journal', 'ls', 'a', 'b'], /too many arguments/],
  ['a limit that is no number', ['journal', 'ls', 'x', '--limit', '-1'], /It is a whole number/],
  [
    'another kind of address',
    ['journal', 'ls', 'mysql://u:s3cret@h/d'],
    /path of a file or postgres:\/\/…, not mysql:\/\/u:\*\*\*@h\/d/,
  ],
  ['a secret too many', ['journal', 'ls', 'a', 'postgres://u:s3cret@h/d'], /too many arguments/],
])(
  'given %s, when the program is called, then it is wrong usage, told to the person only',
  async (_what, args, note) => {
    const { code, stdout, notes } = await echelon(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(notes.join('\n')).toMatch(note)
  },
)

const readers: readonly (readonly [string, ...string[]])[] = [
  ['ls'],
  ['show', 'x'],
  ['verify'],
  ['compact'],
  ['compact', '--dry-run'],
  ['export'],
  ['doctor'],
]

test.each(readers)(
  'given a path where nothing is, when %s is run, then it fails with a typed error and makes nothing',
  async (name, ...more) => {
    await inFolder(async (folder) => {
      const file = `${folder}/none.db`
      const { code, stdout, notes } = await echelon('journal', name, file, ...more)
      expect([code, stdout]).toEqual([1, ''])
      expect(notes.join()).toMatch(/error: .*none\.db cannot be opened as a journal: there is none \[JOURNAL_FORMAT\]/)
      await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' })
    })
  },
)

test.each([
  ['a text', async (file: string) => writeFile(file, 'hello '.repeat(100)), /it is not a journal/],
  ['another database', async (file: string) => otherDatabase(file, ''), /the database of something else/],
  [
    'a newer format',
    async (file: string) => otherDatabase(file, `PRAGMA application_id = 1162037322; PRAGMA user_version = 99`),
    /version 99, .*update Echelon/,
  ],
])(
  'given %s instead of a journal, when it is looked at, then the error says what it is',
  async (_what, make, message) => {
    await inFolder(async (folder) => {
      await make(`${folder}/x.db`)
      for (const [name, ...more] of readers) {
        const { code, stdout, notes } = await echelon('journal', name, `${folder}/x.db`, ...more)
        expect([code, stdout]).toEqual([1, ''])
        expect(notes.join()).toMatch(message)
        expect(notes.join()).toMatch(/\[JOURNAL_FORMAT\]/)
      }
    })
  },
)

function otherDatabase(file: string, sql: string): void {
  const db = new DatabaseSync(file)
  db.exec(`CREATE TABLE t(x); ${sql}`)
  db.close()
}

test('given a journal that somebody writes to, then everything may be read, and what would write is refused with the pid', async () => {
  await withFile(orders, async (file) => {
    const journal = await sqliteJournal(file).open(host)
    try {
      expect((await echelon('journal', 'ls', file)).stdout.trim().split('\n')).toHaveLength(4)
      expect((await echelon('journal', 'verify', file)).code).toBe(0)
      expect(await echelon('journal', 'compact', file, '--dry-run', '--json')).toMatchObject({
        code: 0,
        stdout: '{"dryRun":true,"streams":3,"entriesRemoved":3}\n',
      })
      const { code, stdout, notes } = await echelon('journal', 'compact', file)
      expect([code, stdout]).toEqual([1, ''])
      expect(notes.join()).toMatch(new RegExp(`belongs to process ${process.pid} .*\\[JOURNAL_LOCKED\\]`))
    } finally {
      await journal.close()
    }
  })
})

test('given a journal with snapshots, when it is compacted, then it says what went, and a dry run said it before', async () => {
  const other = stream(
    '/durable/x/1',
    entries(0, ['created', { definition: 'x' }], ['handled', { message: { type: 'x.y' } }]),
    {
      snapshot: { seq: 2, version: 1, atMs: nowMs, body: '{}', blobs: [] },
    },
  )
  await withFile([...orders, other], async (file) => {
    const said = async (...args: string[]): Promise<string> =>
      (await echelon('journal', 'compact', file, ...args)).stdout
    expect(await said('--dry-run')).toBe('Would remove 5 entries of 4 streams\n')
    expect(await said('--dry-run', '--stream', 'order/17')).toBe('Would remove 3 entries of 1 stream\n')
    expect(await said('--stream', 'x/1')).toMatch(
      /^Removed 2 entries and 0 blobs of 1 stream: \d+ kB before, \d+ kB now\n$/,
    )
    expect(await said('--dry-run', '--stream', 'x/1')).toBe('Would remove 0 entries of 1 stream\n')
    expect(JSON.parse(await said('--json'))).toEqual({
      ...{ dryRun: false, streams: 4, entriesRemoved: 3, blobsRemoved: 0 },
      ...{ bytesBefore: expect.any(Number) as unknown, bytesAfter: expect.any(Number) as unknown },
    })
    expect(await said('--dry-run')).toBe('Would remove 0 entries of 4 streams\n')
  })
})

test('given a journal without a fault, when it is verified, then it says what was read', async () => {
  await withFile(orders, async (file) => {
    expect(await echelon('journal', 'verify', file)).toMatchObject({
      code: 0,
      stdout: 'No problem found: 3 streams, 13 entries, 1 snapshot\n',
    })
    const { stdout } = await echelon('journal', 'verify', file, '--json')
    expect(JSON.parse(stdout)).toEqual({ ok: true, streams: 3, entries: 13, snapshots: 1, problems: [] })
  })
})

test('given a journal with damage, when it is verified, then each fault has its place, and the other commands refuse it', async () => {
  await withFile(orders, async (file) => {
    const db = new DatabaseSync(file)
    db.exec(`UPDATE entries SET body = '{}' WHERE seq = 2; UPDATE blobs SET text = '"else"' WHERE id = 'label'`)
    db.close()
    const { code, stdout } = await echelon('journal', 'verify', file)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^stream \/durable\/order\/16 at 2: its checksum does not fit$/m)
    expect(stdout).toMatch(/^stream \/durable\/order\/17 at 2: its checksum does not fit$/m)
    expect(stdout).toMatch(/^blob label of stream 2: its checksum does not fit$/m)
    expect(stdout).toMatch(
      /^3 problems found: 3 streams, 13 entries, 1 snapshot\. Stop what writes to it, and restore a backup$/m,
    )
    const json = JSON.parse((await echelon('journal', 'verify', file, '--json')).stdout) as {
      ok: boolean
      problems: object[]
    }
    expect([json.ok, json.problems.length]).toEqual([false, 3])
    expect(json.problems[0]).toEqual({ where: 'stream /durable/order/16 at 2', problem: 'its checksum does not fit' })

    const ill = await echelon('journal', 'doctor', file)
    expect(ill).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^Problem: The journal .* is damaged/) as unknown,
    })
    for (const command of [['ls'], ['show', 'order/16'], ['export'], ['compact']]) {
      const [name = '', ...more] = command
      const refused = await echelon('journal', name, file, ...more)
      expect([name, refused.code, refused.notes.join()]).toEqual([
        name,
        1,
        expect.stringMatching(/\[JOURNAL_CORRUPT\]/),
      ])
    }
  })
})

test('given a bug, when a command breaks, then the place is told', async () => {
  const broken = { ...testHost() }
  const code = await run(['journal', 'ls', '/nowhere'], { ...broken, clock: undefined as never })
  expect(code).toBe(1)
  expect(broken.written.notes.join()).toMatch(/error: TypeError.*\n.* at /)
})

test('given a signal, when a command is to end, then it ends early and silently, with the code of the signal', async () => {
  await withFile(orders, async (file) => {
    for (const args of [
      ['ls', file],
      ['show', file, 'order/16'],
      ['verify', file],
      ['export', file],
      ['doctor', file],
    ]) {
      const test = testHost()
      test.stop(new EndedError(130))
      expect([args[0], await run(['journal', ...args], test), test.written.notes]).toEqual([args[0], 130, []])
    }
  })
})
