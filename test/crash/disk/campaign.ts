import { seededRandom, systemClock } from 'echelon'
import type { Folder } from '../support/folder.ts'
import type { Goal } from '../support/goals.ts'
import { keepCompiled } from '../support/programs.ts'
import { crash, type Crash } from './crash.ts'
import { problemsOf, verdictOf, type Verdict } from './judge.ts'
import { rows, type Call, type Point, type Row } from './points.ts'

/** What a commit is made of. */
const common: readonly Call[] = ['pwrite64', 'write', 'fsync', 'fdatasync']

/** How the points of one row ended. */
export interface Tally {
  readonly row: Row
  readonly verdicts: Map<Verdict, number>
  /** Points after which the next process was refused, with a typed error. */
  refused: number
  problems: number
}

export interface DiskCampaign {
  readonly tallies: readonly Tally[]
  /** Runs in which a call was hit. */
  readonly points: number
  /** How often the workload makes each call when nothing is wrong. */
  readonly calls: ReadonlyMap<Call, number>
  /** Runs after which an effect was found in doubt. */
  readonly doubts: number
  readonly seconds: number
  readonly problems: readonly string[]
}

export interface DiskOptions {
  /** Runs at a time. */
  readonly lanes: number
  /** `all`: every call. `sample`: one or two of most rows, by the seed. */
  readonly which: 'all' | 'sample'
  readonly seed: string
}

/** Runs the workload with a fault at one call after another. */
export async function diskCampaign(folder: Folder, { lanes, which, seed }: DiskOptions): Promise<DiskCampaign> {
  using _compiled = keepCompiled(folder.file('compiled'))
  const beganMs = systemClock.now()
  const problems: string[] = []
  const tallies = rows.map((row): Tally => ({ row, verdicts: new Map(), refused: 0, problems: 0 }))
  let [runs, points, doubts] = [0, 0, 0]

  // The first run also has Node keep what it compiled.
  const reference = await run(undefined)
  if (reference.notes.at(-1)?.kind !== 'acknowledged') problems.push('the workload does not complete without faults')
  const counts = new Map<Call, number>()
  for (const step of reference.steps) if (step.kind === 'call') counts.set(step.call, (counts.get(step.call) ?? 0) + 1)

  const tasks = tallies.flatMap(tasksOf)
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) await task()
    }),
  )
  return { tallies, points, calls: counts, doubts, seconds: (systemClock.now() - beganMs) / 1000, problems }

  function tasksOf(tally: Tally): readonly (() => Promise<unknown>)[] {
    const { row } = tally
    const count = counts.get(row.call) ?? 0
    const hitAt = (nth: number) => () => hit(tally, { ...row, nth })
    if (which === 'all') return [...Array.from({ length: count }, (_, i) => hitAt(i + 1)), () => rest(tally, count + 1)]
    const random = seededRandom(`${seed} ${row.call} ${row.fault} ${row.isSticky}`)
    // Of the calls that there are many of, one while the journal is made and one while it is used.
    if (count === 0 || (row.isSticky && !common.includes(row.call))) return []
    if (!common.includes(row.call)) return [hitAt(1 + random.int(count))]
    const half = Math.floor(count / 2)
    return [hitAt(1 + random.int(half)), hitAt(1 + half + random.int(count - half))]
  }

  /** Goes on from a call that the first run did not make, until the workload completes untouched. */
  async function rest(tally: Tally, from: number): Promise<void> {
    for (let nth = from; (await hit(tally, { ...tally.row, nth })) !== 'untouched';) nth += 1
  }

  async function run(point: Point | undefined): Promise<Crash> {
    runs += 1
    const result = await crash(folder, `run-${runs}`, point)
    problems.push(...problemsOf(result))
    return result
  }

  async function hit(tally: Tally, point: Point): Promise<Verdict> {
    const result = await run(point)
    const verdict = verdictOf(result)
    tally.verdicts.set(verdict, (tally.verdicts.get(verdict) ?? 0) + 1)
    if (verdict !== 'untouched') points += 1
    if (result.found.kind === 'refused') tally.refused += 1
    else if (result.found.inDoubt.length > 0) doubts += 1
    tally.problems += problemsOf(result).length
    return verdict
  }
}

/** One line for each row that has points. */
export function diskTable({ tallies }: DiskCampaign): string {
  const head = ['call', 'fault', 'when', 'points', 'completed', 'gave up', 'killed', 'untouched', 'refused', 'problems']
  const lines = tallies
    .filter(({ verdicts }) => verdicts.size > 0)
    .map(({ row, verdicts, refused, problems }) => {
      const of = (verdict: Verdict): number => verdicts.get(verdict) ?? 0
      const hits = of('completed') + of('gave up') + of('killed')
      const when = row.fault === 'kill' ? 'then' : row.isSticky ? 'from then on' : 'once'
      const figures = [hits, of('completed'), of('gave up'), of('killed'), of('untouched'), refused, problems]
      return [row.call, row.fault, when, ...figures.map(String)]
    })
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)))
  return [head, ...lines]
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function diskGoals({ points, doubts, problems, seconds }: DiskCampaign, isWhole: boolean): readonly Goal[] {
  return [
    { goal: 'points at which a call was hit', value: points, atLeast: isWhole ? 400 : 20 },
    { goal: 'things that should not have happened', value: problems.length, atMost: 0 },
    ...(isWhole
      ? [
          { goal: 'runs that left an effect in doubt', value: doubts, atLeast: 1 },
          { goal: 'time', value: seconds, unit: 's', atMost: 1200 },
        ]
      : []),
  ]
}
