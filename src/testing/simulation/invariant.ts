import type { OrderNote, RuntimeEvent } from '../../core/events.ts'
import type { Append } from '../../core/journal.ts'
import type { SimulatedNode } from './node.ts'
import type { World } from './world.ts'

/** What holds, or not: `false` or a text that says what is wrong. Nothing, or `true`, is right. What it throws is wrong too. */
export type Verdict = boolean | string | undefined
// A check of plain statements gives nothing back.
export type Check = (world: World) => Verdict | void

/**
 * What an invariant sees of one world. Each part is optional. To say that it is broken: `world.fail(message)`, which
 * ends the world.
 */
export interface Probe {
  /** Something happened on a node. */
  readonly event?: (event: RuntimeEvent, node: SimulatedNode) => void
  /** An actor told another something, or set a message aside. */
  readonly order?: (note: OrderNote, node: SimulatedNode) => void
  /** A step is over. */
  readonly step?: () => Verdict | void
  /** Appends of a node are on its disk. */
  readonly written?: (node: SimulatedNode, appends: readonly Append[]) => void
  /** A client was told that its durable message is kept. */
  readonly acknowledged?: (node: SimulatedNode, stream: string, id: string) => void
  /** The process of a node is gone. */
  readonly died?: (node: SimulatedNode) => void
  /** Everything on the disk of a node is gone, which no journal can do anything about. */
  readonly diskLost?: (node: SimulatedNode) => void
  /** Everything is mended, and nothing is left to do. */
  readonly quiet?: () => Verdict | void
}

/** Something that holds in every world. */
export interface Invariant {
  readonly kind: 'invariant'
  /** `I2 no acknowledged message is lost`. */
  readonly name: string
  /** When it is looked at: on each step and at the end, or at the end only. */
  begin(world: World): Probe
}

/** Holds after every step. */
export const always = (name: string, check: Check): Invariant => ({
  kind: 'invariant',
  name,
  begin: (world) => ({ step: () => check(world), quiet: () => check(world) }),
})

/** Holds once faults have ended, everything is mended, and nothing is left to do. */
export const eventually = (name: string, check: Check): Invariant => ({
  kind: 'invariant',
  name,
  begin: (world) => ({ quiet: () => check(world) }),
})

/** What a verdict says is wrong. */
export function problemOf(verdict: Verdict | void): string | undefined {
  if (typeof verdict === 'string') return verdict
  // Of untyped code, or of a type that takes anything for nothing.
  if ((verdict as unknown) instanceof Promise)
    return 'a check says at once whether it holds, and this one gave a promise'
  return verdict === false ? 'does not hold' : undefined
}
