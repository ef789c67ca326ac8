import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'

/** What an alarm clock did, in order; times are those of its wall clock. */
const lineSchema = z.object({
  what: z.enum(['set', 'cancel', 'tick']),
  key: z.string(),
  atMs: z.number(),
  delayMs: z.number(),
})
type Line = z.infer<typeof lineSchema>

const line = (what: Line['what'], key: string, atMs: number, delayMs = 0): Line => ({ what, key, atMs, delayMs })

const alarm = defineActor({
  name: 'alarm',
  durable: { snapshotEvery: { entries: 6 } },
  protocol: {
    'alarm.set': message({ key: z.string(), delayMs: z.number() }),
    'alarm.cancel': message({ key: z.string() }),
    'alarm.tick': message({ key: z.string() }),
    'alarm.lines': question({}, z.array(lineSchema)),
  },
  state: (): readonly Line[] => [],
  on: {
    'alarm.set': ({ state, message: { key, delayMs }, timers, clock }) => {
      timers.after(key, delayMs, { type: 'alarm.tick', key })
      return [...state, line('set', key, clock.wallNow(), delayMs)]
    },
    'alarm.cancel': ({ state, message: { key }, timers, clock }) => {
      timers.cancel(key)
      return [...state, line('cancel', key, clock.wallNow())]
    },
    'alarm.tick': ({ state, message: { key }, clock }) => [...state, line('tick', key, clock.wallNow())],
    'alarm.lines': ({ state, reply }) => void reply([...state]),
  },
})

/** A timer rings once, not early, and not at all when it was cancelled or set anew; in the end all have rung. */
function timerProblem(lines: readonly Line[]): string | undefined {
  const due = new Map<string, number>()
  for (const { what, key, atMs, delayMs } of lines) {
    if (what === 'set') due.set(key, atMs + delayMs)
    if (what === 'cancel') due.delete(key)
    if (what !== 'tick') continue
    const dueMs = due.get(key)
    if (dueMs === undefined) return `'${key}' rings at ${atMs}, and is not set`
    if (atMs < dueMs) return `'${key}' rings ${dueMs - atMs} ms early`
    due.delete(key)
  }
  const [left] = due.keys()
  return left === undefined ? undefined : `'${left}' was set and never rings`
}

const found = perWorld((): { problem?: string | undefined } => ({}))

/** Timers that are set, set anew and cancelled, some just when they are due. */
export const timersWorld: PlantedWorld = {
  scenario: {
    name: 'timers',
    nodes: { node: [alarm] },
    run: async (world) => {
      const ref = world.get(alarm, 'a')
      let sent = 0
      const tell = (what: 'alarm.set' | 'alarm.cancel', key: string, delayMs = 0): Promise<void> => {
        sent += 1
        const id = `${sent}`
        const given = what === 'alarm.set' ? ({ type: what, key, delayMs } as const) : ({ type: what, key } as const)
        return world.retrying(async () => ref.tell(given, { durable: true, id }))
      }
      await world.repeat(6, {
        'set x': () => tell('alarm.set', 'x', 1000),
        'set y': () => tell('alarm.set', 'y', 1300),
        'cancel x': () => tell('alarm.cancel', 'x'),
        'until x is due': () => world.sleep(999.4),
        wait: () => world.sleep(30_000),
      })
      world.calm()
      await world.sleep(200_000)
      const lines = await world.retrying(() => ref.ask({ type: 'alarm.lines' }, { timeoutMs: 100_000 }))
      found.current.problem = timerProblem(lines)
    },
    always: function timersRingOnceInTime() {
      return found.current.problem
    },
  },
  faults: faults.standard({ crash: 0.03, clock: 0 }),
}

const metronome = defineActor({
  name: 'metronome',
  durable: { snapshotEvery: { entries: 8 } },
  protocol: {
    'metronome.start': message({}),
    'metronome.beat': message({}),
    'metronome.stop': question({}, z.object({ beats: z.int(), ms: z.number() })),
  },
  state: () => ({ beats: 0, fromMs: 0 }),
  on: {
    'metronome.start': ({ state, timers, clock }) => {
      if (state.fromMs > 0) return state
      timers.every('beat', 1000, { type: 'metronome.beat' }, { missed: 'all' })
      return { beats: 0, fromMs: clock.wallNow() }
    },
    'metronome.beat': ({ state }) => ({ ...state, beats: state.beats + 1 }),
    'metronome.stop': ({ state, reply, timers, clock }) => {
      timers.cancel('beat')
      reply({ beats: state.beats, ms: clock.wallNow() - state.fromMs })
    },
  },
})

/** A timer that comes again and again and makes up for what it missed: so many beats as there were periods. */
export const metronomeWorld: PlantedWorld = {
  scenario: {
    name: 'metronome',
    nodes: { node: [metronome] },
    run: async (world) => {
      const ref = world.get(metronome, 'm')
      await world.retrying(async () => ref.tell({ type: 'metronome.start' }, { durable: true, id: 'start' }))
      for (let n = 1; n <= 3; n += 1) {
        await world.sleep(2000)
        if (world.choose(2, `crash ${n}`) === 1) world.node('node').crash('the scenario says so')
      }
      world.calm()
      await world.sleep(100_000)
      const { beats, ms } = await ref.ask({ type: 'metronome.stop' })
      const due = Math.floor((ms - 100) / 1000)
      if (beats < due) found.current.problem = `${beats} beats in ${ms} ms`
      if (beats > due + 1) found.current.problem = `${beats} beats in ${ms} ms`
    },
    always: function asManyBeatsAsPeriods() {
      return found.current.problem
    },
  },
  faults: faults.only({ crash: 0.01, pause: 0.005, stall: 0.01, max: 4 }),
  settleMs: 10_000,
}
