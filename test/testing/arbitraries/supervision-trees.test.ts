import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DefinitionInvalidError } from '../../../src/core/errors.ts'
import { exits } from '../../../src/core/exit.ts'
import { buildTree, carryOut, type treeWorkerProtocol } from '../../../src/testing/arbitraries/build-tree.ts'
import {
  crashScripts,
  supervisionTrees,
  type Behaviour,
  type ChildNode,
  type CrashHow,
  type CrashStep,
  type TreeSpec,
} from '../../../src/testing/arbitraries/supervision-trees.ts'

const treesWithScripts = supervisionTrees().chain((spec) => fc.tuple(fc.constant(spec), crashScripts(spec)))

async function play(world: TestRuntime, spec: TreeSpec, script: readonly CrashStep[]) {
  const root = world.runtime.spawn(buildTree(spec), { name: 'tree' })
  await world.settle()
  for (const step of script) {
    await world.advance(step.afterMs)
    carryOut(world.runtime, root, step)
    await world.settle()
  }
  return root
}

const nodesOf = ({ children }: TreeSpec): readonly ChildNode[] =>
  children.flatMap((each) => [each, ...(each.runs.kind === 'supervisor' ? nodesOf(each.runs) : [])])

describe('any tree', () => {
  test('given any tree and any crashes, when it is run and shut down, then it is started whole, and nothing is left of it', async () => {
    await fc.assert(
      fc.asyncProperty(treesWithScripts, async ([spec, script]) => {
        const world = await createTestRuntime()
        const started = world.runtime.spawn(buildTree(spec), { name: 'whole' })
        await world.settle()
        for (const { id } of spec.children) expect(world.runtime.ref(`${started.path}/${id}`)?.isRunning).toBe(true)

        const root = await play(world, spec, script)
        void root.stop()
        await world[Symbol.asyncDispose]()

        expect(root.isRunning).toBe(false)
        expect(world.runtime.stats.zombieEffects).toBe(0)
        expect(world.clock.pending).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  test('given many trees, then all that OTP knows occurs, and nothing that it refuses', () => {
    const specs = fc.sample(supervisionTrees(), { seed: 1, numRuns: 500 })
    const seen = new Set<string>()
    const look = (spec: TreeSpec, depth: number): void => {
      expect(depth).toBeLessThanOrEqual(3)
      expect(spec.children.length).toBeLessThanOrEqual(4)
      expect(new Set(spec.children.map(({ id }) => id)).size).toBe(spec.children.length)
      for (const what of [spec.strategy, spec.autoShutdown, `depth ${depth}`]) seen.add(what)
      for (const { restart, significant, shutdown, runs } of spec.children) {
        for (const what of [restart, String(shutdown), significant ? 'significant' : 'not']) seen.add(what)
        if (significant) expect([restart === 'permanent', spec.autoShutdown === 'never']).toEqual([false, false])
        if (runs.kind === 'supervisor') look(runs, depth + 1)
        else {
          seen.add(runs.behaviour.kind)
          expect([runs.behaviour.kind, shutdown]).not.toEqual(['ignore-stop', 'infinity'])
        }
      }
    }
    for (const spec of specs) look(spec, 1)
    expect([...seen].sort()).toEqual(
      [
        ...['one_for_one', 'one_for_all', 'rest_for_one', 'never', 'any_significant', 'all_significant'],
        ...['depth 1', 'depth 2', 'depth 3', 'permanent', 'transient', 'temporary', 'significant', 'not'],
        ...['1000', '5000', 'infinity', 'brutal_kill', 'steady', 'crash-on-message', 'crash-in-start', 'ignore-stop'],
      ].sort(),
    )
  })

  test('given a bound on depth and children, then trees keep to it', () => {
    for (const spec of fc.sample(supervisionTrees({ maxDepth: 1, maxChildren: 2 }), { seed: 1, numRuns: 100 })) {
      expect(spec.children.length).toBeLessThanOrEqual(2)
      expect(nodesOf(spec).every(({ runs }) => runs.kind === 'worker')).toBe(true)
    }
    expect(() => supervisionTrees({ maxDepth: 0 })).toThrow(DefinitionInvalidError)
  })

  test('given a failure that needs one temporary child, when its tree shrinks, then that child is left', () => {
    const { counterexample } = fc.check(
      fc.property(supervisionTrees(), (spec) => !nodesOf(spec).some(({ restart }) => restart === 'temporary')),
      { seed: 1 },
    )
    expect(nodesOf(counterexample![0]).filter(({ restart }) => restart === 'temporary')).toHaveLength(1)
    expect(nodesOf(counterexample![0]).length).toBeLessThanOrEqual(3)
  })
})

describe('crashScripts', () => {
  test('given a tree, when scripts are drawn, then its actors are in them, and supervisors are only killed', () => {
    fc.assert(
      fc.property(treesWithScripts, ([spec, script]) => {
        for (const { path, how } of script) {
          const place = path.reduce<TreeSpec | ChildNode['runs']>((at, id) => {
            if (at.kind !== 'supervisor') throw new Error(`nothing below a worker: ${path.join('/')}`)
            return at.children.find((each) => each.id === id)!.runs
          }, spec)
          if (place.kind === 'supervisor') expect(how).toBe('kill')
        }
      }),
    )
  })

  test('given a tree without children, then nothing happens to it', () => {
    const [empty] = fc
      .sample(supervisionTrees(), { seed: 1, numRuns: 200 })
      .filter(({ children }) => children.length === 0)
    expect(fc.sample(crashScripts(empty!), 5)).toEqual([[], [], [], [], []])
  })
})

describe('buildTree', () => {
  const treeWith = (behaviour: Behaviour, more: Partial<ChildNode> = {}): TreeSpec => ({
    kind: 'supervisor',
    strategy: 'one_for_one',
    intensity: { restarts: 3, withinMs: 5_000 },
    autoShutdown: 'never',
    children: [
      {
        id: 'a',
        restart: 'permanent',
        significant: false,
        shutdown: 1_000,
        runs: { kind: 'worker', behaviour },
        ...more,
      },
    ],
  })
  const told = (...hows: readonly CrashHow[]): CrashStep[] => hows.map((how) => ({ afterMs: 0, path: ['a'], how }))

  test.each<[string, Behaviour, readonly CrashHow[], number]>([
    ['a steady worker, when it works', { kind: 'steady' }, ['work', 'work'], 1],
    ['a steady worker, when it crashes', { kind: 'steady' }, ['crash'], 2],
    ['a steady worker, when it ends', { kind: 'steady' }, ['normal', 'shutdown', 'kill'], 4],
    ['one that crashes on its 2nd message', { kind: 'crash-on-message', nth: 2 }, ['work', 'work'], 2],
    ['one that crashes in its 3rd start', { kind: 'crash-in-start', nth: 3 }, ['crash', 'crash'], 3],
    ['one that crashes in its 9th start', { kind: 'crash-in-start', nth: 9 }, ['crash', 'crash'], 3],
  ])(
    'given %s, then its incarnation is the one that follows from that',
    async (_what, behaviour, hows, incarnation) => {
      await using world = await createTestRuntime()
      const root = await play(world, treeWith(behaviour), told(...hows))
      expect(root.isRunning).toBe(true)
      expect(world.runtime.ref(`${root.path}/a`)?.incarnation).toBe(incarnation)
    },
  )

  test('given more crashes than are bearable, then the supervisor gives up, and later steps find nobody', async () => {
    await using world = await createTestRuntime()
    const root = world.runtime.spawn(buildTree(treeWith({ kind: 'steady' }, { restart: 'permanent' })))
    await world.settle()
    const found: boolean[] = []
    const { exited } = root
    for (const step of told('crash', 'crash', 'crash', 'crash', 'crash')) {
      found.push(carryOut(world.runtime, root, step))
      await world.settle()
    }
    expect(found).toEqual([true, true, true, true, false])
    expect(await world.until(exited)).toMatchObject({ kind: 'shutdown' })
  })

  test('given one that ignores a stop, when the tree stops, then it is killed after its time', async () => {
    await using world = await createTestRuntime()
    const root = await play(world, treeWith({ kind: 'ignore-stop' }), [])
    const worker = world.runtime.ref(`${root.path}/a`)!
    const { exited } = worker
    let hasEnded = false
    void exited.then(() => (hasEnded = true))
    void root.stop()
    await world.advance(999)
    expect(hasEnded).toBe(false)
    await world.advance(1)
    expect(await world.until(exited)).toEqual(exits.killed)
  })

  test('given a worker, when it is asked, then it says how often it has worked', async () => {
    await using world = await createTestRuntime()
    const root = await play(world, treeWith({ kind: 'steady' }), told('work', 'work'))
    const worker = world.runtime.ref(`${root.path}/a`)!
    // As the protocol of the workers says.
    const asked = worker.ask({ type: 'worker.worked' satisfies keyof typeof treeWorkerProtocol } as never)
    expect(await world.until(asked as Promise<unknown>)).toBe(2)
  })
})
