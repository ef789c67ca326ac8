/* eslint-disable no-restricted-imports -- this is the edge: a case is a file */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as z from 'zod'
import { SimulationCaseError } from './errors.ts'
import type { FaultPlan } from './faults.ts'
import type { RunOptions } from './run-world.ts'
import { nameOf, type Scenario } from './scenario.ts'

const deviationSchema = z.strictObject({
  kind: z.enum(['schedule', 'fault', 'value']),
  stream: z.string(),
  ordinal: z.int().nonnegative(),
  value: z.int().positive(),
})

/** A failure that replays: everything that decides its world. Version 1 of the file. */
const caseSchema = z.strictObject({
  format: z.literal('echelon-simcase'),
  version: z.literal(1),
  scenario: z.string(),
  /** Of the text of the scenario: another one may go another way. */
  scenarioHash: z.string(),
  /** The module that exports the scenario, relative to this file, when it is known. */
  module: z.string().optional(),
  seed: z.union([z.number(), z.string()]),
  strategy: z.enum(['fifo', 'random', 'pct', 'procrastinate', 'sticky']).optional(),
  deviations: z.array(deviationSchema),
  faults: z.custom<FaultPlan>((given) => typeof given === 'object' && given !== null && 'rates' in given),
  /** Of a property: its commands by name, with what they were given, as JSON. */
  commands: z.array(z.strictObject({ name: z.string(), argument: z.unknown().optional() })).optional(),
  maxMs: z.number().optional(),
  settleMs: z.number().optional(),
  strict: z.boolean().optional(),
  /** What broke, and what it said. */
  invariant: z.string(),
  message: z.string(),
  traceHash: z.string(),
})

export type SimulationCase = z.infer<typeof caseSchema>

export function hashOf(scenario: Scenario): string {
  const definitions = Object.entries(scenario.nodes).map(
    ([name, given]) =>
      `${name}: ${Object.values(given)
        .map((value: unknown) => nameIn(value))
        .join(' ')}`,
  )
  return createHash('sha256')
    .update([nameOf(scenario), ...definitions, String(scenario.run)].join('\n'))
    .digest('hex')
    .slice(0, 16)
}

const nameIn = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'name' in value ? String(value.name) : ''

/** Writes a case into `folder`, which is made when it is not there, and gives the file. */
export function writeCase(folder: string, found: SimulationCase): string {
  mkdirSync(folder, { recursive: true })
  const plain = (text: string): string => text.replaceAll(/[^A-Za-z0-9_.-]+/g, '-').slice(0, 40)
  const file = path.join(
    folder,
    `${plain(found.scenario)}-${plain(found.invariant)}-${plain(String(found.seed))}.simcase.json`,
  )
  saveCase(file, found)
  return file
}

export function saveCase(file: string, found: SimulationCase): void {
  writeFileSync(file, `${JSON.stringify(found, undefined, 2)}\n`)
}

/** @throws {SimulationCaseError} `SIMULATION_CASE` for a file that is none. */
export function readCase(file: string): SimulationCase {
  let given: unknown
  try {
    given = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new SimulationCaseError(file, `cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  const parsed = caseSchema.safeParse(given)
  if (!parsed.success)
    throw new SimulationCaseError(file, `is no simcase of version 1: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** How the world of a case was run. */
export const optionsOf = ({ faults, maxMs, settleMs, strict }: SimulationCase): RunOptions => ({
  ...{ faults, maxMs, settleMs, strict },
})
