import { child, defineActor, message, supervisor, type Intensity, type Strategy } from 'echelon'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../../src/testing/simulation/invariant.ts'
import type { PlantedWorld } from '../planted-world.ts'
import { SupervisorModel, type ModelChild } from './supervisor-model.ts'

const worker = defineActor({
  name: 'worker',
  protocol: { 'worker.crash': message({}), 'worker.finish': message({}) },
  state: () => undefined,
  on: {
    'worker.crash': () => {
      throw new Error('it was told to')
    },
    'worker.finish': ({ stop }) => {
      stop()
    },
  },
})

const intensity: Intensity = { restarts: 2, withinMs: 3000 }
const children: readonly ModelChild[] = [
  { id: 'a', restart: 'permanent' },
  { id: 'b', restart: 'transient' },
  { id: 'c', restart: 'temporary' },
  { id: 'd', restart: 'permanent', own: { restarts: 1, withinMs: 2000 } },
]
const strategies: readonly Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one']
const supervisorOf = (strategy: Strategy): ReturnType<typeof supervisor> =>
  supervisor('team', {
    strategy,
    intensity,
    children: children.map(({ id, restart, own }) =>
      child(worker, { id, restart, ...(own === undefined ? {} : { intensity: own }) }),
    ),
  })

class Run {
  readonly trace: string[] = []
  /** Those that ended by themselves. */
  readonly done = new Set<string>()
  problem: string | undefined
}

const run = perWorld(() => new Run())
const place = '/user/team/'

/** Which children stop and start. */
const watching: Invariant = {
  kind: 'invariant',
  name: 'watching',
  begin: () => ({
    event: (event) => {
      const { type, path } = event
      if ((type !== 'stopped' && type !== 'started') || !path.startsWith(place)) return
      const { trace, done } = run.current
      const id = path.slice(place.length)
      trace.push(`${type} ${id}`)
      if (type === 'stopped' && event.reason.kind === 'normal') done.add(id)
    },
  }),
}

/** One end after another, at full seconds, against a model of Erlang's supervisor. */
export const supervisionWorld: PlantedWorld = {
  scenario: {
    name: 'supervision',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const node = world.node('node')
      const strategy = world.pick(strategies, 'strategy')
      node.spawn(supervisorOf(strategy), { name: 'team', restart: 'temporary' })
      const model = new SupervisorModel(strategy, intensity, children)
      const { current } = run
      const expect = async (after: string, expected: readonly string[]): Promise<void> => {
        await world.sleep(20)
        const came = current.trace.splice(0).join(', ')
        if (came !== expected.join(', '))
          current.problem ??= `after ${after}: ${came} instead of ${expected.join(', ')}`
        const isUp = node.runtime?.ref('/user/team')?.isRunning === true
        if (isUp !== model.isUp) current.problem ??= `after ${after} the supervisor is ${isUp ? 'up' : 'down'}`
      }
      current.trace.splice(0)
      const end = async (id: string, how: 'crash' | 'finish'): Promise<void> => {
        if (!model.isUp || !model.isChildUp(id)) return
        node.at(`${place}${id}`, worker).tell({ type: `worker.${how}` })
        await expect(`${how} of ${id}`, model.ends(id, how === 'finish', world.nowMs))
      }
      for (let round = 1; round <= 6; round += 1) {
        const what = world.choose(7, `round ${round}`)
        if (what >= 1 && what <= 4) await end(children[what - 1]?.id ?? '', 'crash')
        if (what === 5) await end('b', 'finish')
        await world.sleep(1000 - (world.nowMs % 1000) + (what === 6 ? 1000 : 0))
      }
      if (model.isUp) {
        void node.runtime?.ref('/user/team')?.stop()
        await expect('stop', model.stop())
      }
    },
    always: [
      watching,
      function asErlangDoes() {
        return run.current.problem
      },
    ],
  },
  faults: faults.none(),
}

const slow = { minMs: 1500, maxMs: 1500, jitter: 0 }
const team = supervisor('team', {
  autoShutdown: 'all_significant',
  intensity: { restarts: 20, withinMs: 3000 },
  children: [
    child(worker, { id: 'a' }),
    child(worker, { id: 'b', restart: 'transient', significant: true }),
    child(worker, { id: 'c', restart: 'transient', significant: true, backoff: slow }),
  ],
})

/** A supervisor ends when all of its significant children are done, and not before. */
export const significantWorld: PlantedWorld = {
  scenario: {
    name: 'significant',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const node = world.node('node')
      node.spawn(team, { name: 'team', restart: 'temporary' })
      const { current } = run
      const tell = (id: string, how: 'crash' | 'finish'): void => {
        if (node.runtime?.ref(`${place}${id}`)?.isRunning === true)
          node.at(`${place}${id}`, worker).tell({ type: `worker.${how}` })
      }
      const check = async (ms: number): Promise<void> => {
        await world.sleep(ms)
        const isUp = node.runtime?.ref('/user/team')?.isRunning === true
        if (isUp === current.done.size < 2) return
        current.problem ??= `${[...current.done].join(' ')} are done, and it is ${isUp ? 'up' : 'down'}`
      }
      for (let round = 1; round <= 5; round += 1) {
        const what = world.choose(6, `round ${round}`)
        if (what === 1) tell('a', 'crash')
        if (what === 2) tell('b', 'crash')
        if (what === 3) tell('c', 'crash')
        if (what === 4) tell('b', 'finish')
        if (what === 5) tell('c', 'finish')
        if (world.choose(2, `wait ${round}`) === 1) await check(20)
      }
      await check(3000)
    },
    always: [
      watching,
      function endsWithAllSignificant() {
        return run.current.problem
      },
    ],
  },
  faults: faults.none(),
}
