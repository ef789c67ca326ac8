import { expect, test } from 'vitest'
import { defineScenario, faults, simulate, type Connection, type Network, type World } from 'echelon/testing'

const text = (frame: Uint8Array): string => Buffer.from(frame).toString()
const frame = (value: string): Uint8Array => Buffer.from(value)

/** What the two ends of one connection came by. */
interface Seen {
  readonly server: string[]
  readonly client: string[]
  connection?: Connection
  accepted?: Connection
}

type Networks = { readonly a: Network; readonly b: Network }

/** Two nodes, one of which listens as `hub`; the other connects to it, after what comes `before`. */
const between = (
  run: (world: World, seen: Seen, networks: Networks) => Promise<void>,
  before: (world: World) => void = () => undefined,
) =>
  defineScenario({
    name: 'network',
    nodes: { a: { journal: false }, b: { journal: false } },
    run: async (world) => {
      await Promise.all(world.nodes.map((node) => node.up()))
      const seen: Seen = { server: [], client: [] }
      const networks = { a: world.node('a').network, b: world.node('b').network }
      networks.b.listen('hub', (connection) => {
        seen.accepted = connection
        return {
          opened: () => seen.server.push('opened'),
          received: (given) => seen.server.push(text(given)),
          closed: ({ code }) => seen.server.push(`closed ${code}`),
        }
      })
      before(world)
      seen.connection = networks.a.connect('hub', {
        opened: () => seen.client.push('opened'),
        received: (given) => seen.client.push(text(given)),
        closed: ({ code }) => seen.client.push(`closed ${code}`),
      })
      await run(world, seen, networks)
    },
  })

/** The usual order of things, nothing fails. */
const quietly = { seeds: 1, strategy: 'fifo', faults: faults.none(), folder: false } as const

test('given a connection, when both ends send, then frames arrive in order, and a goodbye comes last', async () => {
  let ends: Seen | undefined
  await simulate(
    between(async (world, seen) => {
      ends = seen
      for (const n of ['1', '2', '3']) seen.connection?.send(frame(n))
      await world.sleep(10)
      seen.accepted?.send(frame('answer'))
      seen.accepted?.close(1001, 'going')
      await world.sleep(10)
    }),
    quietly,
  )

  expect(ends?.server).toEqual(['opened', '1', '2', '3', 'closed 1001'])
  expect(ends?.client).toEqual(['opened', 'answer', 'closed 1001'])
})

test('given many seeds and all faults, then what arrives in a connection is a prefix of what was sent, each once and in order', async () => {
  const lengths = new Set<number>()
  const report = await simulate(
    between(async (world, seen) => {
      const sent = Array.from({ length: 30 }, (_, n) => `${n}`)
      for (const n of sent) {
        seen.connection?.send(frame(n))
        await world.sleep(world.choose(3))
      }
      await world.sleep(120_000)
      const arrived = seen.server.filter((what) => /^\d+$/.test(what))
      world.expect(
        arrived.every((what, index) => what === sent[index]),
        `arrived ${arrived.join()}`,
      )
      world.expect(seen.client.filter((what) => what.startsWith('closed')).length <= 1, 'closed twice')
      lengths.add(arrived.length)
    }),
    { seeds: 300, faults: faults.only({ net: 0.05, crash: 0.01, swarm: false }), folder: false },
  )

  expect(report.faults).toBeGreaterThan(300)
  expect(lengths.size).toBeGreaterThan(10)
  expect(lengths).toContain(30)
})

test('given a partition, when it heals, then what was sent meanwhile arrives, and nothing before', async () => {
  let ends: Seen | undefined
  let atHeal = -1
  await simulate(
    between(async (world, seen) => {
      ends = seen
      await world.sleep(10)
      world.network.partition(['a'], ['b'])
      seen.connection?.send(frame('late'))
      await world.sleep(5000)
      atHeal = seen.server.length
      world.network.heal()
      await world.sleep(10)
    }),
    quietly,
  )

  expect(atHeal).toBe(1)
  expect(ends?.server).toEqual(['opened', 'late'])
})

test('given a partition in one direction, then the other direction goes on', async () => {
  let ends: Seen | undefined
  await simulate(
    between(async (world, seen) => {
      ends = seen
      await world.sleep(10)
      world.network.partition(['a'], ['b'], { oneWay: true })
      seen.connection?.send(frame('never'))
      seen.accepted?.send(frame('here'))
      await world.sleep(1000)
      world.expect(!seen.server.includes('never'), 'it arrived')
      world.expect((seen.connection?.bufferedBytes ?? 0) === 5, `buffered ${seen.connection?.bufferedBytes}`)
    }),
    quietly,
  )

  expect(ends?.client).toEqual(['opened', 'here'])
})

