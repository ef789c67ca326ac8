import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { seededRandom, systemClock } from 'echelon'
import { sqliteJournal } from 'echelon/journal'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'

import { linesOf, run, type Ended } from './program.ts'
import { manyPackages, ProjectFolder } from './project-folder.ts'

/** Starting a process takes a second or more on a busy machine; nothing here waits for time to pass. */
const SLOW_MS = 60_000
const REPORTS = ['dependency-review.json', 'dependency-review.md'] as const
const FILES: readonly string[] = [...REPORTS, 'run.json']
/** Examinations of 60 packages and two copies of one. */
const ALL = 61 * 3 + 1
const JOURNAL = '.dependency-review.journal'

/** `REVIEW_KILLS=300 REVIEW_SEED=7`: so many kills at the points of that seed. */
const kills = Number(process.env['REVIEW_KILLS'] ?? 2)
const seed = Number(process.env['REVIEW_SEED'] ?? Math.floor(performance.timeOrigin) % 100_000)

/** One review of a project, and what became of each process that was at it. */
class Review {
  readonly #folder: ProjectFolder
  readonly #args: readonly string[]
  readonly out: string

  constructor(folder: ProjectFolder, name: string, args: readonly string[] = []) {
    this.#folder = folder
    this.out = path.join(folder.outside, name)
    this.#args = ['--input', folder.root, '--out', this.out, '--json', ...args]
  }

