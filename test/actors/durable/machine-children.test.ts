import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import {
  assign,
  createMachine,
  fromCallback,
  fromPromise,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyStateMachine,
} from 'xstate'
import { InterruptedError } from '../../../src/core/errors.ts'
import { Lab } from './machine-lab.ts'

/* What a durable chart invokes and spawns that is no effect: gone with its process, and said so once. */

const path = '/durable/chart/c'
const protocol = { go: message(), leave: message(), look: question({}, z.string()) }
const never = fromPromise(() => new Promise<number>(() => undefined))
const nested = setup({}).createMachine({ initial: 'on', states: { on: { after: { 1000: 'off' } }, off: {} } })
const listener = fromCallback(() => () => undefined)
const actors = { never, nested, listener }

interface Context {
  readonly codes: readonly string[]
}

describe('what a restart cuts off', () => {
  /** Invokes `kind` when it is told to go. `stays`: what it does when that fails leaves it in its state. */
  const working = (kind: keyof typeof actors, onError: 'stays' | 'leaves' | 'nothing') =>
    defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup: chart }) =>
        chart({ types: { context: {} as Context }, actors: { work: actors[kind] } }).createMachine({
          context: { codes: [] },
          initial: 'idle',
          states: {
            idle: { on: { go: 'working' } },
            working: {
              invoke: {
                src: 'work',
                id: 'work',
                ...(onError === 'nothing'
                  ? {}
                  : {
                      onError: {
                        ...(onError === 'leaves' ? { target: 'broken' } : {}),
                        actions: assign({
                          codes: ({ context, event: { error } }) => [
                            ...context.codes,
                            error instanceof InterruptedError ? error.code : 'another error',
                          ],
                        }),
                      },
                    }),
              },
            },
            broken: {},
          },
        }),
    })

  const kinds = ['never', 'nested', 'listener'] as const
  test.each(kinds.flatMap((kind) => [true, false].map((isClean) => [kind, isClean] as const)))(
    'given %s at work and a restart (clean: %s), then the chart is told once that it was interrupted',
    async (kind, isClean) => {
      const lab = new Lab()
      const chart = working(kind, 'stays') // it stays in its state, where it could be told again
      const first = await lab.start()
      first.runtime.get(chart, 'c').tell({ type: 'go' })
      await first.settle()
      if (isClean) await first[Symbol.asyncDispose]()
      for (let process = 0; process < 3; process += 1) {
        const t = await lab.start()
        const ref = t.runtime.get(chart, 'c')
        ref.subscribe(() => undefined)
        await t.settle()
        expect(ref.snapshot).toMatchObject({ value: 'working', context: { codes: ['INTERRUPTED'] } })
        if (process === 1) await t[Symbol.asyncDispose]()
      }
    },
  )

  test('given a process that dies before the chart has handled that, then it is told by the next', async () => {
    const lab = new Lab()
    const chart = working('never', 'leaves')
    const first = await lab.start()
    first.runtime.get(chart, 'c').tell({ type: 'go' })
    await first.settle()
    const second = await lab.start({}, { cut: { append: 1, written: false } })
    second.runtime.get(chart, 'c').subscribe(() => undefined)
    await second.settle()
    expect(lab.isDead).toBe(true)
    const third = await lab.start()
    third.runtime.get(chart, 'c').subscribe(() => undefined)
    await third.settle()
    expect(third.runtime.get(chart, 'c').snapshot).toMatchObject({
      value: 'broken',
      context: { codes: ['INTERRUPTED'] },
    })
  })

  test('given a chart that does not handle it, then it crashes with it, again and again until its restarts are used up', async () => {
    const lab = new Lab()
    const chart = working('never', 'nothing')
    const first = await lab.start()
    first.runtime.get(chart, 'c').tell({ type: 'go' })
    await first.settle()
    const second = await lab.start({ definitions: [chart] })
    const codes: unknown[] = []
    second.runtime.on('failed', ({ error }) => codes.push((error as { code?: string }).code))
    second.runtime.get(chart, 'c').subscribe(() => undefined)
    await second.settle()
    expect(codes.length).toBeGreaterThan(0)
    expect(codes.length).toBeLessThan(10)
    expect(new Set(codes)).toEqual(new Set(['INTERRUPTED']))
    await second.advance(60_000)
    expect(codes.length).toBeLessThan(10)
  })

  test('given several that were cut off, when the chart leaves its state for the first, then that is all', async () => {
    const lab = new Lab()
    let runs = 0
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup: make }) =>
        make({
          actors: {
            work: fromPromise(() => {
              runs += 1
              return new Promise(() => undefined)
            }),
          },
        }).createMachine({
          initial: 'working',
          states: {
            working: {
              invoke: [
                { src: 'work', id: 'a', onError: 'again' },
                { src: 'work', id: 'b', onError: 'again' },
              ],
            },
            again: {
              invoke: [
                { src: 'work', id: 'a', onError: 'broken' },
                { src: 'work', id: 'b', onError: 'broken' },
              ],
            },
            broken: {},
          },
        }),
    })
    const first = await lab.start()
    first.runtime.get(chart, 'c').subscribe(() => undefined)
    await first.settle()
    const second = await lab.start()
    const problems: unknown[] = []
    second.runtime.on('failed', ({ error }) => problems.push(error))
    second.runtime.get(chart, 'c').subscribe(() => undefined)
    await second.settle()
    expect(problems).toEqual([])
    // Its new `b` is not the one that was cut off.
    expect([second.runtime.get(chart, 'c').snapshot.value, runs]).toEqual(['again', 4])
  })

  test('given two that were cut off, when the chart takes one and crashes by the other, then the next life is told of that again', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: { snapshotEvery: { entries: 1 } },
      protocol,
      machine: ({ setup: make }) =>
        make({ actors: { never } }).createMachine({
          invoke: [
            { src: 'never', id: 'a', onError: {} },
            { src: 'never', id: 'b' },
          ],
        }),
    })
    const first = await lab.start()
    first.runtime.get(chart, 'c').subscribe(() => undefined)
    await first.settle()
    for (let process = 0; process < 2; process += 1) {
      const t = await lab.start()
      const problems: unknown[] = []
      t.runtime.on('failed', ({ error }) => problems.push(error))
      t.runtime.get(chart, 'c').subscribe(() => undefined)
      await t.settle()
      expect(problems[0]).toMatchObject({ code: 'INTERRUPTED', message: expect.stringContaining(`'b'`) as unknown })
    }
  })

  test('given what has ended before, then nothing of it is told after a restart, though its chart did nothing about it', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup: make }) =>
        make({ actors: { quick: fromPromise(() => Promise.resolve(1)) } }).createMachine({
          entry: spawnChild('quick', { id: 'quick' }),
          invoke: { src: 'quick' },
          initial: 'idle',
          states: { idle: { on: { go: 'gone' } }, gone: {} },
        }),
    })
    for (const isClean of [false, true, false]) {
      const t = await lab.start()
      const problems: unknown[] = []
      t.runtime.on('failed', ({ error }) => problems.push(error))
      t.runtime.get(chart, 'c').tell({ type: 'go' })
      await t.settle()
      expect(problems).toEqual([])
      if (isClean) await t[Symbol.asyncDispose]()
    }
  })
})

