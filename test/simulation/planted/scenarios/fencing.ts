import { child, defineActor, message, supervisor } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../../src/testing/simulation/invariant.ts'
import type { PlantedWorld } from '../planted-world.ts'
import { after } from './after.ts'

class Model {
  /** When each incarnation ended, in milliseconds of the world. */
  readonly endedMs = new Map<number, number>()
  problem: string | undefined
}

const model = perWorld(() => new Model())

const sink = defineActor({
  name: 'sink',
  protocol: { 'sink.take': message({ from: z.int() }) },
  state: () => undefined,
  on: {
    'sink.take': ({ message: { from }, clock }) => {
      const endedMs = model.current.endedMs.get(from)
      if (endedMs !== undefined && clock.now() > endedMs)
        model.current.problem ??= `incarnation ${from} tells something ${clock.now() - endedMs} ms after its end`
    },
  },
})

/** Works for a while before it tells of it, and ticks. Its mailbox outlives its crashes. */
const worker = defineActor({
  name: 'worker',
  protocol: { 'worker.job': message({ crashes: z.boolean() }), 'worker.tick': message({ of: z.int() }) },
  state: () => undefined,
  on: {
    'actor.started': ({ timers, incarnation }) => {
      timers.every('tick', 35, { type: 'worker.tick', of: incarnation })
    },
    'worker.job': async ({ message: { crashes }, clock, incarnation, lookup }) => {
      const to = lookup(sink)
      await after(clock, 50)
      to.tell({ type: 'sink.take', from: incarnation })
      if (crashes) throw new Error('it was told to')
    },
    'worker.tick': ({ message: { of }, incarnation }) => {
      if (of !== incarnation) model.current.problem ??= `incarnation ${incarnation} gets a tick of ${of}`
    },
  },
})

const team = supervisor('team', {
  intensity: { restarts: 50, withinMs: 1000 },
  children: [sink, child(worker, { keepMailbox: true })],
})

const watching: Invariant = {
  kind: 'invariant',
  name: 'watching',
  begin: (world) => ({
    event: (event) => {
      if (event.type === 'stopped' && event.path === '/user/team/worker')
        model.current.endedMs.set(event.incarnation, world.nowMs)
    },
  }),
}

/** An actor is killed, or crashes, while its handlers and timers are under way: nothing of an old incarnation has an effect. */
export const fencingWorld: PlantedWorld = {
  scenario: {
    name: 'fencing',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const node = world.node('node')
      node.spawn(team, { name: 'team' })
      const ref = node.at('/user/team/worker', worker)
      for (let round = 1; round <= 5; round += 1) {
        const what = world.choose(4, `round ${round}`)
        if (what === 1 || what === 2) ref.tell({ type: 'worker.job', crashes: what === 2 })
        if (what === 3) node.run((runtime) => void runtime.ref('/user/team/worker')?.kill())
        await world.sleep(world.pick([0, 20, 70], `wait ${round}`))
      }
      await world.sleep(300)
      node.run((runtime) => void runtime.ref('/user/team')?.stop())
    },
    always: [
      watching,
      function nothingOfAnOldIncarnation() {
        return model.current.problem
      },
    ],
  },
  faults: faults.none(),
}
