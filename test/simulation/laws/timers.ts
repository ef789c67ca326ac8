import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import { cameBy, defineLaw } from './law.ts'

const ring = z.object({ name: z.string(), dueMs: z.number(), atMs: z.number() })
type Ring = z.infer<typeof ring>

const periodMs = 20_000

/** An alarm clock: once, at a time, again and again. It notes when it rang, by the clock on the wall. */
export const clock = defineActor({
  name: 'clock',
  durable: { snapshotEvery: { entries: 5 }, window: 100 },
  protocol: {
    'clock.set': message({ name: z.string(), inMs: z.int() }),
    'clock.cancel': message({ name: z.string() }),
    'clock.repeat': message({ name: z.string(), missed: z.enum(['one', 'skip', 'all']) }),
    'clock.ring': message({ name: z.string(), dueMs: z.number() }),
    'clock.rung': question({}, z.object({ rings: z.array(ring), waiting: z.array(z.string()) })),
  },
  state: (): readonly Ring[] => [],
  on: {
    'clock.set': ({ message: { name, inMs }, timers, clock }) => {
      timers.after(name, inMs, { type: 'clock.ring', name, dueMs: clock.wallNow() + inMs })
    },
    'clock.cancel': ({ message, timers }) => {
      if (timers.cancel(message.name)) cameBy('a timer was cancelled')
    },
    'clock.repeat': ({ message: { name, missed }, timers }) => {
      timers.every(name, periodMs, { type: 'clock.ring', name, dueMs: 0 }, { missed })
    },
    'clock.ring': ({ state, message: { name, dueMs }, clock, timers }) => {
      const rings = [...state, { name, dueMs, atMs: clock.wallNow() }]
      if (rings.filter((one) => one.name === name).length >= 4) timers.cancel(name)
      return rings
    },
    'clock.rung': ({ state, reply, timers }) => {
      const names = [...Array(14).keys()].flatMap((n) => [`once-${n}`, `often-${n}`])
      reply({ rings: [...state], waiting: names.filter((name) => timers.active(name)) })
    },
  },
})

/** Whether the wall clock of a node was set back: a tick that was due when it rang may then be early when it is handled. */
const wasSetBack = perWorld(() => ({ lastMs: 0, ever: false }))

const watching: Invariant = {
  kind: 'invariant',
  name: 'what timers come by',
  begin: (world) => ({
    step: () => {
      const { current } = wasSetBack
      const { skewMs } = world.node('node').zone ?? { skewMs: 0 }
      if (skewMs < current.lastMs) current.ever = true
      current.lastMs = skewMs
    },
    died: (node) => {
      const nowMs = node.zone?.wallNow() ?? 0
      for (const { wakeAtMs } of node.disk.store.streams.values())
        if (wakeAtMs !== null && wakeAtMs > nowMs) world.sometimes('a crash while a timer ran')
    },
  }),
}

/** J9: a durable timer rings once and not early; one that comes again keeps its period; one that was cancelled is silent. */
export const timersLaw = defineLaw({
  scenario: {
    name: 'timers',
    nodes: { node: [clock] },
    run: async (world) => {
      const ref = world.get(clock, 'c')
      const once: string[] = []
      const often: string[] = []
      const cancelled: string[] = []
      let messages = 0
      const tell = (given: Parameters<typeof ref.tell>[0]): Promise<void> => {
        const id = `m${(messages += 1)}`
        return world.retrying(async () => ref.tell(given, { durable: true, id }))
      }
      await world.repeat(9, {
        set: () => {
          const name = `once-${once.length}`
          once.push(name)
          return tell({ type: 'clock.set', name, inMs: world.pick([1, 900, 30_000, 5_400_000], 'in') })
        },
        repeat: () => {
          const name = `often-${often.length}`
          often.push(name)
          return tell({ type: 'clock.repeat', name, missed: world.pick(['one', 'skip', 'all'], 'missed') })
        },
        cancel: () => {
          if (once.length === 0) return
          const name = world.pick(once, 'cancelled')
          cancelled.push(name)
          return tell({ type: 'clock.cancel', name })
        },
        wait: () => world.sleep(world.pick([5, 2000, 70_000], 'wait')),
      })
      for (let round = 0; ; round += 1) {
        await world.sleep(3_600_000)
        const { rings, waiting } = await world.retrying(() => ref.ask({ type: 'clock.rung' }))
        check(rings)
        if (waiting.length > 0 && round < 48) continue
        world.expect(waiting.length === 0, `after two days ${waiting.join()} still waits`)
        for (const name of [...once, ...often]) {
          const times = rings.filter((one) => one.name === name).length
          const isOnce = once.includes(name)
          const least = cancelled.includes(name) ? 0 : isOnce ? 1 : 4
          world.expect(times >= least && times <= (isOnce ? 1 : 4), `${name} rang ${times} times`)
          if (isOnce && times === 1 && cancelled.includes(name)) world.sometimes('a timer rang before it was cancelled')
        }
        return
      }

      function check(rings: readonly Ring[]): void {
        for (const { name, dueMs, atMs } of rings) {
          world.expect(atMs >= dueMs || wasSetBack.current.ever, `${name} rang ${dueMs - atMs} ms early`)
          if (dueMs > 0 && atMs > dueMs + 1000) world.sometimes('a timer rang late, after a return')
        }
      }
    },
    always: [watching],
    sometimes: [
      'a timer was cancelled',
      'a crash while a timer ran',
      'a timer rang before it was cancelled',
      'a timer rang late, after a return',
    ],
  },
  faults: faults.standard({ crash: 0.03, crashAtCommit: 0.08, clock: 0.015, pause: 0.02, stall: 0.03 }),
})
