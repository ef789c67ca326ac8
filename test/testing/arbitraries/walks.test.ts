import { child, supervisor } from 'echelon'
import { createTestRuntime, VirtualClock } from 'echelon/testing'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { createActor, createMachine, setup, type AnyStateMachine, type EventFrom, type EventObject } from 'xstate'
import { DefinitionInvalidError } from '../../../src/core/errors.ts'
import { machineOf } from '../../../src/testing/arbitraries/chart.ts'
import { coverageOf } from '../../../src/testing/arbitraries/coverage.ts'
import { coveringWalks } from '../../../src/testing/arbitraries/covering-walks.ts'
import type { SentOf } from '../../../src/testing/arbitraries/messages.ts'
import { walksOf, type Walk } from '../../../src/testing/arbitraries/walks.ts'
import { door, job, order } from './charts.ts'

const machines: Readonly<Record<string, AnyStateMachine>> = {
  door,
  job,
  order: machineOf(order),
}
const forces = { push: fc.record({ force: fc.integer({ min: 0, max: 1_000 }) }) }
const walksFor = (name: string): fc.Arbitrary<Walk> =>
  name === 'order' ? walksOf(order) : walksOf(machines[name]!, name === 'door' ? { events: forces } : {})

/** Plays a walk on a real actor in virtual time. */
function play(machine: AnyStateMachine, walk: Walk, inspect?: ReturnType<typeof coverageOf>['inspect']) {
  const clock = new VirtualClock()
  const actor = createActor(machine, inspect === undefined ? { clock } : { clock, inspect })
  actor.start()
  for (const step of walk) {
    if (step.kind === 'wait') clock.advanceBy(step.ms)
    else actor.send(step.event)
  }
  return actor
}

describe.each(Object.keys(machines))('walks of %s', (name) => {
  const machine = machines[name]!

  test('given any walk, when a real actor takes it in virtual time, then it reaches what the walk says', () => {
    fc.assert(
      fc.property(walksFor(name), (walk) => {
        const [said, seen] = [coverageOf(machine), coverageOf(machine)]
        said.walk(walk)
        play(machine, walk, seen.inspect).stop()
        const missed = (coverage: typeof said): string[] => coverage.report().transitions.missed.map(({ id }) => id)
        expect(missed(seen)).toEqual(missed(said))
        expect(seen.report().states.missed.map(({ id }) => id)).toEqual(said.report().states.missed.map(({ id }) => id))
      }),
      { numRuns: 150 },
    )
  })

  test('given any walk, when its events are sent, then each takes a transition', () => {
    fc.assert(
      fc.property(walksFor(name), (walk) => {
        walk.forEach((step, i) => {
          if (step.kind === 'wait') return
          const before = play(machine, walk.slice(0, i))
          expect(before.getSnapshot().can(step.event as never)).toBe(true)
        })
      }),
      { numRuns: 50 },
    )
  })
})

