import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { child, defineActor, message, question, supervisor, type AnyRef } from 'echelon'
import { assign, fromPromise, raise } from 'xstate'
import { memoryJournal } from '../../../src/journal/memory.ts'
import { createTestRuntime } from 'echelon/testing'
import { delaysOf, Lab } from './machine-lab.ts'

/* Beginnings and ends of durable charts: done, crashed, restarted, sent out of memory, under a supervisor. */

const path = '/durable/chart/c'

describe('charts that are done', () => {
  const protocol = { finish: message(), note: message(), look: question({}, z.string()) }
  const once = (exits: string[] = [], last = '') =>
    defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup, reply }) =>
        setup({ types: { context: {} as { readonly notes: number; readonly last: string } } }).createMachine({
          context: { notes: 0, last: '' },
          entry: raise({ type: 'note' }, { delay: 60_000 }),
          exit: () => exits.push('exit'),
          initial: 'open',
          states: {
            open: { after: { 90_000: 'late' }, on: { finish: { target: 'over', actions: assign({ last }) } } },
            late: {},
            over: { type: 'final' },
          },
          on: {
            note: { actions: assign({ notes: ({ context }) => context.notes + 1 }) },
            look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) },
          },
        }),
    })

  test('given one, then it ends normally, waits for nothing any more, and is not woken', async () => {
    const lab = new Lab()
    const chart = once()
    const t = await lab.start({ definitions: [chart] })
    const ref = t.runtime.get(chart, 'c')
    const exits: string[] = []
    ref.tell({ type: 'note' })
    await t.settle()
    ref.watch(({ reason }) => exits.push(reason.kind))
    ref.tell({ type: 'finish' })
    await t.settle()
    expect(exits).toEqual(['normal'])
    expect(await lab.wakeAtMs(path)).toBe(null)
    const started: string[] = []
    t.runtime.on('started', ({ path: at }) => started.push(at))
    await t.advance(200_000)
    expect(started).toEqual([])
  })

  test('given one that left no snapshot, since that was too large, then a replay of it waits for nothing either', async () => {
    const lab = new Lab()
    const chart = once([], 'x'.repeat(6 * 2 ** 20))
    const first = await lab.start()
    first.runtime.get(chart, 'c').tell({ type: 'finish' })
    await first.settle()
    expect(await lab.snapshot(path)).toBeUndefined()
    const t = await lab.start({ definitions: [chart] })
    const exits: string[] = []
    t.runtime.on('stopped', ({ path: at, reason }) => {
      if (at === path) exits.push(reason.kind)
    })
    t.runtime.get(chart, 'c').subscribe(() => undefined)
    await t.advance(200_000)
    expect(exits).toEqual(['normal'])
    expect(await lab.wakeAtMs(path)).toBe(null)
  })

  test('given one, when it is asked again, then its asker learns that it is over, in this process and the next', async () => {
    const lab = new Lab()
    const left: string[] = []
    const chart = once(left)
    let t = await lab.start()
    t.runtime.get(chart, 'c').tell({ type: 'finish' })
    await t.settle()
    for (let process = 0; process < 2; process += 1) {
      if (process > 0) t = await lab.start()
      const ref = t.runtime.get(chart, 'c')
      const refused = expect(ref.ask({ type: 'look' })).rejects.toMatchObject({
        code: 'TARGET_DOWN',
        reason: { kind: 'normal' },
      })
      const untaken = expect(ref.tell({ type: 'note' }, { durable: true })).rejects.toMatchObject({
        code: 'TARGET_DOWN',
      })
      await t.settle()
      await refused
      await untaken
      expect(await lab.wakeAtMs(path)).toBe(null)
    }
    expect(left).toEqual(['exit'])
  })

  test('given durable messages behind its last one, then they are given up as dead letters, once, and nothing waits', async () => {
    const lab = new Lab()
    const chart = once()
    const t = await lab.start({ definitions: [chart] })
    const ref = t.runtime.get(chart, 'c')
    await t.until(ref.ask({ type: 'look' }))
    const kept = [
      ref.tell({ type: 'finish' }, { durable: true }),
      ref.tell({ type: 'note' }, { durable: true }),
      ref.tell({ type: 'note' }, { durable: true }),
    ]
    await t.settle()
    await Promise.allSettled(kept)
    await t.advance(200_000)
    expect(t.runtime.deadLetters.recent()).toMatchObject([
      { reason: 'stopped', message: { type: 'note' } },
      { reason: 'stopped', message: { type: 'note' } },
    ])
    expect(await lab.wakeAtMs(path)).toBe(null)
    const again = await lab.start({ definitions: [chart] })
    await again.advance(200_000)
    expect(again.runtime.deadLetters.count).toBe(0)
    expect(again.runtime.ref(path)).toBeUndefined()
  })

  test('given a chart that is done as it begins, then so is its stream', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup }) =>
        setup({}).createMachine({
          entry: raise({ type: 'note' }, { delay: 1000 }),
          initial: 'over',
          states: { over: { type: 'final' } },
        }),
    })
    const t = await lab.start({ definitions: [chart] })
    t.runtime.get(chart, 'c').tell({ type: 'note' })
    await t.advance(10_000)
    expect(await lab.wakeAtMs(path)).toBe(null)
    expect((await lab.entries(path)).map(({ kind }) => kind)).toEqual(['created'])
  })

  /** A chart that an effect is at work in until it is done. */
  const working = (work: (signal: AbortSignal) => unknown) =>
    defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup, effect }) =>
        setup({ actors: { slow: effect('slow', ({ signal }) => work(signal)) } }).createMachine({
          invoke: { src: 'slow' },
          initial: 'open',
          states: { open: { on: { finish: 'over' } }, over: { type: 'final' } },
        }),
    })

  test.each<[string, (signal: AbortSignal) => unknown]>([
    ['takes no notice', () => new Promise(() => undefined)],
    [
      'ends when it is told',
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('aborted'))
          })
        }),
    ],
  ])('given an effect at work that %s, then it is over with its chart, which is not woken for it', async (_, work) => {
    const lab = new Lab()
    const chart = working(work)
    const first = await lab.start({ definitions: [chart] })
    first.runtime.get(chart, 'c').tell({ type: 'note' })
    await first.settle()
    first.runtime.get(chart, 'c').tell({ type: 'finish' })
    await first.settle()
    expect(await lab.wakeAtMs(path)).toBe(null)
    const t = await lab.start({ definitions: [chart] })
    await t.advance(10_000)
    expect([t.runtime.ref(path), t.runtime.inDoubt]).toEqual([undefined, []])
  })

  test('given a journal that does not say what became of its effect, then the next process says that it is over', async () => {
    const lab = new Lab()
    const chart = working(() => new Promise(() => undefined))
    const first = await lab.start()
    first.runtime.get(chart, 'c').tell({ type: 'finish' })
    await first.settle()
    const entries = (await lab.entries(path)).filter(({ kind }) => kind !== 'outcome')
    const source = memoryJournal()
    const journal = await source.open({ node: 'before', clock: lab.clock })
    await journal.append([{ stream: path, expectedSeq: 0, entries, blobs: [], snapshot: undefined, wakeAtMs: 0 }])
    await journal.close()
    await using t = await createTestRuntime({ journal: source, clock: lab.clock, definitions: [chart] })
    let recovered = 0
    t.runtime.on('recovered', () => (recovered += 1))
    await t.advance(10_000)
    expect([recovered, t.runtime.ref(path), t.runtime.inDoubt]).toEqual([0, undefined, []])
    const reader = await source.openReadOnly({ node: 'reader', clock: lab.clock })
    expect((await reader.load(path)).wakeAtMs).toBe(null)
  })
})

