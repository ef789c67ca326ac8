/** A figure that a campaign has to reach. */
export interface Goal {
  readonly goal: string
  readonly value: number
  readonly unit?: string
  readonly atMost?: number
  readonly atLeast?: number
}

export const isMet = ({ value, atMost = Infinity, atLeast = -Infinity }: Goal): boolean =>
  value <= atMost && value >= atLeast

/** One line for each goal: goal, value, bound, verdict. */
export function goalTable(goals: readonly Goal[]): string {
  const rows = goals.map((goal) => {
    const { atMost, atLeast, unit } = goal
    const bounds = [
      ...(atLeast === undefined ? [] : [`>= ${figure(atLeast)}`]),
      ...(atMost === undefined ? [] : [`<= ${figure(atMost)}`]),
    ]
    const value = unit === undefined ? figure(goal.value) : `${figure(goal.value)} ${unit}`
    return [goal.goal, value, bounds.join(', '), isMet(goal) ? 'ok' : 'MISSED'] as const
  })
  const width = (column: 0 | 1 | 2): number => Math.max(...rows.map((row) => row[column].length))
  return rows
    .map(([goal, value, bound, verdict]) =>
      [goal.padEnd(width(0)), value.padStart(width(1)), bound.padEnd(width(2)), verdict].join('  '),
    )
    .join('\n')
}

const figure = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(value < 10 ? 2 : 1)

/** Prints the goals, and what went wrong; answers the exit code. */
export function report(goals: readonly Goal[], problems: readonly string[]): number {
  const shown = 400
  for (const problem of problems.slice(0, shown)) process.stdout.write(`! ${problem}\n`)
  if (problems.length > shown) process.stdout.write(`! and ${problems.length - shown} more\n`)
  process.stdout.write(`${goalTable(goals)}\n`)
  return problems.length === 0 && goals.every(isMet) ? 0 : 1
}
