import { appendFile, chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createRuntime, systemClock } from 'echelon'
import { JournalFullError, memoryJournal } from 'echelon/journal'
import { describe, expect, test } from 'vitest'

import { readCommandLine } from '../../../examples/dependency-review/command-line.ts'
import { Disk, openProject } from '../../../examples/dependency-review/disk.ts'
import { renderMarkdown } from '../../../examples/dependency-review/report/markdown.ts'
import { renderJson } from '../../../examples/dependency-review/report/report.ts'
import { ReportFolder } from '../../../examples/dependency-review/report/write.ts'
import { changeSince, TICK_MS } from '../../../examples/dependency-review/resume/changes.ts'
import { differenceBetween } from '../../../examples/dependency-review/resume/identity.ts'
import { ReviewJournal } from '../../../examples/dependency-review/resume/journal.ts'
import { review, type ReviewJob } from '../../../examples/dependency-review/review.ts'
import type { Interrupted, Started } from '../../../examples/dependency-review/show/display.ts'
import { surveyOf } from '../../../examples/dependency-review/team/survey.ts'
import { tally } from '../../../examples/dependency-review/show/progress.ts'
import { reviewQuietly } from './review-quietly.ts'
import { lockfileOf, manyPackages, ProjectFolder, soundPackage } from './project-folder.ts'

/** Real time passes, since the disk is real; on a busy machine more than usual. */
const SLOW_MS = 60_000

interface Seen {
  readonly started: Started | undefined
  readonly interrupted: Interrupted | undefined
  readonly isFinished: boolean
}

interface Disturbance {
  /** Interrupts it as soon as so many examinations are kept. */
  readonly after?: number
  readonly opening?: ReviewJob['opening']
}

/** Runs a review in this process. */
async function runHere(
  args: readonly string[],
  cwd: string,
  { after = Infinity, opening }: Disturbance = {},
): Promise<Seen> {
  const options = readCommandLine(args, cwd)
  const disk = await openProject(options.input)
  const folder = await ReportFolder.open(options.out)
  const journal = new ReviewJournal(folder.path, options.journal)
  const interrupt = new AbortController()
  const seen: { started?: Started; interrupted?: Interrupted; isFinished: boolean } = { isFinished: false }
  await review({
    ...{ options, disk, folder, journal, clock: systemClock },
    seed: options.seed ?? 77,
    opening: opening ?? journal.open(systemClock, 1, options.fresh),
    interrupt: interrupt.signal,
    display: {
      started: (started) => (seen.started = started),
      progress: (progress) => {
        if (tally(progress, 0).done >= after) interrupt.abort('SIGINT')
      },
      interrupted: (interrupted) => (seen.interrupted = interrupted),
      finished: () => (seen.isFinished = true),
      failed: () => undefined,
    },
  })
  return { started: seen.started, interrupted: seen.interrupted, isFinished: seen.isFinished }
}

const reports = (folder: string): Promise<readonly string[]> =>
  Promise.all(
    ['dependency-review.md', 'dependency-review.json'].map((name) => readFile(path.join(folder, name), 'utf8')),
  )

/** What the reports have to be: from the same disk, without team and journal. */
async function expectedReports(project: string): Promise<readonly string[]> {
  const report = await reviewQuietly(project)
  return [renderMarkdown(report), renderJson(report)]
}

/** A time after all that was done so far, and before all that will be done. */
async function betweenNowAndThen(folder: string, ms = 0): Promise<number> {
  const scratch = path.join(folder, 'scratch')
  const touch = async (): Promise<number> => {
    await writeFile(scratch, '')
    return (await stat(scratch)).ctimeMs
  }
  const nowMs = await touch()
  while ((await touch()) <= nowMs + ms);
  await rm(scratch)
  return nowMs
}

/** A project of many packages. */
async function manyPackagesOfOld(count: number): Promise<ProjectFolder> {
  const folder = await ProjectFolder.make(manyPackages(count))
  await betweenNowAndThen(folder.outside, TICK_MS)
  return folder
}

/** A project, and an unfinished review of it in a journal that lasts as long as this process. */
async function unfinished(args: readonly string[] = []) {
  const folder = await manyPackagesOfOld(60)
  const out = path.join(folder.outside, 'out')
  const all = ['--input', folder.root, '--out', out, ...args]
  const journal = memoryJournal()
  const again = (given: readonly string[], cwd: string, after?: number): Promise<Seen> =>
    runHere(given, cwd, { opening: createRuntime({ journal }), ...(after === undefined ? {} : { after }) })
  const { interrupted } = await again(all, folder.outside, 1)
  const kept = interrupted?.done ?? 0
  expect(kept).toBeGreaterThan(0)
  return { folder, kept, out, args: all, again }
}

