import { DefinitionInvalidError } from '../../core/errors.ts'
import type { Deviation } from './decisions.ts'
import { fail } from './explore.ts'
import { faults } from './faults.ts'
import { runWorld, type RunOptions } from './run-world.ts'
import type { Scenario } from './scenario.ts'
import { runOptionsOf, type SimulateOptions } from './simulate-options.ts'

/** Where a process dies: before and after each commit of its journal, or after each of its steps. */
export type CrashPlace = 'every-commit' | 'every-step'

export interface CrashEverywhereOptions extends Pick<
  SimulateOptions,
  'invariants' | 'virtual' | 'settle' | 'folder' | 'maxShrinkRuns'
> {
  /** Default `every-commit`. */
  readonly at?: CrashPlace
  /** The node whose process dies. Default: each, one after another. */
  readonly node?: string
  /** Also dies a second time, at each place after the first, up to so many places later. Default 0. */
  readonly again?: number
  /** Worlds at most. Default 100,000. */
  readonly maxWorlds?: number
}

export interface CrashEverywhereReport {
  /** Places at which a process died. */
  readonly points: number
  readonly worlds: number
}

/** With each crash at a commit, so many of the appends that waited may be on disk. */
const images = [0, 1, 2]

/**
 * Runs a scenario once for each place at which a process can die, and kills it there: at the first, the second, and so on
 * until the scenario ends without. At a commit it is tried with none, one and two of the waiting appends on disk.
 * @throws {SimulationFailedError} `SIMULATION_FAILED` as `simulate`.
 * @see https://www.sqlite.org/testing.html, "crash testing"
 */
export async function crashEverywhere(
  scenario: Scenario,
  options: CrashEverywhereOptions = {},
): Promise<CrashEverywhereReport> {
  const { at = 'every-commit', node, maxWorlds = 100_000, again = 0 } = options
  const nodes = node === undefined ? Object.keys(scenario.nodes) : [node]
  if (node !== undefined && !(node in scenario.nodes))
    throw new DefinitionInvalidError('crashEverywhere: node', `there is no '${node}'`)
  // The rate does not matter, since the list of decisions is complete: it says that there are such faults.
  const rates =
    at === 'every-commit'
      ? faults.only({ crashAtCommit: 0.5, swarm: false })
      : faults.only({ crash: 0.5, swarm: false })
  const run = runOptionsOf({ ...options, faults: rates })
  const search = { points: 0, worlds: 0 }
  for (const name of nodes) await crashAll(scenario, name, { at, again, maxWorlds, run, search, options })
  return search
}

interface CrashSearch {
  readonly at: CrashPlace
  readonly again: number
  readonly maxWorlds: number
  readonly run: RunOptions
  readonly search: { points: number; worlds: number }
  readonly options: CrashEverywhereOptions
}

async function crashAll(scenario: Scenario, node: string, terms: CrashSearch): Promise<void> {
  const { at, again, search } = terms
  const kind = at === 'every-commit' ? 'crashAtCommit' : 'crash'
  const crash = (ordinal: number): Deviation => ({ kind: 'fault', stream: `${kind} ${node}`, ordinal, value: 1 })
  for (let ordinal = 0; search.worlds < terms.maxWorlds; ordinal += 1) {
    const died = await tryImages(scenario, node, [crash(ordinal)], terms)
    if (!died) return
    search.points += 1
    for (let later = 1; later <= again; later += 1)
      await tryImages(scenario, node, [crash(ordinal), crash(ordinal + later)], terms)
  }
}

/** False when the process did not die at all: the scenario has no such place any more. */
async function tryImages(
  scenario: Scenario,
  node: string,
  crashes: readonly Deviation[],
  terms: CrashSearch,
): Promise<boolean> {
  let died = false
  for (const image of terms.at === 'every-commit' ? images : [0]) {
    const torn: readonly Deviation[] =
      image === 0 ? [] : [{ kind: 'value', stream: `torn ${node}`, ordinal: 0, value: image }]
    const plan = { seed: 1, strategy: 'fifo', deviations: [...crashes, ...torn] } as const
    const result = await runWorld(scenario, plan, terms.run)
    terms.search.worlds += 1
    // Scenarios may have faults of their own.
    died ||= crashes.every(({ stream, ordinal }) =>
      result.deviations.some((made) => made.stream === stream && made.ordinal === ordinal),
    )
    if (result.violation !== undefined) await fail(scenario, result, terms.run, terms.search.worlds, terms.options)
    if (!died) return false
  }
  return true
}
