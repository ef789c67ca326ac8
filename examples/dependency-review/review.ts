import { stat } from 'node:fs/promises'
import path from 'node:path'
import { createRuntime, errors, type Clock, type RefOf } from 'echelon'

import type { Options } from './command-line.ts'
import { Disk } from './disk.ts'
import { ReviewError } from './errors.ts'
import { renderMarkdown } from './report/markdown.ts'
import { buildReport, renderJson } from './report/report.ts'
import { renderRun } from './report/run.ts'
import type { ReportFolder } from './report/write.ts'
import type { Display } from './show/display.ts'
import { advance, noProgress, tally, type ReviewProgress } from './show/progress.ts'
import { progressTopic, type Outcome } from './team/protocols.ts'
import { reviewTeam } from './team/team.ts'

export const FILES = ['dependency-review.md', 'dependency-review.json', 'run.json'] as const

/** How long the examinations at hand may take to finish when the review is interrupted. */
const DRAIN_MS = 5_000

/** How often the outcome is asked for, should the director crash meanwhile: more than its supervisor restarts it. */
const MAX_ASKS = 3

export interface ReviewJob {
  readonly options: Options
  readonly seed: number
  readonly folder: ReportFolder
  readonly display: Display
  readonly clock: Clock
  /** Aborted by an interrupt; the reason is the signal's name. */
  readonly interrupt: AbortSignal
}

/**
 * Does a whole review: runs the team, then writes what it found, all files together. Interrupted before it is through,
 * it writes nothing.
 * @throws {ReviewError} for a project that cannot be used and a folder that cannot be written to; and whatever made the
 * team give up.
 */
export async function review(job: ReviewJob): Promise<void> {
  const { options, seed, folder, display, clock, interrupt } = job
  const { input, chaos } = options
  const disk = await openProject(input)
  const startedAtMs = clock.wallNow()
  display.started({ input, out: folder.path, chaos, seed })
  const { outcome, progress } = await runTeam(disk, job)
  if (outcome === undefined) {
    const { done, total } = tally(progress, clock.now())
    display.interrupted({ signal: String(interrupt.reason), notWritten: FILES, done, total })
    return
  }
  if (outcome.kind === 'refused') {
    throw new ReviewError(outcome.error.code, `${input} cannot be reviewed: ${outcome.error.message}`)
  }
  const results = [...outcome.results.values()].flat()
  const report = buildReport(
    outcome.inventory,
    results.map(({ planned, examination }) => ({ path: planned.assignment.entry.path, examination })),
  )
  const texts = { 'dependency-review.md': renderMarkdown(report), 'dependency-review.json': renderJson(report) }
  const durationMs = Math.round(clock.now() - progress.startMs)
  const run = renderRun({ input, chaos, seed, startedAtMs, durationMs, progress })
  await folder.write(new Map(Object.entries({ ...texts, 'run.json': run })))
  const files = FILES.map((name) => path.join(folder.path, name))
  display.finished({ files, summary: report.summary, restarts: progress.restarts, durationMs })
}

/** Runs the team to its end, or, when interrupted, until what is at hand is finished: then there is no outcome. */
async function runTeam(disk: Disk, { options: { chaos }, seed, display, clock, interrupt }: ReviewJob) {
  let progress = noProgress(clock.now())
  const show = (next: ReviewProgress): void => {
    progress = next
    display.progress(progress, clock.now())
  }
  await using runtime = await createRuntime({ node: 'review', clock, seed, shutdownMs: DRAIN_MS })
  runtime.subscribe(progressTopic, (news) => {
    show(advance(progress, news, clock.now()))
  })
  runtime.on('restarted', () => {
    show({ ...progress, restarts: progress.restarts + 1 })
  })
  const team = runtime.spawn(reviewTeam(disk, { rate: chaos, seed }), { name: 'review', restart: 'temporary' })
  const outcome = await outcomeOf(team, interrupt)
  if (outcome === undefined) team.tell({ type: 'review.cancel' })
  await runtime.shutdown() // the last restarts and results come in before the progress is read
  return { outcome, progress }
}

/** @throws {ReviewError} `INPUT_MISSING`, `INPUT_NOT_A_FOLDER`, `INPUT_UNREADABLE`. */
async function openProject(input: string): Promise<Disk> {
  try {
    if (!(await stat(input)).isDirectory()) {
      throw new ReviewError(
        'INPUT_NOT_A_FOLDER',
        `--input ${input} is not a folder: give the folder that has the package.json`,
      )
    }
    return await Disk.open(input)
  } catch (error) {
    if (error instanceof ReviewError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new ReviewError('INPUT_MISSING', `--input ${input} does not exist`, { cause: error })
    throw new ReviewError('INPUT_UNREADABLE', `--input ${input} cannot be read (${code})`, { cause: error })
  }
}

/** What the director answers; undefined when `interrupt` came first. A director that crashed and is back is asked again. */
async function outcomeOf(
  team: RefOf<ReturnType<typeof reviewTeam>>,
  interrupt: AbortSignal,
): Promise<Outcome | undefined> {
  for (let asks = 1; ; asks += 1) {
    try {
      return await team.ask({ type: 'review.outcome' }, { timeoutMs: Infinity, signal: interrupt })
    } catch (error) {
      if (interrupt.aborted) return undefined
      if (!(error instanceof errors.TargetDownError) || asks === MAX_ASKS) throw error
    }
  }
}