describe('events of children', () => {
  test('given one that sends at once when it starts, then a replay knows it', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup: make }) =>
        make({
          types: { context: {} as { readonly count: number } },
          actors: {
            eager: fromCallback(({ sendBack }) => {
              sendBack({ type: 'go' })
              sendBack({ type: 'go' })
            }),
          },
        }).createMachine({
          context: { count: 0 },
          invoke: { src: 'eager', onError: {} },
          on: { go: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
        }),
    })
    for (const count of [2, 2, 2]) {
      const t = await lab.start()
      const ref = t.runtime.get(chart, 'c')
      ref.subscribe(() => undefined)
      await t.settle()
      expect(ref.snapshot.context).toEqual({ count })
    }
    expect((await lab.entries(path)).map(({ kind }) => kind)).toEqual(['created', 'handled', 'handled', 'handled'])
  })

  test.each([1, 2, 3].flatMap((append) => [true, false].map((written) => ({ append, written }))))(
    'given a machine that is done as it starts and a process that dies at append $append (written: $written), then its chart goes on, or learns that it did not',
    async (cut) => {
      const lab = new Lab()
      const done = setup({}).createMachine({ initial: 'end', states: { end: { type: 'final' } }, output: 5 })
      const chart = defineActor({
        name: 'chart',
        durable: { snapshotEvery: { entries: 1 } },
        protocol,
        machine: ({ setup: make }) =>
          make({ actors: { done } }).createMachine({
            initial: 'idle',
            states: {
              idle: { on: { go: 'working' } },
              working: { invoke: { src: 'done', onDone: 'ended', onError: 'broken' } },
              ended: {},
              broken: {},
            },
          }),
      })
      const first = await lab.start({}, { cut })
      void first.runtime.get(chart, 'c').tell({ type: 'go' }, { durable: true, id: 'go' })
      await first.settle()
      const second = await lab.start({ definitions: [chart] })
      await second.until(second.runtime.get(chart, 'c').tell({ type: 'go' }, { durable: true, id: 'go' }))
      await second.settle()
      expect(['ended', 'broken']).toContain(second.runtime.get(chart, 'c').snapshot.value)
    },
  )

  test('given a message to a child, a stopped one and one that sends later, then what the chart made of it is kept', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup: make }) =>
        make({
          types: { context: {} as { readonly count: number } },
          actors: {
            echo: fromCallback(({ sendBack, receive }) => {
              receive(() => {
                sendBack({ type: 'leave' })
              })
            }),
          },
        }).createMachine({
          context: { count: 0 },
          invoke: [
            { src: 'echo', id: 'echo', onError: {} },
            { src: 'echo', id: 'other' },
          ],
          on: {
            go: { actions: [sendTo('echo', { type: 'ping' }), stopChild('other')] },
            leave: { actions: assign({ count: ({ context }) => context.count + 1 }) },
          },
        }),
    })
    const first = await lab.start()
    const ref = first.runtime.get(chart, 'c')
    ref.tell({ type: 'go' })
    ref.tell({ type: 'go' })
    await first.settle()
    expect(ref.snapshot.context).toEqual({ count: 2 })
    const second = await lab.start()
    const problems: unknown[] = []
    second.runtime.on('failed', ({ error }) => problems.push(error))
    second.runtime.get(chart, 'c').subscribe(() => undefined)
    await second.settle()
    expect(second.runtime.get(chart, 'c').snapshot.context).toEqual({ count: 2 })
    expect(problems).toEqual([])
  })

  test('given an input of a child that is no data, then it is no trouble, at a snapshot neither', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: { snapshotEvery: { entries: 2 } },
      protocol,
      machine: ({ setup: make }) =>
        make({
          types: { context: {} as { readonly count: number } },
          actors: { listener: fromCallback<{ type: 'x' }, { readonly fn: () => void }>(() => () => undefined) },
        }).createMachine({
          context: { count: 0 },
          invoke: { src: 'listener', input: () => ({ fn: () => undefined }), onError: {} },
          on: { go: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
        }),
    })
    const t = await lab.start()
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    for (let at = 0; at < 7; at += 1) t.runtime.get(chart, 'c').tell({ type: 'go' })
    await t.settle()
    expect(problems).toEqual([])
    const again = await lab.start()
    again.runtime.get(chart, 'c').subscribe(() => undefined)
    await again.settle()
    expect(again.runtime.get(chart, 'c').snapshot.context).toEqual({ count: 7 })
  })
})

