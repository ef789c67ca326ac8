import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { SimulationCaseError } from '../../testing/simulation/errors.ts'
import { nameOf, type Scenario } from '../../testing/simulation/scenario.ts'
import { readCase, type SimulationCase } from '../../testing/simulation/simcase.ts'
import { UsageError } from '../host.ts'

/** A scenario, and the name that its module exports it by. */
export interface Exported {
  readonly exportName: string
  readonly scenario: Scenario
}

/** What a module is as an address. */
export const urlOf = (file: string): string => pathToFileURL(path.resolve(file)).href

/** The scenarios that a module exports. @throws {UsageError} when it has none, and for a file that is not there. */
export async function scenariosIn(file: string): Promise<readonly Exported[]> {
  if (!existsSync(file)) throw new UsageError(`there is no module ${file}`)
  checkSamePackage(file)
  // A module is an object of whatever it exports.
  const exported = Object.entries((await import(urlOf(file))) as Readonly<Record<string, unknown>>)
  const scenarios = exported
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([exportName, value]) => (isScenario(value) ? [{ exportName, scenario: value }] : []))
  if (scenarios.length === 0)
    throw new UsageError(`${file} exports no scenario: export what defineScenario() gives, by any name`)
  return scenarios
}

/** Anything with nodes and something to run. */
function isScenario(value: unknown): value is Scenario {
  if (typeof value !== 'object' || value === null || !('nodes' in value) || !('run' in value)) return false
  return typeof value.nodes === 'object' && value.nodes !== null && typeof value.run === 'function'
}

/** The folder of this package. */
const ownPackage = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * A world is known to the package that runs it. Services that were wrapped by another copy of the package would be called
 * for real.
 */
function checkSamePackage(file: string): void {
  let used: string
  try {
    used = createRequire(path.resolve(file)).resolve('echelon/testing')
  } catch {
    return // It has no package of its own, so it cannot be another one.
  }
  if (!used.startsWith(ownPackage))
    throw new UsageError(
      `${file} uses the package at ${used}, and this is another one: run the command of its project, with npx`,
    )
}

/** A case with the scenario that it is of. */
export interface OpenCase {
  readonly file: string
  readonly found: SimulationCase
  readonly scenario: Scenario
}

/** Reads a case, and loads its scenario from `module`, or from the module that the case remembers. */
export async function openCase(file: string, module: string | undefined): Promise<OpenCase> {
  if (!existsSync(file)) throw new UsageError(`there is no case ${file}`)
  const found = readCase(file)
  if (found.commands !== undefined)
    throw new UsageError(
      `${file} is the case of an actorProperty, whose commands are in a test: use replayProperty there`,
    )
  const remembered = found.module === undefined ? undefined : path.resolve(path.dirname(file), found.module)
  const from = module ?? remembered
  if (from === undefined)
    throw new UsageError(`${file} does not say which module exports '${found.scenario}': name it after the case`)
  const exported = await scenariosIn(from)
  const same = exported.find(({ scenario }) => nameOf(scenario) === found.scenario)
  if (same === undefined)
    throw new SimulationCaseError(
      file,
      `it is of '${found.scenario}', and ${from} has ${exported.map(({ scenario }) => `'${nameOf(scenario)}'`).join(', ')}`,
    )
  return { file, found, scenario: same.scenario }
}
