import type { ReviewProgress } from '../show/progress.ts'
import type { BegunRun } from '../team/protocols.ts'

/** All that may differ from one run to the next, so that the report itself need not. */
export interface RunFacts {
  readonly input: string
  readonly chaos: number
  readonly run: BegunRun
  /** Of the process that wrote it. */
  readonly durationMs: number
  readonly progress: ReviewProgress
}

/** `run.json`: how the review went. */
export function renderRun({ input, chaos, run, durationMs, progress }: RunFacts): string {
  const facts = {
    schema: 'dependency-review-run/1',
    startedAt: new Date(run.startedAtMs).toISOString(),
    input,
    chaos,
    seed: run.seed,
    resumed: run.resumed,
    examinedBefore: run.kept,
    durationMs,
    planningMs: progress.plannedMs === undefined ? null : Math.round(progress.plannedMs - progress.startMs),
    restarts: progress.restarts,
    concerns: Object.fromEntries(progress.concerns),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  }
  return `${JSON.stringify(facts, null, 2)}\n`
}
