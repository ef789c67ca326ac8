import { child, defineActor, message, operational, supervisor } from 'echelon'
import { describe, expect, test } from 'vitest'
import { eventChannels, orderNotes } from '../../../../src/core/events.ts'
import type { Cell } from '../../../../src/actors/cell.ts'
import { cellAt, kernelOf } from '../../../../src/testing/simulation/invariants/cells.ts'
import { fifo } from '../../../../src/testing/simulation/invariants/fifo.ts'
import { standardInvariants } from '../../../../src/testing/simulation/invariants/standard.ts'
import { runWorld } from '../../../../src/testing/simulation/run-world.ts'
import type { SimulatedNode } from '../../../../src/testing/simulation/node.ts'
import { begin, event, nodeWithDisk } from './world.ts'

const worker = defineActor({
  name: 'worker',
  mailbox: { capacity: 2, stashCapacity: 1 },
  protocol: { 'worker.work': message() },
  on: { 'worker.work': () => undefined },
})
const app = supervisor('app', {
  children: [child(worker, { id: 'one', restart: 'temporary' }), child(worker, { id: 'two' })],
})
const work = { type: 'worker.work' } as const

/** What breaks in a world in which `plant` does something to an actor that no runtime would. */
async function broken(plant: (cell: Cell, node: SimulatedNode) => void): Promise<string | undefined> {
  const scenario = {
    name: 'planted',
    nodes: { node: { root: app, journal: false } },
    run: async (world: { node(name: string): SimulatedNode; sleep(ms: number): Promise<void> }) => {
      const node = world.node('node')
      node.run(() => {
        const cell = cellAt(node, '/app/one')
        if (cell !== undefined) plant(cell, node)
      })
      await world.sleep(10)
    },
  }
  const { violation } = await runWorld(scenario, { seed: 1, strategy: 'fifo' }, { invariants: standardInvariants() })
  return violation && `${violation.invariant}: ${violation.message}`
}

describe('I1', () => {
  test('given two messages of one actor to another, when the second is handled first, then that is wrong', () => {
    const [probe, node] = [begin(fifo), nodeWithDisk()]
    const [first, second] = [{ type: 'a' }, { type: 'b' }]
    for (const told of [first, second])
      probe.order?.({ kind: 'sent', node: 'node', from: '/a', to: '/b', message: told } as never, node)
    probe.event?.(event('handled', '/b', { from: '/a' as never, message: second }), node)

    expect(() => probe.event?.(event('handled', '/b', { from: '/a' as never, message: first }), node)).toThrow(
      'handled message 1 of /a',
    )
  })

  test('given a message that was set aside, when it is handled later, then that is right', () => {
    const [probe, node] = [begin(fifo), nodeWithDisk()]
    const [first, second] = [{ type: 'a' }, { type: 'b' }]
    for (const told of [first, second])
      probe.order?.({ kind: 'sent', node: 'node', from: '/a', to: '/b', message: told } as never, node)
    probe.order?.({ kind: 'set-aside', node: 'node', at: '/b', message: first } as never, node)
    probe.event?.(event('handled', '/b', { from: '/a' as never, message: second }), node)

    expect(() => probe.event?.(event('handled', '/b', { from: '/a' as never, message: first }), node)).not.toThrow()
  })

  test('given nobody who listens, then nothing is noted of the order of messages', () => {
    expect(orderNotes.hasSubscribers).toBe(false)
  })
})

describe('invariants that look into a runtime', () => {
  test('given nothing wrong, then nothing is found', async () => {
    expect(await broken(() => undefined)).toBeUndefined()
  })

  test('given a temporary child, when it is said to be restarted, then I4 is broken', async () => {
    const found = await broken(({ origin, parent }) => {
      const supervisorPath = parent?.path ?? origin.path
      eventChannels.restarted.publish({
        ...{ type: 'restarted', ...origin, supervisor: supervisorPath },
        ...{ reason: { kind: 'normal' }, kept: 'nothing' },
      })
    })

    expect(found).toContain('I4 restarts are those of OTP: /app started /app/one again though it is temporary')
  })

  test('given a name that outlives its holder, then I5 is broken', async () => {
    const found = await broken((cell, node) => {
      node.runtime?.register('name', cell.ref)
      cell.parts.cleanups?.clear()
      cell.kill()
    })

    expect(found).toContain('I5 no zombies and no orphans: name is still that of /app/one')
  })

  test('given an actor that has ended, when it handles something, then I5 is broken', async () => {
    const found = await broken((cell) => {
      const { origin } = cell
      cell.kill()
      eventChannels.handled.publish({
        ...{ type: 'handled', ...origin, messageType: 'worker.work', from: undefined, durationMs: 0, message: work },
      })
    })

    expect(found).toContain('I5 no zombies and no orphans: incarnation 1 of /app/one has ended, and then: handled')
  })

  test('given a message that nobody wakes its actor for, when all is quiet, then I7 is broken', async () => {
    expect(await broken(({ lane }) => lane.force(work))).toContain('I7 everything comes to rest: /app/one on node')
  })

  test('given a tier that has granted more than it may, then I14 is broken', async () => {
    const tier = operational('tier', { authority: { spendUsd: 2 }, children: [child(worker, { id: 'one' })] })
    const scenario = {
      name: 'planted',
      nodes: { node: { root: tier, journal: false } },
      run: (world: { node(name: string): SimulatedNode }) => {
        const escalations = kernelOf(world.node('node'))?.escalations
        if (escalations !== undefined) escalations.spentUsd = () => [['/tier', 3]]
      },
    }

    const { violation } = await runWorld(scenario, { seed: 1 }, { invariants: standardInvariants() })

    expect(violation?.message).toBe('/tier has spent 3 US dollars of 2')
  })

  test('given more messages than a mailbox has room for, then I11 is broken', async () => {
    const found = await broken((cell) => {
      for (let n = 0; n < 6; n += 1) cell.lane.force(work)
      cell.wake()
    })

    expect(found).toContain('I11 everything stays within its bound: /app/one has 5 messages waiting, of 2')
  })
})
