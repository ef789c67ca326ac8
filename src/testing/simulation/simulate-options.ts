import { DefinitionInvalidError } from '../../core/errors.ts'
import { millisecondsOf, type Duration } from '../duration.ts'
import { checkFaults, faults as plans, type FaultPlan } from './faults.ts'
import type { Invariant } from './invariant.ts'
import { standardInvariants } from './invariants/standard.ts'
import type { RunOptions } from './run-world.ts'
import type { CampaignReport } from './simulate.ts'
import type { StrategyName } from './strategy.ts'

export interface SimulateOptions {
  /** How many worlds, or the seeds themselves. Default 100. */
  readonly seeds?: number | readonly (number | string)[]
  /** The first seed of so many. Default 1. */
  readonly seed?: number
  /** What fails. Default `faults.standard()`. */
  readonly faults?: FaultPlan
  /** Those of Echelon that are looked at: `all`, `none`, or a list. Those of the scenario always are. Default `all`. */
  readonly invariants?: 'all' | 'none' | readonly Invariant[]
  /** The only strategy. Default: drawn from the seed, most often PCT. */
  readonly strategy?: StrategyName
  /** Time of the world that a scenario may take: `'2h'`. Default a day. */
  readonly virtual?: Duration
  /** Time of the world after the scenario in which everything has to come to rest. Default two minutes. */
  readonly settle?: Duration
  /** Code of the user may not use global time and randomness, even virtual. Default false. */
  readonly strict?: boolean
  /** Each so many-th world is run twice and has to go the same way. 0: none. Default 20. */
  readonly twiceEvery?: number
  /** Worlds that are run to shrink a failure at most. Default 2,000. */
  readonly maxShrinkRuns?: number
  /** Where a failure is written to. `false`: nowhere. Default `simcases`. */
  readonly folder?: string | false
  /** Module that exports the scenario, so that `echelon sim replay` finds it: its `import.meta.url`, or a path from `folder`. */
  readonly module?: string
  /** Ends it between two worlds, also while a failure is shrunk: `simulate` rejects with its reason. */
  readonly signal?: AbortSignal
  /** Called now and then. */
  readonly onProgress?: (report: CampaignReport) => void
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` */
export function seedsOf({ seeds = 100, seed: first = 1 }: SimulateOptions): Iterable<number | string> {
  if (typeof seeds !== 'number') {
    if (!isList(seeds) || seeds.length === 0)
      throw new DefinitionInvalidError('simulate: seeds', 'give how many, or a list that is not empty')
    return seeds
  }
  if (!Number.isSafeInteger(seeds) || seeds < 1)
    throw new DefinitionInvalidError('simulate: seeds', `${seeds} is not a positive integer`)
  return Array.from({ length: seeds }, (_, index) => first + index)
}

// Untyped code gives anything. `Array.isArray` would make lists of `any` of them.
const isList = (given: unknown): given is readonly unknown[] => Array.isArray(given)

/** Those that are looked at beside those of the scenario. @throws {DefinitionInvalidError} `DEFINITION_INVALID` */
export function listOf(invariants: NonNullable<SimulateOptions['invariants']>): readonly Invariant[] {
  if (invariants === 'all') return standardInvariants()
  if (invariants === 'none') return []
  if (!isList(invariants))
    throw new DefinitionInvalidError('simulate: invariants', "give 'all', 'none' or a list of invariants")
  return invariants
}

export function runOptionsOf({
  faults = plans.standard(),
  invariants = 'all',
  virtual,
  settle,
  strict,
}: SimulateOptions): RunOptions {
  checkFaults(faults)
  return {
    faults,
    invariants: listOf(invariants),
    maxMs: virtual === undefined ? undefined : millisecondsOf(virtual, 'simulate: virtual'),
    settleMs: settle === undefined ? undefined : millisecondsOf(settle, 'simulate: settle'),
    strict,
  }
}
