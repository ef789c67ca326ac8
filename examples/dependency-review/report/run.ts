import type { ReviewProgress } from '../show/progress.ts'

/** All that may differ from one run to the next, so that the report itself need not. */
export interface RunFacts {
  readonly input: string
  readonly chaos: number
  readonly seed: number
  /** Epoch milliseconds. */
  readonly startedAtMs: number
  readonly durationMs: number
  readonly progress: ReviewProgress
}

/** `run.json`: how the review went. */
export function renderRun({ startedAtMs, progress, ...facts }: RunFacts): string {
  const run = {
    schema: 'dependency-review-run/1',
    startedAt: new Date(startedAtMs).toISOString(),
    ...facts,
    planningMs: progress.plannedMs === undefined ? null : Math.round(progress.plannedMs - progress.startMs),
    restarts: progress.restarts,
    concerns: Object.fromEntries(progress.concerns),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  }
  return `${JSON.stringify(run, null, 2)}\n`
}
