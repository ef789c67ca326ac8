import { SimulationFailedError } from '../../testing/simulation/errors.ts'
import { faults } from '../../testing/simulation/faults.ts'
import { nameOf, type Scenario } from '../../testing/simulation/scenario.ts'
import { simulate, type CampaignReport } from '../../testing/simulation/simulate.ts'
import type { StrategyName } from '../../testing/simulation/strategy.ts'
import { counted, jsonLine, printableLines, spanText } from '../format.ts'
import { exitCodes, UsageError, type CommandHost } from '../host.ts'
import { scenariosIn, urlOf, type Exported } from './module.ts'

export interface SimRunOptions {
  readonly export?: string
  readonly seeds: number
  readonly seed: number
  readonly faults: 'standard' | 'none' | 'all'
  readonly strategy?: StrategyName
  readonly strict?: boolean
  readonly folder: string
  readonly json?: boolean
}

/** `echelon sim run`: a campaign for each scenario of a module, or for one of them. */
export async function runScenarios(module: string, host: CommandHost, options: SimRunOptions): Promise<number> {
  const chosen = choose(await scenariosIn(module), module, options.export)
  let code: number = exitCodes.ok
  for (const { scenario } of chosen) if (!(await runOne(scenario, module, host, options))) code = exitCodes.problem
  return code
}

function choose(exported: readonly Exported[], module: string, name: string | undefined): readonly Exported[] {
  if (name === undefined) return exported
  const chosen = exported.filter(({ exportName }) => exportName === name)
  if (chosen.length > 0) return chosen
  const names = exported.map(({ exportName }) => exportName).join(', ')
  throw new UsageError(`${module} exports no scenario '${name}', but ${names}`)
}

/** Whether nothing broke. */
async function runOne(
  scenario: Scenario,
  module: string,
  { out, signal }: CommandHost,
  { seeds, seed, faults: plan, strategy, strict = false, folder, json = false }: SimRunOptions,
): Promise<boolean> {
  try {
    signal.throwIfAborted()
    const report = await simulate(scenario, {
      ...{ seeds, seed, strict, folder, module: urlOf(module), faults: faults[plan]() },
      ...(strategy === undefined ? {} : { strategy }),
      onProgress: ({ worlds, faults: injected }) => {
        signal.throwIfAborted()
        out.progress(`${nameOf(scenario)}: ${worlds} of ${counted(seeds, 'world')}, ${counted(injected, 'fault')}`)
      },
    })
    out.progress('')
    await out.write(json ? jsonLine({ ok: true, ...report }) : greenText(report, out.colour('green', 'nothing broke')))
    return true
  } catch (error) {
    if (!(error instanceof SimulationFailedError)) throw error
    const { invariant, report, file } = error
    out.progress('')
    await out.write(
      json
        ? jsonLine({ ok: false, scenario: nameOf(scenario), invariant, file, report })
        : `${printableLines(report)}\n`,
    )
    return false
  }
}

function greenText(
  { scenario, worlds, faults: injected, virtualMs, wallMs, sometimes, external }: CampaignReport,
  green: string,
): string {
  const lines = [
    `${scenario}: ${green} in ${counted(worlds, 'world')}, ${counted(injected, 'fault')}, ${spanText(virtualMs)} of theirs in ${(wallMs / 1000).toFixed(1)} s`,
    ...Object.entries(sometimes).map(([name, times]) => `  ${name}: in ${counted(times, 'world')}`),
    ...(external === undefined ? [] : [`  not repeatable, since something real was let in: ${external}`]),
  ]
  return `${lines.join('\n')}\n`
}
