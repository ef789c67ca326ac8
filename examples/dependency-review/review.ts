import path from 'node:path'
import { errors, type AnyRef, type Clock, type RefOf, type Runtime } from 'echelon'

import type { Options } from './command-line.ts'
import type { Disk } from './disk.ts'
import { ReviewError } from './errors.ts'
import { renderMarkdown } from './report/markdown.ts'
import { buildReport, renderJson, type ReviewReport } from './report/report.ts'
import { renderRun } from './report/run.ts'
import type { ReportFolder } from './report/write.ts'
import { changeSince } from './resume/changes.ts'
import { identityOf, type Identity } from './resume/identity.ts'
import { causeOf, type ReviewJournal } from './resume/journal.ts'
import type { Display } from './show/display.ts'
import { advance, noProgress, tally, type ReviewProgress } from './show/progress.ts'
import { LEDGER, ledgerOf } from './team/ledger.ts'
import { progressTopic, type BegunRun, type LedgerRef, type Outcome, type Survey } from './team/protocols.ts'
import { surveyOf } from './team/survey.ts'
import { reviewTeam } from './team/team.ts'

export const FILES = ['dependency-review.md', 'dependency-review.json', 'run.json'] as const

/** How often the outcome is asked for, should the director crash meanwhile: more than its supervisor restarts it. */
const MAX_ASKS = 3

export interface ReviewJob {
  readonly options: Options
  /** For a run that is new. */
  readonly seed: number
  readonly disk: Disk
  readonly folder: ReportFolder
  readonly journal: ReviewJournal
  /** A runtime with that journal. It is shut down at the end. */
  readonly opening: Promise<Runtime>
  readonly display: Display
  readonly clock: Clock
  /** Aborted by an interrupt; the reason is the signal's name. */
  readonly interrupt: AbortSignal
}

/**
 * Does a whole review, or what is left of one: runs the team, then writes what it found, all files together. Interrupted
 * before it is through, in whatever way, it has written nothing, and the next one goes on where it was.
 * @throws {ReviewError} for a project, a folder or a journal that cannot be used; and whatever made the team give up.
 */
export async function review(job: ReviewJob): Promise<void> {
  try {
    await reviewWith(job)
  } catch (error) {
    throw job.journal.explain(error)
  }
}

async function reviewWith(job: ReviewJob): Promise<void> {
  const { options, disk, folder, journal, display, clock, interrupt } = job
  const { input, chaos } = options
  const startMs = clock.now()
  // Read while the journal opens: what is there now.
  const [survey, identity] = [surveyOf(disk), identityOf(disk, options)]
  for (const reading of [survey, identity]) reading.catch(() => undefined) // told to whoever waits for it
  await using runtime = await opened(job, survey)
  const known = runtime.get(
    ledgerOf(() => survey),
    LEDGER,
  )
  const run = await begin(known, await identity, survey, job)
  display.started({ input, out: folder.path, chaos, run })
  const progress = watch(runtime, display, noProgress(startMs, run.kept))
  const tree = reviewTeam(disk, { rate: chaos, seed: run.seed })
  const team = runtime.spawn(tree, { name: 'review', restart: 'temporary' })
  const outcome = await Promise.race([outcomeOf(team, interrupt), endOf(known, team)])
  if (outcome === undefined) {
    team.tell({ type: 'review.cancel' })
    await runtime.shutdown() // what is at hand comes in before the progress is read
    const { done, total } = tally(progress(), clock.now())
    display.interrupted({ signal: String(interrupt.reason), notWritten: FILES, done, total })
    return
  }
  if (outcome.kind === 'refused') {
    await end(runtime, known, journal)
    throw refusal(input, outcome)
  }
  const report = reportOf(outcome)
  const durationMs = Math.round(clock.now() - startMs)
  const facts = renderRun({ input, chaos, run, durationMs, progress: progress() })
  const texts = [renderMarkdown(report), renderJson(report), facts]
  await folder.write(new Map(FILES.map((name, index) => [name, texts[index] ?? ''])))
  await end(runtime, known, journal)
  const files = FILES.map((name) => path.join(folder.path, name))
  display.finished({ files, summary: report.summary, restarts: progress().restarts, durationMs, run })
}

/** The runtime with its journal. What is wrong with the project is said first, also while another review has the journal. */
async function opened({ opening, options }: ReviewJob, survey: Promise<Survey>): Promise<Runtime> {
  try {
    return await opening
  } catch (error) {
    const found = await survey
    throw found.kind === 'refused' ? refusal(options.input, found) : error
  }
}

const refusal = (input: string, { code, message }: Extract<Survey, { readonly kind: 'refused' }>): ReviewError =>
  new ReviewError(code, `${input} cannot be reviewed: ${message}`)

/** Begins a run, or goes on with the unfinished one: unless what it examined has changed since. */
async function begin(
  known: LedgerRef,
  identity: Identity,
  survey: Promise<Survey>,
  { disk, seed }: ReviewJob,
): Promise<BegunRun> {
  const ask = (drop: string | null): Promise<BegunRun> =>
    known.ask({ type: 'run.begin', identity, seed, drop }, { timeoutMs: Infinity })
  const run = await ask(null)
  if (run.kept === 0) return run
  const then = await known.ask({ type: 'run.survey' }, { timeoutMs: Infinity })
  const change = await changeSince(disk, then, await survey, run.startedAtMs)
  return change === null ? run : ask(change)
}

/** There is nothing to go on with any more. That is on disk before the journal goes: one that is left is a finished one. */
async function end(runtime: Runtime, known: LedgerRef, journal: ReviewJournal): Promise<void> {
  await known.tell({ type: 'run.end' }, { durable: true })
  await runtime.shutdown()
  await journal.remove()
}

/** Shows how far the team is, from `first` on. The result says how far. */
function watch(runtime: Runtime, display: Display, first: ReviewProgress): () => ReviewProgress {
  const { clock } = runtime
  let progress = first
  const show = (next: ReviewProgress): void => {
    progress = next
    display.progress(progress, clock.now())
  }
  runtime.subscribe(progressTopic, (news) => {
    show(advance(progress, news, clock.now()))
  })
  runtime.on('restarted', () => {
    show({ ...progress, restarts: progress.restarts + 1 })
  })
  return () => progress
}

function reportOf({ inventory, results }: Extract<Outcome, { readonly kind: 'reviewed' }>): ReviewReport {
  const done = [...results.values()].flat()
  return buildReport(
    inventory,
    done.map(({ planned, examination }) => ({ path: planned.assignment.entry.path, examination })),
  )
}

/** Rejects when the ledger ends, with the reason, and ends the team: what it found would not be kept. */
function endOf(known: LedgerRef, team: AnyRef): Promise<never> {
  return new Promise((_, reject) => {
    known.watch(({ reason }) => {
      team.kill()
      reject(causeOf(reason) ?? new Error(`the ledger has ended: ${reason.kind}`))
    })
  })
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
