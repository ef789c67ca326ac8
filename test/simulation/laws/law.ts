import type { Runtime } from 'echelon'
import type { JournalEntry } from '../../../src/core/journal.ts'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import type { FaultPlan } from '../../../src/testing/simulation/faults.ts'
import type { SimulatedNode } from '../../../src/testing/simulation/node.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import type { Scenario } from '../../../src/testing/simulation/scenario.ts'

/** A part of what Echelon promises, as a small world that has a model of what has to come of it. */
export interface Law {
  readonly scenario: Scenario & { readonly name: string; readonly sometimes: readonly string[] }
  readonly faults: FaultPlan
}

/** Gives it back, with what its actors came by brought to the world's notice. */
export function defineLaw(law: Law): Law {
  const { always = [], ...scenario } = law.scenario
  return { ...law, scenario: { ...scenario, always: [...[always].flat(), telling] } }
}

const seen = perWorld(() => new Set<string>())

/** An actor came by something that a campaign has to come by. For code of actors, which do not know their world. */
export const cameBy = (name: string): void => {
  seen.current.add(name)
}

const telling: Invariant = {
  kind: 'invariant',
  name: 'telling',
  begin: (world) => ({
    quiet: () => {
      for (const name of seen.current) world.sometimes(name)
    },
  }),
}

/** The `code` of an error; empty for one that has none. */
export const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

interface Intent {
  readonly key: string
  readonly letter?: unknown
}

/** The effects that a stream began and that have no outcome in it. */
export function openIntents(entries: readonly JournalEntry[]): readonly Intent[] {
  const open = new Map<string, Intent>()
  for (const { kind, body } of entries) {
    if (kind !== 'intent' && kind !== 'outcome') continue
    // Only what Echelon writes is on the disk of a world.
    const intent = JSON.parse(body) as Intent
    if (kind === 'intent') open.set(intent.key, intent)
    else open.delete(intent.key)
  }
  return [...open.values()]
}

/** Runs code in the process of a node, as soon as there is one. */
export async function onNode<T>(node: SimulatedNode, code: (runtime: Runtime) => T): Promise<T> {
  for (;;) {
    await node.up()
    if (node.runtime !== undefined) return node.run(code)
  }
}
