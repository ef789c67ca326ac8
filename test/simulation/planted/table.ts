import type { BugReport, CheckReport } from './check-all.ts'

/** Bounds that the check has to hold. */
const mostSchedules = 20_000
const largestMedian = 8

const columns = [30, 10, 6, 9, 7] as const
const line = (cells: readonly (string | number)[]): string =>
  cells
    .map((cell, index) => (index === 0 ? String(cell).padEnd(columns[0]) : String(cell).padStart(columns[index] ?? 0)))
    .join('  ')

export const tableHead = line(['bug', 'schedules', 'size', 'of', 's', '', 'broke'])

/** One bug: how many schedules it took, the size after shrinking and before, seconds, and what broke. */
export function rowOf({ bug, schedules, caught, isCaught, ms }: BugReport): string {
  const seconds = (ms / 1000).toFixed(1)
  if (caught === undefined) return line([bug.id, schedules, '', '', seconds, '', 'MISSED'])
  const broke = isCaught ? caught.invariant : `ANOTHER: ${caught.invariant}: ${caught.message}`
  return line([bug.id, caught.schedules, caught.size, caught.firstSize, seconds, '', broke])
}

/** What a person needs to see how it broke. */
export const traceOf = ({ caught }: BugReport): string =>
  caught === undefined
    ? ''
    : `seed ${caught.seed}: ${caught.message}\n${caught.decisions.map((text) => `  ${text}`).join('\n')}\n${caught.trace}`

export interface Goal {
  readonly text: string
  readonly isMet: boolean
}

/** `goal value bound verdict`, one line each. */
export function goalLines({ calm, bugs }: CheckReport): readonly Goal[] {
  const caught = bugs.filter(({ isCaught }) => isCaught)
  const most = Math.max(0, ...caught.map(({ schedules }) => schedules))
  const median = medianOf(caught.map((report) => report.caught?.size ?? 0))
  const alarms = calm.filter((report) => report.caught !== undefined).length
  const worlds = calm.reduce((sum, { schedules }) => sum + schedules, 0)
  return [
    goal(`false alarms in ${worlds} worlds without a bug`, alarms, '0', alarms === 0),
    goal('planted bugs caught', caught.length, `${bugs.length}`, caught.length === bugs.length),
    goal('schedules until caught, at most', most, `<= ${mostSchedules}`, most <= mostSchedules),
    goal('size after shrinking, median', median, `<= ${largestMedian}`, median <= largestMedian),
  ]
}

const goal = (name: string, value: number, bound: string, isMet: boolean): Goal => ({
  text: `${name.padEnd(48)} ${String(value).padStart(7)}  ${bound.padEnd(10)} ${isMet ? 'met' : 'MISSED'}`,
  isMet,
})

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}