describe('walksOf', () => {
  test('given a few walks, when they are counted, then they have covered what can be covered', () => {
    const coverage = coverageOf(order)
    for (const walk of fc.sample(walksOf(order), { seed: 1, numRuns: 100 })) coverage.walk(walk)
    expect(coverage.report().transitions.missed).toEqual([])
  })

  test('given a failure deep in a chart, when its walk shrinks, then only the steps that lead there are left', () => {
    const isOpen = (walk: Walk): boolean =>
      play(door, walk)
        .getSnapshot()
        .matches({ door: { open: 'ajar' } })
    const { counterexample } = fc.check(
      fc.property(walksOf(door, { events: forces }), (walk) => !isOpen(walk)),
      { seed: 3, numRuns: 500 },
    )
    const knock = { kind: 'send', event: { type: 'knock' } }
    expect(counterexample?.[0]).toEqual([knock, knock, knock, { kind: 'wait', ms: 1_000 }])
  })

  test('given a failure that needs a body, when its walk shrinks, then the body does too', () => {
    const isBroken = (walk: Walk): boolean => play(door, walk).getSnapshot().matches({ door: 'broken' })
    const { counterexample } = fc.check(
      fc.property(walksOf(door, { events: forces }), (walk) => !isBroken(walk)),
      { seed: 1, numRuns: 500 },
    )
    expect(counterexample?.[0]).toEqual([{ kind: 'send', event: { type: 'push', force: 901 } }])
  })

  test('given any walk that shrinks, then each of its events still takes a transition', () => {
    const seen: Walk<EventFrom<typeof door>>[] = []
    const property = fc.property(walksOf(door, { events: forces }), (walk) => {
      seen.push(walk)
      return walk.length < 5
    })
    for (const seed of [1, 2, 3, 4]) fc.check(property, { seed })
    expect(seen.length).toBeGreaterThan(50)
    for (const walk of seen) {
      for (const [i, step] of walk.entries()) {
        const before = play(door, walk.slice(0, i)).getSnapshot()
        if (step.kind === 'send') expect(before.can(step.event)).toBe(true)
      }
    }
  })

  test('given ten ways to go on, when a walk has ten steps, then most of them are new', () => {
    const types = Array.from('abcdefghij')
    const many = createMachine({
      initial: 'here',
      states: { here: { on: Object.fromEntries(types.map((type) => [type, 'here'])) } },
    })
    const walks = fc.sample(walksOf(many, { maxSteps: 10 }), { seed: 1, numRuns: 300 })
    const full = walks.filter(({ length }) => length === 10)
    const taken = full.map((walk) => new Set(walk.map((step) => step.kind === 'send' && step.event.type)).size)
    expect(taken.reduce((sum, each) => sum + each, 0) / taken.length).toBeGreaterThan(8) // 6.5 by chance
  })

  test('given outcomes of what is invoked, when walks are drawn, then they go on from there', () => {
    const outcomes = {
      'xstate.done.actor.work': fc.record({ output: fc.nat() }),
      'xstate.error.actor.work': fc.constant({ error: 'no' }),
    }
    const coverage = coverageOf(job)
    for (const walk of fc.sample(walksOf(job, { events: outcomes }), { seed: 1, numRuns: 30 })) coverage.walk(walk)
    expect(coverage.report().states.missed.map(({ id }) => id)).toEqual(['job.forgotten'])
  })

  test('given a chart that throws, when walks are drawn, then they end there, and can be played', () => {
    const fragile = setup({
      types: { events: {} as { type: 'go' } | { type: 'drop' } },
      guards: {
        breaks: () => {
          throw new Error('broken')
        },
      },
    }).createMachine({ initial: 'a', states: { a: { on: { go: 'a', drop: { guard: 'breaks', target: 'a' } } } } })
    const walks = fc.sample(walksOf(fragile), { seed: 1, numRuns: 50 })
    const drops = walks.flatMap((walk) =>
      walk.flatMap((step, i) => (isSent(step, 'drop') ? [walk.length - 1 - i] : [])),
    )
    expect(drops.length).toBeGreaterThan(0)
    expect(new Set(drops)).toEqual(new Set([0])) // always the last
  })

  test('given a seed, when walks are drawn twice, then they are the same', () => {
    const draw = (): Walk[] => fc.sample(walksOf(order), { seed: 5, numRuns: 10 })
    expect(draw()).toEqual(draw())
  })

  test('given a chart, then its walks have its events, and those of an actor what can be sent to it', () => {
    expectTypeOf(walksOf(door)).toEqualTypeOf<fc.Arbitrary<Walk<EventFrom<typeof door>>>>()
    expectTypeOf(walksOf(order)).toEqualTypeOf<
      fc.Arbitrary<Walk<SentOf<typeof order.protocol, keyof typeof order.protocol>>>
    >()
    expectTypeOf(coveringWalks(door).walks).toEqualTypeOf<readonly Walk<EventFrom<typeof door>>[]>()
  })

  test('given maxSteps, when walks are drawn, then none is longer', () => {
    const lengths = fc.sample(walksOf(door, { maxSteps: 7 }), { seed: 1, numRuns: 100 }).map(({ length }) => length)
    expect(Math.max(...lengths)).toBe(7)
  })

  test.each([
    ['what is no chart', () => walksOf({ ...order, logic: {} } as unknown as typeof order)],
    ['no steps', () => walksOf(door, { maxSteps: 0 })],
    ['no configurations', () => coveringWalks(door, { maxConfigurations: 0 })],
  ])('given %s, then an error says so', (_what, make) => {
    expect(make).toThrow(DefinitionInvalidError)
  })
})

const isSent = (step: Walk[number], type: string): boolean => step.kind === 'send' && step.event.type === type

