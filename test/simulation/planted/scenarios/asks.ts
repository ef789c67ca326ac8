import { defineActor, question } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../../src/testing/simulation/invariant.ts'
import type { PlantedWorld } from '../planted-world.ts'
import { after } from './after.ts'

const timeoutMs = 1000

class Model {
  /** When each question was asked, in milliseconds of the world. */
  readonly askedMs = new Map<number, number>()
  /** Those whose handler is at work, and those whose handler was when its actor was killed. */
  readonly atWork = new Set<number>()
  readonly lost = new Set<number>()
  problem: string | undefined
}

const model = perWorld(() => new Model())

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error)

/** Takes its time, and can be asked by whom it asks. */
const server = defineActor({
  name: 'server',
  protocol: {
    'server.work': question({ id: z.int(), ms: z.number() }, z.int()),
    'server.loop': question({}, z.string()),
  },
  state: () => undefined,
  on: {
    'server.work': async ({ message: { id, ms }, clock, reply }) => {
      const askedMs = model.current.askedMs.get(id)
      // A question that waited so long has been given up.
      if (askedMs !== undefined && clock.now() > askedMs + timeoutMs)
        model.current.problem ??= `question ${id} is begun ${clock.now() - askedMs} ms after it was asked`
      model.current.atWork.add(id)
      await after(clock, ms)
      model.current.atWork.delete(id)
      reply(id)
    },
    'server.loop': async ({ clock, lookup, reply }) => {
      const beganMs = clock.now()
      try {
        await lookup(front, 'front').ask({ type: 'front.echo' })
        reply('answered')
      } catch (error) {
        const tookMs = clock.now() - beganMs
        if (tookMs > 0) model.current.problem ??= `an ask that can have no answer fails after ${tookMs} ms`
        reply(codeOf(error))
      }
    },
  },
})

/** Asks the server what it is asked. */
const front = defineActor({
  name: 'front',
  protocol: {
    'front.work': question({ ms: z.number() }, z.int()),
    'front.loop': question({}, z.string()),
    'front.echo': question({}, z.boolean()),
  },
  state: () => undefined,
  on: {
    'front.work': async ({ message: { ms }, clock, lookup, reply, refuse }) => {
      const beganMs = clock.now()
      try {
        reply(await lookup(server, 'server').ask({ type: 'server.work', id: 0, ms }))
      } catch (error) {
        // Whoever asked learns why, if it still waits.
        refuse(error as Error)
        if (clock.now() > beganMs + timeoutMs)
          model.current.problem ??= `an ask inside of an ask of ${timeoutMs} ms takes ${clock.now() - beganMs} ms`
      }
    },
    'front.loop': async ({ lookup, reply }) => {
      reply(await lookup(server, 'server').ask({ type: 'server.loop' }))
    },
    'front.echo': ({ reply }) => {
      reply(true)
    },
  },
})

const watching: Invariant = {
  kind: 'invariant',
  name: 'watching',
  begin: () => ({
    event: (event) => {
      if (event.type !== 'stopped' || event.path !== '/user/server') return
      const { atWork, lost } = model.current
      for (const id of atWork) lost.add(id)
      atWork.clear()
    },
  }),
}

/** Questions to an actor that is slow, ends, or waits for who asks it: each has its outcome in time, and the right one. */
export const asksWorld: PlantedWorld = {
  scenario: {
    name: 'asks',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const node = world.node('node')
      const { current } = model
      const asked: Promise<void>[] = []
      const terms = { restart: 'permanent', keepMailbox: true, intensity: { restarts: 50, withinMs: 1000 } } as const
      const one = node.spawn(server, { name: 'server', ...terms })
      const other = node.spawn(front, { name: 'front', ...terms })
      const outcome = async (id: number, ask: Promise<unknown>, wanted: unknown): Promise<void> => {
        const beganMs = world.nowMs
        const answer = await ask.catch(codeOf)
        const tookMs = world.nowMs - beganMs
        if (tookMs > timeoutMs) current.problem ??= `ask ${id} takes ${tookMs} ms`
        if (answer === 'ASK_TIMEOUT' && current.lost.has(id))
          current.problem ??= `ask ${id} times out, though its target was killed at it`
        if (answer !== wanted && answer !== 'ASK_TIMEOUT' && answer !== 'TARGET_DOWN')
          current.problem ??= `ask ${id}: ${String(answer)}`
      }
      for (let id = 1; id <= 6; id += 1) {
        const what = world.choose(6, `round ${id}`)
        const ms = world.pick([50, 400, 1500], `ms ${id}`)
        if (what === 1 || what === 2) {
          current.askedMs.set(id, world.nowMs)
          asked.push(outcome(id, one.ask({ type: 'server.work', id, ms }, { timeoutMs }), id))
        }
        if (what === 3) asked.push(outcome(id, other.ask({ type: 'front.work', ms }, { timeoutMs }), 0))
        if (what === 4) asked.push(outcome(id, other.ask({ type: 'front.loop' }, { timeoutMs }), 'ASK_CYCLE'))
        if (what === 5) node.run((runtime) => void runtime.ref('/user/server')?.kill())
        await world.sleep(world.pick([0, 30, 700], `wait ${id}`))
      }
      await Promise.all(asked)
      await world.sleep(10_000)
    },
    always: [
      watching,
      function eachAskEndsInTimeAndRightly() {
        return model.current.problem
      },
    ],
  },
  faults: faults.none(),
}
