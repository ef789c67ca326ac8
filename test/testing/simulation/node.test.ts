import { expect, test } from 'vitest'
import { defineActor, exits, message, question } from 'echelon'
import * as z from 'zod'
import { crashEverywhere, defineScenario, explore, faults, simulate, type World } from 'echelon/testing'
import { runWorld } from '../../../src/testing/simulation/run-world.ts'
import { addOne, counter, lostUpdate } from './actors.ts'

const quietly = { seeds: 1, strategy: 'fifo', faults: faults.none(), folder: false } as const
const total = (world: World): Promise<number> =>
  world.retrying(() => world.get(counter, 'a').ask({ type: 'counter.total' }))
const shop = (run: (world: World) => Promise<void>) => defineScenario({ name: 'node', nodes: { shop: [counter] }, run })

test('given a node that crashes, then what it was asked fails with NODE_DOWN, and it comes back with what was on its disk', async () => {
  await simulate(
    shop(async (world) => {
      await addOne(world, 'a', 'x')
      const asked = world.get(counter, 'a').ask({ type: 'counter.total' })
      world.node('shop').crash('a test')
      const code = await asked.then(
        () => 'answered',
        (error: unknown) => (error as { readonly code?: string }).code,
      )
      world.expect(code === 'NODE_DOWN', `${code}`)
      world.expect(world.node('shop').state === 'down', 'it is up')
      await world.node('shop').up()
      world.expect(world.node('shop').incarnation === 2, `${world.node('shop').incarnation}`)
      world.expect((await total(world)) === 1, 'it forgot')
    }),
    quietly,
  )
})

test('given a node that loses its disk, then it comes back empty, and nobody is blamed for what it forgot', async () => {
  await simulate(
    shop(async (world) => {
      await addOne(world, 'a', 'x')
      world.node('shop').loseDisk()
      world.node('shop').crash('a test')
      world.expect((await total(world)) === 0, 'it remembers')
    }),
    quietly,
  )
})

test('given a damaged entry, then its actor is refused with where it is, and others go on', async () => {
  await simulate(
    shop(async (world) => {
      await addOne(world, 'a', 'x')
      world.node('shop').corrupt()
      world.node('shop').crash('a test')
      await addOne(world, 'b', 'y')
      const problem = await world
        .get(counter, 'a')
        .ask({ type: 'counter.total' })
        .catch((error: unknown) => error)
      world.expect(String(problem).includes('/durable/counter/a'), String(problem))
    }),
    quietly,
  )
})

test('given a node that is paused, then nothing of it happens until it goes on, and its clocks run', async () => {
  await simulate(
    shop(async (world) => {
      await addOne(world, 'a', 'x')
      const node = world.node('shop')
      const beforeMs = node.zone?.now() ?? 0
      node.pause(10_000)
      const asked = world.get(counter, 'a').ask({ type: 'counter.total' }, { timeoutMs: 60_000 })
      let isAnswered = false
      void asked.then(() => (isAnswered = true))
      await world.sleep(9_000)
      world.expect(!isAnswered, 'it answered')
      await asked
      world.expect((node.zone?.now() ?? 0) - beforeMs >= 10_000, 'its clock stood still')
    }),
    quietly,
  )
})

test('given a paused node that is replaced, when it wakes up, then it writes nothing any more', async () => {
  const report = await simulate(
    shop(async (world) => {
      await addOne(world, 'a', 'x')
      const node = world.node('shop')
      // Told, and not written when the process stops.
      world.get(counter, 'a').tell({ type: 'counter.add', by: 100 })
      node.replace(5000)
      await node.up()
      await addOne(world, 'a', 'y')
      await world.sleep(20_000)
      const sum = await total(world)
      world.expect(sum === 2 || sum === 102, `the total is ${sum}`)
    }),
    { ...quietly, seeds: 50, strategy: 'random' },
  )

  expect(report.worlds).toBe(50)
})

