import type { Tally } from './slice.ts'

/** One line of a verdict: a figure, its bound, and whether it is met. */
export interface Goal {
  readonly goal: string
  readonly value: number
  readonly bound: string
  readonly isMet: boolean
}

/** Wall-clock bound of the full campaign, in worlds per second: 50,000 in three minutes. */
const worldsPerSecond = 50_000 / 180
const faultsPerWorld = 5

/** What the campaign never came by, as `law: name`. */
export const missing = ({ sometimes }: Tally): readonly string[] =>
  Object.entries(sometimes).flatMap(([law, counts]) =>
    Object.entries(counts).flatMap(([name, worlds]) => (worlds === 0 ? [`${law}: ${name}`] : [])),
  )

/** The goals of a campaign; `isTimed` is false for one that does each world twice or under another engine. */
export function goalsOf(tally: Tally, worlds: number, wallMs: number, isTimed: boolean): readonly Goal[] {
  const named = Object.values(tally.sometimes).flatMap((counts) => Object.keys(counts)).length
  const perSecond = tally.worlds / (wallMs / 1000)
  const perWorld = tally.faults / Math.max(1, tally.worlds)
  const percent = named === 0 ? 100 : (100 * (named - missing(tally).length)) / named
  const goal = (name: string, value: number, bound: string, isMet: boolean): Goal => ({
    goal: name,
    value,
    bound,
    isMet,
  })
  return [
    goal('worlds', tally.worlds, `>= ${worlds}`, tally.worlds >= worlds),
    goal('violations', tally.findings.length, '0', tally.findings.length === 0),
    goal(
      'faults in all worlds',
      tally.faults,
      `>= ${worlds * faultsPerWorld}`,
      tally.faults >= worlds * faultsPerWorld,
    ),
    goal('faults per world', Math.round(perWorld * 100) / 100, `>= ${faultsPerWorld}`, perWorld >= faultsPerWorld),
    goal('sometimes come by, of all that there are (%)', Math.round(percent * 10) / 10, '100', percent === 100),
    ...(isTimed
      ? [
          goal(
            'worlds per second',
            Math.round(perSecond),
            `>= ${Math.ceil(worldsPerSecond)}`,
            perSecond >= worldsPerSecond,
          ),
        ]
      : []),
  ]
}

export const lineOf = ({ goal, value, bound, isMet }: Goal): string =>
  `${goal.padEnd(46)} ${String(value).padStart(10)}   ${bound.padEnd(12)} ${isMet ? 'met' : 'MISSED'}`
