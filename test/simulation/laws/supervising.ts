import { child, defineActor, message, supervisor, type ChildSpec, type RestartType, type Strategy } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import { defineLaw, onNode } from './law.ts'

/** Ends as it is told to, and fails to start when it is told so before. */
export const worker = defineActor({
  name: 'worker',
  protocol: { 'worker.end': message({ how: z.enum(['normal', 'shutdown', 'crash']) }), 'worker.work': message() },
  on: {
    'worker.end': ({ message: { how }, stop }) => {
      if (how === 'crash') throw new Error('on purpose')
      stop(how === 'normal' ? undefined : { kind: 'shutdown' })
    },
    'worker.work': () => undefined,
  },
})

const strategies: readonly Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one']
const restarts: readonly RestartType[] = ['permanent', 'transient', 'temporary']
const intensity = { restarts: 3, withinMs: 4000 }

const specs: readonly ChildSpec[] = restarts.map((restart) => child(worker, { id: restart, restart }))

/** A supervisor of each strategy, with a child of each restart type. They are temporary: one that gives up stays down. */
export const top = supervisor('top', {
  children: strategies.map((strategy) =>
    child(supervisor(strategy, { strategy, intensity, children: specs }), { restart: 'temporary' }),
  ),
})

/** What OTP's rules say of one supervisor: which of its children are there, and how many restarts it has seen. */
class Model {
  readonly strategy: Strategy
  readonly children = new Map<string, RestartType>(restarts.map((restart) => [restart, restart]))
  readonly up = new Set<string>(restarts)
  pastMs: number[] = []
  isUp = true

  constructor(strategy: Strategy) {
    this.strategy = strategy
  }

  /** The end of a child, as supervisor.erl takes it up: gives those that are started again, in order. */
  ended(id: string, isClean: boolean, nowMs: number): readonly string[] {
    const restart = this.children.get(id)
    if (!this.isUp || restart === undefined || !this.up.delete(id)) return []
    if (restart === 'temporary') this.children.delete(id)
    if (restart === 'temporary' || (restart === 'transient' && isClean)) return []
    this.pastMs = [...this.pastMs.filter((pastMs) => nowMs - pastMs <= intensity.withinMs), nowMs]
    if (this.pastMs.length > intensity.restarts) {
      this.isUp = false
      this.up.clear()
      return []
    }
    return this.#startAgain(id)
  }

  #startAgain(id: string): readonly string[] {
    const ids = [...this.children.keys()]
    const group =
      this.strategy === 'one_for_one' ? [id] : this.strategy === 'one_for_all' ? ids : ids.slice(ids.indexOf(id))
    const again: string[] = []
    for (const member of group) {
      // A temporary sibling is stopped with the others, and not started again.
      if (this.children.get(member) === 'temporary') this.children.delete(member)
      if (this.children.has(member)) again.push(member)
      this.up.delete(member)
    }
    for (const member of again) this.up.add(member)
    return again
  }
}

const models = perWorld(() => new Map(strategies.map((strategy) => [strategy, new Model(strategy)])))

/** After each end of a child: what the model says of it, against what is restarted. */
const comparing: Invariant = {
  kind: 'invariant',
  name: 'S1 a supervisor restarts whom OTP would restart',
  begin: (world) => {
    let expected: string[] = []
    let isOver = false
    return {
      event: (event, node) => {
        const [, , strategy, id] = event.path.split('/')
        const model = models.current.get(strategy as Strategy)
        if (id === undefined || model === undefined || isOver) return
        if (event.type === 'restarted') {
          const first = expected.shift()
          if (first !== event.path) world.fail(`${event.path} was restarted, and ${first ?? 'nobody'} should have been`)
          world.sometimes(`a restart: ${strategy ?? ''}`)
        }
        if (event.type !== 'stopped' || !model.up.has(id) || expected.length > 0) return
        const isClean = event.reason.kind === 'normal' || event.reason.kind === 'shutdown'
        const again = model.ended(id, isClean, node.zone?.now() ?? 0)
        expected = again.map((member) => `/top/${strategy ?? ''}/${member}`)
        if (!model.isUp) world.sometimes('a supervisor gave up')
        if (again.length === 0 && model.isUp) world.sometimes('a child was not restarted')
      },
      // What follows is the shutdown.
      quiet: () => {
        isOver = true
      },
      died: () => {
        expected = []
        for (const strategy of strategies) models.current.set(strategy, new Model(strategy))
      },
    }
  },
}

/** S1: whoever ends in whatever way at whatever time, the same children are there as under OTP. */
export const supervisingLaw = defineLaw({
  scenario: {
    name: 'supervising',
    nodes: { node: { root: top, journal: false } },
    run: async (world) => {
      const node = world.node('node')
      const end = (how: 'normal' | 'shutdown' | 'crash' | 'kill') => async (): Promise<void> => {
        const path = `/top/${world.pick(strategies, 'strategy')}/${world.pick(restarts, 'child')}`
        await onNode(node, (runtime) => {
          const ref = runtime.ref(path, worker)
          if (how === 'kill') ref?.kill()
          else ref?.tell({ type: 'worker.end', how })
        })
        // One at a time: what a supervisor does about two at once depends on which it hears of first.
        await world.sleep(world.pick([1, 50, 3000], 'then'))
      }
      await world.repeat(14, {
        crash: end('crash'),
        'crash again': end('crash'),
        kill: end('kill'),
        stop: end('normal'),
        'shut down': end('shutdown'),
      })
      world.calm()
      await world.sleep(60_000)
      await onNode(node, (runtime) => {
        for (const { strategy, up, isUp } of models.current.values()) {
          const there = restarts.filter((id) => runtime.ref(`/top/${strategy}/${id}`)?.isRunning === true)
          world.expect(
            there.join() === [...restarts].filter((id) => up.has(id)).join(),
            `${strategy} has ${there.join()}`,
          )
          world.expect((runtime.ref(`/top/${strategy}`)?.isRunning === true) === isUp, `${strategy} is up or not`)
        }
      })
    },
    always: [comparing],
    sometimes: [
      ...strategies.map((strategy) => `a restart: ${strategy}`),
      'a supervisor gave up',
      'a child was not restarted',
    ],
  },
  faults: faults.only({ crash: 0.01, clock: 0.15, swarm: true }),
})
