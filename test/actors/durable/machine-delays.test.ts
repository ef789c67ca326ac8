import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message } from 'echelon'
import { assign, cancel, raise, sendTo, setup, type AnyActorRef } from 'xstate'
import { delaysOf, Lab } from './machine-lab.ts'

/* Delayed events of durable charts: each comes once, when it is due, or as soon as there is a process again. */

const day = 24 * 3_600_000

interface Rang {
  readonly name: string
  readonly atMs: number
}

const alarmProtocol = { set: message({ name: z.string(), ms: z.number() }), drop: message() }

/** Sets as many delays as it is told, and tells `rang` of each that comes. */
const alarms = (rang: (name: string) => void) =>
  defineActor({
    name: 'alarms',
    durable: { snapshotEvery: { entries: 7 } },
    protocol: alarmProtocol,
    machine: ({ setup: chart }) =>
      chart({ types: { context: {} as { readonly rang: readonly string[] } } }).createMachine({
        context: { rang: [] },
        on: {
          set: {
            actions: raise(({ event }) => ({ type: 'rang', name: event.name }) as never, {
              delay: ({ event }) => event.ms,
            }),
          },
          '*': {
            actions: [
              assign({ rang: ({ context, event }) => [...context.rang, (event as unknown as Rang).name] }),
              ({ event }) => {
                rang((event as unknown as Rang).name)
              },
            ],
          },
        },
      }),
  })

const path = '/durable/alarms/a'

describe('delays over restarts', () => {
  const lifeArbitrary = fc.record({
    /** When it sets a delay, and of how many milliseconds, both from the beginning of its life. */
    sets: fc.array(fc.record({ atMs: fc.nat(900), ms: fc.integer({ min: 0, max: 5000 }) }), { maxLength: 4 }),
    /** Milliseconds for which there is no process after it. */
    downMs: fc.constantFrom(0, 1, 300, 2000),
    isClean: fc.boolean(),
  })

  test(
    'given any restarts, then each delay comes exactly once, in order: when it is due, or at once if nobody was there then',
    { timeout: 120_000 },
    async () => {
      const property = fc.asyncProperty(fc.array(lifeArbitrary, { minLength: 1, maxLength: 5 }), async (lives) => {
        const lab = new Lab()
        const epochMs = lab.clock.wallNow()
        const rang: Rang[] = []
        const definition = alarms((name) => rang.push({ name, atMs: lab.clock.wallNow() - epochMs }))
        const due = new Map<string, number>()
        const ups: { fromMs: number; toMs: number }[] = []
        let number = 0
        let downMs = 0
        for (const life of [...lives, { sets: [], downMs: 0, isClean: true }]) {
          const t = await lab.start({ definitions: [definition] }, { downMs })
          await t.settle()
          const fromMs = lab.clock.wallNow() - epochMs
          for (const { atMs, ms } of life.sets.toSorted((a, b) => a.atMs - b.atMs)) {
            await t.advance(fromMs + atMs - (lab.clock.wallNow() - epochMs))
            const name = `delay ${(number += 1)}`
            due.set(name, fromMs + atMs + ms)
            await t.until(t.runtime.get(definition, 'a').tell({ type: 'set', name, ms }, { durable: true }))
          }
          await t.advance(fromMs + 1000 - (lab.clock.wallNow() - epochMs))
          ups.push({ fromMs, toMs: fromMs + 1000 })
          ;({ downMs } = life)
          if (life.isClean) await t[Symbol.asyncDispose]()
          else lab.kill()
        }
        const t = await lab.start({ definitions: [definition] })
        ups.push({ fromMs: lab.clock.wallNow() - epochMs, toMs: Infinity })
        await t.advance(10_000)
        const expected = Array.from(due, ([name, dueMs]) => {
          const up = ups.find(({ toMs }) => dueMs <= toMs)
          return { name, atMs: Math.max(dueMs, up?.fromMs ?? 0) }
        })
        const byName = (a: Rang, b: Rang): number => a.name.localeCompare(b.name)
        expect(rang.toSorted(byName)).toEqual(expected.toSorted(byName))
        const dues = rang.map(({ name }) => due.get(name) ?? 0)
        expect(dues).toEqual(dues.toSorted((a, b) => a - b))
        expect(delaysOf(t, path)).toEqual({})
      })
      await fc.assert(property, { numRuns: 60 })
    },
  )

  test('given a delay and a process that knows the chart, then it is woken for it without being asked', async () => {
    const lab = new Lab()
    const rang: string[] = []
    const definition = alarms((name) => rang.push(name))
    const first = await lab.start()
    await first.until(
      first.runtime.get(definition, 'a').tell({ type: 'set', name: 'tea', ms: 5000 }, { durable: true }),
    )
    const second = await lab.start({ definitions: [definition] }, { downMs: 1000 })
    await second.advance(3999)
    expect([rang, second.runtime.ref(path)]).toEqual([[], undefined])
    await second.advance(1)
    expect(rang).toEqual(['tea'])
  })
})

