import { defineActor } from 'echelon'
import type { RuntimeEvent, RuntimeEventOf, RuntimeEventType } from '../../../../src/core/events.ts'
import type { Append, NewEntry } from '../../../../src/core/journal.ts'
import { MemoryStore } from '../../../../src/journal/memory-store.ts'
import type { Invariant, Probe } from '../../../../src/testing/simulation/invariant.ts'
import type { SimulatedNode } from '../../../../src/testing/simulation/node.ts'
import type { World } from '../../../../src/testing/simulation/world.ts'

export const keeper = defineActor({ name: 'keeper', durable: { window: 2 }, protocol: {}, on: {} })

/** A node without a process: as much of one as an invariant that goes by events and entries looks at. */
export const nodeWithDisk = (): SimulatedNode =>
  // The rest is never asked for.
  ({
    name: 'node',
    options: { definitions: [keeper] },
    disk: { store: new MemoryStore(), damaged: new Map() },
  }) as never

/** What an invariant sees of a world, in which it says what is wrong by throwing. */
export const begin = (invariant: Invariant, nodes: readonly SimulatedNode[] = []): Probe =>
  invariant.begin({
    nodes,
    fail: (message: string): never => {
      throw new Error(message)
    },
    // The rest is never asked for.
  } as unknown as World)

export const stream = '/durable/keeper/k'

export const entries = (
  seq: number,
  ...written: readonly (readonly [NewEntry['kind'], object])[]
): readonly Append[] => [
  {
    stream,
    expectedSeq: seq,
    entries: written.map(([kind, body]) => ({ kind, version: 1, atMs: 0, body: JSON.stringify(body) })),
    wakeAtMs: null,
  },
]

export const event = <Type extends RuntimeEventType>(
  type: Type,
  path: string,
  body: Partial<RuntimeEventOf<Type>> = {},
): RuntimeEvent =>
  // With what the invariant at hand looks at.
  ({ type, path, incarnation: 1, node: 'node', atMs: 0, ...body }) as unknown as RuntimeEvent
