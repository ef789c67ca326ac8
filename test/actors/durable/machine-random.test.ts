import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { VirtualClock, type TestRuntime } from 'echelon/testing'
import { createActor, type AnyActorRef, type AnyStateMachine } from 'xstate'
import { chartArbitrary, definitionOf, machineOf, sent, type ChartOptions, type StateSpec } from './machine-charts.ts'
import { delaysOf, Lab, type Cut } from './machine-lab.ts'

/** What is done with a chart: it is sent a message, or time passes, in milliseconds. */
type Step = { readonly send: number } | { readonly passMs: number }

const stepsArbitrary: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ send: fc.nat(sent.length - 1) }) },
    { weight: 1, arbitrary: fc.record({ passMs: fc.integer({ min: 1, max: 1500 }) }) },
  ),
  { maxLength: 8 },
)

const path = '/durable/random/one'

/** What is left in the end, and what was done on the way. */
interface Outcome {
  readonly state: unknown
  readonly delays: Readonly<Record<string, number>>
  readonly log: readonly string[]
  readonly appends: number
  /** Delays that were due at the same time, or had the same id: see `ChartOptions`. */
  readonly hasTies: boolean
}

/** Whether a delay lost its id to a later one, as when a chart enters by its history a state that it is in. */
const isSetTwice = (delay: string): boolean => delay.startsWith('~') && delay.includes('xstate.after.')

/** Milliseconds that pass after the last step. */
const restMs = 2500

const shown = (snapshot: unknown): unknown => {
  // All of these are charts.
  const { status, value, context } = snapshot as { status: string; value: unknown; context: unknown }
  return { status, value, context }
}

/** Runs a chart through all steps. At each cut its process dies, and the next begins at once; it is sent again what was not acknowledged. */
async function run(
  spec: StateSpec,
  steps: readonly Step[],
  cuts: readonly Cut[],
  { entries, ids = 'any', invokes = 'effects' }: { readonly entries: number } & Partial<ChartOptions>,
): Promise<Outcome> {
  const lab = new Lab()
  const epochMs = lab.clock.wallNow()
  const log: string[] = []
  const logs: string[][] = [log]
  const note = (what: string): void => {
    logs.at(-1)?.push(`${what} at ${lab.clock.wallNow() - epochMs}`)
  }
  const definition = definitionOf(spec, note, { snapshotEvery: { entries } }, { ids, invokes })
  const rest = [...cuts]
  let appends = 0
  let hasTies = false
  let state: unknown
  const problems: unknown[] = []
  const begin = async (): Promise<TestRuntime> => {
    const cut = rest.shift()
    const t = await lab.start({ definitions: [definition] }, cut === undefined ? {} : { cut })
    t.runtime.on('failed', ({ error }) => problems.push(error))
    t.runtime.get(definition, 'one').subscribe((snapshot) => {
      state = shown(snapshot)
    })
    await t.settle()
    return t
  }
  let t = await begin()
  const lookForTies = (): void => {
    const waiting = delaysOf(t, path)
    const due = Object.values(waiting)
    hasTies ||= new Set(due).size < due.length || Object.keys(waiting).some(isSetTwice)
  }
  const goOn = async (): Promise<boolean> => {
    if (!lab.isDead) return false
    appends += lab.appends
    logs.push([])
    t = await begin()
    return true
  }
  while (await goOn());
  lookForTies()
  for (const [at, step] of [...steps, { passMs: restMs }].entries()) {
    if ('send' in step) {
      const type = sent[step.send] as (typeof sent)[number]
      do {
        const told = t.runtime.get(definition, 'one').tell({ type } as never, { durable: true, id: `step-${at}` })
        // One that is done takes nothing any more.
        told.catch(() => undefined)
        await t.settle()
      } while (await goOn())
    } else {
      const untilMs = lab.clock.wallNow() + step.passMs
      while (lab.clock.wallNow() < untilMs) {
        const nextMs = lab.clock.nextDueMs
        const leftMs = untilMs - lab.clock.wallNow()
        await t.advance(Math.min(leftMs, nextMs === undefined ? leftMs : Math.max(0, nextMs - lab.clock.now())))
        lookForTies()
        while (await goOn());
      }
    }
    while (await goOn());
    lookForTies()
  }
  expect(problems).toEqual([])
  if ((state as { readonly status: string } | undefined)?.status === 'done') expect(await lab.wakeAtMs(path)).toBe(null)
  return {
    state,
    delays: delaysOf(t, path),
    log: logs.map((each) => each.join('\n')),
    appends: appends + lab.appends,
    hasTies,
  }
}

/** The same under XState alone. */
async function runAlone(spec: StateSpec, steps: readonly Step[]): Promise<Pick<Outcome, 'state' | 'log'>> {
  const clock = new VirtualClock()
  const log: string[] = []
  const machine: AnyStateMachine = machineOf(spec, (what) => log.push(`${what} at ${clock.now()}`), {
    ids: 'unique',
    invokes: 'promises too',
  })
  const actor = createActor(machine, { clock })
  const ref: AnyActorRef = actor
  // What its promises come to comes before the next timer.
  const settle = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve))
  actor.start()
  await settle()
  for (const step of [...steps, { passMs: restMs }]) {
    if ('send' in step) {
      if (actor.getSnapshot().status === 'active') ref.send({ type: sent[step.send] ?? '' })
    } else {
      const untilMs = clock.now() + step.passMs
      while (clock.now() < untilMs) {
        clock.advanceTo(Math.min(untilMs, clock.nextDueMs ?? untilMs))
        await settle()
      }
    }
    await settle()
  }
  return { state: shown(actor.getSnapshot()), log: [log.join('\n')] }
}

