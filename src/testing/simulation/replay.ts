import { SimulationCaseError } from './errors.ts'
import { faults as plans } from './faults.ts'
import { runWorld, type Plan, type RunOptions, type WorldResult } from './run-world.ts'
import { nameOf, type Scenario } from './scenario.ts'
import { hashOf, optionsOf, type SimulationCase } from './simcase.ts'
import { listOf, type SimulateOptions } from './simulate-options.ts'

/** The file of a failure. */
export function caseOf(
  scenario: Scenario,
  { seed, strategy }: Plan,
  result: WorldResult,
  options: RunOptions,
): SimulationCase {
  return {
    format: 'echelon-simcase',
    version: 1,
    scenario: nameOf(scenario),
    scenarioHash: hashOf(scenario),
    seed,
    ...(strategy === undefined ? {} : { strategy }),
    deviations: [...result.deviations],
    faults: options.faults ?? plans.none(),
    ...(options.maxMs === undefined ? {} : { maxMs: options.maxMs }),
    ...(options.settleMs === undefined ? {} : { settleMs: options.settleMs }),
    ...(options.strict === true ? { strict: true } : {}),
    invariant: result.violation?.invariant ?? '',
    message: result.violation?.message ?? '',
    traceHash: result.traceHash,
  }
}

export interface Replay {
  readonly result: WorldResult
  /** Whether it broke the same invariant. */
  readonly isSame: boolean
  /** Whether it went the same way to the last byte: false when the scenario or the code has changed. */
  readonly isExact: boolean
  /** Whether the scenario is another one than when it was found. */
  readonly hasChanged: boolean
}

/**
 * Runs the world of a case again, with its trace. `invariants`: those that it was found with.
 * @throws {SimulationCaseError} `SIMULATION_CASE` for a case of another scenario.
 */
export async function replay(
  scenario: Scenario,
  found: SimulationCase,
  { invariants = 'all' }: Pick<SimulateOptions, 'invariants'> = {},
): Promise<Replay> {
  if (found.scenario !== nameOf(scenario))
    throw new SimulationCaseError('replay', `the case is of '${found.scenario}', and this is '${nameOf(scenario)}'`)
  const { seed, strategy, deviations } = found
  const options = { ...optionsOf(found), invariants: listOf(invariants), keepTrace: true }
  const result = await runWorld(scenario, { seed, strategy, deviations }, options)
  return {
    result,
    isSame: result.violation?.invariant === found.invariant,
    isExact: result.traceHash === found.traceHash,
    hasChanged: hashOf(scenario) !== found.scenarioHash,
  }
}
