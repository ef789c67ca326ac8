/* eslint-disable no-restricted-globals -- in a world they are virtual */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { defineActor, message } from 'echelon'
import {
  always,
  defineScenario,
  faults,
  readCase,
  replay,
  sequenceDiagram,
  sim,
  simulate,
  SimulationFailedError,
} from 'echelon/testing'
import { addOne, counter, lostUpdate } from './actors.ts'

const folder = (): string => mkdtempSync(path.join(tmpdir(), 'echelon-simcase-'))

/** What a simulation finds. */
async function failureOf(simulated: Promise<unknown>): Promise<SimulationFailedError> {
  const error: unknown = await simulated.then(
    () => undefined,
    (rejected: unknown) => rejected,
  )
  if (!(error instanceof SimulationFailedError)) throw new Error('it did not fail', { cause: error })
  return error
}

test('given two agents that read and write, then the order that loses an update is found, shrunk to what it takes, and replays', async () => {
  const failure = await failureOf(simulate(lostUpdate, { seeds: 200, faults: faults.none(), folder: folder() }))
  const found = readCase(failure.file ?? '')
  const again = await replay(lostUpdate, found)

  expect(failure.invariant).toBe('run')
  expect(failure.message).toContain('the stock is 1')
  expect(found.deviations.length).toBeLessThanOrEqual(4)
  expect([again.isSame, again.isExact]).toEqual([true, true])
  expect(sequenceDiagram(again.result.trace)).toMatch(/^sequenceDiagram\n {2}participant/)
})

test('given a right scenario and every kind of usual fault, then nothing is found, and the report counts', async () => {
  const scenario = defineScenario({
    name: 'counts',
    nodes: { shop: [counter] },
    run: async (world) => {
      for (const id of ['x', 'y', 'z']) await addOne(world, 'a', id)
      const total = await world.retrying(() => world.get(counter, 'a').ask({ type: 'counter.total' }))
      world.expect(total === 3, `the total is ${total}`)
      if (world.node('shop').incarnation > 1) world.sometimes('restarted')
    },
    sometimes: ['restarted'],
  })
  const report = await simulate(scenario, { seeds: 200, folder: false })

  expect(report).toMatchObject({ scenario: 'counts', worlds: 200, external: undefined })
  expect(report.faults).toBeGreaterThan(100)
  expect(report.delivered).toBeGreaterThan(600)
  expect(report.sometimes['restarted']).toBeGreaterThan(10)
})

test('given something that is never come by, then the campaign fails as vacuous', async () => {
  const scenario = defineScenario({ name: 'vacuous', nodes: {}, run: () => undefined, sometimes: ['a blue moon'] })

  await expect(simulate(scenario, { seeds: 3, folder: false })).rejects.toMatchObject({ invariant: 'I15 sometimes' })
})

test('given a condition of sometimes, then it is looked at on each step', async () => {
  const scenario = defineScenario({
    name: 'conditions',
    nodes: {},
    run: (world) => world.sleep(5),
    sometimes: { 'five milliseconds': (world) => world.nowMs >= 5 },
  })

  expect((await simulate(scenario, { seeds: 2, folder: false })).sometimes).toEqual({ 'five milliseconds': 2 })
})

test('given a check that fails after a step, then the world ends there, by the name of the check', async () => {
  const scenario = defineScenario({
    name: 'always',
    nodes: {},
    run: (world) => world.sleep(1000),
    always: [
      function notLate(world) {
        return world.nowMs < 500
      },
      always('never in February', () => 'it is February'),
    ],
  })

  await expect(simulate(scenario, { seeds: 1, folder: false })).rejects.toMatchObject({
    invariant: 'never in February',
  })
  await expect(
    simulate({ ...scenario, always: scenario.always[0] }, { seeds: 1, folder: false }),
  ).rejects.toMatchObject({ invariant: 'notLate' })
})

test('given a check of the end, then it is looked at when all is quiet only', async () => {
  const state = { looked: 0 }
  const scenario = defineScenario({
    name: 'eventually',
    nodes: { shop: [counter] },
    run: (world) => addOne(world, 'a', 'x'),
    eventually: function looksOnce() {
      state.looked += 1
    },
  })
  await simulate(scenario, { seeds: 1, twiceEvery: 0, folder: false })

  expect(state.looked).toBe(1)
})

