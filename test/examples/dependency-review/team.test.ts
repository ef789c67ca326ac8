import { createRuntime, type Runtime } from 'echelon'
import { memoryJournal, type JournalSource } from 'echelon/journal'
import { afterEach, describe, expect, test, vi } from 'vitest'

import { Disk } from '../../../examples/dependency-review/disk.ts'
import { ReviewError } from '../../../examples/dependency-review/errors.ts'
import { renderMarkdown } from '../../../examples/dependency-review/report/markdown.ts'
import { buildReport, renderJson } from '../../../examples/dependency-review/report/report.ts'
import { crashPoint, MAX_INJECTED_CRASHES, type Chaos } from '../../../examples/dependency-review/team/chaos.ts'
import { LEDGER, ledgerOf } from '../../../examples/dependency-review/team/ledger.ts'
import { ledgerKey, progressTopic, type Outcome } from '../../../examples/dependency-review/team/protocols.ts'
import { surveyOf } from '../../../examples/dependency-review/team/survey.ts'
import { reviewTeam } from '../../../examples/dependency-review/team/team.ts'
import { GPL3, lockfileOf, ProjectFolder, soundPackage, type Content } from './project-folder.ts'
import { reviewQuietly } from './review-quietly.ts'

/** Real time passes, since the disk is real; on a busy machine more than usual. */
const SLOW_MS = 60_000

/** A project of 40 packages with something wrong in many of them. */
function mixedProject(): Record<string, Content> {
  const names = Array.from({ length: 40 }, (_, index) => `node_modules/p${index}`)
  const files: Record<string, Content> = {
    'package.json': {
      name: 'demo',
      license: 'MIT',
      dependencies: Object.fromEntries(names.map((_, index) => [`p${index}`, '1'])),
    },
    'package-lock.json': lockfileOf({
      ...Object.fromEntries(names.map((name) => [name, {}])),
      'node_modules/p1/node_modules/p2': {},
    }),
    ...soundPackage('node_modules/p1/node_modules/p2'),
  }
  for (const [index, name] of names.entries()) {
    if (index === 7) continue // promised, and not installed
    Object.assign(
      files,
      soundPackage(name, {
        license: index % 5 === 0 ? 'GPL-3.0-only' : 'MIT',
        main: index % 6 === 0 ? 'gone.js' : 'index.js',
      }),
    )
    if (index % 4 === 0) files[`${name}/LICENSE`] = GPL3
    if (index === 11) files[`${name}/package.json`] = '{ malformed'
  }
  return files
}

interface Run {
  readonly texts: string
  /** Examinations that were kept when it began. */
  readonly kept: number
  readonly restarts: number
  readonly crashes: number
}

interface Watch {
  readonly journal?: JournalSource
  readonly started?: (runtime: Runtime) => void
}