test('given a wall clock that jumps, then monotonic time does not', async () => {
  await simulate(
    shop(async (world) => {
      const zone = world.node('shop').zone
      if (zone === undefined) return
      const before = [zone.now(), zone.wallNow()] as const
      zone.skewMs -= 3_600_000
      world.expect(zone.now() === before[0], 'now jumped')
      world.expect(zone.wallNow() === before[1] - 3_600_000, 'the wall clock did not')
      zone.drift(1.1)
      await world.sleep(1000)
      world.expect(Math.abs(zone.now() - before[0] - 1100) < 1, `${zone.now() - before[0]}`)
    }),
    quietly,
  )
})

test('given a node whose application does not start, then the world says which and why', async () => {
  const broken = defineActor({
    name: 'broken',
    protocol: {},
    state: () => {
      throw new Error('no licence')
    },
    on: {},
  })
  const scenario = defineScenario({ name: 'broken', nodes: { n: { root: broken } }, run: () => undefined })

  await expect(simulate(scenario, { seeds: 1, folder: false })).rejects.toThrow(/node n does not start/)
})

test('given a shutdown under way, then the report is in time, and the node can be started again', async () => {
  await simulate(
    shop(async (world) => {
      await addOne(world, 'a', 'x')
      const report = await world.node('shop').stop()
      world.expect(report?.phases.every(({ timedOut }) => !timedOut) === true, 'late')
      world.node('shop').end()
      await world.node('shop').start()
      world.expect((await total(world)) === 1, 'it forgot')
    }),
    quietly,
  )
})

test('given a node without a journal, then an actor at a path is found again after a crash', async () => {
  const greeter = defineActor({
    name: 'greeter',
    protocol: { 'greeter.hello': question({}, z.string()), 'greeter.stop': message() },
    on: {
      'greeter.hello': ({ reply }) => reply('hello'),
      'greeter.stop': ({ stop }) => stop(exits.normal),
    },
  })
  await simulate(
    defineScenario({
      name: 'plain',
      nodes: {
        n: {
          journal: false,
          setup: (runtime) => {
            runtime.spawn(greeter, { name: 'g' })
          },
        },
      },
      run: async (world) => {
        const ref = world.node('n').at('/user/g', greeter)
        world.node('n').crash('a test')
        world.expect((await world.retrying(() => ref.ask({ type: 'greeter.hello' }))) === 'hello', 'no hello')
      },
    }),
    quietly,
  )
})

test('given a scenario, when its process dies at every commit and after every step, then each place is tried', async () => {
  const scenario = shop(async (world) => {
    for (const id of ['x', 'y']) await addOne(world, 'a', id)
    world.expect((await total(world)) === 2, 'not two')
  })
  const commits = await crashEverywhere(scenario, { folder: false })
  const steps = await crashEverywhere(scenario, { at: 'every-step', again: 2, folder: false })

  expect(commits.points).toBeGreaterThanOrEqual(4)
  expect(commits.worlds).toBeGreaterThan(commits.points)
  expect(steps.points).toBeGreaterThan(10)
  expect(steps.worlds).toBeGreaterThan(steps.points * 2)
})

test('given a message that is acknowledged before it is kept, then a crash at some commit shows it', async () => {
  const scenario = shop(async (world) => {
    // As a client that does not wait: nobody promised it anything.
    world.get(counter, 'a').tell({ type: 'counter.add', by: 1 })
    await world.sleep(1)
    world.expect((await total(world)) === 1, 'it is lost')
  })

  await expect(crashEverywhere(scenario, { folder: false })).rejects.toThrow(/it is lost/)
})

test('given a tiny scenario, when every order is tried, then the one that loses an update is found', async () => {
  await expect(explore(lostUpdate, { maxSteps: 8, folder: false })).rejects.toThrow(/the stock is 1/)
})

test('given two independent messages, when every order is tried, then both orders are among them, and it is complete', async () => {
  const seen = new Set<string>()
  const noter = defineActor({
    name: 'noter',
    input: z.object({ order: z.custom<string[]>() }),
    protocol: { 'noter.go': message() },
    on: {
      'noter.go': ({ input, path }) => {
        input.order.push(path)
      },
    },
  })
  const scenario = defineScenario({
    name: 'two',
    nodes: { n: { journal: false } },
    run: async (world) => {
      const order: string[] = []
      const refs = ['a', 'b'].map((name) => world.node('n').spawn(noter, { name, input: { order } }))
      for (const ref of refs) ref.tell({ type: 'noter.go' })
      await world.sleep(1)
      seen.add(order.join())
    },
  })
  const report = await explore(scenario, { maxSteps: 20, folder: false })

  expect(report.isComplete).toBe(true)
  expect([...seen].toSorted()).toEqual(['/user/a,/user/b', '/user/b,/user/a'])
})