test('given state that outlives its world, then two runs of a seed differ, and the campaign says where', async () => {
  const outside = { runs: 0 }
  const leaky = defineActor({
    name: 'leaky',
    protocol: { 'leaky.go': message() },
    on: {
      'leaky.go': ({ self, timers }) => {
        outside.runs += 1
        if (outside.runs < 5) self.tell({ type: 'leaky.go' })
        else timers.after('x', 5, { type: 'leaky.go' })
      },
    },
  })
  const scenario = defineScenario({
    name: 'leaks',
    nodes: {
      n: {
        journal: false,
        setup: (runtime) => {
          runtime.spawn(leaky, { name: 'l' }).tell({ type: 'leaky.go' })
        },
      },
    },
    run: (world) => world.sleep(2),
  })

  const failure = await failureOf(
    simulate(scenario, { seeds: 1, twiceEvery: 1, folder: false, faults: faults.none(), settle: 0 }),
  )
  expect(failure.invariant).toBe('I9 determinism')
  expect(failure.message).toMatch(/two runs of it went different ways/)
})

test('given a scenario that waits for nothing, then the world says so and does not hang', async () => {
  const scenario = defineScenario({ name: 'stuck', nodes: {}, run: () => new Promise<void>(() => undefined) })

  await expect(simulate(scenario, { seeds: 1, folder: false })).rejects.toThrow(/nothing can go on/)
})

test('given a scenario that goes on for longer than it may, then it ends', async () => {
  const scenario = defineScenario({
    name: 'long',
    nodes: {},
    run: async (world) => {
      for (;;) await world.sleep(60_000)
    },
  })

  await expect(simulate(scenario, { seeds: 1, virtual: '1h', folder: false })).rejects.toThrow(
    /not at its end after 3600000 ms/,
  )
})

test('given an error in a timer of a node, then it is not lost', async () => {
  const thrower = defineActor({
    name: 'thrower',
    protocol: { 'thrower.go': message() },
    on: {
      'thrower.go': () => {
        setTimeout(() => {
          throw new Error('nobody hears me')
        }, 1)
      },
    },
  })
  const scenario = defineScenario({
    name: 'throws',
    nodes: {
      n: {
        journal: false,
        setup: (runtime) => {
          runtime.spawn(thrower, { name: 't' }).tell({ type: 'thrower.go' })
        },
      },
    },
    run: (world) => world.sleep(10),
  })

  await expect(simulate(scenario, { seeds: 1, folder: false })).rejects.toMatchObject({ invariant: 'uncaught' })
})

test('given a world that is open, when another begins, then it is refused', async () => {
  await using world = sim()
  expect(world.nowMs).toBe(0)

  await expect(simulate(lostUpdate, { seeds: 1 })).rejects.toMatchObject({ code: 'SIMULATION_BUSY' })
})

test.each([
  ['no JSON', '{', /cannot be read/],
  ['another file', '{"format":"x"}', /no simcase of version 1/],
])('given %s as a case, then it is refused with what is wrong', (_name, text, problem) => {
  const file = path.join(folder(), 'x.simcase.json')
  writeFileSync(file, text)

  expect(() => readCase(file)).toThrow(problem)
})

test('given a case of another scenario, then it is not replayed', async () => {
  const { file = '' } = await failureOf(simulate(lostUpdate, { seeds: 200, folder: folder() }))
  const other = defineScenario({ name: 'other', nodes: {}, run: () => undefined })

  await expect(replay(other, readCase(file))).rejects.toMatchObject({ code: 'SIMULATION_CASE' })
})

test('given a failure, then its file is the same each time', async () => {
  const written: string[] = []
  for (const where of [folder(), folder()]) {
    await failureOf(simulate(lostUpdate, { seeds: 200, folder: where }))
    written.push(readFileSync(path.join(where, readdirSync(where)[0] ?? ''), 'utf8'))
  }

  expect(written[0]).toBe(written[1])
})

test.each([
  [{ seeds: 0 }, /seeds/],
  [{ seeds: 1.5 }, /seeds/],
  [{ virtual: '2 weeks' as '2h' }, /virtual/],
])('given options that cannot be, then they are refused', async (options, where) => {
  await expect(simulate(lostUpdate, options)).rejects.toThrow(where)
})

test('given a signal that aborts, then the campaign ends before the next world', async () => {
  const ending = new AbortController()
  const scenario = defineScenario({
    name: 'aborted',
    nodes: {},
    run: () => {
      ending.abort(new Error('enough'))
    },
  })

  await expect(simulate(scenario, { seeds: 1000, signal: ending.signal })).rejects.toThrow('enough')
})

test('given a case that was found with an invariant of the user, then it replays with it', async () => {
  const scenario = defineScenario({ name: 'mine', nodes: {}, run: (world) => world.sleep(10) })
  const mine = always('never five', (world) => world.nowMs < 5)
  const { file = '' } = await failureOf(simulate(scenario, { seeds: 1, invariants: [mine], folder: folder() }))

  expect((await replay(scenario, readCase(file))).isSame).toBe(false)
  expect((await replay(scenario, readCase(file), { invariants: [mine] })).isExact).toBe(true)
})