describe('what a delay may be', () => {
  test.each([
    ['0', 0, 0],
    ['negative', -5, 0],
    ['a fraction', 1.5, 1.5],
    ['longer than a timer of Node', 40 * day, 40 * day],
  ])('given a delay that is %s, then it comes once, also when a restart is in between', async (_, ms, afterMs) => {
    const lab = new Lab()
    const rang: number[] = []
    const epochMs = lab.clock.wallNow()
    const definition = alarms(() => rang.push(lab.clock.wallNow() - epochMs))
    const first = await lab.start()
    first.runtime.get(definition, 'a').tell({ type: 'set', name: 'x', ms })
    await first.settle()
    const second = await lab.start({ definitions: [definition] })
    await second.advance(100 * day)
    expect(rang).toEqual([afterMs])
  })

  test.each([
    ['endless', Infinity, 'on', null],
    ['no number', NaN, 'off', null],
  ])(
    'given a delay that turns out to be %s, then the chart stays as it is, or goes on at once',
    async (_, ms, value, wakeAtMs) => {
      const lab = new Lab()
      const lamp = defineActor({
        name: 'lamp',
        durable: true,
        protocol: { go: message() },
        machine: ({ setup: chart }) =>
          chart({ delays: { some: () => ms } }).createMachine({
            initial: 'on',
            states: { on: { after: { some: 'off' } }, off: {} },
          }),
      })
      const first = await lab.start()
      first.runtime.get(lamp, 'a').tell({ type: 'go' })
      await first.advance(1)
      expect(first.runtime.get(lamp, 'a').snapshot.value).toBe(value)
      expect(await lab.wakeAtMs('/durable/lamp/a')).toBe(wakeAtMs)
      await first[Symbol.asyncDispose]()
      const second = await lab.start({ definitions: [lamp] })
      await second.advance(100 * day)
      expect(second.runtime.ref('/durable/lamp/a')).toBeUndefined()
      second.runtime.get(lamp, 'a').subscribe(() => undefined)
      await second.settle()
      expect(second.runtime.get(lamp, 'a').snapshot.value).toBe(value)
    },
  )

  test('given a dynamic delay, then it is what it was when it was set, whatever the context is by then', async () => {
    const lab = new Lab()
    const fuse = defineActor({
      name: 'fuse',
      durable: true,
      protocol: { wet: message() },
      machine: ({ setup: chart }) =>
        chart({
          types: { context: {} as { readonly ms: number } },
          delays: { burn: ({ context }) => context.ms },
        }).createMachine({
          context: { ms: 1000 },
          initial: 'burning',
          states: { burning: { after: { burn: 'out' } }, out: {} },
          on: { wet: { actions: assign({ ms: 9000 }) } },
        }),
    })
    const first = await lab.start()
    await first.until(first.runtime.get(fuse, 'a').tell({ type: 'wet' }, { durable: true }))
    const second = await lab.start({ definitions: [fuse] })
    const ref = second.runtime.get(fuse, 'a')
    ref.subscribe(() => undefined)
    await second.advance(999)
    expect(ref.snapshot.value).toBe('burning')
    await second.advance(1)
    expect(ref.snapshot.value).toBe('out')
  })

  test.each([
    [
      'a delayed message to another actor',
      'NOT_REPLAYABLE',
      sendTo(
        () => ({ id: 'other', sessionId: 'other', _send: () => undefined }) as unknown as AnyActorRef,
        { type: 'x' },
        { delay: 5 },
      ),
    ],
    [
      'a delayed event that is no data',
      'NOT_SERIALIZABLE',
      raise({ type: 'x', of: () => undefined } as never, { delay: 5 }),
    ],
  ])('given %s, then it is refused by name, and the state is the one before', async (_, code, action) => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol: { go: message(), note: message() },
      machine: () =>
        setup({}).createMachine({
          initial: 'idle',
          states: { idle: { on: { go: { target: 'gone', actions: action as never } } }, gone: {} },
        }),
    })
    const t = await lab.start()
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    const ref = t.runtime.get(chart, 'a')
    ref.tell({ type: 'go' })
    await t.settle()
    ref.tell({ type: 'note' })
    await t.settle()
    expect(problems).toMatchObject([{ code }])
    expect(ref.snapshot.value).toBe('idle')
    expect((await lab.entries('/durable/chart/a')).map(({ kind }) => kind)).toEqual(['created', 'failed'])
  })
})