describe('crashes', () => {
  const protocol = {
    add: message({ by: z.int() }),
    crash: message({ in: z.enum(['action', 'guard', 'assignment', 'output']) }),
    later: message(),
    total: question({}, z.int()),
  }
  let isBroken = true
  const boom = (): never => {
    throw new Error('boom')
  }
  const fragile = defineActor({
    name: 'chart',
    durable: true,
    protocol,
    machine: ({ setup, reply }) =>
      setup({ types: { context: {} as { readonly total: number } } }).createMachine({
        context: { total: 0 },
        initial: 'idle',
        states: {
          idle: { on: { later: 'waiting' } },
          waiting: { after: { 100: { target: 'idle', actions: () => (isBroken ? boom() : undefined) } } },
        },
        on: {
          add: { actions: assign({ total: ({ context, event }) => context.total + event.by }) },
          crash: [
            { guard: ({ event }) => event.in === 'guard' && boom() },
            {
              guard: ({ event }) => event.in === 'assignment',
              actions: [assign({ total: 1000 }), assign({ total: boom })],
            },
            { actions: [assign({ total: 1000 }), boom] },
          ],
          total: { actions: reply(({ context }) => context.total) },
        },
      }),
  })

  test.each(['action', 'guard', 'assignment'] as const)(
    'given a message that crashes an %s, then it alone is given up, and the next life has the state before it',
    async (where) => {
      const lab = new Lab()
      const t = await lab.start()
      const ref = t.runtime.get(fragile, 'c')
      ref.tell({ type: 'add', by: 5 })
      await t.until(ref.tell({ type: 'crash', in: where }, { durable: true }))
      await t.settle()
      ref.tell({ type: 'add', by: 1 })
      expect(await t.until(ref.ask({ type: 'total' }))).toBe(6)
      expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: 'crash' } }])
      const again = await lab.start({ definitions: [fragile] })
      expect(await again.until(again.runtime.get(fragile, 'c').ask({ type: 'total' }))).toBe(6)
      expect((await lab.entries(path)).filter(({ kind }) => kind === 'failed')).toHaveLength(1)
    },
  )

  test('given a delayed event that crashes, then it is given up as failed, does not come again, and the state is the one before', async () => {
    const lab = new Lab()
    const t = await lab.start({ definitions: [fragile] })
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    t.runtime.get(fragile, 'c').tell({ type: 'later' })
    await t.advance(100)
    await t.advance(100_000)
    expect(problems).toHaveLength(1)
    const again = await lab.start({ definitions: [fragile] })
    again.runtime.on('failed', ({ error }) => problems.push(error))
    again.runtime.get(fragile, 'c').subscribe(() => undefined)
    await again.advance(1000)
    expect(problems).toHaveLength(1)
    expect(again.runtime.get(fragile, 'c').snapshot.value).toBe('waiting')
    expect((await lab.entries(path)).at(-1)).toMatchObject({ kind: 'failed' })
    expect([delaysOf(again, path), await lab.wakeAtMs(path)]).toEqual([{}, null])
  })

  test('given an end of an effect that crashes, then it comes again with each life until its restarts are used up, and then when it is asked', async () => {
    const lab = new Lab()
    let runs = 0
    let tries = 0
    isBroken = true
    const shop = defineActor({
      name: 'chart',
      durable: true,
      protocol: { look: question({}, z.string()) },
      machine: ({ setup, effect, reply }) =>
        setup({ actors: { charge: effect('charge', () => (runs += 1)) } }).createMachine({
          initial: 'charging',
          states: {
            charging: {
              invoke: {
                src: 'charge',
                onDone: {
                  target: 'paid',
                  actions: () => {
                    tries += 1
                    if (isBroken) boom()
                  },
                },
              },
            },
            paid: {},
          },
          on: { look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
        }),
    })
    const t = await lab.start({ definitions: [shop] })
    t.runtime.get(shop, 'c').subscribe(() => undefined)
    await t.advance(100_000)
    expect(tries).toBeGreaterThan(0)
    expect(tries).toBeLessThan(10)
    isBroken = false
    const again = await lab.start({ definitions: [shop] })
    again.runtime.get(shop, 'c').subscribe(() => undefined)
    await again.settle()
    expect(await again.until(again.runtime.get(shop, 'c').ask({ type: 'look' }))).toBe('"paid"')
    expect(runs).toBe(1)
  })

  test('given an event from within that a message set off and that crashes, then the message itself was handled', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol: { go: question({}, z.string()), look: question({}, z.string()) },
      machine: ({ setup, reply }) =>
        setup({
          actors: { quick: setup({}).createMachine({ initial: 'end', states: { end: { type: 'final' } } }) },
        }).createMachine({
          initial: 'idle',
          states: {
            idle: { on: { go: { target: 'working', actions: reply(() => 'went') } } },
            working: { invoke: { src: 'quick', onDone: { actions: boom }, onError: 'broken' } },
            broken: {},
          },
          on: { look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
        }),
    })
    const t = await lab.start()
    const ref = t.runtime.get(chart, 'c')
    expect(await t.until(ref.ask({ type: 'go' }))).toBe('went')
    await t.settle()
    expect(t.runtime.deadLetters.count).toBe(0)
    expect(await t.until(ref.ask({ type: 'look' }))).toBe('"broken"')
  })

  test('given a first state whose entry fails once, then nothing is written, and the next try enters it again', async () => {
    const lab = new Lab()
    let tries = 0
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol: { look: question({}, z.string()) },
      machine: ({ setup, effect, reply }) =>
        setup({ actors: { work: effect('work', () => 1, { idempotent: true }) } }).createMachine({
          initial: 'first',
          states: {
            first: {
              entry: () => {
                tries += 1
                if (tries === 1) boom()
              },
              invoke: { src: 'work', onDone: 'done' },
            },
            done: {},
          },
          on: { look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
        }),
    })
    const t = await lab.start()
    t.runtime.get(chart, 'c').subscribe(() => undefined)
    await t.settle()
    expect(await t.until(t.runtime.get(chart, 'c').ask({ type: 'look' }))).toBe('"done"')
    expect(tries).toBe(2)
    expect((await lab.entries(path)).map(({ kind }) => kind)).toEqual(['created', 'intent', 'outcome', 'handled'])
  })

  test('given an append that the disk refuses, then the chart goes on from what is on disk, and its askers learn of it', async () => {
    let isFull = false
    const lab = new Lab({
      beforeCommit: () => {
        if (isFull) throw new Error('no space')
      },
    })
    const t = await lab.start()
    const ref = t.runtime.get(fragile, 'c')
    ref.tell({ type: 'add', by: 5 })
    expect(await t.until(ref.ask({ type: 'total' }))).toBe(5)
    isFull = true
    ref.tell({ type: 'add', by: 1 })
    const refused = expect(ref.ask({ type: 'total' })).rejects.toThrow()
    await t.settle()
    await refused
    isFull = false
    expect(await t.until(t.runtime.get(fragile, 'c').ask({ type: 'total' }))).toBe(5)
  })
})