test('given a node that is up or starting, when it is started, then no second process lives', async () => {
  await simulate(
    shop(async (world) => {
      const node = world.node('shop')
      const { zone } = node
      await node.start()
      world.expect(node.incarnation === 1 && node.zone === zone, 'a second one was started')
      node.crash('a test')
      await Promise.all([node.start(), node.start()])
      await world.sleep(60_000)
      world.expect(node.incarnation === 2, `there were ${node.incarnation} processes`)
      await node.stop()
      await node.start()
      world.expect(zone?.isAlive === false && node.incarnation === 3, 'it was not started after it was stopped')
      world.expect((await total(world)) === 0, 'it counted')
    }),
    quietly,
  )
})

test('given a node that is starting, when it is stopped, then it does not come up', async () => {
  await simulate(
    shop(async (world) => {
      const node = world.node('shop')
      node.crash('a test')
      void node.start()
      world.expect(node.state === 'starting', node.state)
      await node.stop()
      await world.sleep(60_000)
      world.expect(node.state === 'down', `it is ${node.state}`)
      await node.start()
      world.expect(node.state === 'up', `it is ${node.state}`)
    }),
    quietly,
  )
})

test('given a paused process that was replaced, when it wakes up and dies at a commit, then the new one lives on', async () => {
  // Told, and not written when it is paused: that commit is the one that the old process dies at.
  const write = async (world: World): Promise<void> => {
    await addOne(world, 'a', 'x')
    world.get(counter, 'a').tell({ type: 'counter.add', by: 1 })
    await world.sleep(0.05)
  }
  let atCrash = 0
  for (let ordinal = 0; ordinal < 20; ordinal += 1) {
    const seen = { newProcesses: 0, isOldAlive: true }
    const scenario = shop(async (world) => {
      await write(world)
      const node = world.node('shop')
      const old = node.zone
      const before = node.incarnation
      node.replace(1000)
      await world.sleep(1500)
      seen.newProcesses = node.incarnation - before
      seen.isOldAlive = old?.isAlive === true
    })
    const deviations = [{ kind: 'fault', stream: 'crashAtCommit shop', ordinal, value: 1 }] as const
    const rates = faults.only({ crashAtCommit: 0.5, swarm: false })
    await runWorld(scenario, { seed: 1, strategy: 'fifo', deviations }, { faults: rates })
    if (!seen.isOldAlive && seen.newProcesses === 1) atCrash += 1
    expect(seen.isOldAlive || seen.newProcesses === 1).toBe(true)
  }
  expect(atCrash).toBeGreaterThan(0)
})

test('given a step of a node that takes long, then its timers are late, and those of others are not', async () => {
  const firedMs = { a: 0, b: 0 }
  const plan = (ordinal: number) =>
    ({ seed: 1, strategy: 'fifo', deviations: [{ kind: 'fault', stream: 'stall a', ordinal, value: 3 }] }) as const
  let late = 0
  for (let ordinal = 0; ordinal < 8; ordinal += 1) {
    const scenario = defineScenario({
      name: 'stall',
      nodes: { a: { journal: false }, b: { journal: false } },
      run: async (world) => {
        for (const name of ['a', 'b'] as const)
          world.node(name).zone?.setTimeout(() => {
            firedMs[name] = world.nowMs
          }, 10)
        await world.sleep(20_000)
      },
    })
    await runWorld(scenario, plan(ordinal), { faults: faults.only({ stall: 0.5, swarm: false }) })
    if (firedMs.a > 1000) late += 1
    expect(firedMs.b).toBeLessThan(100)
  }
  expect(late).toBeGreaterThan(0)
})