describe('names of delays', () => {
  const tick = { type: 'tick' } as never
  const counting = (on: object) =>
    defineActor({
      name: 'counting',
      durable: { snapshotEvery: { entries: 3 } },
      protocol: { go: message(), drop: message() },
      machine: () =>
        setup({ types: { context: {} as { readonly ticks: number } } }).createMachine({
          context: { ticks: 0 },
          on: { ...on, tick: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } },
        }),
    })

  test.each([
    ['without an id', counting({ go: { actions: raise(tick, { delay: 100 }) } })],
    ['with one id', counting({ go: { actions: raise(tick, { delay: 100, id: 'tick' }) } })],
    [
      'to itself, by sendTo',
      counting({ go: { actions: sendTo(({ self }: { self: AnyActorRef }) => self, tick, { delay: 100 }) } }),
    ],
  ])(
    'given the same delayed event several times, %s, then each comes, with restarts in between',
    async (_, definition) => {
      const lab = new Lab()
      let t = await lab.start()
      for (let at = 0; at < 5; at += 1) {
        await t.until(t.runtime.get(definition, 'a').tell({ type: 'go' }, { durable: true }))
        await t.advance(30)
        if (at % 2 === 0) t = await lab.start({ definitions: [definition] })
      }
      const ref = t.runtime.get(definition, 'a')
      ref.subscribe(() => undefined)
      await t.advance(500)
      expect(ref.snapshot.context).toEqual({ ticks: 5 })
      t = await lab.start({ definitions: [definition] })
      t.runtime.get(definition, 'a').subscribe(() => undefined)
      await t.advance(500)
      expect(t.runtime.get(definition, 'a').snapshot.context).toEqual({ ticks: 5 })
    },
  )

  test('given a delayed event that sets itself again, under its id, then it comes once each time, until it is cancelled', async () => {
    const clock = defineActor({
      name: 'counting',
      durable: { snapshotEvery: { entries: 3 } },
      protocol: { go: message(), drop: message() },
      machine: () =>
        setup({ types: { context: {} as { readonly ticks: number } } }).createMachine({
          context: { ticks: 0 },
          on: {
            go: { actions: raise(tick, { delay: 100, id: 'tick' }) },
            drop: { actions: cancel('tick') },
            tick: {
              actions: [raise(tick, { delay: 100, id: 'tick' }), assign({ ticks: ({ context }) => context.ticks + 1 })],
            },
          },
        }),
    })
    const lab = new Lab()
    let t = await lab.start()
    t.runtime.get(clock, 'a').tell({ type: 'go' })
    await t.advance(250)
    t = await lab.start({ definitions: [clock] })
    t.runtime.get(clock, 'a').subscribe(() => undefined)
    await t.advance(250)
    expect(t.runtime.get(clock, 'a').snapshot.context).toEqual({ ticks: 5 })
    t.runtime.get(clock, 'a').tell({ type: 'drop' })
    await t.advance(1000)
    expect(t.runtime.get(clock, 'a').snapshot.context).toEqual({ ticks: 5 })
    expect(delaysOf(t, '/durable/counting/a')).toEqual({})
  })

  test('given several delays of one id, when it is cancelled, then that takes back the last', async () => {
    const definition = counting({
      go: { actions: raise(tick, { delay: 100, id: 'tick' }) },
      drop: { actions: cancel('tick') },
    })
    const lab = new Lab()
    const first = await lab.start()
    for (const type of ['go', 'go', 'go', 'drop'] as const)
      await first.until(first.runtime.get(definition, 'a').tell({ type }, { durable: true }))
    const second = await lab.start({ definitions: [definition] })
    const ref = second.runtime.get(definition, 'a')
    ref.subscribe(() => undefined)
    await second.advance(500)
    expect(ref.snapshot.context).toEqual({ ticks: 2 })
  })

  test('given a tick that is due behind a message that begins its state again, then it does not come early', async () => {
    const lab = new Lab()
    const lamp = defineActor({
      name: 'lamp',
      durable: true,
      protocol: { again: message() },
      machine: ({ setup: chart }) =>
        chart({}).createMachine({
          initial: 'on',
          states: { on: { after: { 1000: 'off' }, on: { again: { target: 'on', reenter: true } } }, off: {} },
        }),
    })
    const t = await lab.start()
    const ref = t.runtime.get(lamp, 'a')
    ref.subscribe(() => undefined)
    await t.advance(999)
    ref.tell({ type: 'again' })
    t.clock.advanceBy(1) // the timer fires before the message is taken
    await t.settle()
    expect(ref.snapshot.value).toBe('on')
    await t.advance(998)
    expect(ref.snapshot.value).toBe('on')
    await t.advance(2)
    expect(ref.snapshot.value).toBe('off')
  })
})

