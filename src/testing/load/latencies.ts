import { DependencyMissingError } from '../../core/errors.ts'

/** What is used of a histogram of `hdr-histogram-js`. Its values are whole numbers: microseconds here. */
interface HdrHistogram {
  recordValue(value: number): void
  getValueAtPercentile(percentile: number): number
  readonly maxValue: number
  readonly mean: number
  readonly totalCount: number
}

interface HdrModule {
  build(request: {
    readonly autoResize: boolean
    readonly highestTrackableValue: number
    readonly numberOfSignificantValueDigits: 3
  }): HdrHistogram
}

/** Milliseconds, each at most a thousandth too high. All 0 when `count` is. */
export interface LatencyFigures {
  readonly count: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  readonly meanMs: number
}

/** Makes a recorder for delays up to `highestMs`. */
export type LatenciesFactory = (highestMs: number) => Latencies

/**
 * Delays in an HdrHistogram: microseconds to three digits. What it takes depends on its bound and not on how many are
 * recorded (57 KiB for ten seconds).
 */
export class Latencies {
  readonly #histogram: HdrHistogram
  readonly #highest: number

  constructor(histogram: HdrHistogram, highestUs: number) {
    this.#histogram = histogram
    this.#highest = highestUs
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  /** A delay above the bound is recorded as the bound, one below 0 as 0. */
  record(ms: number): void {
    this.#histogram.recordValue(Math.min(this.#highest, Math.max(0, Math.round(ms * 1000))))
  }

  /** The delay that `percent` of all do not exceed; `undefined` when there are none. */
  percentileMs(percent: number): number | undefined {
    if (this.count === 0) return undefined
    // A histogram answers with the highest value of a slot, which may be above all that was recorded.
    return Math.min(this.#histogram.getValueAtPercentile(percent), this.#histogram.maxValue) / 1000
  }

  figures(): LatencyFigures {
    const at = (percent: number): number => this.percentileMs(percent) ?? 0
    return {
      count: this.count,
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: at(100),
      meanMs: this.#histogram.mean / 1000,
    }
  }
}

/** @throws {DependencyMissingError} `DEPENDENCY_MISSING`. `load` is for tests. */
export async function loadLatencies(
  load: () => Promise<HdrModule> = () => import('hdr-histogram-js'),
): Promise<LatenciesFactory> {
  try {
    const { build } = await load()
    return (highestMs) => {
      const highestTrackableValue = Math.max(2, Math.ceil(highestMs * 1000))
      return new Latencies(
        build({ autoResize: false, highestTrackableValue, numberOfSignificantValueDigits: 3 }),
        highestTrackableValue,
      )
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') {
      throw new DependencyMissingError('loadTest', 'hdr-histogram-js', { cause: error })
    }
    throw error
  }
}
