import type { Deviation } from './decisions.ts'
import { isNoise, sequenceDiagram } from './diagram.ts'
import type { WorldResult } from './run-world.ts'

/** Of a trace, so many lines are shown. */
const shownLines = 40

/** `2 commands, 1 fault, 3 reorderings`. */
export function sizeText(deviations: readonly Deviation[]): string {
  const count = (wanted: (deviation: Deviation) => boolean): number => deviations.filter(wanted).length
  const commands = count(({ kind, stream }) => kind === 'value' && stream.startsWith('scenario '))
  const faults = count(({ kind }) => kind === 'fault')
  const orders = count(({ kind }) => kind === 'schedule')
  const values = deviations.length - commands - faults - orders
  const parts = [
    [commands, 'choice of the scenario', 'choices of the scenario'],
    [faults, 'fault', 'faults'],
    [orders, 'reordering', 'reorderings'],
    [values, 'other value', 'other values'],
  ] as const
  const named = parts.filter(([n]) => n > 0).map(([n, one, many]) => `${n} ${n === 1 ? one : many}`)
  return named.length === 0 ? 'nothing odd at all' : named.join(', ')
}

const timeText = (ms: number): string => `${(Math.round(ms * 10) / 10).toFixed(1)} ms`.padStart(14)

/** The last lines of a trace, for people: without what is of no use to whoever looks for a mistake. */
export const traceText = ({ trace }: WorldResult, lines = shownLines): string =>
  trace
    .filter((line) => !isNoise(line))
    .slice(-lines)
    .map(({ atMs, node, place, what }) => `${timeText(atMs)}  ${node} ${place}: ${what}`)
    .join('\n')

export interface FailureOf {
  readonly scenario: string
  readonly result: WorldResult
  /** Worlds that were run before it, and for shrinking it. */
  readonly worlds: number
  readonly shrinkRuns: number
  readonly firstSize: number
  readonly file: string | undefined
}

/** What a person needs of a failure: what broke, how little it takes, the steps that lead to it, how to see it again. */
export function failureText({ scenario, result, worlds, shrinkRuns, firstSize, file }: FailureOf): string {
  const { violation, seed, deviations } = result
  return [
    `${scenario}: seed ${seed} broke '${violation?.invariant ?? ''}': ${violation?.message ?? ''}`,
    `  found in world ${worlds}; ${firstSize} ${firstSize === 1 ? 'decision' : 'decisions'} shrunk to ${deviations.length} in ${shrinkRuns} runs: ${sizeText(deviations)}`,
    ...deviations.map(({ stream, ordinal, value }) => `    ${stream} #${ordinal}: ${value}`),
    '  the last steps:',
    traceText(result),
    ...(file === undefined ? [] : [`  replay: echelon sim replay ${file}`]),
  ].join('\n')
}

/** The same, with a diagram. */
export const diagramOf = ({ trace }: WorldResult): string => sequenceDiagram(trace)