const LOCKFILE = 'package.json, the lockfile or what is installed has changed since'

describe('an unfinished review', () => {
  test.each<readonly [string, (project: string) => Promise<void>]>([
    ['nothing has changed', () => Promise.resolve()],
    ['something else in the project has changed', (project) => writeFile(path.join(project, 'notes.txt'), 'x')],
    ['a tool keeps its things in node_modules', (project) => mkdir(path.join(project, 'node_modules/.cache'))],
  ])(
    'given that %s, when run again, then it goes on, and the report is that of an undisturbed one',
    async (_, change) => {
      const { folder, kept, out, args, again } = await unfinished()
      await using _folder = folder
      await change(folder.root)
      const { started, isFinished } = await again(args, folder.outside)
      expect(isFinished).toBe(true)
      expect(started?.run).toMatchObject({ kept, resumed: 1, dropped: null, seed: 77 })
      expect(JSON.parse(await readFile(path.join(out, 'run.json'), 'utf8'))).toMatchObject({
        resumed: 1,
        examinedBefore: kept,
      })
      expect(await reports(out)).toEqual(await expectedReports(folder.root))
    },
    SLOW_MS,
  )

  test.each<readonly [string, (project: string) => Promise<void>, string]>([
    ['package.json', (project) => writeFile(path.join(project, 'package.json'), '{"name":"other"}'), LOCKFILE],
    [
      'the lockfile',
      (project) =>
        writeFile(path.join(project, 'package-lock.json'), JSON.stringify(lockfileOf({ 'node_modules/p1': {} }))),
      LOCKFILE,
    ],
    ['what is installed', (project) => mkdir(path.join(project, 'node_modules/new')), LOCKFILE],
    [
      'a file of a package',
      (project) => appendFile(path.join(project, 'node_modules/p3/LICENSE'), ' '),
      '`node_modules/p3/LICENSE` has changed since',
    ],
    [
      'the files that a package has',
      (project) => rm(path.join(project, 'node_modules/p3/README.md')),
      '`node_modules/p3` has changed since',
    ],
  ])(
    'given that %s has changed, when run again, then it begins anew and says why, and reports what is there now',
    async (_, change, reason) => {
      const { folder, kept, out, args, again } = await unfinished()
      await using _folder = folder
      await change(folder.root)
      const { started } = await again(args, folder.outside)
      expect(started?.run).toMatchObject({ kept: 0, resumed: 0, dropped: { reason, kept } })
      expect(await reports(out)).toEqual(await expectedReports(folder.root))
    },
    SLOW_MS,
  )

  test.each<readonly [readonly string[], readonly string[], unknown]>([
    [['--chaos', '0.2', '--seed', '4'], ['--chaos', '0.2', '--seed', '4'], undefined],
    [['--chaos', '0.2'], ['--chaos', '0.2'], undefined],
    [['--chaos', '0.2'], [], 'it ran with --chaos 0.2'],
    [['--seed', '4'], ['--seed', '5'], 'it ran with --seed 4'],
    [[], ['--seed', '5'], 'it ran without a given --seed'],
    [[], ['--input', '.'], expect.stringMatching(/^it was of .*project$/)],
  ])(
    'given a review with %j, when run again with %j, then it goes on with the same options only',
    async (before, now, reason) => {
      const { folder, kept, args, again } = await unfinished(before)
      await using _folder = folder
      const other = path.join(folder.outside, 'other')
      await mkdir(other)
      await writeFile(path.join(other, 'package.json'), '{}')
      const { started } = await again([...args.slice(0, 4), ...now], other)
      expect(started?.run).toMatchObject(
        reason === undefined
          ? { kept, resumed: 1, dropped: null, seed: before.includes('--seed') ? 4 : 77 }
          : { kept: 0, dropped: { reason, kept } },
      )
    },
    SLOW_MS,
  )

  test(
    'given one, when run with --fresh, then it begins anew, and leaves nothing but the reports',
    async () => {
      await using folder = await manyPackagesOfOld(20)
      const out = path.join(folder.outside, 'out')
      const args = ['--input', folder.root, '--out', out]
      const { interrupted } = await runHere(args, folder.outside, { after: 1 })
      expect(interrupted?.done).toBeGreaterThan(0)
      const { started } = await runHere([...args, '--fresh'], folder.outside)
      expect(started?.run).toMatchObject({ kept: 0, resumed: 0, dropped: null })
      expect(await readdir(out)).toHaveLength(3)
    },
    SLOW_MS,
  )

  test(
    'given one that is done but for its files, when its folder can be written again, then nothing is examined again',
    async () => {
      await using folder = await manyPackagesOfOld(20)
      const out = path.join(folder.outside, 'out')
      const args = ['--input', folder.root, '--out', out]
      await mkdir(path.join(out, 'run.json'), { recursive: true }) // in the way
      await expect(runHere(args, folder.outside)).rejects.toMatchObject({ code: 'OUTPUT_FAILED', exitCode: 1 })
      await rm(path.join(out, 'run.json'), { recursive: true })
      const { started } = await runHere(args, folder.outside)
      expect(started?.run).toMatchObject({ kept: 64, resumed: 1 })
      expect(await readdir(out)).toHaveLength(3)
    },
    SLOW_MS,
  )
})