describe('coveringWalks', () => {
  test('given a chart, then few walks reach all that can be reached, and the reasons are given for the rest', () => {
    const { walks, unreached } = coveringWalks(door, { events: forces, samples: 60 })
    const coverage = coverageOf(door)
    for (const walk of walks) coverage.walk(walk)
    const { states, transitions } = coverage.report()

    expect(walks.length).toBeLessThanOrEqual(6)
    expect(unreached.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'house.door.shut: pull [isNever] -> house.door.broken: its guard refused all that was tried',
    ])
    expect([...states.missed, ...transitions.missed].map(({ id }) => id)).toEqual(unreached.map(({ id }) => id))
  })

  test('given an actor, then its protocol gives the bodies', () => {
    const { walks, unreached } = coveringWalks(order)
    expect(unreached).toEqual([])
    expect(walks.length).toBeLessThanOrEqual(5)
    for (const walk of walks) expect(() => play(machineOf(order), walk)).not.toThrow()
  })

  test('given what only an invoked actor brings about, then it is named as such', () => {
    expect(coveringWalks(job).unreached.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'job.failed: no transition that was taken leads to it',
      'job.done: no transition that was taken leads to it',
      'job.forgotten: no transition that was taken leads to it',
      "job.working: xstate.done.actor.work -> job.done: only the invoked 'work' brings it about",
      "job.working: xstate.error.actor.work -> job.failed: only the invoked 'work' brings it about",
      'job.failed: retry -> job.working: job.failed was not reached',
    ])
  })

  test('given no bodies for an event, a transition behind another, and a bound, then each is the reason', () => {
    const machine = createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { on: { go: [{ target: 'b' }, { target: 'c' }], other: 'b' } }, b: {}, c: {} },
    })
    const whyOf = (options: Parameters<typeof coveringWalks>[1]): Record<string, string> =>
      Object.fromEntries(coveringWalks(machine, options).unreached.map(({ id, why }) => [id, why]))

    expect(whyOf({ protocol: {}, events: { go: fc.constant({}) } })).toEqual({
      'm.c': 'no transition that was taken leads to it',
      'm.a go 1': 'another transition always comes first',
      'm.a other 0': 'no body is known for its event',
    })
    const [counting] = [
      createMachine({
        id: 'n',
        context: { n: 0 },
        initial: 'a',
        states: { a: { on: { go: 'b' } }, b: { on: { go: 'c' } }, c: {} },
      }),
    ]
    expect(coveringWalks(counting, { maxConfigurations: 1 }).unreached[0]?.name).toBe('n.c')
    expect(coveringWalks(counting, { maxConfigurations: 1 }).unreached[1]?.why).toBe('not within 1 configurations')
  })

  test('given a chart that grows for ever, then the states far from its start are found all the same', () => {
    const counter = setup({ types: { context: {} as { n: number }, events: {} as { type: 'add' } | { type: 'on' } } })
    const assignAdd = counter.assign({ n: ({ context }) => context.n + 1 })
    const chain = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`s${i}`, { on: { add: { actions: assignAdd }, on: `s${i + 1}` } }]),
    )
    const machine = counter.createMachine({ id: 'c', context: { n: 0 }, initial: 's0', states: { ...chain, s12: {} } })
    expect(coveringWalks(machine, { maxConfigurations: 40 }).unreached).toEqual([])
  })

  test('given a context that contains itself, then the states behind it are found', () => {
    const looped: { self?: unknown } = {}
    looped.self = looped
    const machine = createMachine({
      id: 'l',
      context: { looped },
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { on: { go: 'c' } }, c: {} },
    })
    expect(coveringWalks(machine).unreached).toEqual([])
  })

  test('given a chart, then the walks are the same each time', () => {
    const options = { events: forces }
    expect(coveringWalks(door, options)).toEqual(coveringWalks(door, options))
  })
})

