import { expect, test } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { faults, type FaultKind } from 'echelon/testing'
import { ratesOf } from '../../../src/testing/simulation/faults.ts'
import { runWorld } from '../../../src/testing/simulation/run-world.ts'
import { defineScenario } from '../../../src/testing/simulation/scenario.ts'
import { strategyOf } from '../../../src/testing/simulation/strategy.ts'
import { addOne, counter } from './actors.ts'

const scenario = defineScenario({
  name: 'faults',
  nodes: { shop: [counter] },
  run: async (world) => {
    // What was lost with a disk, or is damaged, is nobody's fault.
    for (const id of ['x', 'y', 'z']) await addOne(world, id, id).catch(() => undefined)
    await world.sleep(1000)
  },
})

/** What happened in worlds that have one kind of fault only. */
async function faultsOf(
  kind: FaultKind,
  others: Partial<Record<FaultKind, number>> = {},
): Promise<ReadonlySet<string>> {
  const plan = faults.only({ [kind]: kind === 'corrupt' || kind === 'loseDisk' ? 1 : 0.1, ...others, swarm: false })
  const seen = new Set<string>()
  for (let seed = 0; seed < 60; seed += 1) {
    const { trace } = await runWorld(scenario, { seed }, { faults: plan, keepTrace: true })
    for (const { place, what } of trace) if (place === 'fault') seen.add(what.replace(/-?\d+ ms/, 'N ms'))
  }
  return seen
}

interface Row {
  readonly kind: FaultKind
  readonly ways: readonly string[]
  /** What has to happen for it to happen. */
  readonly others?: Partial<Record<FaultKind, number>>
}

test.each<Row>([
  { kind: 'crash', ways: ['crash'] },
  { kind: 'pause', ways: ['pause'] },
  { kind: 'replace', ways: ['replaced while paused'] },
  { kind: 'stall', ways: ['a step takes long'] },
  { kind: 'clock', ways: ['the wall clock jumps by N ms', 'the clock drifts'] },
  { kind: 'diskSlow', ways: ['slow disk'] },
  { kind: 'diskFull', ways: ['disk full'] },
  { kind: 'diskFails', ways: ['a write fails', 'a write fails and was written'] },
  { kind: 'crashAtCommit', ways: ['dies at a commit', 'dies after a commit, before its acknowledgement'] },
  { kind: 'readFails', ways: ['a read fails'] },
  { kind: 'corrupt', ways: ['crash', 'an entry is damaged'], others: { crash: 0.02 } },
  { kind: 'loseDisk', ways: ['crash', 'the disk is lost'], others: { crash: 0.02 } },
])('given a plan of $kind only, then just that happens, in each of its ways', async ({ kind, ways, others }) => {
  expect([...(await faultsOf(kind, others))].toSorted()).toEqual([...ways].toSorted())
})

test('given a clock that drifts, then it is no longer that of the world', async () => {
  const offs = new Set<boolean>()
  const drifts = defineScenario({
    name: 'drifts',
    nodes: { shop: [counter] },
    run: async (world) => {
      await world.sleep(60_000)
      await addOne(world, 'a', 'x')
      await world.sleep(60_000)
      const { rate = 1 } = world.node('shop').zone ?? {}
      offs.add(rate !== 1)
    },
  })
  for (let seed = 0; seed < 60; seed += 1)
    await runWorld(drifts, { seed }, { faults: faults.only({ clock: 0.1, swarm: false }) })

  expect([...offs].toSorted()).toEqual([false, true])
})

test('given a swarm, then each seed goes without some kinds, and each kind is there in some; without a swarm all are', () => {
  const plan = faults.standard()
  const kinds = Object.entries(plan.rates).filter(([, rate]) => rate > 0)
  const kept = new Map<string, number>()
  for (let seed = 0; seed < 300; seed += 1) {
    const rates = ratesOf(plan, seededRandom(seed))
    for (const [kind, rate] of Object.entries(rates)) if (rate > 0) kept.set(kind, (kept.get(kind) ?? 0) + 1)
  }

  expect(kept.size).toBe(kinds.length)
  for (const times of kept.values()) {
    expect(times).toBeGreaterThan(120)
    expect(times).toBeLessThan(240)
  }
  expect(ratesOf(faults.standard({ swarm: false }), seededRandom(1))).toEqual(plan.rates)
})

/** Whom a strategy lets run, of two that are always ready. */
function picks(name: 'sticky' | 'procrastinate' | 'random'): string[] {
  const strategy = strategyOf(name, seededRandom(1))
  const random = seededRandom(2)
  return Array.from({ length: 2000 }, () => ['a', 'b'][strategy.pick(['a', 'b'], random)] ?? '')
}
const changes = (picked: readonly string[]): number => picked.filter((label, at) => label !== picked[at - 1]).length

test('given two that are always ready, then sticky and procrastination stay with one for long, and chance does not', () => {
  expect(changes(picks('random'))).toBeGreaterThan(800)
  for (const name of ['sticky', 'procrastinate'] as const) {
    expect(changes(picks(name))).toBeLessThan(300)
    expect(new Set(picks(name)).size).toBe(2)
  }
})
