import { expect, test } from 'vitest'
import { defineScenario, explore, faults, simulate, type World } from 'echelon/testing'
import { addOne, counter } from './actors.ts'

/** A world with one node, in which `code` runs on the node at its begin. */
const on = (code: (world: World) => void, run: (world: World) => Promise<void>) =>
  defineScenario({
    name: 'kernel',
    nodes: { n: { journal: false } },
    run: async (world) => {
      await world.node('n').up()
      world.node('n').run(() => {
        code(world)
      })
      await run(world)
    },
  })

/** The real timer function of a node, by its clock. */
const timer = (world: World, ms: number, fn: () => void) => world.node('n').zone?.setTimeout(fn, ms)
const searched = { seeds: 60, strategy: 'random', faults: faults.none(), folder: false } as const

test('given timers of one process that are due together, then they ring in order, whatever the world decides', async () => {
  const rung: string[] = []
  await simulate(
    on(
      (world) => {
        for (const name of ['a', 'b', 'c']) timer(world, 10, () => rung.push(name))
        timer(world, 11, () => rung.push('d'))
      },
      async (world) => {
        await world.sleep(10)
        // Late, as after a long step: still in order.
        await world.sleep(100)
      },
    ),
    { ...searched, twiceEvery: 0 },
  )

  expect(rung).toEqual(Array.from({ length: 60 }, () => ['a', 'b', 'c', 'd']).flat())
})

test('given a timer that falls due in a pause, when it is cleared after the pause, then it never rings', async () => {
  const seen: string[] = []
  await simulate(
    on(
      (world) => {
        const { zone } = world.node('n')
        const armed = timer(world, 100, () => seen.push('rang'))
        zone?.pause(3000)
        // Is due before the other, and comes first after the pause.
        timer(world, 50, () => {
          zone?.clearTimeout(armed)
          seen.push('cleared')
        })
      },
      (world) => world.sleep(10_000),
    ),
    { ...searched, twiceEvery: 0 },
  )

  expect(seen).toEqual(Array.from({ length: 60 }, () => 'cleared'))
})

test('given a pause that ends early, then what fell due in it comes then', async () => {
  const at: number[] = []
  await simulate(
    on(
      (world) => {
        world.node('n').zone?.pause(40_000)
        timer(world, 10, () => at.push(world.nowMs))
      },
      async (world) => {
        await world.sleep(100)
        world.node('n').zone?.resume()
        await world.sleep(100)
      },
    ),
    { ...searched, seeds: 1 },
  )

  expect(at.map(Math.round)).toEqual([100])
})

test('given a tiny scenario and faults, when every way is tried, then each fault is, in each place', async () => {
  let crashed = 0
  const scenario = defineScenario({
    name: 'tiny',
    nodes: { shop: [counter] },
    run: async (world) => {
      await addOne(world, 'a', 'x')
      if (world.node('shop').incarnation > 1) crashed += 1
    },
  })
  const report = await explore(scenario, { faults: faults.only({ crashAtCommit: 0.1 }), maxSteps: 6, folder: false })

  expect(report.worlds).toBeGreaterThan(10)
  expect(crashed).toBeGreaterThan(5)
})

test('given what nobody can decide, then it is refused, and says what would do', async () => {
  const fails = (run: (world: World) => unknown): Promise<unknown> =>
    simulate(defineScenario({ name: 'wrong', nodes: { n: [counter] }, run: (world) => void run(world) }), {
      seeds: 1,
      faults: faults.none(),
      folder: false,
    })

  await expect(fails((world) => world.integer(5, 1))).rejects.toThrow(/integer.*5.*1/)
  await expect(fails((world) => world.choose(NaN))).rejects.toThrow(/choose/)
  await expect(fails((world) => world.pick([]))).rejects.toThrow(/pick/)
  await expect(fails((world) => world.network.partition(['n'], ['typo']))).rejects.toThrow(/typo/)
  await expect(fails((world) => world.node('typo'))).rejects.toThrow(/typo.*n/)
  await expect(fails((world) => world.sleep('soon' as '1s'))).rejects.toThrow(/sleep/)
})

test.each([
  [{ seeds: [] }, /seeds/],
  [{ faults: { crash: 0.1 } as never }, /faults/],
  [{ faults: faults.only({ crahs: 0.1 } as never) }, /crahs/],
  [{ faults: faults.only({ crash: 2 }) }, /crash/],
  [{ invariants: 'some' as 'all' }, /invariants/],
  [{ twiceEvery: 'x' as never }, /twiceEvery/],
])('given options that make no sense, then they are refused by name', async (options, name) => {
  const scenario = defineScenario({ name: 'options', nodes: {}, run: () => undefined })

  await expect(async () => simulate(scenario, { folder: false, ...options })).rejects.toThrow(name)
})

test.each([
  [{ n: 5 as never }, /nodes\.n/],
  [{ n: counter as never }, /nodes\.n/],
])('given nodes that are none, then they are refused by name', async (nodes, name) => {
  await expect(
    simulate(defineScenario({ name: 'nodes', nodes, run: () => undefined }), { folder: false }),
  ).rejects.toThrow(name)
})

test('given a check that gives a promise, or a condition that throws, then the world says so', async () => {
  const wrong = { name: 'checks', nodes: {}, run: (world: World) => world.sleep(1) }
  const late = { ...wrong, always: async function lateCheck() {} as never }
  const throwing = {
    ...wrong,
    sometimes: {
      'a blue moon': () => {
        throw new Error('no moon')
      },
    },
  }

  await expect(simulate(defineScenario(late), { seeds: 1, folder: false })).rejects.toThrow(/lateCheck.*at once/)
  await expect(simulate(defineScenario(throwing), { seeds: 1, folder: false })).rejects.toThrow(/a blue moon.*no moon/s)
})

test('given a check that reads the time, then it is the time of the world', async () => {
  const years: number[] = []
  await simulate(
    defineScenario({
      name: 'time of checks',
      nodes: {},
      run: (world) => world.sleep(1),
      always: () => void years.push(new Date().getUTCFullYear(), new Date().getUTCMonth()),
    }),
    { seeds: 1, folder: false },
  )

  expect([...new Set(years)].toSorted()).toEqual([0, 2026])
})

test('given two failures in one scenario, then the one that was found is the one that is shrunk', async () => {
  const scenario = defineScenario({
    name: 'two failures',
    nodes: {},
    run: (world) => {
      const [x, y] = [world.choose(4, 'x'), world.choose(4, 'y')]
      if (x === 3 && y === 3) throw new Error('the rare one')
      if (x === 3 && y === 0) throw new TypeError('the boring one')
    },
  })
  const found = new Set<string>()
  for (let seed = 1; seed < 200; seed += 10) {
    const message = await simulate(scenario, { seeds: 10, seed, folder: false }).then(
      () => '',
      (error: unknown) => String(error),
    )
    found.add(/the (rare|boring) one/.exec(message)?.[1] ?? 'none')
    if (message.includes('rare')) expect(message).toContain('scenario y #0: 3')
  }

  expect([...found].toSorted()).toEqual(['boring', 'none', 'rare'])
})
