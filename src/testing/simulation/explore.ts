import type { Deviation, LoggedDecision } from './decisions.ts'
import { SimulationFailedError } from './errors.ts'
import { failureText } from './report.ts'
import { runWorld, type RunOptions, type WorldResult } from './run-world.ts'
import { nameOf, type Scenario } from './scenario.ts'
import { caseOf } from './replay.ts'
import { runOptionsOf, type SimulateOptions } from './simulate-options.ts'
import { shrinkWorld } from './simulate.ts'
import { writeCase } from './simcase.ts'
import { faults as plans } from './faults.ts'

export interface ExploreOptions extends Pick<
  SimulateOptions,
  'faults' | 'invariants' | 'virtual' | 'settle' | 'folder' | 'maxShrinkRuns'
> {
  /** The only one that there is: all orders, one after another. */
  readonly strategy?: 'exhaustive'
  /** Decisions from the begin on that are varied; later ones are 0. Default 12. */
  readonly maxSteps?: number
  /** Worlds at most. Default 100,000. */
  readonly maxWorlds?: number
}

export interface ExploreReport {
  readonly worlds: number
  /** Worlds that went different ways. */
  readonly distinct: number
  /** Whether every order was tried: false when `maxWorlds` ended it, or decisions came after the first `maxSteps`. */
  readonly isComplete: boolean
}

/**
 * Tries every order in which things can happen, one after another, for scenarios that are tiny: the first `maxSteps`
 * decisions in all their combinations. Nothing fails unless `faults` says what may; then each fault is tried in each
 * place.
 * @throws {SimulationFailedError} `SIMULATION_FAILED` as `simulate`.
 * @see https://doi.org/10.1145/1190215.1190260 for what stateless search is
 */
export async function explore(
  scenario: Scenario,
  { strategy: _exhaustive, ...options }: ExploreOptions = {},
): Promise<ExploreReport> {
  const { maxSteps = 12, maxWorlds = 100_000, faults = plans.none() } = options
  const run = { ...runOptionsOf({ ...options, faults: { ...faults, swarm: false } }), keepLog: true }
  const seen = new Set<string>()
  let isComplete = true
  let worlds = 0
  for (let next: readonly Deviation[] | undefined = []; next !== undefined;) {
    if (worlds >= maxWorlds) return { worlds, distinct: seen.size, isComplete: false }
    const result: WorldResult = await runWorld(scenario, planOf(next), run)
    worlds += 1
    seen.add(result.traceHash)
    if (result.violation !== undefined) await fail(scenario, result, run, worlds, options)
    if (result.log.length > maxSteps) isComplete = false
    next = following(result.log.slice(0, maxSteps))
  }
  return { worlds, distinct: seen.size, isComplete }
}

const planOf = (
  deviations: readonly Deviation[],
): { readonly seed: number; readonly strategy: 'fifo'; readonly deviations: readonly Deviation[] } => ({
  seed: 1,
  strategy: 'fifo',
  deviations,
})

/** The decisions of the next world: the last one that can be another is, and all before it stay. */
function following(log: readonly LoggedDecision[]): readonly Deviation[] | undefined {
  const last = log.findLastIndex(({ value, n }) => value + 1 < n)
  const changed = log[last]
  if (changed === undefined) return undefined
  const kept = [...log.slice(0, last), { ...changed, value: changed.value + 1 }]
  return kept.flatMap(({ kind, stream, ordinal, value }) => (value === 0 ? [] : [{ kind, stream, ordinal, value }]))
}

/** Shrinks and reports what a search found. */
export async function fail(
  scenario: Scenario,
  first: WorldResult,
  run: RunOptions,
  worlds: number,
  { folder = 'simcases', maxShrinkRuns = 2000 }: Pick<SimulateOptions, 'folder' | 'maxShrinkRuns'>,
): Promise<never> {
  const plan = planOf(first.deviations)
  const shrunk = await shrinkWorld(scenario, plan, first, run, maxShrinkRuns)
  const result = await runWorld(scenario, planOf(shrunk.deviations), { ...run, keepTrace: true })
  const file = folder === false ? undefined : writeCase(folder, caseOf(scenario, plan, result, run))
  const report = failureText({
    scenario: nameOf(scenario),
    result,
    worlds,
    shrinkRuns: shrunk.runs,
    firstSize: first.deviations.length,
    file,
  })
  throw new SimulationFailedError(result.violation?.invariant ?? '', report, file, result.violation?.error)
}