test('given a clock that drifts, then the wall clock does too, and both do after a restart', async () => {
  await simulate(
    shop(async (world) => {
      const node = world.node('shop')
      const aheadMs = (): number => (node.zone?.wallNow() ?? 0) - Date.UTC(2026, 0, 1) - world.nowMs
      node.zone?.drift(1.1)
      await world.sleep(10_000)
      world.expect(Math.abs(aheadMs() - 1000) < 2, `ahead by ${aheadMs()}`)
      node.crash('a test')
      await node.start()
      world.expect(Math.abs(aheadMs() - 1000) < 10, `ahead by ${aheadMs()} after a restart`)
      const before = node.zone?.now() ?? 0
      await world.sleep(10_000)
      world.expect(Math.abs(aheadMs() - 2000) < 10, `ahead by ${aheadMs()} later`)
      world.expect(Math.abs((node.zone?.now() ?? 0) - before - 11_000) < 10, 'it went on at the usual rate')
      node.zone?.drift(1)
      const then = aheadMs()
      await world.sleep(10_000)
      world.expect(Math.abs(aheadMs() - then) < 2, 'it drifts on')
    }),
    quietly,
  )
})

test('given a damaged entry, when the journal is verified, then that is a problem, until the entry is compacted away', async () => {
  const found: string[][] = []
  const entry = { kind: 'handled', version: 1, atMs: 0, body: '{}' } as const
  const append = { stream: 's', wakeAtMs: null }
  await simulate(
    defineScenario({
      name: 'damaged',
      nodes: { n: { journal: false } },
      run: async (world) => {
        const node = world.node('n')
        const { zone } = node
        if (zone === undefined) return
        const journal = await node.disk.source(zone).open({ node: 'n', clock: zone })
        const verify = async (): Promise<void> => {
          const { problems } = await journal.verify()
          found.push(problems.map(({ where }) => where))
        }
        await journal.append([{ ...append, expectedSeq: 0, entries: [entry] }])
        await verify()
        node.corrupt()
        await verify()
        const snapshot = { seq: 1, version: 1, atMs: 0, body: '{}', blobs: [] }
        await journal.append([{ ...append, expectedSeq: 1, entries: [], snapshot }])
        await journal.compact()
        await verify()
        world.expect((await journal.load('s')).lastSeq === 1, 'it does not load')
      },
    }),
    quietly,
  )

  expect(found).toEqual([[], ['stream s at 1'], []])
})

test('given a node that is up, when it loses its disk, then its process is gone too', async () => {
  await simulate(
    shop(async (world) => {
      await addOne(world, 'a', 'x')
      const node = world.node('shop')
      node.loseDisk()
      world.expect(node.state === 'down', `it is ${node.state}`)
      await node.up()
      world.expect(node.incarnation === 2 && (await total(world)) === 0, 'it remembers')
    }),
    quietly,
  )
})

test('given a scenario with faults of its own, when its process dies everywhere, then that comes to an end', async () => {
  const scenario = shop(async (world) => {
    world.node('shop').loseDisk()
    await addOne(world, 'a', 'x')
  })
  const report = await crashEverywhere(scenario, { folder: false, maxWorlds: 500 })

  expect(report.worlds).toBeLessThan(500)
  expect(report.points).toBeGreaterThan(1)
})

test('given appends that wait when a process dies, then none, some or all of them are on disk, the first of them', async () => {
  const kept = new Set<string>()
  await simulate(
    shop(async (world) => {
      const names = ['a', 'b', 'c']
      for (const name of names) await addOne(world, name, 'first')
      const { disk } = world.node('shop')
      const seqOf = (name: string): number => disk.store.streams.get(`/durable/counter/${name}`)?.lastSeq ?? 0
      const before = names.map(seqOf)
      const told = names.map((name) =>
        world.get(counter, name).tell({ type: 'counter.add', by: 1 }, { durable: true, id: 'second' }),
      )
      await world.sleep(0.2) // less than a commit takes
      world.node('shop').crash('a test')
      await Promise.allSettled(told)
      kept.add(names.filter((name, index) => seqOf(name) > (before[index] ?? 0)).join(''))
    }),
    { ...quietly, seeds: 60 },
  )

  expect([...kept].toSorted()).toEqual(expect.arrayContaining(['', 'abc']))
  expect(kept.size).toBeGreaterThan(2)
  expect([...kept].every((names) => 'abc'.startsWith(names))).toBe(true)
})