  get #trace(): string {
    return `${this.out}.trace`
  }

  /** Runs it, to its end or to `env.DIE_AT`. */
  run(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}, options: object = {}): Promise<Ended> {
    return run([...this.#args, ...args], {
      cwd: this.#folder.outside,
      env: { TRACE_TO: this.#trace, ...env },
      ...options,
    })
  }

  /** `concern key` of each examination that was begun, in all processes so far. */
  async examined(): Promise<readonly string[]> {
    const text = await readFile(this.#trace, 'utf8').catch(() => '')
    return text.split('\n').flatMap((line) => (line.startsWith('examine ') ? [line.slice('examine '.length)] : []))
  }

  /** As `examined`, of those that are on disk in the journal. */
  kept(): Promise<readonly string[]> {
    return keptIn(path.join(this.out, JOURNAL))
  }

  async reports(): Promise<readonly string[]> {
    return Promise.all(REPORTS.map((name) => readFile(path.join(this.out, name), 'utf8')))
  }
}

const entrySchema = z.object({
  message: z.object({
    type: z.string(),
    concern: z.string().optional(),
    found: z.array(z.tuple([z.string(), z.unknown()])).optional(),
  }),
})

/** What an outsider who knows the journal's format reads in it: what is on disk of the run that is not over. */
async function keptIn(file: string): Promise<readonly string[]> {
  if (!existsSync(file)) return []
  const reader = await sqliteJournal(file).openReadOnly({ node: 'test', clock: systemClock })
  try {
    const kept: string[] = []
    for (let after = 0; ;) {
      const page = await reader.read('/durable/ledger/review', after)
      for (const { kind, body } of page) {
        if (kind !== 'handled' && kind !== 'received') continue
        const { type, concern = '', found = [] } = entrySchema.safeParse(JSON.parse(body)).data?.message ?? { type: '' }
        if (type === 'packages.examined') kept.push(...found.map(([key]) => `${concern} ${key}`))
        if (type === 'run.end') kept.length = 0
      }
      const last = page.at(-1)
      if (last === undefined) return kept
      after = last.seq
    }
  } finally {
    await reader.close()
  }
}

/** The reports of a review that nobody disturbs. They say nothing of where the project is. */
const undisturbed = once(async (): Promise<readonly string[]> => {
  await using folder = await ProjectFolder.make(manyPackages(60))
  const review = new Review(folder, 'undisturbed')
  expect(await review.run()).toMatchObject({ code: 0, stderr: '' })
  expect((await readdir(review.out)).sort()).toEqual(FILES)
  return await review.reports()
})

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

/** Kills a review at `point`, and looks on from outside: nothing that is on disk is examined again. */
async function killAt(review: Review, point: string): Promise<Ended> {
  const [known, before] = [await review.kept(), await review.examined()]
  const ended = await review.run([], { DIE_AT: point })
  const since = (await review.examined()).slice(before.length)
  expect(ended.stderr, point).toBe('')
  const again = since.filter((one) => known.includes(one))
  expect(again, `examined again, ${point}`).toEqual([])
  if (ended.stdout !== '') expect(linesOf(ended)[0], point).toMatchObject({ examinedBefore: known.length })
  if (ended.signal !== null && !point.startsWith('remove')) {
    const now = await review.kept()
    const lost = known.filter((one) => !now.includes(one))
    // One that is killed with its last word on disk is over.
    if (now.length > 0) expect(lost, `lost, ${point}`).toEqual([])
    else if (lost.length > 0) expect(await readdir(review.out), point).toEqual(expect.arrayContaining([...FILES]))
    if (point.startsWith('rename')) expect(now, point).toHaveLength(ALL)
  }
  return ended
}

describe.concurrent('kill -9', () => {
  test.each([
    ['calm', [], ['appended:2', 'examine:40', 'kept:1', 'rename:2', 'remove:1']],
    ['chaos', ['--chaos', '0.4', '--seed', '3'], ['kept:2', 'append:4', 'remove:4']],
  ] as const)(
    'given a review that is killed at point after point (%s), when it is run again, then it goes on, and its report is the same',
    async (_, args, points) => {
      await using folder = await ProjectFolder.make(manyPackages(60))
      const review = new Review(folder, 'out', args)
      const expected = await undisturbed()
      for (const point of points) expect((await killAt(review, point)).signal, point).toBe('SIGKILL')
      expect(await killAt(review, 'never')).toMatchObject({ code: 0 })
      expect(await review.reports()).toEqual(expected)
      expect((await readdir(review.out)).sort()).toEqual(FILES)
    },
    SLOW_MS,
  )

  test(
    `given kills at random (REVIEW_KILLS=${kills} REVIEW_SEED=${seed}), when run until it is done, then the same report each time`,
    async () => {
      const random = seededRandom(seed)
      const places = { examine: 250, append: 16, appended: 16, kept: 10, rename: 3, remove: 4 }
      await using folder = await ProjectFolder.make(manyPackages(60))
      const expected = await undisturbed()
      const begin = (number: number): Review =>
        new Review(folder, `out-${number}`, number % 2 === 0 ? [] : ['--chaos', '0.3', '--seed', String(number)])
      let review = begin(0)
      for (let killed = 0; killed < kills;) {
        const [moment = '', most = 1] = Object.entries(places)[random.int(6)] ?? []
        const ended = await killAt(review, `${moment}:${1 + random.int(most)}`)
        if (ended.signal === 'SIGKILL') killed += 1
        else {
          expect(await review.reports()).toEqual(expected)
          review = begin(killed)
        }
      }
      expect(await killAt(review, 'never')).toMatchObject({ code: 0 })
      expect(await review.reports()).toEqual(expected)
    },
    SLOW_MS + kills * 10_000,
  )
})

describe.concurrent('beside a process', () => {
  test(
    'given a process at a review, when there is a second one, then that is refused with the pid of the first, also with --fresh',
    async () => {
      await using folder = await ProjectFolder.make(manyPackages(20))
      const review = new Review(folder, 'out')
      const owner = Promise.withResolvers<() => void>()
      let pid = 0
      const onStart = (its: number): void => void (pid = its)
      const onLine = (line: string, kill: (signal: NodeJS.Signals) => void): void => {
        if (line === 'at examine:5')
          owner.resolve(() => {
            kill('SIGKILL')
          })
      }
      const first = review.run([], { HANG_AT: 'examine:5' }, { onStart, onLine })
      const kill = await owner.promise
      try {
        const [second, fresh] = await Promise.all([review.run(), review.run(['--fresh'])])
        for (const refused of [second, fresh]) {
          expect(refused).toMatchObject({ code: 2, stderr: '' })
          expect(linesOf(refused)).toMatchObject([{ type: 'failed', code: 'JOURNAL_LOCKED' }])
          expect(refused.stdout).toContain(`process ${pid} `)
        }
      } finally {
        kill()
      }
      await first
      expect(await review.kept()).not.toEqual([])
      expect(await killAt(review, 'never')).toMatchObject({ code: 0 })
    },
    SLOW_MS,
  )

  test(
    'given a review that was ended by SIGINT, when it is run again, then it goes on',
    async () => {
      await using folder = await ProjectFolder.make(manyPackages(60))
      const review = new Review(folder, 'out')
      const expected = await undisturbed()
      const ended = await review.run([], { INT_AT: 'examine:40' })
      const kept = await review.kept()
      expect([...kept].sort()).toEqual([...(await review.examined())].sort()) // also what was at hand
      expect(linesOf(ended).at(-1)).toMatchObject({ type: 'interrupted', done: kept.length })
      expect(linesOf(await killAt(review, 'never')).at(-1)).toMatchObject({ type: 'finished', resumed: 1 })
      expect(await review.reports()).toEqual(expected)
    },
    SLOW_MS,
  )

  test(
    'given a journal that is damaged, when run, then it says so in a line with a code, and with --fresh it begins anew',
    async () => {
      await using folder = await ProjectFolder.make(manyPackages(20))
      const args = ['--input', folder.root, '--out', folder.outside]
      const journal = path.join(folder.outside, JOURNAL)
      await writeFile(journal, Buffer.alloc(20_000, 'garbage'))
      const ended = await run(args, { cwd: folder.outside })
      expect(ended).toMatchObject({ code: 2, stdout: '' })
      expect(ended.stderr).toMatch(/^dependency-review: .*begin anew, run with --fresh \[JOURNAL_FORMAT\]\n$/)
      expect(await readFile(journal)).toHaveLength(20_000) // nothing was done to it
      expect(await run([...args, '--fresh'], { cwd: folder.outside })).toMatchObject({ code: 0 })
      expect(existsSync(journal)).toBe(false)
    },
    SLOW_MS,
  )
})