test('given a connection that is reset, then both ends learn that it broke, and what was on its way is lost', async () => {
  let ends: Seen | undefined
  await simulate(
    between(async (world, seen) => {
      ends = seen
      await world.sleep(10)
      seen.connection?.send(frame('lost'))
      world.network.reset('a', 'b')
      await world.sleep(100)
      seen.connection?.send(frame('after the end'))
      await world.sleep(100)
    }),
    quietly,
  )

  expect(ends?.server).toEqual(['opened', 'closed 1006'])
  expect(ends?.client).toEqual(['opened', 'closed 1006'])
})

test('given nobody who listens, or a process that is gone, then a connection ends without having been opened', async () => {
  const seen: string[] = []
  await simulate(
    between(async (world, _seen, { a }) => {
      a.connect('nobody', { received: () => undefined, closed: ({ code }) => seen.push(`nobody ${code}`) })
      world.node('b').crash('a test')
      a.connect('hub', { received: () => undefined, closed: ({ code }) => seen.push(`hub ${code}`) })
      await world.sleep(50)
    }),
    quietly,
  )

  expect(seen.toSorted()).toEqual(['hub 1006', 'nobody 1006'])
})

test('given two who listen at one address, then the second is refused', async () => {
  await simulate(
    between(async (world, _seen, { a }) => {
      await world.sleep(1)
      let problem = ''
      try {
        a.listen('hub', () => ({ received: () => undefined, closed: () => undefined }))
      } catch (error) {
        problem = String(error)
      }
      world.expect(problem.includes("listen('hub')"), problem)
    }),
    quietly,
  )
})

test('given a lossy address, then datagrams are lost, doubled and overtaken', async () => {
  const odd = { lost: 0, doubled: 0, overtaken: 0 }
  await simulate(
    defineScenario({
      name: 'lossy',
      nodes: { a: { journal: false }, b: { journal: false } },
      run: async (world) => {
        world.network.lossy('hub')
        const arrived: number[] = []
        world.node('b').network.listen('hub', () => ({
          received: (given) => arrived.push(Number(text(given))),
          closed: () => undefined,
        }))
        const connection = world
          .node('a')
          .network.connect('hub', { received: () => undefined, closed: () => undefined })
        for (let n = 0; n < 50; n += 1) {
          connection.send(frame(`${n}`))
          await world.sleep(5)
        }
        await world.sleep(100)
        if (new Set(arrived).size < 50) odd.lost += 1
        if (new Set(arrived).size < arrived.length) odd.doubled += 1
        if (arrived.some((n, index) => n < (arrived[index - 1] ?? 0))) odd.overtaken += 1
      },
    }),
    { seeds: 60, faults: faults.only({ net: 0.03, swarm: false }), folder: false },
  )

  expect(Math.min(...Object.values(odd))).toBeGreaterThan(5)
})

test('given an end that sends as it opens, in any order of events, then the other end is opened before it receives', async () => {
  const orders = new Set<string>()
  await simulate(
    defineScenario({
      name: 'greeting',
      nodes: { a: { journal: false }, b: { journal: false } },
      run: async (world) => {
        const order: string[] = []
        world.node('b').network.listen('hub', (connection) => ({
          opened: () => {
            connection.send(frame('hello'))
          },
          received: () => undefined,
          closed: () => undefined,
        }))
        world.node('a').network.connect('hub', {
          opened: () => order.push('opened'),
          received: () => order.push('received'),
          closed: () => undefined,
        })
        await world.sleep(100)
        orders.add(order.join())
      },
    }),
    { seeds: 100, strategy: 'random', faults: faults.none(), folder: false },
  )

  expect([...orders]).toEqual(['opened,received'])
})

test('given a network that fails, when a connection is refused, then nobody took it; and when one end gives up, the other ends too', async () => {
  let refused = 0
  let isAlone = ''
  await simulate(
    between(async (world, { client, server }) => {
      await world.sleep(1)
      world.calm()
      await world.sleep(60_000)
      if (client.join() === 'closed 1006') refused += 1
      if (client.includes('closed 1006') && server.join() === 'opened') isAlone = `${client.join()} | ${server.join()}`
    }),
    { seeds: 100, strategy: 'random', faults: faults.only({ net: 0.5, swarm: false }), folder: false },
  )

  expect(refused).toBeGreaterThan(20)
  expect(isAlone).toBe('')
})

