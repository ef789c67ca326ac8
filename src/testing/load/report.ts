import type { CurvePoint } from './curve.ts'
import type { LoadResult } from './load-test.ts'
import { outcomes } from './outcome.ts'
import type { SloClause } from './slo.ts'

/** Rows of the table at most; more points are put together. */
const mostRows = 30

/** The result as text for a terminal: verdict, doubts, bounds, latencies, and goodput over time. */
export function formatLoadReport(result: LoadResult): string {
  const { scenario, arrival, durationMs, seed, verdict, doubts, clauses, errors } = result
  return [
    `${verdict.toUpperCase()}  ${scenario}: ${arrival} for ${durationMs} ms, seed ${seed}`,
    ...doubts.map((doubt) => `DOUBT ${doubt}`),
    '',
    ...clauses.map(clauseLine),
    '',
    ...latencyLines(result),
    ...(errors.length === 0 ? [] : ['', `errors  ${errors.map(({ code, count }) => `${code} ${count}`).join(', ')}`]),
    '',
    ...goodputTable(result.curve),
    '',
  ].join('\n')
}

function clauseLine({ clause, value, bound, holds }: SloClause): string {
  const isFraction = clause === 'errorRate' || clause === 'goodput'
  const show = (figure: number): string => (isFraction ? `${round(figure * 100)} %` : `${round(figure)} ms`)
  const name = clause.replace(/Ms$/, '')
  const relation = clause === 'goodput' ? 'at least' : 'at most'
  return `${holds ? 'ok  ' : 'MISS'}  ${name.padEnd(14)} ${value === undefined ? 'none' : show(value)}  (${relation} ${show(bound)})`
}

function latencyLines({ latency, sinceSent, generator }: LoadResult): string[] {
  const rows = [
    ['latency', latency],
    ['since sent', sinceSent],
    ['generator lag', generator.lag],
    ['loop delay', generator.loopDelay],
  ] as const
  return table([
    ['ms', 'p50', 'p90', 'p99', 'p99.9', 'max', 'count'],
    ...rows.map(([name, { p50Ms, p90Ms, p99Ms, p999Ms, maxMs, count }]) => [
      name,
      ...[p50Ms, p90Ms, p99Ms, p999Ms, maxMs].map(round),
      String(count),
    ]),
  ])
}

/** Columns in which nothing was counted are left out. */
function goodputTable(curve: readonly CurvePoint[]): string[] {
  const perRow = Math.ceil(curve.length / mostRows)
  const groups = Array.from({ length: Math.ceil(curve.length / perRow) }, (_, row) =>
    curve.slice(row * perRow, (row + 1) * perRow),
  )
  const sum = (points: readonly CurvePoint[], key: (typeof outcomes)[number] | 'offered'): number =>
    points.reduce((total, point) => total + point[key], 0)
  const shown = (['offered', ...outcomes] as const).filter(
    (key) => key === 'offered' || key === 'good' || sum(curve, key) > 0,
  )
  return table([
    ['from ms', ...shown, 'p50 ms', 'p99 ms', 'goodput'],
    ...groups.map((points) => {
      const offered = sum(points, 'offered')
      return [
        round(points[0]?.fromMs ?? 0),
        ...shown.map((key) => String(sum(points, key))),
        worst(points.map(({ p50Ms }) => p50Ms)),
        worst(points.map(({ p99Ms }) => p99Ms)),
        offered === 0 ? '' : '#'.repeat(Math.round((sum(points, 'good') / offered) * 20)).padEnd(20, '.'),
      ]
    }),
  ])
}

/** Percentiles cannot be put together: the highest of them is what none exceeds. */
function worst(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? '-' : round(Math.max(...known))
}

const round = (value: number): string => String(Number(value.toPrecision(4)))

/** The first column goes left, numbers go right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