test(
  'given a finished review, when run again, then it is a new one',
  async () => {
    await using folder = await ProjectFolder.make(manyPackages(5))
    const args = ['--journal', path.join(folder.outside, 'journal')]
    for (let times = 0; times < 2; times += 1) {
      const { started, isFinished } = await runHere(args, folder.root)
      expect([isFinished, started?.run.kept, started?.run.resumed]).toEqual([true, 0, 0])
    }
    expect(await readdir(folder.outside)).toEqual(['project'])
  },
  SLOW_MS,
)

test('given a journal that is full, when a review is under way, then it ends with that, and can go on later', async () => {
  await using folder = await manyPackagesOfOld(20)
  let left = 5
  const beforeCommit = (): void => {
    if ((left -= 1) < 0) throw new JournalFullError('memory')
  }
  const journal = memoryJournal({ beforeCommit })
  const open = () => createRuntime({ journal })
  await expect(runHere([], folder.root, { opening: open() })).rejects.toMatchObject({
    code: 'JOURNAL_FULL',
    exitCode: 1,
    message: expect.stringMatching(/To go on where it was, run it again$/) as unknown,
  })
  left = Infinity
  const { started, isFinished } = await runHere([], folder.root, { opening: open() })
  expect(isFinished).toBe(true)
  expect(started?.run.resumed).toBe(1)
})

test('given two runs, when compared, then each part of what they are tells them apart', () => {
  const one = { program: 'a', project: '/p', chaos: 0, seed: null }
  expect(differenceBetween(one, { ...one })).toBeNull()
  expect(differenceBetween(one, { ...one, program: 'b' })).toBe('the program has changed since')
  expect(differenceBetween(one, { ...one, project: '/q' })).toBe('it was of /p')
  expect(differenceBetween(one, { ...one, chaos: 1 })).toBe('it ran with --chaos 0')
  expect(differenceBetween(one, { ...one, seed: 1 })).toBe('it ran without a given --seed')
})

describe('changes', () => {
  test.each<readonly [string, (project: ProjectFolder) => Promise<void>, string | null]>([
    ['nothing', () => Promise.resolve(), null],
    [
      'permissions',
      ({ root }) => chmod(path.join(root, 'node_modules/a/index.js'), 0o600),
      '`node_modules/a/index.js`',
    ],
    [
      'a nested package',
      (project) => project.put('node_modules/a/node_modules/b/x.js', ''),
      '`node_modules/a/node_modules/b`',
    ],
    ['what a link leads to', ({ root }) => appendFile(path.join(root, 'shared.txt'), 'x'), '`node_modules/a/link.txt`'],
    [
      'a package that has gone',
      ({ root }) => rm(path.join(root, 'node_modules/a'), { recursive: true }),
      '`node_modules/a`',
    ],
    ['a file of the project', (project) => project.put('other.txt', ''), null],
  ])('given %s, when looked for, then it is found where it counts', async (_, change, found) => {
    await using project = await ProjectFolder.make({
      'package.json': { name: 'demo' },
      'package-lock.json': lockfileOf({
        'node_modules/a': {},
        'node_modules/a/node_modules/b': {},
        'node_modules/gone': { optional: true },
      }),
      ...soundPackage('node_modules/a'),
      ...soundPackage('node_modules/a/node_modules/b'),
      'shared.txt': 'x',
      'node_modules/a/link.txt': { link: '../../shared.txt' },
    })
    const disk = await Disk.open(project.root)
    const then = await surveyOf(disk)
    const sinceMs = await betweenNowAndThen(project.outside)
    expect(await changeSince(disk, then, await surveyOf(disk), sinceMs + TICK_MS)).toBeNull()
    await change(project)
    const changed = await changeSince(disk, then, await surveyOf(disk), sinceMs + TICK_MS)
    expect(changed).toBe(found === null ? null : `${found} has changed since`)
  })
})