/** The team's review as both texts of the report, and what it cost. */
async function runTeam(
  disk: Disk,
  { rate, seed }: Chaos,
  { started, journal = memoryJournal() }: Watch = {},
): Promise<Run> {
  await using runtime = await createRuntime({ node: 'test', seed: 1, journal })
  const identity = { program: 'test', project: disk.root, chaos: rate, seed }
  const known = runtime.get(
    ledgerOf(() => surveyOf(disk)),
    LEDGER,
  )
  const { kept } = await known.ask({ type: 'run.begin', identity, seed, drop: null })
  let restarts = 0
  const crashes = new Map<string, number>()
  runtime.on('restarted', () => (restarts += 1))
  runtime.subscribe(progressTopic, (news) => {
    if (news.kind === 'progress') crashes.set(news.concern, news.crashes)
  })
  const team = runtime.spawn(reviewTeam(disk, { rate, seed }), { name: 'review', restart: 'temporary' })
  started?.(runtime)
  const ask = (): Promise<Outcome> => team.ask({ type: 'review.outcome' }, { timeoutMs: 60_000 })
  const outcome = await ask().catch(ask) // once more, for a director that was killed
  await runtime.shutdown()
  if (outcome.kind === 'refused') throw new ReviewError(outcome.code, outcome.message)
  const results = [...outcome.results.values()].flat()
  const report = buildReport(
    outcome.inventory,
    results.map(({ planned, examination }) => ({ path: planned.assignment.entry.path, examination })),
  )
  return {
    texts: renderMarkdown(report) + renderJson(report),
    kept,
    restarts,
    crashes: [...crashes.values()].reduce((a, b) => a + b, 0),
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('chaos', () => {
  test(
    'given calm, when the team reviews, then it finds what a review without a team finds',
    async () => {
      await using folder = await ProjectFolder.make(mixedProject())
      const { texts, restarts } = await runTeam(await Disk.open(folder.root), { rate: 0, seed: 1 })
      const quiet = await reviewQuietly(folder.root)
      expect(texts).toBe(renderMarkdown(quiet) + renderJson(quiet))
      expect(quiet.findings.length).toBeGreaterThan(20)
      expect(restarts).toBe(0)
    },
    SLOW_MS,
  )

  test(
    'given crashes at any rate and seed, when the team reviews, then the report is the calm one, byte by byte',
    async () => {
      await using folder = await ProjectFolder.make(mixedProject())
      const disk = await Disk.open(folder.root)
      const calm = await runTeam(disk, { rate: 0, seed: 1 })
      for (const [rate, seed] of [
        [0.1, 1],
        [0.1, 2],
        [0.5, 3],
        [0.9, 4],
        [0.9, 5],
      ] as const) {
        const chaotic = await runTeam(disk, { rate, seed })
        expect(chaotic.texts, `rate ${rate}, seed ${seed}`).toBe(calm.texts)
        expect(chaotic.restarts, `rate ${rate}, seed ${seed}`).toBeGreaterThan(0)
        expect(chaotic.restarts).toBe(chaotic.crashes)
      }
    },
    SLOW_MS,
  )

  test(
    'given the same seed, when run again, then the same number of restarts; given another, another',
    async () => {
      await using folder = await ProjectFolder.make(mixedProject())
      const disk = await Disk.open(folder.root)
      const counts = []
      for (const seed of [7, 7, 8]) counts.push((await runTeam(disk, { rate: 0.5, seed })).restarts)
      expect(counts[0]).toBe(counts[1])
      expect(counts[0]).not.toBe(counts[2])
    },
    SLOW_MS,
  )

  test(
    'given a rate of 1, when the team reviews, then each examination crashes as often as one may, and is done',
    async () => {
      await using folder = await ProjectFolder.make({
        'package.json': { name: 'demo', license: 'MIT' },
        'package-lock.json': lockfileOf({ 'node_modules/a': {} }),
        ...soundPackage('node_modules/a'),
      })
      const disk = await Disk.open(folder.root)
      const { texts, restarts } = await runTeam(disk, { rate: 1, seed: 1 })
      expect(restarts).toBe(3 * MAX_INJECTED_CRASHES)
      expect(texts).toBe((await runTeam(disk, { rate: 0, seed: 1 })).texts)
    },
    SLOW_MS,
  )

  test('given a rate, when points are drawn, then about so many crash, before and after the work', () => {
    const points = Array.from({ length: 4_000 }, (_, index) =>
      crashPoint({ rate: 0.3, seed: 5 }, 'licences', `p${index}`, 1),
    )
    const crashes = points.filter((point) => point !== 'never').length
    expect(crashes).toBeGreaterThan(1_080)
    expect(crashes).toBeLessThan(1_320)
    expect(new Set(points)).toEqual(new Set(['before', 'after', 'never']))
  })
})

describe('faults that nobody injected', () => {
  test(
    'given a package that brings its examiner down each time, when reviewed, then it is given up and named',
    async () => {
      await using folder = await ProjectFolder.make(mixedProject())
      const disk = await Disk.open(folder.root)
      const walk = disk.walk.bind(disk)
      vi.spyOn(disk, 'walk').mockImplementation((path, max) => {
        if (path === 'node_modules/p3') throw new TypeError(`cannot read properties of ${folder.root}`)
        return walk(path, max)
      })
      const { texts, restarts } = await runTeam(disk, { rate: 0, seed: 1 })
      expect(restarts).toBe(3)
      expect(texts).toContain('its examiner failed 3 times at it (TypeError): please report that')
      expect(texts).not.toContain(folder.root)
    },
    SLOW_MS,
  )

  test(
    'given a fault that passes, when reviewed, then nothing of it shows',
    async () => {
      await using folder = await ProjectFolder.make(mixedProject())
      const disk = await Disk.open(folder.root)
      const calm = await runTeam(disk, { rate: 0, seed: 1 })
      let failures = 2
      const walk = disk.walk.bind(disk)
      vi.spyOn(disk, 'walk').mockImplementation((path, max) => {
        if (path === 'node_modules/p3' && failures > 0) {
          failures -= 1
          throw new TypeError('not now')
        }
        return walk(path, max)
      })
      const { texts, restarts } = await runTeam(disk, { rate: 0, seed: 1 })
      expect(restarts).toBe(2)
      expect(texts).toBe(calm.texts)
    },
    SLOW_MS,
  )

  test.each([
    ['an examiner', '/user/review/licences/examiners/examiner-2'],
    ['a coordinator', '/user/review/install-scripts/coordinator'],
    ['the director', '/user/review/director'],
  ])(
    'given a review under way, when %s is killed, then the report is the calm one',
    async (_, path) => {
      await using folder = await ProjectFolder.make(mixedProject())
      const disk = await Disk.open(folder.root)
      const calm = await runTeam(disk, { rate: 0, seed: 1 })
      let killed = false
      const kill = (runtime: Runtime): void => {
        runtime.subscribe(progressTopic, (news) => {
          if (killed || news.kind !== 'progress' || news.done < 5) return
          killed = true
          runtime.ref(path)?.kill()
        })
      }
      const { texts, restarts } = await runTeam(disk, { rate: 0, seed: 1 }, { started: kill })
      expect(killed).toBe(true)
      expect(restarts).toBeGreaterThan(0)
      expect(texts).toBe(calm.texts)
    },
    SLOW_MS,
  )
})

test.each(['director', 'maintenance-and-size/coordinator'])(
  'given examinations that are kept, when the %s is killed, then none of them is done again',
  async (name) => {
    await using folder = await ProjectFolder.make(mixedProject())
    const disk = await Disk.open(folder.root)
    const walks = new Map<string, number>()
    const walk = disk.walk.bind(disk)
    vi.spyOn(disk, 'walk').mockImplementation((path, max) => {
      walks.set(path, (walks.get(path) ?? 0) + 1)
      return walk(path, max)
    })
    let kept: ReadonlyMap<string, unknown> | undefined
    const started = (runtime: Runtime): void => {
      runtime.subscribe(progressTopic, ({ kind }) => {
        if (kind !== 'progress' || kept !== undefined) return
        const [known] = runtime.find(ledgerKey)
        void known?.ask({ type: 'run.kept', concern: 'maintenance-and-size' }).then((answer) => {
          if (kept !== undefined || answer.size === 0) return
          kept = answer
          runtime.ref(`/user/review/${name}`)?.kill()
        })
      })
    }
    const { restarts } = await runTeam(disk, { rate: 0, seed: 1 }, { started })
    expect(restarts).toBeGreaterThan(0)
    expect(kept?.size).toBeGreaterThan(0)
    // p2 is there twice, so it is walked for its copies, too.
    const twice = [...walks].filter(([path, count]) => count > 1 && !path.endsWith('p2')).map(([path]) => path)
    expect(twice.filter((path) => kept?.has(path))).toEqual([])
  },
  SLOW_MS,
)

test('given no project, when the team reviews, then it refuses with the reason', async () => {
  await using folder = await ProjectFolder.make({ 'README.md': 'hello' })
  await expect(runTeam(await Disk.open(folder.root), { rate: 0, seed: 1 })).rejects.toMatchObject({
    code: 'INPUT_NOT_A_PROJECT',
  })
})

test('given no packages, when the team reviews, then it is done at once', async () => {
  await using folder = await ProjectFolder.make({ 'package.json': { name: 'demo' } })
  expect((await runTeam(await Disk.open(folder.root), { rate: 0.9, seed: 1 })).texts).toContain(
    'The project has no packages.',
  )
})

test(
  'given a director that cannot plan, when its supervisor has given up, then the asker is told, and does not wait',
  async () => {
    await using folder = await ProjectFolder.make(mixedProject())
    const disk = await Disk.open(folder.root)
    vi.spyOn(disk, 'presence').mockRejectedValue(new TypeError('no plan'))
    await expect(runTeam(disk, { rate: 0, seed: 1 })).rejects.toMatchObject({ code: 'TARGET_DOWN' })
  },
  SLOW_MS,
)
