/** Two processes and one journal: one of them writes, whatever happens to the other. */
import { execFile, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'
import type { Order, Report } from './child.ts'
import { append, codeOf, host, journalPath } from './material.ts'

/** A child process that takes orders one after the other. */
class Child implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #reports: Report[] = []
  #heard = Promise.withResolvers<void>()
  readonly exited: Promise<unknown[]>
  /** How many groups it has reported as written. */
  written = 0

  private constructor() {
    this.#process = fork(fileURLToPath(new URL('./child.ts', import.meta.url)))
    this.exited = once(this.#process, 'exit')
    this.#process.on('message', (report: Report) => {
      this.#reports.push(report)
      if (report.kind === 'written') this.written = report.groups
      this.#heard.resolve()
      this.#heard = Promise.withResolvers()
    })
  }

  static async with(file: string): Promise<Child> {
    const child = new Child()
    await child.next()
    await child.order({ kind: 'open', file })
    return child
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  async next(): Promise<Report> {
    for (;;) {
      const report = this.#reports.shift()
      if (report !== undefined) return report
      await this.#heard.promise
    }
  }

  order(order: Order): Promise<Report> {
    this.tell(order)
    return this.next()
  }

  tell(order: Order): void {
    this.#process.send(order)
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.exited
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.exited
  }
}

test('given a process that writes, then another is refused with its pid, and may read beside it', async () => {
  await using place = await journalPath()
  await using child = await Child.with(place.file)
  const source = sqliteJournal(place.file)
  await expect(source.open(host())).rejects.toMatchObject({
    code: 'JOURNAL_LOCKED',
    owner: { pid: child.pid, node: 'child' },
    message: expect.stringContaining(`process ${child.pid}`) as string,
  })
  const reader = await source.openReadOnly(host())
  for (const seq of [0, 1, 2]) {
    expect(await child.order({ kind: 'append', appends: [append('a', seq, ['next'])] })).toEqual({ kind: 'done' })
    expect((await reader.load('a')).lastSeq).toBe(seq + 1)
  }
  await reader.close()
})

test('given a process that is killed, then another opens the journal at once and finds all that was acknowledged', async () => {
  await using place = await journalPath()
  await (await Child.with(place.file)).kill()
  await (await sqliteJournal(place.file).open(host())).close()
  {
    await using child = await Child.with(place.file)
    child.tell({ kind: 'write on' })
    while (child.written < 200) await child.next()
    await child.kill()
    const journal = await sqliteJournal(place.file).open(host())
    const streams = await journal.list()
    const last = streams[0]?.lastSeq ?? 0
    expect(last).toBeGreaterThanOrEqual(child.written)
    // Groups are there wholly or not at all.
    const all = ['x', 'y', 'z'].map((stream) => ({ stream, lastSeq: last, wakeAtMs: last - 1 }))
    expect(streams).toMatchObject(all)
    expect((await journal.verify()).problems).toEqual([])
    await journal.close()
  }
})

test('given a process that is stopped, when another takes over, then the first writes nothing more when it goes on', async () => {
  await using place = await journalPath()
  await using child = await Child.with(place.file)
  expect(await child.order({ kind: 'append', appends: [append('a', 0, ['old'])] })).toEqual({ kind: 'done' })
  child.signal('SIGSTOP')
  expect(await codeOf(() => sqliteJournal(place.file).open(host()))).toBe('JOURNAL_LOCKED')
  const journal = await sqliteJournal(place.file, { takeOver: true }).open(host())
  await journal.append([append('a', 1, ['new'])])
  child.tell({ kind: 'append', appends: [append('a', 1, ['fenced']), append('b', 0, ['fenced'])] })
  child.signal('SIGCONT')
  const reports = [await child.next(), await child.next()]
  expect(reports).toContainEqual({ kind: 'failed', code: 'JOURNAL_FENCED' })
  expect(reports).toContainEqual(expect.objectContaining({ kind: 'refused', code: 'JOURNAL_FENCED' }))
  expect(await child.order({ kind: 'append', appends: [append('b', 0, ['fenced'])] })).toMatchObject({
    code: 'JOURNAL_FENCED',
  })
  expect(await journal.list()).toMatchObject([{ stream: 'a', lastSeq: 2 }])
  await journal.append([append('a', 2, ['newer'])])
  expect((await journal.verify()).problems).toEqual([])
  await journal.close()
})

test.each(['--input-type=module-typescript', '--max-old-space-size=200'])(
  'given a program that is a text on the command line (%s), then its journal opens',
  async (option) => {
    await using place = await journalPath()
    const at = (file: string): string => JSON.stringify(new URL(`../../../src/${file}`, import.meta.url).href)
    const program = `
      Promise.all([import(${at('journal/sqlite/journal.ts')}), import(${at('core/clock.ts')})]).then(
        async ([{ sqliteJournal }, { systemClock }]) => {
          const journal = await sqliteJournal(${JSON.stringify(place.file)}).open({ node: 'text', clock: systemClock })
          await journal.close()
          console.log('closed')
        },
      )`
    const { stdout } = await promisify(execFile)(process.execPath, [option, '-e', program])
    expect(stdout).toBe('closed\n')
  },
)

test('given an open journal, then a process with nothing else to do ends; and what it appended is written before', async () => {
  await using place = await journalPath()
  {
    await using child = await Child.with(place.file)
    child.tell({ kind: 'end' })
    expect(await child.exited).toEqual([0, null])
  }
  {
    await using child = await Child.with(place.file)
    // So much that the process would be gone before it is written.
    const lastWords = Array.from({ length: 200 }, (_, index) => `${index}`.repeat(50_000))
    child.tell({ kind: 'append and end', appends: [append('a', 0, lastWords)] })
    expect(await child.exited).toEqual([0, null])
  }
  const journal = await sqliteJournal(place.file).open(host())
  expect((await journal.load('a')).lastSeq).toBe(200)
  await journal.close()
})