describe('delays and wrong wall clocks', () => {
  const start = Date.UTC(2026, 0, 1)

  test.each([
    ['1970', 0, false],
    ['the day before', start - day, false],
    ['2099', Date.UTC(2099, 0, 1), true],
  ])('given a restart while the clock says %s, then a delay is not lost, and comes once', async (_, epochMs, isDue) => {
    const lab = new Lab()
    const rang: string[] = []
    const definition = alarms((name) => rang.push(name))
    const first = await lab.start()
    await first.until(
      first.runtime.get(definition, 'a').tell({ type: 'set', name: 'tea', ms: 5000 }, { durable: true }),
    )
    const wrong = await lab.start({ definitions: [definition] }, { epochMs })
    await wrong.advance(4000)
    expect(rang).toEqual(isDue ? ['tea'] : [])
    const right = await lab.start({ definitions: [definition] }, { epochMs: start + 4000 })
    await right.advance(999)
    expect(rang).toEqual(isDue ? ['tea'] : [])
    await right.advance(1)
    await right.advance(day)
    expect(rang).toEqual(['tea'])
  })

  test('given a clock that was in 1970 at the start and is set right later, then the delay comes within an hour', async () => {
    const lab = new Lab()
    const rang: string[] = []
    const definition = alarms((name) => rang.push(name))
    const first = await lab.start()
    await first.until(
      first.runtime.get(definition, 'a').tell({ type: 'set', name: 'tea', ms: 5000 }, { durable: true }),
    )
    const t = await lab.start({ definitions: [definition] }, { epochMs: 0 })
    t.runtime.get(definition, 'a').subscribe(() => undefined)
    await t.advance(10_000)
    expect(rang).toEqual([])
    const { now } = t.clock
    t.clock.wallNow = () => start + 10_000 + now()
    await t.advance(3_600_000)
    expect(rang).toEqual(['tea'])
  })
})