describe('coverageOf', () => {
  test('given steps that were seen from outside, when they are recorded, then eventless and internal transitions count', () => {
    const coverage = coverageOf(door)
    const actor = createActor(door, { clock: new VirtualClock() }).start()
    coverage.visit(actor.getSnapshot())
    const send = (event: EventObject): void => {
      const before = actor.getSnapshot()
      actor.send(event as never) // an event of the chart
      coverage.record(before, event, actor.getSnapshot())
    }
    for (let i = 0; i < 3; i += 1) send({ type: 'knock' })
    const { transitions, states, unexplained } = coverage.report()
    const counts = transitions.reached.map(({ name, count }) => `${count} ${name}`)

    expect(counts).toEqual([
      '3 house.door.shut: knock -> stays',
      '1 house.door.shut: always [isHeard] -> house.door.open',
    ])
    expect(states.reached.map(({ id }) => id)).toContain('house.door.open.wide')
    expect(unexplained).toBe(0)
  })

  test('given a step that the chart would not take, when it is recorded, then it is counted as unexplained', () => {
    const coverage = coverageOf(door)
    const broken = door.resolveState({ value: { door: 'broken', lamp: 'off' }, context: { knocks: 0 } })
    coverage.record(createActor(door).getSnapshot(), { type: 'knock' }, broken)
    const { unexplained, transitions, states } = coverage.report()

    expect([unexplained, transitions.reached.length]).toEqual([1, 0])
    expect(states.reached.map(({ id }) => id)).toContain('house.door.broken')
  })

  test('given a chart that moves at once and invokes another of the same id, when it starts, then each move of its own counts once', () => {
    const other = createMachine({ id: 'm', initial: 'b', states: { b: { always: 'c' }, c: {} } })
    const parent = setup({ actors: { other } }).createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { always: 'b' }, b: { invoke: { src: 'other' } }, c: {} },
    })
    const coverage = coverageOf(parent)
    coverage.walk([])
    const { states, transitions } = coverage.report()
    expect(states.reached.map(({ id, count }) => [id, count])).toEqual([['m.b', 1]])
    expect(transitions.reached.map(({ name, count }) => [name, count])).toEqual([['m.a: always -> m.b', 1]])
  })

  test('given an actor of the runtime, when its walk is told to it, then its coverage is that of the walk', async () => {
    const walk = fc.sample(walksOf(order), { seed: 2, numRuns: 20 }).reduce((a, b) => (a.length > b.length ? a : b))
    const [said, seen] = [coverageOf(order), coverageOf(order)]
    said.walk(walk)
    await using world = await createTestRuntime()
    const shop = supervisor('shop', { children: [child(order, { restart: 'temporary', inspect: seen.inspect })] })
    const root = world.runtime.spawn(shop)
    await world.settle()
    const ref = world.runtime.ref(`${root.path}/order`, order)!
    for (const step of walk) {
      if (step.kind === 'wait') await world.advance(step.ms)
      else if (step.event.type === 'order.due') void ref.ask({ type: 'order.due' })
      else ref.tell(step.event)
      await world.settle()
    }

    const { transitions, states } = seen.report()
    expect(transitions).toEqual(said.report().transitions)
    expect(states.reached.map(({ id }) => id)).toEqual(said.report().states.reached.map(({ id }) => id))
    expect(transitions.reached.length).toBeGreaterThan(1)
  })

  test('given a chart with invoked work, when nothing ran, then the report says what only that work brings about', () => {
    const coverage = coverageOf(job)
    coverage.walk([{ kind: 'send', event: { type: 'start' } }])
    const { text, states, transitions } = coverage.report()

    expect([states.percent, transitions.percent]).toEqual([40, 20])
    expect(transitions.missed.filter(({ invoked }) => invoked === 'work')).toHaveLength(2)
    expect(text).toBe(`states: 2 of 5 reached (40 %)
       1  job.idle
       1  job.working
  missed  job.failed
  missed  job.done
  missed  job.forgotten
transitions: 1 of 5 reached (20 %); 2 of the others only by invoked actors
       1  job.idle: start -> job.working
  missed  job.working: cancel -> job.idle
  missed  job.working: xstate.done.actor.work -> job.done (only 'work' brings it about)
  missed  job.working: xstate.error.actor.work -> job.failed (only 'work' brings it about)
  missed  job.failed: retry -> job.working`)
  })

  test('given work that ends, when its end is inspected, then it counts as reached', () => {
    const coverage = coverageOf(job)
    const actor = createActor(job, { inspect: coverage.inspect }).start()
    actor.send({ type: 'start' })
    actor.send({ type: 'xstate.error.actor.work', error: 'no' } as never) // as the invoked promise would
    expect(coverage.report().transitions.reached.map(({ invoked }) => invoked)).toEqual([undefined, 'work'])
  })
})
