import { child, defineActor, message, question, supervisor, type Clock } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { World } from '../../../src/testing/simulation/world.ts'
import { cameBy, codeOf, defineLaw, onNode } from './law.ts'

const ways = ['now', 'later', 'late', 'never', 'refuse', 'crash', 'chain', 'cycle', 'cancel'] as const
type Way = (typeof ways)[number]

interface Answer {
  readonly n: number
  readonly how: Way
  readonly timeoutMs: number
  readonly tookMs: number
  /** The answer, or the code of the error. */
  readonly came: number | string
}

const answers = perWorld((): Answer[] => [])
const elapsed = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.setTimeout(resolve, ms)
  })

/** The end of a chain: slow, or it asks back whoever waits for it. */
export const second = defineActor({
  name: 'second',
  protocol: { 'second.ask': question({ n: z.int(), back: z.boolean() }, z.int()) },
  on: {
    'second.ask': async ({ message: { n, back }, reply, clock, lookup }) => {
      if (!back) {
        await elapsed(clock, 40)
        reply(n)
        return
      }
      try {
        await lookup(first).ask({ type: 'first.ask', n, how: 'now' })
        reply(n)
      } catch (error) {
        if (codeOf(error) === 'ASK_CYCLE') cameBy('a cycle of questions was refused')
        reply(-1)
      }
    },
  },
})

/** Answers in every way there is. */
export const first = defineActor({
  name: 'first',
  protocol: { 'first.ask': question({ n: z.int(), how: z.enum(ways) }, z.int()) },
  on: {
    'first.ask': async ({ message: { n, how }, reply, refuse, clock, lookup, signal }): Promise<void> => {
      switch (how) {
        case 'now':
          reply(n)
          return
        case 'later':
          await elapsed(clock, 30)
          reply(n)
          return
        case 'late':
          clock.setTimeout(() => {
            reply(n)
          }, 900)
          return
        case 'never':
          return
        case 'refuse':
          refuse(new TypeError('no'))
          return
        case 'crash':
          throw new TypeError('on purpose')
        case 'cancel':
          signal.addEventListener('abort', () => {
            cameBy('whoever answers saw that nobody waits')
          })
          return
        case 'chain':
        case 'cycle':
          reply(await lookup(second).ask({ type: 'second.ask', n, back: how === 'cycle' }, { timeoutMs: 60_000 }))
      }
    },
  },
})

/** Asks, and notes what came of it and how long that took by its own clock. */
export const asker = defineActor({
  name: 'asker',
  reentrant: true,
  protocol: { 'asker.go': message({ n: z.int(), how: z.enum(ways), timeoutMs: z.int() }) },
  on: {
    'asker.go': async ({ message: { n, how, timeoutMs }, lookup, clock }) => {
      const beganMs = clock.now()
      const note = (came: number | string): void => {
        answers.current.push({ n, how, timeoutMs, tookMs: clock.now() - beganMs, came })
      }
      const abort = new AbortController()
      if (how === 'cancel')
        clock.setTimeout(() => {
          abort.abort(new Error('enough'))
        }, 25)
      try {
        note(await lookup(first).ask({ type: 'first.ask', n, how }, { timeoutMs, signal: abort.signal }))
      } catch (error) {
        note(codeOf(error) === '' ? (error as Error).name : codeOf(error))
      }
    },
  },
})

const app = supervisor('app', {
  intensity: { restarts: 1000, withinMs: 1000 },
  children: [child(first), child(second), child(asker)],
})

/** What may come of each way, beside running out of time and the end of whoever answers. */
const mayCome: Readonly<Record<Way, (came: number | string, n: number) => boolean>> = {
  now: (came, n) => came === n,
  later: (came, n) => came === n,
  late: (came, n) => came === n,
  never: () => false,
  refuse: (came) => came === 'TypeError',
  crash: () => false,
  chain: (came, n) => came === n,
  cycle: (came) => came === -1,
  cancel: (came) => came === 'ASK_CANCELLED',
}

function check(world: World, { n, how, timeoutMs, tookMs, came }: Answer): void {
  const what = `question ${n} (${how}, ${timeoutMs} ms) came to ${came} after ${tookMs} ms`
  // Timers that are set keep their times when a clock begins to drift, by a tenth either way.
  world.expect(tookMs <= timeoutMs * 1.25 + 1, `${what}: too late`)
  if (came === 'ASK_TIMEOUT') {
    world.sometimes('a question ran out of time')
    // What is asked inside of an answer has what is left of its time: it may be the inner one that says so.
    world.expect(tookMs >= timeoutMs * 0.8 - 1, `${what}: too early`)
    return
  }
  if (came === 'TARGET_DOWN') {
    world.sometimes('whoever was asked ended')
    return
  }
  world.expect(mayCome[how](came, n), what)
  if (how === 'late') world.sometimes('an answer that came just in time')
  if (how === 'chain') world.sometimes('an answer through a chain')
}

/** A1 to A7: each question settles once, in its time, with the answer that is its own. */
export const askingLaw = defineLaw({
  scenario: {
    name: 'asking',
    nodes: { node: { root: app, journal: false } },
    run: async (world) => {
      const node = world.node('node')
      const asked = new Map<number, number>()
      await world.repeat(16, {
        ask: async () => {
          const how = world.pick(ways, 'way')
          const timeoutMs = world.pick([20, 300, 1000], 'timeout')
          await onNode(node, (runtime) => {
            const n = asked.size
            asked.set(n, node.incarnation)
            runtime.ref('/app/asker', asker)?.tell({ type: 'asker.go', n, how, timeoutMs })
          })
        },
        kill: async () => {
          const path = world.pick(['/app/first', '/app/second'], 'killed')
          await onNode(node, (runtime) => runtime.ref(path)?.kill())
        },
        wait: () => world.sleep(world.pick([1, 30, 2000], 'wait')),
      })
      world.calm()
      // As long as the longest pause, and until a process that died is back.
      await world.sleep(60_000)
      const came = answers.current
      for (const answer of came) check(world, answer)
      for (const [n, incarnation] of asked) {
        const times = came.filter((answer) => answer.n === n).length
        world.expect(times <= 1, `question ${n} settled ${times} times`)
        if (incarnation === node.incarnation) world.expect(times === 1, `question ${n} never settled`)
      }
    },
    always: [
      {
        kind: 'invariant',
        name: 'what questions come by',
        begin: (world) => ({
          event: (event) => {
            if (event.type !== 'dead-letter') return
            if (event.reason === 'late-answer') world.sometimes('an answer came too late')
            if (event.reason === 'expired') world.sometimes('a question was not handled, since nobody waited any more')
          },
        }),
      },
    ],
    sometimes: [
      'a cycle of questions was refused',
      'whoever answers saw that nobody waits',
      'a question ran out of time',
      'whoever was asked ended',
      'an answer that came just in time',
      'an answer through a chain',
      'an answer came too late',
      'a question was not handled, since nobody waited any more',
    ],
  },
  faults: faults.only({ crash: 0.02, clock: 0.25, swarm: true }),
})