describe('memory', () => {
  const protocol = { go: message(), leave: message(), wait: message(), look: question({}, z.string()) }
  const sleepy = defineActor({
    name: 'chart',
    durable: { passivateAfterMs: 1000 },
    protocol,
    machine: ({ setup, reply }) =>
      setup({ actors: { work: fromPromise(() => new Promise(() => undefined)) } }).createMachine({
        initial: 'idle',
        states: {
          idle: { on: { go: 'working', wait: 'waiting' } },
          working: { invoke: { src: 'work', onError: 'idle' }, on: { leave: 'idle' } },
          waiting: { after: { 10_000: 'idle' } },
        },
        on: { look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
      }),
  })

  test.each([
    ['nothing to do', undefined, true],
    ['something that it invoked', 'go', false],
    ['a delay to wait for', 'wait', false],
  ] as const)('given %s and time, then the chart leaves memory: %s', async (_, type, leaves) => {
    const lab = new Lab()
    const t = await lab.start()
    const ref = t.runtime.get(sleepy, 'c')
    if (type === undefined) ref.subscribe(() => undefined)
    else ref.tell({ type })
    await t.advance(5000)
    expect(t.runtime.ref(path) === undefined).toBe(leaves)
    await t.advance(20_000)
    expect(t.runtime.ref(path) === undefined).toBe(type !== 'go')
    const value = type === 'go' ? '"working"' : '"idle"'
    expect(await t.until(ref.ask({ type: 'look' }))).toBe(value)
    if (type !== 'go') return
    ref.tell({ type: 'leave' })
    await t.advance(5000)
    expect(t.runtime.ref(path)).toBeUndefined()
  })
})

describe('supervision', () => {
  const protocol = { add: message({ by: z.int() }), crash: message(), total: question({}, z.int()) }
  const counter = defineActor({
    name: 'counter',
    durable: true,
    protocol,
    machine: ({ setup, reply }) =>
      setup({ types: { context: {} as { readonly total: number } } }).createMachine({
        context: { total: 0 },
        on: {
          add: { actions: assign({ total: ({ context, event }) => context.total + event.by }) },
          crash: {
            actions: () => {
              throw new Error('boom')
            },
          },
          total: { actions: reply(({ context }) => context.total) },
        },
      }),
  })

  test('given a chart with a name in a tree, then after each restart it goes on from its journal', async () => {
    const lab = new Lab()
    const root = supervisor('app', { children: [child(counter, { id: 'total' })] })
    for (const total of [5, 10]) {
      const t = await lab.start({ root })
      const ref = t.runtime.ref('/app/total', counter)
      if (ref === undefined) throw new Error('it is not there')
      ref.tell({ type: 'add', by: 5 })
      await t.settle()
      ref.tell({ type: 'crash' })
      await t.settle()
      expect(await t.until(ref.ask({ type: 'total' }))).toBe(total)
      expect(ref.incarnation).toBe(2)
    }
  })

  test('given a chart in a tree without a name, then its start fails and says why', async () => {
    const lab = new Lab()
    const t = await lab.start()
    expect(() => t.runtime.spawn(counter)).toThrow(expect.objectContaining({ code: 'START_FAILED' }))
  })

  test('given a kill, then the next incarnation knows what the disk knows', async () => {
    const lab = new Lab()
    const t = await lab.start()
    const ref = t.runtime.spawn(counter, { name: 'total' })
    ref.tell({ type: 'add', by: 5 })
    await t.settle()
    ref.kill()
    await t.settle()
    expect(await t.until(ref.ask({ type: 'total' }))).toBe(5)
    expect([ref.incarnation, (ref satisfies AnyRef).path]).toEqual([2, '/user/total'])
  })
})

describe('snapshots', () => {
  const protocol = {
    go: message({ to: z.enum(['a', 'b', 'c']) }),
    back: message(),
    look: question({}, z.string()),
  }
  const house = (entries: number) =>
    defineActor({
      name: 'chart',
      durable: { snapshotEvery: { entries } },
      protocol,
      machine: ({ setup, reply }) =>
        setup({ types: { context: {} as { readonly steps: number } } }).createMachine({
          context: { steps: 0 },
          initial: 'in',
          states: {
            in: {
              initial: 'a',
              states: {
                a: {},
                b: { initial: 'x', states: { x: { after: { 50: 'y' } }, y: {} } },
                c: {},
                shallow: { type: 'history' },
                deep: { type: 'history', history: 'deep' },
              },
              on: {
                go: [
                  { guard: ({ event }) => event.to === 'a', target: '.a' },
                  { guard: ({ event }) => event.to === 'b', target: '.b' },
                  { target: 'out' },
                ],
              },
            },
            out: { on: { back: { target: 'in.deep' }, go: { target: 'in.shallow' } } },
          },
          on: {
            back: { actions: assign({ steps: ({ context }) => context.steps + 1 }) },
            look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) },
          },
        }),
    })

  test('given snapshots at any entry and restarts at any message, then histories are those of a chart that never ended', async () => {
    const stepArbitrary = fc.oneof(
      fc.record({ type: fc.constant('go' as const), to: fc.constantFrom('a' as const, 'b' as const, 'c' as const) }),
      fc.constant({ type: 'back' as const }),
      fc.integer({ min: 1, max: 80 }),
    )
    const property = fc.asyncProperty(
      fc.array(fc.tuple(stepArbitrary, fc.constantFrom('go on', 'restart', 'clean restart', 'compact')), {
        maxLength: 12,
      }),
      fc.integer({ min: 1, max: 6 }),
      async (steps, entries) => {
        const play = async (isRestarting: boolean): Promise<unknown> => {
          const lab = new Lab()
          const chart = house(isRestarting ? entries : 1000)
          let t = await lab.start({ definitions: [chart] })
          for (const [step, then] of steps) {
            if (typeof step === 'number') await t.advance(step)
            else await t.until(t.runtime.get(chart, 'c').tell(step, { durable: true }))
            await t.settle()
            if (then === 'compact') await lab.compact()
            if (!isRestarting || then === 'go on') continue
            if (then === 'clean restart') await t[Symbol.asyncDispose]()
            t = await lab.start({ definitions: [chart] })
            t.runtime.get(chart, 'c').subscribe(() => undefined)
            await t.settle()
          }
          await t.until(t.runtime.get(chart, 'c').ask({ type: 'look' }))
          const { value, context } = t.runtime.get(chart, 'c').snapshot
          return { value, context, delays: delaysOf(t, path) }
        }
        expect(await play(true)).toEqual(await play(false))
      },
    )
    await fc.assert(property, { numRuns: 60 })
  })
})
