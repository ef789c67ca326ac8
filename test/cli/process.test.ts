/** The program itself: what only a process of its own can show. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { expect, test } from 'vitest'
import { createRuntime, defineActor, message } from 'echelon'
import { sqliteJournal } from '../../src/journal/sqlite/journal.ts'
import { postgresJournal } from '../../src/journal/postgres/journal.ts'
import { postgresOrSkip, startPostgres } from '../support/postgres.ts'
import { echelon, entries, host, inFolder, orders, stream, withFile, writing } from './material.ts'

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts')

interface Run {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, ['--conditions=echelon-source', main, 'journal', ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  return { child, stdout: () => out, stderr: () => err, ended }
}

async function run(
  ...args: readonly string[]
): Promise<{ readonly code: number | string; readonly out: string; readonly err: string }> {
  const { stdout, stderr, ended } = start(args)
  return { code: await ended, out: stdout(), err: stderr() }
}

test('given the program, when it is run, then the result alone is on its standard output, and its exit code says how it went', async () => {
  await withFile(orders, async (file) => {
    const listed = await run('ls', file)
    expect(listed).toMatchObject({ code: 0, err: '' })
    expect(listed.out).toMatch(/ \/durable\/order\/16\n/)
    expect(listed.out).not.toContain('\u001b')
    expect(await run('verify', file)).toEqual({
      code: 0,
      out: 'No problem found: 3 streams, 13 entries, 1 snapshot\n',
      err: '',
    })
    expect(await run('show', file, 'order/19')).toEqual({
      ...{ code: 1, out: '' },
      err: "error: order/19 is no stream of this journal: 'echelon journal ls' shows them [STREAM_UNKNOWN]\n",
    })
    expect(await run('ls')).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('missing required argument') as unknown,
    })
  })
}, 60_000)

test('given a reader that goes away, when a long result is written, then the program ends at once and silently', async () => {
  const many = Array.from({ length: 400 }, (_, n) =>
    stream(`/s/${'x'.repeat(1500)}/${n}`, entries(0, ['created', { n }])),
  )
  await withFile(many, async (file) => {
    for (const command of [
      ['ls', file],
      ['ls', file, '--json'],
      ['export', file],
    ]) {
      const { child, ended, stderr } = start(command)
      child.stdout?.once('data', () => child.stdout?.destroy())
      expect([await ended, stderr()]).toEqual([141, ''])
    }
  })
}, 60_000)

test('given a stream that is followed, when it is interrupted, then the program ends well, and what came is there', async () => {
  await withFile(orders, async (file) => {
    const following = start(['show', file, 'order/16', '--follow', '--json'])
    while (!following.stdout().includes('"seq":3')) await once(following.child.stdout!, 'data')
    await writing(sqliteJournal(file), (journal) =>
      journal.append([
        stream('/durable/order/16', entries(0, ['handled', { message: { type: 'order.add' } }]), { expectedSeq: 3 }),
      ]),
    )
    while (!following.stdout().includes('"seq":4')) await once(following.child.stdout!, 'data')
    following.child.kill('SIGINT')
    expect([await following.ended, following.stderr()]).toEqual([0, ''])
  })
}, 60_000)

test('given an address with a password, when the server is not there, then the error does not tell it', async () => {
  const { code, out, err } = await run('ls', 'postgres://app:s3cr%65t@127.0.0.1:1/app?password=s3cret')
  expect([code, out]).toEqual([1, ''])
  expect(err).toMatch(/^error: .*\[JOURNAL_FAILED\]\n$/)
  expect(err).not.toMatch(/s3cr/)
}, 60_000)

test('given a journal in Postgres, when it is looked at, compacted and moved, then it is as with a file', async (context) => {
  postgresOrSkip(context)
  await using server = await startPostgres()
  const url = server.url.replace('echelon@', 'echelon:s3cret@')
  await writing(postgresJournal({ url, schema: 'app' }), (journal) => journal.append(orders))
  const at = (...args: readonly string[]) => echelon('journal', ...args, '--schema', 'app')
  const told: string[] = []
  for (const args of [
    ['ls', url],
    ['show', url, 'order/17'],
    ['verify', url],
    ['doctor', url],
    ['export', url],
    ['compact', url],
  ]) {
    const { stdout, notes } = await at(...args)
    told.push(stdout, ...notes)
  }
  const text = told.join('\n')
  expect(text).toMatch(/ \/durable\/order\/17\n/)
  expect(text).toContain("In doubt: effect 'charge'")
  expect(text).toContain('No problem found: 3 streams, 13 entries, 1 snapshot')
  expect(text).toMatch(/Journal {2}.*\(postgres, format 1\)/)
  expect(text).toMatch(/Removed 3 entries and 0 blobs/)
  expect(text).not.toContain('s3cret')
  const missing = await echelon('journal', 'ls', url, '--schema', 'other')
  expect([missing.code, missing.notes.join()]).toEqual([1, expect.stringMatching(/\[JOURNAL_FORMAT\]/)])
}, 60_000)

test('given a durable actor whose effect has not ended, when its stream is shown beside it, then the effect is open and its message pending', async () => {
  const courier = defineActor({
    name: 'courier',
    durable: true,
    protocol: { 'courier.send': message() },
    on: {
      'courier.send': async ({ effect, signal }) => {
        await effect('mail', () => new Promise((_, reject) => signal.addEventListener('abort', reject)))
      },
    },
  })
  await inFolder(async (folder) => {
    const file = `${folder}/app.db`
    const runtime = await createRuntime({ node: 'shop', journal: sqliteJournal(file) })
    await runtime.get(courier, '7').tell({ type: 'courier.send' }, { durable: true })
    const reader = await sqliteJournal(file).openReadOnly(host)
    for await (const { kind } of reader.tail(0)) if (kind === 'intent') break
    await reader.close()
    const { stdout } = await echelon('journal', 'show', file, 'courier/7')
    const { stdout: ill } = await echelon('journal', 'doctor', file, '--json')
    await runtime[Symbol.asyncDispose]()
    expect(stdout).toMatch(/^\/durable\/courier\/7\ncourier v1, 3 entries \(no snapshot\), last /)
    expect(stdout).toMatch(/\nPending: courier\.send \(entry 2\) for \d+ s/)
    expect(stdout).toMatch(/\nIn doubt: effect 'mail', which began \d+ s ago, idempotency key [0-9a-f]{32}\n/)
    expect(JSON.parse(ill)).toMatchObject({
      writer: { node: 'shop', isAlive: true },
      findings: [{ code: 'effects-open' }, { code: 'unfinished' }],
    })
  })
}, 60_000)