/** What one end does while the two are cut off from each other. */
const partings: readonly (readonly [string, (world: World, seen: Seen) => void])[] = [
  ['is left', (_world, { connection }) => connection?.terminate()],
  ['is reset', (world) => world.network.reset('a', 'b')],
]

test.each(partings)(
  'given a partition, when a connection %s, then the other end learns of it after it heals',
  async (_how, part) => {
    let ends: Seen | undefined
    let atHeal: readonly string[] = []
    await simulate(
      between(async (world, seen) => {
        ends = seen
        await world.sleep(10)
        world.network.partition(['a'], ['b'])
        part(world, seen)
        await world.sleep(5000)
        atHeal = [...seen.server]
        world.network.heal()
        await world.sleep(50)
      }),
      quietly,
    )

    expect(atHeal).toEqual(['opened'])
    expect(ends?.server).toEqual(['opened', 'closed 1006'])
    expect(ends?.client).toEqual(['opened', 'closed 1006'])
  },
)

test('given a partition, when a process dies, then the other end learns of it after it heals', async () => {
  let atHeal: readonly string[] = []
  let atEnd: readonly string[] = []
  await simulate(
    between(async (world, { client }) => {
      await world.sleep(10)
      world.network.partition(['b'], ['a'], { oneWay: true })
      world.node('b').crash('a test')
      await world.sleep(5000)
      atHeal = [...client]
      world.network.heal()
      await world.sleep(50)
      atEnd = [...client]
    }),
    quietly,
  )

  expect(atHeal).toEqual(['opened'])
  expect(atEnd).toEqual(['opened', 'closed 1006'])
})

test.each([
  ['a to b', ['a'], ['b']],
  ['b to a', ['b'], ['a']],
])(
  'given a cut from %s, when a connection is begun, then it is tried again when it heals, and given up when it does not',
  async (_way, from, to) => {
    for (const healMs of [1000, 60_000]) {
      let ends: Seen | undefined
      await simulate(
        between(
          async (world, seen) => {
            ends = seen
            await world.sleep(healMs)
            world.expect(!seen.server.includes('opened'), 'no answer could arrive')
            world.network.heal()
            await world.sleep(60_000)
          },
          (world) => {
            world.network.partition(from, to, { oneWay: true })
          },
        ),
        quietly,
      )
      expect(ends?.client).toEqual([healMs === 1000 ? 'opened' : 'closed 1006'])
      expect(ends?.server).toEqual(healMs === 1000 ? ['opened'] : [])
    }
  },
)

test('given a partition of the scenario, when the network is cut by a fault and healed, then it stays', async () => {
  const report = await simulate(
    between(async (world, seen) => {
      await world.sleep(10)
      world.network.partition(['a'], ['b'])
      for (let n = 0; n < 10; n += 1) {
        seen.connection?.send(frame('x'))
        await world.sleep(100)
      }
      await world.sleep(70_000)
      world.expect(world.network.isCut('a', 'b') && world.network.isCut('b', 'a'), 'it healed by itself')
    }),
    { seeds: 100, faults: faults.only({ net: 0.3, swarm: false }), folder: false },
  )

  expect(report.faults).toBeGreaterThan(100)
})

test('given a process that listens, when it is paused and replaced, then the new one has the address, also after the old one wakes up', async () => {
  let ends: Seen | undefined
  await simulate(
    defineScenario({
      name: 'taken over',
      nodes: {
        a: { journal: false },
        b: {
          journal: false,
          setup: (_runtime, node) => {
            const { incarnation, network } = node
            network.listen('hub', () => ({
              opened: () => ends?.server.push(`opened by ${incarnation}`),
              received: () => undefined,
              closed: () => undefined,
            }))
          },
        },
      },
      run: async (world) => {
        ends = { server: [], client: [] }
        world.node('b').replace(40_000)
        for (const untilMs of [30_000, 60_000]) {
          await world.sleep(untilMs - world.nowMs)
          world.node('a').network.connect('hub', { received: () => undefined, closed: () => undefined })
        }
        await world.sleep(1000)
      },
    }),
    quietly,
  )

  expect(ends?.server).toEqual(['opened by 2', 'opened by 2'])
})

test('given a partition of somebody who is not there, then it is refused', async () => {
  const scenario = between((world) => {
    world.network.partition(['a'], ['typo'])
    return Promise.resolve()
  })

  await expect(simulate(scenario, quietly)).rejects.toThrow(/typo/)
})
