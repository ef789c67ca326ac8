import type { LoadResult } from './load-test.ts'
import type { SloClauseName } from './slo.ts'

/** What doubts are found in. */
interface Doubtful extends Pick<LoadResult, 'latency' | 'total' | 'clauses' | 'generator'> {
  readonly maxLagMs: number
  readonly maxInFlight: number
}

/** Samples below which a percentile is just the greatest value: it says little about the next run. */
const fewest: Partial<Readonly<Record<SloClauseName, number>>> = { p50Ms: 10, p99Ms: 100, p999Ms: 1000 }

/** What makes the figures of a run say less than they seem to. A verdict stands beside its doubts, it does not hide them. */
export function doubtsOf(run: Doubtful): readonly string[] {
  return [...doubtsOfTime(run), ...doubtsOfRequests(run), ...doubtsOfSize(run)]
}

function doubtsOfTime({ generator: { behind, lag, loopDelay }, maxLagMs }: Doubtful): readonly string[] {
  if (!behind) return []
  return [
    `The generator fell behind: one arrival in 100 was sent over ${ms(lag.p99Ms)} after its time, and one timer in 100 was ` +
      `over ${ms(loopDelay.p99Ms)} late (bound ${maxLagMs} ms). Latencies contain this, and arrivals came in bursts.`,
  ]
}

function doubtsOfRequests({ total, generator: { abandoned }, maxInFlight }: Doubtful): readonly string[] {
  const doubts: string[] = []
  if (total.unsent > 0)
    doubts.push(
      `${total.unsent} arrivals were not sent, as ${maxInFlight} were under way or their deadline had passed: the system had ` +
        'less to do than planned, and latencies leave them out.',
    )
  if (total.unfinished > 0)
    doubts.push(
      `${total.unfinished} requests were still running when the time to drain was over: latencies leave them out.`,
    )
  if (abandoned > 0)
    doubts.push(`${abandoned} requests had not stopped when all was over: they do not listen to their signal.`)
  return doubts
}

function doubtsOfSize({ latency, total, clauses }: Doubtful): readonly string[] {
  if (total.offered === 0) return ['Nothing arrived.']
  return clauses.flatMap(({ clause }) => {
    const wanted = fewest[clause] ?? 0
    return latency.count >= wanted
      ? []
      : [`${clause} is of ${latency.count} requests only: ${wanted} or more would mean something.`]
  })
}

const ms = (value: number): string => `${value.toFixed(1)} ms`