const linesOf = (log: string): readonly string[] => log.split('\n').filter((line) => line !== '')

/** Whether lives of a process did what a whole one did: each goes on where the last had come to on the disk, or before. */
function isOverlapping(whole: string, logs: readonly string[]): boolean {
  const lines = linesOf(whole)
  const lives = logs.map(linesOf)
  const fits = (number: number, from: number, to: number): boolean => {
    const life = lives[number]
    if (life === undefined) return to === lines.length
    for (let start = from; start <= to; start += 1) {
      const isHere = life.every((line, at) => line === lines[start + at])
      if (isHere && fits(number + 1, start, Math.max(to, start + life.length))) return true
    }
    return false
  }
  return fits(0, 0, 0)
}

const cutArbitrary = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), written: fc.boolean() })

afterEach(() => {
  vi.restoreAllMocks()
})

describe('random charts', () => {
  test(
    'given a process that ends at any commits, then state, delays and actions are those of one that did not',
    { timeout: 120_000 },
    async () => {
      const property = fc.asyncProperty(
        chartArbitrary,
        stepsArbitrary,
        fc.integer({ min: 1, max: 20 }),
        fc.array(cutArbitrary, { minLength: 1, maxLength: 4 }),
        async (spec, steps, entries, cuts) => {
          const whole = await run(spec, steps, [], { entries: 1000 })
          const appends = cuts.map(({ at, written }) => ({ append: 1 + Math.floor(at * whole.appends), written }))
          const parts = await run(spec, steps, appends, { entries })
          expect(parts.state).toEqual(whole.state)
          expect(parts.delays).toEqual(whole.delays)
          expect(isOverlapping(whole.log.join('\n'), parts.log)).toBe(true)
        },
      )
      await fc.assert(property, { numRuns: 100 })
    },
  )

  test('given a few of them, then a process may end at each single commit', { timeout: 120_000 }, async () => {
    const samples = fc.sample(fc.tuple(chartArbitrary, stepsArbitrary), { seed: 11, numRuns: 40 })
    let most = 0
    for (const [spec, steps] of samples) {
      const whole = await run(spec, steps, [], { entries: 1000 })
      if (whole.appends < 15 || whole.appends > 60 || most > 150) continue
      most += whole.appends
      for (let append = 1; append <= whole.appends; append += 1) {
        const parts = await run(spec, steps, [{ append, written: append % 2 === 0 }], { entries: 4 })
        expect({ append, state: parts.state, delays: parts.delays }).toEqual({
          append,
          state: whole.state,
          delays: whole.delays,
        })
      }
    }
    expect(most).toBeGreaterThan(100)
  })

  test('given charts with promises too, when they are at rest, then a restart changes nothing and runs nothing', async () => {
    const property = fc.asyncProperty(
      chartArbitrary,
      fc.array(fc.tuple(fc.nat(sent.length - 1), fc.integer({ min: 1, max: 500 })), { maxLength: 5 }),
      fc.integer({ min: 1, max: 12 }),
      async (spec, steps, entries) => {
        const lab = new Lab()
        const log: string[] = []
        const definition = definitionOf(
          spec,
          (what) => log.push(what),
          { snapshotEvery: { entries } },
          { ids: 'any', invokes: 'promises too' },
        )
        let t = await lab.start({ definitions: [definition] })
        let state: unknown
        const problems: unknown[] = []
        const attend = async (): Promise<void> => {
          t.runtime.on('failed', ({ error }) => problems.push(error))
          t.runtime.get(definition, 'one').subscribe((snapshot) => {
            state = shown(snapshot)
          })
          await t.settle()
        }
        await attend()
        for (const [send, passMs] of steps) {
          t.runtime.get(definition, 'one').tell({ type: sent[send] } as never)
          await t.settle()
          await t.advance(passMs)
          const before = { state, delays: delaysOf(t, path), done: log.length }
          t = await lab.start({ definitions: [definition] })
          await attend()
          expect({ state, delays: delaysOf(t, path), done: log.length }).toEqual(before)
        }
        expect(problems).toEqual([])
      },
    )
    await fc.assert(property, { numRuns: 100 })
  })

  test('given no restart, then a durable chart does what XState alone does', { timeout: 120_000 }, async () => {
    // XState alone says so when a chart that is done is sent what it raised before.
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const property = fc.asyncProperty(chartArbitrary, stepsArbitrary, async (spec, steps) => {
      const { state, log, hasTies } = await run(spec, steps, [], { entries: 5, ids: 'unique', invokes: 'promises too' })
      fc.pre(!hasTies)
      const alone = await runAlone(spec, steps)
      expect(state).toEqual(alone.state)
      expect(log).toEqual(alone.log)
    })
    await fc.assert(property, { numRuns: 100 })
  })
})
