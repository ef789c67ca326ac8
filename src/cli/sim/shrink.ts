import { SimulationCaseError } from '../../testing/simulation/errors.ts'
import { sizeText } from '../../testing/simulation/report.ts'
import { runWorld } from '../../testing/simulation/run-world.ts'
import { optionsOf, saveCase } from '../../testing/simulation/simcase.ts'
import { caseOf, replay } from '../../testing/simulation/replay.ts'
import { runOptionsOf } from '../../testing/simulation/simulate-options.ts'
import { shrinkWorld } from '../../testing/simulation/simulate.ts'
import { counted, jsonLine } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { openCase } from './module.ts'

export interface ShrinkOptions {
  readonly runs: number
  readonly json?: boolean
}

/** `echelon sim shrink`: goes on where the campaign stopped, or begins with what the code of today makes of the case. */
export async function shrinkCase(
  file: string,
  module: string | undefined,
  { out }: CommandHost,
  { runs: maxRuns, json = false }: ShrinkOptions,
): Promise<number> {
  const { found, scenario } = await openCase(file, module)
  const { result: first, isSame } = await replay(scenario, found)
  if (!isSame) throw new SimulationCaseError(file, `it does not break '${found.invariant}' any more: nothing to shrink`)
  const options = { ...runOptionsOf({}), ...optionsOf(found) }
  const plan = { seed: found.seed, strategy: found.strategy }
  out.progress(`shrinking ${counted(found.deviations.length, 'decision')}`)
  const { deviations, runs, isMinimal } = await shrinkWorld(scenario, plan, first, options, maxRuns)
  // As a replay runs it, so that it is the same to the last step.
  const result = await runWorld(scenario, { ...plan, deviations }, { ...options, keepTrace: true })
  const { module: from } = found
  saveCase(file, { ...caseOf(scenario, plan, result, options), ...(from === undefined ? {} : { module: from }) })
  const [before, after] = [found.deviations.length, result.deviations.length]
  out.progress('')
  if (json) await out.write(jsonLine({ file, before, after, runs, isMinimal }))
  else {
    const more = isMinimal ? 'nothing that was tried can be left out' : 'there is more to try: --runs'
    await out.write(
      `${counted(before, 'decision')} before, ${after} now: ${sizeText(result.deviations)}\n` +
        `${counted(runs, 'world')} were run for it; ${more}\n${file}\n`,
    )
  }
  return exitCodes.ok
}
