import { concerns, type Concern } from '../examine/concern.ts'
import type { Progress } from '../team/protocols.ts'

export interface ConcernProgress {
  readonly done: number
  readonly total: number
  readonly crashes: number
}

/** How far a review is. Times are milliseconds on the runtime's monotonic clock. */
export interface ReviewProgress {
  readonly startMs: number
  /** When the plan was there; undefined before. */
  readonly plannedMs: number | undefined
  readonly packages: number
  /** Examinations that were done when this process began. */
  readonly before: number
  readonly concerns: ReadonlyMap<Concern, ConcernProgress>
  /** Restarts that supervisors did, as the runtime's events tell. */
  readonly restarts: number
}

export function noProgress(startMs: number, before = 0): ReviewProgress {
  return { startMs, plannedMs: undefined, packages: 0, before, concerns: new Map(), restarts: 0 }
}

/** What is known after one more piece of news from the team. */
export function advance(progress: ReviewProgress, news: Progress, nowMs: number): ReviewProgress {
  if (news.kind === 'planned') {
    const planned = concerns.map((name) => {
      const [done = 0, total = 0] = [news.kept.get(name), news.totals.get(name)]
      return [name, { done, total, crashes: 0 }] as const
    })
    return { ...progress, plannedMs: nowMs, packages: news.packages, concerns: new Map(planned) }
  }
  const { concern, done, crashes } = news
  const total = progress.concerns.get(concern)?.total ?? news.total // a coordinator knows its total a moment later
  return { ...progress, concerns: new Map(progress.concerns).set(concern, { done, total, crashes }) }
}

export interface Tally {
  readonly done: number
  readonly total: number
  readonly crashes: number
  readonly elapsedMs: number
  /** An estimate from the pace of this process; undefined while it has done nothing. */
  readonly leftMs: number | undefined
}

export function tally({ startMs, plannedMs, before, concerns: parts }: ReviewProgress, nowMs: number): Tally {
  const all = [...parts.values()]
  const sum = (field: keyof ConcernProgress): number => all.reduce((total, part) => total + part[field], 0)
  const [done, total] = [sum('done'), sum('total')]
  const leftMs =
    plannedMs === undefined || (done <= before && done < total)
      ? undefined
      : done === total
        ? 0
        : ((nowMs - plannedMs) / (done - before)) * (total - done)
  return { done, total, crashes: sum('crashes'), elapsedMs: nowMs - startMs, leftMs }
}
