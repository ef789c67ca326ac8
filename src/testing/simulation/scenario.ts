import { DefinitionInvalidError } from '../../core/errors.ts'
import type { AnyDefinition } from '../../actors/definition.ts'
import type { Check, Invariant } from './invariant.ts'
import type { NodeOptions } from './node.ts'
import type { World } from './world.ts'

/** A world to be tried: what runs in it, what is done to it, and what has to hold. The same for all seeds. */
export interface Scenario {
  /** For reports and files. Default `scenario`. */
  readonly name?: string
  /** By their names: the durable actors that each knows, or more about it. */
  readonly nodes: Readonly<Record<string, readonly AnyDefinition[] | NodeOptions>>
  /** What clients do. What it throws breaks the scenario; the world ends after it, once everything is mended and quiet. */
  readonly run: (world: World) => void | Promise<void>
  /** Holds after every step. A function is known by its name. */
  readonly always?: Check | Invariant | readonly (Check | Invariant)[]
  /** Holds in the end, once faults have ended and everything is mended. */
  readonly eventually?: Check | readonly Check[]
  /**
   * What a campaign has to come by at least once, or it has shown nothing: names that `world.sometimes` says, or a
   * condition by name, which is looked at after each step.
   */
  readonly sometimes?: readonly string[] | Readonly<Record<string, (world: World) => boolean>>
}

/** Gives it back, with its types. */
export const defineScenario = <const S extends Scenario>(scenario: S): S => scenario

export const nameOf = (scenario: Scenario): string => scenario.name ?? 'scenario'

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` when untyped code gives something else. */
export function nodeOptionsOf(name: string, given: readonly AnyDefinition[] | NodeOptions): NodeOptions {
  if (Array.isArray(given)) return { definitions: given }
  // It is no list, and only now is it known to be an object.
  if (typeof given !== 'object' || (given as unknown) === null || 'kind' in given)
    throw new DefinitionInvalidError(`nodes.${name}`, 'give a list of definitions, or options: { definitions: […] }')
  return given as NodeOptions
}

/** The names of what a campaign has to come by. */
export const sometimesOf = ({ sometimes = [] }: Scenario): readonly string[] =>
  isList(sometimes) ? sometimes : Object.keys(sometimes)

/** Conditions by name, looked at after each step; those that are only named are said by the scenario. */
export const conditionsOf = ({
  sometimes = [],
}: Scenario): readonly (readonly [string, (world: World) => boolean])[] =>
  isList(sometimes) ? [] : Object.entries(sometimes)

// Array.isArray does not know readonly arrays.
const isList = (given: NonNullable<Scenario['sometimes']>): given is readonly string[] => Array.isArray(given)

/** What has to hold, with those checks that are plain functions made invariants. */
export function invariantsOf({ always: held = [], eventually: late = [] }: Scenario): readonly Invariant[] {
  const checks = [held].flat() as readonly (Check | Invariant)[]
  const lateChecks = [late].flat()
  return [
    ...checks.map((check) => (typeof check === 'function' ? namedCheck(check, true) : check)),
    ...lateChecks.map((check) => namedCheck(check, false)),
  ]
}

function namedCheck(check: Check, onEachStep: boolean): Invariant {
  const name = check.name === '' ? (onEachStep ? 'always' : 'eventually') : check.name
  return {
    kind: 'invariant',
    name,
    begin: (world) => ({
      ...(onEachStep ? { step: () => check(world) } : {}),
      quiet: () => check(world),
    }),
  }
}
