import { systemClock } from 'echelon'
import { standardInvariants } from '../../../src/testing/simulation/invariants/standard.ts'
import { traceText } from '../../../src/testing/simulation/report.ts'
import { runWorld, type Plan, type RunOptions, type WorldResult } from '../../../src/testing/simulation/run-world.ts'
import { shrinkWorld } from '../../../src/testing/simulation/simulate.ts'
import type { PlantedWorld } from './planted-world.ts'

/** Worlds that are run to shrink a failure at most. */
const maxShrinkRuns = 2000

export interface Search {
  /** The first seed. */
  readonly seed: number
  /** Worlds at most. */
  readonly schedules: number
}

export interface Caught {
  /** Worlds until it was found, that one too. */
  readonly schedules: number
  readonly seed: number
  readonly invariant: string
  readonly message: string
  /** Decisions that were not the boring ones: when it was found, and after shrinking. */
  readonly firstSize: number
  readonly size: number
  /** The decisions that are left: `fault crash shop#3 = 1`. */
  readonly decisions: readonly string[]
  readonly shrinkRuns: number
  readonly ms: number
  readonly trace: string
}

/** What became of a search: `caught` is undefined when nothing broke. */
export interface SearchReport {
  readonly schedules: number
  readonly faults: number
  readonly ms: number
  readonly caught: Caught | undefined
}

/** Runs worlds of a scenario, with every invariant on, until one breaks, and shrinks that one. */
export async function search(
  { scenario, faults, settleMs }: PlantedWorld,
  { seed, schedules }: Search,
): Promise<SearchReport> {
  const beganMs = systemClock.now()
  const options: RunOptions = { faults, invariants: standardInvariants(), settleMs }
  let injected = 0
  for (let run = 1; run <= schedules; run += 1) {
    const plan: Plan = { seed: seed + run - 1 }
    const first = await runWorld(scenario, plan, options)
    injected += first.faults
    if (first.violation === undefined) continue
    const shrunk = await shrinkWorld(scenario, plan, first, options, maxShrinkRuns)
    const again = await runWorld(scenario, { ...plan, deviations: shrunk.deviations }, { ...options, keepTrace: true })
    const caught = describe(again.violation === undefined ? first : again, first, shrunk.runs)
    const ms = systemClock.now() - beganMs
    return { schedules: run, faults: injected, ms, caught: { ...caught, schedules: run, ms } }
  }
  return { schedules, faults: injected, ms: systemClock.now() - beganMs, caught: undefined }
}

function describe(shown: WorldResult, first: WorldResult, shrinkRuns: number): Omit<Caught, 'schedules' | 'ms'> {
  const { violation, deviations } = shown
  return {
    seed: Number(first.seed),
    invariant: violation?.invariant ?? '',
    message: violation?.message ?? '',
    firstSize: first.deviations.length,
    size: deviations.length,
    decisions: deviations.map(({ kind, stream, ordinal, value }) => `${kind} ${stream}#${ordinal} = ${value}`),
    shrinkRuns,
    trace: traceText(shown),
  }
}
