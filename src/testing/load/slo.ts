import { DefinitionInvalidError } from '../../core/errors.ts'
import type { CurvePoint } from './curve.ts'
import type { LatencyFigures } from './latencies.ts'
import type { Outcome } from './outcome.ts'

/** What a load test has to show: bounds, all of which must hold. At least one. */
export interface Slo {
  /** Bounds on latency, from when a request was due to its answer, in milliseconds. What expired counts as its deadline. */
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly p999Ms?: number
  /** The greatest fraction of what was offered that may go without an answer, for whatever reason. */
  readonly errorRate?: number
  /** The least fraction of what was offered that must be answered within `withinMs`. */
  readonly goodput?: number
  /** An answer counts for goodput when it comes within this. Default: `p999Ms`, or `p99Ms`, or the deadline. */
  readonly withinMs?: number
  /**
   * From the end of a spike until goodput is back for good: until the first point of the curve from which on each point
   * has at least `recoveredGoodput`. The curve's points are the resolution.
   */
  readonly recoverWithinMs?: number
  /** Default 0.99. */
  readonly recoveredGoodput?: number
  /** When what the system has to recover from is over, in milliseconds from the start. Default: as the plan says. */
  readonly recoverFromMs?: number
}

export type SloClauseName = 'p50Ms' | 'p99Ms' | 'p999Ms' | 'errorRate' | 'goodput' | 'recoverWithinMs'

/** One bound and what was measured. */
export interface SloClause {
  readonly clause: SloClauseName
  /** `undefined` when there was nothing to measure, or when the system never recovered: the clause does not hold then. */
  readonly value: number | undefined
  readonly bound: number
  readonly holds: boolean
}

/** What clauses are judged by. */
export interface Measured {
  readonly total: Readonly<Record<Outcome | 'offered', number>>
  readonly latency: LatencyFigures
  readonly curve: readonly CurvePoint[]
  readonly calmFromMs: number
}

const measures: Readonly<Record<SloClauseName, (measured: Measured, slo: Slo) => number | undefined>> = {
  p50Ms: ({ latency }) => (latency.count === 0 ? undefined : latency.p50Ms),
  p99Ms: ({ latency }) => (latency.count === 0 ? undefined : latency.p99Ms),
  p999Ms: ({ latency }) => (latency.count === 0 ? undefined : latency.p999Ms),
  errorRate: ({ total }) =>
    total.offered === 0 ? undefined : (total.offered - total.good - total.late) / total.offered,
  goodput: ({ total }) => (total.offered === 0 ? undefined : total.good / total.offered),
  recoverWithinMs: ({ curve, calmFromMs }, { recoveredGoodput = 0.99 }) =>
    recoveryMs(curve, calmFromMs, recoveredGoodput),
}

// The keys of an object literal are exactly its type's keys.
const clauseNames = Object.keys(measures) as readonly SloClauseName[]

/** Each bound of `slo` with what was measured, in a fixed order. */
export function judge(slo: Slo, measured: Measured): readonly SloClause[] {
  return clauseNames.flatMap((clause) => {
    const bound = slo[clause]
    if (bound === undefined) return []
    const value = measures[clause](measured, slo)
    const holds = value !== undefined && (clause === 'goodput' ? value >= bound : value <= bound)
    return [{ clause, value, bound, holds }]
  })
}

/**
 * From `calmFromMs` to the first point from which on all are recovered; 0 when it never was otherwise, `undefined` when the
 * last point is not, or when no request arrived after calm. Points in which nothing arrived say nothing.
 */
function recoveryMs(curve: readonly CurvePoint[], calmFromMs: number, recoveredGoodput: number): number | undefined {
  const after = curve.filter(({ toMs, offered }) => toMs > calmFromMs && offered > 0)
  const lastBad = after.findLastIndex(({ good, offered }) => good / offered < recoveredGoodput)
  const back = after[lastBad + 1]
  return back === undefined ? undefined : Math.max(0, back.fromMs - calmFromMs)
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` when a bound can never hold, or always does. */
export function checkSlo(slo: Slo, where: string, calmFromMs: number | undefined, durationMs: number): void {
  const refuse = (problem: string): never => {
    throw new DefinitionInvalidError(`${where}.slo`, problem)
  }
  if (clauseNames.every((clause) => slo[clause] === undefined))
    refuse(`has no bound: give at least one of ${clauseNames.join(', ')}`)
  for (const name of ['p50Ms', 'p99Ms', 'p999Ms', 'withinMs', 'recoverWithinMs'] as const) {
    const value = slo[name]
    if (value !== undefined && !(value > 0 && value < Infinity))
      refuse(`${name} is ${value}: give milliseconds above 0`)
  }
  for (const name of ['errorRate', 'goodput', 'recoveredGoodput'] as const) {
    const value = slo[name]
    if (value !== undefined && !(value >= 0 && value <= 1)) refuse(`${name} is ${value}: give a fraction from 0 to 1`)
  }
  if (slo.recoverWithinMs === undefined) return
  if (calmFromMs === undefined)
    refuse('recoverWithinMs needs a plan with a spike, or recoverFromMs: from when is it to recover?')
  else if (!(calmFromMs >= 0 && calmFromMs < durationMs))
    refuse(`recovery would count from ${calmFromMs} ms: the test ends at ${durationMs} ms`)
}
