/** From samples to lines: medians, ratios, and whether goals are met. Pure; `run.ts` prints. */

import type { Bench, Goal, Sample } from './bench.ts'
import { median } from './measure.ts'

/** One line of `--json`. A subject with several goals has a line for each. */
export interface Line {
  readonly bench: string
  readonly subject: string
  readonly unit: string
  readonly value: number
  readonly p99?: number
  readonly ratioTo?: string
  readonly ratio?: number
  readonly goal?: string
  readonly ok?: boolean
}

/** Samples of each subject, round by round; a subject that could not run is missing. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

export function summarize(bench: Bench, samples: Samples): readonly Line[] {
  return [...samples].flatMap(([subject, rounds]) => {
    const p99s = rounds.flatMap(({ p99 }) => (p99 === undefined ? [] : [p99]))
    const line: Line = {
      bench: bench.name,
      subject,
      unit: bench.unit,
      value: median(rounds.map(({ value }) => value)),
      ...(p99s.length > 0 && { p99: median(p99s) }),
    }
    const goals = bench.goals.filter((goal) => goal.subject === subject)
    return goals.length === 0 ? [line] : goals.map((goal) => ({ ...line, ...judge(goal, line, samples) }))
  })
}

function judge(goal: Goal, line: Line, samples: Samples): Pick<Line, 'ratioTo' | 'ratio' | 'goal' | 'ok'> {
  const text = goalText(goal)
  if (goal.to === undefined) return { goal: text, ok: meets(goal, line.value, line.p99) }
  const ratio = ratioOf(samples.get(goal.subject), samples.get(goal.to))
  if (ratio === undefined) return { ratioTo: goal.to, goal: text } // the other could not run: neither met nor missed
  return { ratioTo: goal.to, ratio, goal: text, ok: meets(goal, ratio, line.p99) }
}

/** Median of the ratios within each round: what slows a whole round changes both sides of it. */
export function ratioOf(of: readonly Sample[] | undefined, to: readonly Sample[] | undefined): number | undefined {
  if (of === undefined || to === undefined) return undefined
  const ratios = of.flatMap(({ value }, round) => {
    const other = to[round]
    return other === undefined ? [] : [value / other.value]
  })
  return ratios.length === 0 ? undefined : median(ratios)
}

function meets(
  { atLeast = -Infinity, atMost = Infinity, p99AtMost = Infinity }: Goal,
  value: number,
  p99 = 0,
): boolean {
  return value >= atLeast && value <= atMost && p99 <= p99AtMost
}

function goalText({ atLeast, atMost, p99AtMost, aim }: Goal): string {
  const parts = [
    ...(atLeast === undefined ? [] : [`>= ${atLeast}`]),
    ...(atMost === undefined ? [] : [`<= ${atMost}`]),
    ...(p99AtMost === undefined ? [] : [`p99 <= ${p99AtMost}`]),
  ]
  return parts.join(', ') + (aim === undefined ? '' : ` (aim ${aim})`)
}

/** The lines of one bench as a table for people. */
export function table(bench: Bench, lines: readonly Line[]): string {
  const subjects = [...new Map(lines.map((line) => [line.subject, line])).values()]
  const width = Math.max(...subjects.map(({ subject }) => subject.length))
  const values = subjects.map(({ subject, value, p99 }) => {
    const tail = p99 === undefined ? '' : `   p99 ${figure(p99)}`
    return `  ${subject.padEnd(width)}  ${figure(value).padStart(14)} ${bench.unit}${tail}`
  })
  const goals = lines.flatMap((line) => (line.goal === undefined ? [] : [`  ${verdict(line)}`]))
  return [`${bench.name}: ${bench.question}`, ...values, ...goals, ''].join('\n')
}

function verdict({ subject, value, p99, ratioTo, ratio, goal, ok }: Line): string {
  const mark = ok === undefined ? 'not compared' : ok ? 'met' : 'MISSED'
  if (ratioTo === undefined) {
    return `${mark}: ${subject} is ${figure(value)}${p99 === undefined ? '' : `, p99 ${figure(p99)}`}; goal ${goal}`
  }
  const is = ratio === undefined ? 'could not be measured against' : `is ${figure(ratio)} times`
  return `${mark}: ${subject} ${is} ${ratioTo}; goal ${goal}`
}

/** Three digits are what such a measurement can carry. */
function figure(value: number): string {
  return value >= 1_000
    ? Math.round(Number(value.toPrecision(3))).toLocaleString('en-GB')
    : String(Number(value.toPrecision(3)))
}
