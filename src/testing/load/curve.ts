import type { Latencies, LatenciesFactory } from './latencies.ts'
import { outcomes, type Outcome } from './outcome.ts'

/** Arrivals of one stretch of time, by what became of them. */
export interface CurvePoint extends Readonly<Record<Outcome, number>> {
  /** Milliseconds from the start. Requests belong to the point in which they were due, whenever they were answered. */
  readonly fromMs: number
  readonly toMs: number
  /** The sum of all outcomes. */
  readonly offered: number
  /** Of answers and of what expired, counted from when they were due; `undefined` when there was neither. */
  readonly p50Ms: number | undefined
  readonly p99Ms: number | undefined
}

const noCounts = (): Record<Outcome, number> => ({
  good: 0,
  late: 0,
  refused: 0,
  failed: 0,
  expired: 0,
  unsent: 0,
  unfinished: 0,
})

/** The stretch of time that an arrival belongs to, while it is counted. */
export class Slice {
  readonly fromMs: number
  readonly toMs: number
  readonly counts = noCounts()
  /** Gone once the slice has been made a point. */
  #latencies: Latencies | undefined
  #offered = 0
  #point: CurvePoint | undefined

  constructor(fromMs: number, toMs: number, latencies: Latencies) {
    this.fromMs = fromMs
    this.toMs = toMs
    this.#latencies = latencies
  }

  offer(): void {
    this.#offered += 1
  }

  /** `latencyMs` where there is one. */
  settle(outcome: Outcome, latencyMs: number | undefined): void {
    this.counts[outcome] += 1
    if (latencyMs !== undefined) this.#latencies?.record(latencyMs)
  }

  get isSettled(): boolean {
    return outcomes.reduce((sum, outcome) => sum + this.counts[outcome], 0) === this.#offered
  }

  /** To be asked for when all has been settled; what the slice was counted with is let go of. */
  get point(): CurvePoint {
    this.#point ??= {
      fromMs: this.fromMs,
      toMs: this.toMs,
      offered: this.#offered,
      ...this.counts,
      p50Ms: this.#latencies?.percentileMs(50),
      p99Ms: this.#latencies?.percentileMs(99),
    }
    this.#latencies = undefined
    return this.#point
  }
}

/** Points of a curve at most. */
export const mostPoints = 3600

/**
 * The goodput curve while it is drawn. Only slices with a request under way keep a histogram, so that a long test takes
 * no more memory than its deadline asks for.
 */
export class Curve {
  readonly #edgesMs: readonly number[]
  readonly #durationMs: number
  readonly #makeLatencies: () => Latencies
  readonly #slices: Slice[] = []
  #firstOpen = 0

  /** @param edgesMs Where slices begin, ascending from 0; the last one ends at `durationMs`. */
  constructor(edgesMs: readonly number[], durationMs: number, deadlineMs: number, makeLatencies: LatenciesFactory) {
    this.#edgesMs = edgesMs.filter((ms) => ms < durationMs)
    this.#durationMs = durationMs
    this.#makeLatencies = () => makeLatencies(deadlineMs)
    this.#next()
  }

  /** The slice of an arrival. To be asked for in the order of arrivals. */
  at(ms: number): Slice {
    let slice = this.#slices.at(-1) ?? this.#next()
    while (ms >= slice.toMs && this.#slices.length < this.#edgesMs.length) slice = this.#next()
    return slice
  }

  /** Every point from 0 to the duration, also where nothing arrived. To be asked for when all has been settled. */
  points(): readonly CurvePoint[] {
    this.at(Infinity)
    return this.#slices.map(({ point }) => point)
  }

  #next(): Slice {
    this.#closeSettled()
    const index = this.#slices.length
    const toMs = this.#edgesMs[index + 1] ?? this.#durationMs
    const slice = new Slice(this.#edgesMs[index] ?? 0, toMs, this.#makeLatencies())
    this.#slices.push(slice)
    return slice
  }

  #closeSettled(): void {
    for (let slice = this.#slices[this.#firstOpen]; slice?.isSettled; slice = this.#slices[this.#firstOpen]) {
      void slice.point
      this.#firstOpen += 1
    }
  }
}

/** Edges every `everyMs`, from 0 on. */
export const evenEdges = (durationMs: number, everyMs: number): readonly number[] =>
  Array.from({ length: Math.ceil(durationMs / everyMs) }, (_, index) => index * everyMs)

/** All points in one. */
export function totalOf(points: readonly CurvePoint[]): Readonly<Record<Outcome | 'offered', number>> {
  const total = { offered: 0, ...noCounts() }
  for (const point of points) for (const key of ['offered', ...outcomes] as const) total[key] += point[key]
  return total
}
