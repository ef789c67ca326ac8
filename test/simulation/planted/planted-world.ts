import type { FaultPlan } from '../../../src/testing/simulation/faults.ts'
import type { Scenario } from '../../../src/testing/simulation/scenario.ts'

/** A small world in which bugs of some kinds show. */
export interface PlantedWorld {
  readonly scenario: Scenario & { readonly name: string }
  readonly faults: FaultPlan
  /** Milliseconds of the world after the scenario in which everything has to come to rest. Default two minutes. */
  readonly settleMs?: number
}
