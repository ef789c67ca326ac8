import { cp, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { seededRandom, systemClock } from 'echelon'
import { sqliteJournal } from 'echelon/journal'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'

import { linesOf, run, type Ended } from './program.ts'
import { GPL3, lockfileOf, ProjectFolder, soundPackage, type Content } from './project-folder.ts'

/** Starting a process takes a second or more on a busy machine; nothing here waits for time to pass. */
const SLOW_MS = 60_000
const REPORTS = ['dependency-review.json', 'dependency-review.md'] as const
const JOURNAL = '.dependency-review.journal'

/** `REVIEW_KILLS=300 REVIEW_SEED=7`: so many random kills, the same as then. */
const kills = Number(process.env['REVIEW_KILLS'] ?? 4)
const seed = Number(process.env['REVIEW_SEED'] ?? Math.floor(performance.timeOrigin) % 100_000)

async function demo(packages = 60): Promise<ProjectFolder> {
  const names = Array.from({ length: packages }, (_, index) => `node_modules/p${index}`)
  const files = names.map((name, index): Record<string, Content> => {
    const license = index % 5 === 0 ? 'GPL-3.0-only' : 'MIT'
    return { ...soundPackage(name, { license }), ...(index % 4 === 0 ? { [`${name}/LICENSE`]: GPL3 } : {}) }
  })
  const second = 'node_modules/p1/node_modules/p2'
  return ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': lockfileOf(Object.fromEntries([...names, second].map((name) => [name, {}]))),
    ...Object.assign({}, soundPackage(second), ...files),
  })
}

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

  /** A copy of it as it is now, on disk. */
  async copy(name: string, args: readonly string[] = []): Promise<Review> {
    const copy = new Review(this.#folder, name, args)
    await cp(this.out, copy.out, { recursive: true })
    return copy
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

const started = (ended: Ended): object => linesOf(ended)[0] ?? {}

/** What nobody disturbs. */
async function undisturbed(folder: ProjectFolder): Promise<readonly string[]> {
  const review = new Review(folder, 'undisturbed')
  expect(await review.run()).toMatchObject({ code: 0, stderr: '' })
  expect((await readdir(review.out)).sort()).toEqual([...REPORTS, 'run.json'])
  return review.reports()
}

describe('kill -9', () => {
  test.each([
    ['calm', [], ['append:2', 'kept:1', 'append:5', 'appended:4', 'rename:2', 'remove:1', 'kept:3', 'remove:4']],
    ['chaos', ['--chaos', '0.4', '--seed', '3'], ['appended:1', 'append:4', 'kept:2', 'rename:1', 'rename:3']],
  ] as const)(
    'given a review that is killed at point after point (%s), when it is run again, then it goes on, and its report is the same',
    async (_, args, points) => {
      await using folder = await demo()
      const review = new Review(folder, 'out', args)
      const expected = undisturbed(folder)
      let known: readonly string[] = []
      for (const point of points) {
        const before = await review.examined()
        const ended = await review.run([], { DIE_AT: point })
        const since = (await review.examined()).slice(before.length)
        expect(ended.signal, `${point}: ${ended.stderr}`).toBe('SIGKILL')
        if (ended.stdout !== '') expect(started(ended)).toMatchObject({ examinedBefore: known.length })
        expect(
          since.filter((one) => known.includes(one)),
          point,
        ).toEqual([])
        known = await review.kept()
      }
      const before = await review.examined()
      const last = await review.run()
      expect(last).toMatchObject({ code: 0, stderr: '' })
      expect((await review.examined()).slice(before.length).filter((one) => known.includes(one))).toEqual([])
      expect(await review.reports()).toEqual(await expected)
      expect((await readdir(review.out)).sort()).toEqual([...REPORTS, 'run.json'])
    },
    SLOW_MS,
  )
})
