import { diagramOf, sizeText, traceText } from '../../testing/simulation/report.ts'
import { replay, type Replay } from '../../testing/simulation/replay.ts'
import type { SimulationCase } from '../../testing/simulation/simcase.ts'
import { jsonLine, printable, printableLines } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { openCase } from './module.ts'

export interface ReplayOptions {
  readonly diagram?: boolean
  readonly last?: number
  readonly json?: boolean
}

/** `echelon sim replay`: the world of a case again, and what became of it. */
export async function replayCase(
  file: string,
  module: string | undefined,
  host: CommandHost,
  { diagram = false, last = Infinity, json = false }: ReplayOptions,
): Promise<number> {
  const { found, scenario } = await openCase(file, module)
  const replayed = await replay(scenario, found)
  const { result } = replayed
  const { out } = host
  if (json) await writeRows(replayed, found, last, host)
  else {
    if (diagram) await out.write(`${printableLines(diagramOf(result))}\n`)
    else await out.write(`${printableLines(`${headText(found)}\n${traceText(result, last)}`)}\n`)
    const verdict = verdictOf(replayed, found)
    const colour = result.violation === undefined ? 'green' : 'red'
    // A diagram is for another program.
    if (diagram) out.note(verdict)
    else await out.write(`${out.colour(colour, printable(verdict))}\n`)
  }
  return result.violation === undefined ? exitCodes.ok : exitCodes.problem
}

const headText = ({ scenario, seed, invariant, message, deviations }: SimulationCase): string =>
  `${scenario}: seed ${seed}, which broke '${invariant}': ${message}\n  by ${sizeText(deviations)}`

/** What a replay says about its case. */
export function verdictOf({ result: { violation }, isSame, isExact }: Replay, { invariant }: SimulationCase): string {
  if (violation === undefined) return `It does not break '${invariant}' any more.`
  if (isExact) return 'It breaks as it did, step by step.'
  const since = 'the scenario or the code has changed since'
  if (isSame) return `It breaks '${invariant}' still, by other steps: ${since}.`
  return `It breaks '${violation.invariant}' instead (${violation.message}): ${since}.`
}

async function writeRows(replayed: Replay, found: SimulationCase, last: number, { out }: CommandHost): Promise<void> {
  const { result, isSame, isExact } = replayed
  const { scenario, seed, deviations } = found
  const violation = result.violation && { invariant: result.violation.invariant, message: result.violation.message }
  await out.write(jsonLine({ type: 'case', scenario, seed, deviations, violation, isSame, isExact }))
  for (const line of result.trace.slice(Math.max(0, result.trace.length - last)))
    await out.write(jsonLine({ type: 'step', ...line }))
}