describe('children that another run could not find again', () => {
  test.each([
    ['spawned without an id, by an assignment', assign({ ref: ({ spawn }) => spawn('never') })],
    ['spawned without an id, by an action', spawnChild('never' as never)],
    ['of logic without a name', assign({ ref: ({ spawn }) => spawn(never, { id: 'x' }) })],
  ])('given one %s, then it is refused by name, and the state is the one before', async (_, actions) => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      // What is refused here XState cannot type.
      machine: ({ reply }): AnyStateMachine =>
        createMachine(
          {
            initial: 'idle',
            states: { idle: { on: { go: { target: 'gone', actions: actions as never } } }, gone: {} },
            on: { look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value) as never) } },
          },
          { actors: { never } } as never,
        ),
    })
    const t = await lab.start()
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    await t.until(t.runtime.get(chart, 'c').tell({ type: 'go' }, { durable: true }))
    await t.settle()
    expect(problems).toMatchObject([{ code: 'NOT_REPLAYABLE' }])
    expect(await t.until(t.runtime.get(chart, 'c').ask({ type: 'look' }))).toBe('"idle"')
    expect((await lab.entries(path)).map(({ kind }) => kind)).toEqual(['created', 'received', 'failed'])
    expect(await lab.wakeAtMs(path)).toBe(null)
  })

  test('given one in the first state, then the chart does not start, and its journal stays empty', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: () => setup({ actors: { never } }).createMachine({ entry: spawnChild('never') }),
    })
    const t = await lab.start()
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    t.runtime.get(chart, 'c').tell({ type: 'go' })
    await t.settle()
    expect(problems[0]).toMatchObject({ code: 'NOT_REPLAYABLE' })
    expect(await lab.entries(path)).toEqual([])
  })

  test('given an id in a system, then it may be used again in a later state, also in a replay', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup: make }) =>
        make({ actors: { never } }).createMachine({
          initial: 'a',
          states: {
            a: { invoke: { src: 'never', systemId: 'worker', onError: {} }, on: { go: 'b' } },
            b: { invoke: { src: 'never', systemId: 'worker', onError: {} }, on: { go: 'a' } },
          },
        }),
    })
    for (const value of ['b', 'a', 'b']) {
      const t = await lab.start()
      const problems: unknown[] = []
      t.runtime.on('failed', ({ error }) => problems.push(error))
      t.runtime.get(chart, 'c').tell({ type: 'go' })
      await t.settle()
      expect([t.runtime.get(chart, 'c').snapshot.value, problems]).toEqual([value, []])
    }
  })
})
