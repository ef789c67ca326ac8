import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, type AnyRef } from 'echelon'
import { assign, fromPromise, stopChild } from 'xstate'
import { Lab } from './machine-lab.ts'

/* What the context of a durable chart may hold, and what it may depend on. */

const path = '/durable/chart/c'
const never = fromPromise(() => new Promise<number>(() => undefined))

const holding = (value: () => unknown, entries = 2) =>
  defineActor({
    name: 'chart',
    durable: { snapshotEvery: { entries } },
    protocol: { keep: message(), poke: message() },
    machine: ({ setup }) =>
      setup({ types: { context: {} as { readonly kept: unknown; readonly pokes: number } } }).createMachine({
        context: { kept: undefined, pokes: 0 },
        on: {
          keep: { actions: assign({ kept: () => value() }) },
          poke: { actions: assign({ pokes: ({ context }) => context.pokes + 1 }) },
        },
      }),
  })

class Account {
  readonly balance = 1
}

describe('context', () => {
  test.each([
    ['JSON', { a: [1, 'x', null, true], b: {} }],
    ['a date', new Date(1000)],
    [
      'a Map in a Map',
      new Map<unknown, unknown>([
        ['a', new Map([[1, 2]])],
        [{ x: 1 }, new Set([1n])],
      ]),
    ],
    ['a bigint', 12345678901234567890n],
    ['bytes', new Uint8Array([0, 255])],
    ['undefined inside', { a: undefined, b: [undefined] }],
    ['odd numbers', [NaN, -0, Infinity]],
    ['an error', Object.assign(new Error('x'), { name: 'Odd', code: 'ODD' })],
    ['words that JSON has a use for', { $: 'date', toJSON: 1, __proto__: 1, xstate$$type: 2 }],
  ])('given %s in it, then it is the same after restarts, by replay and by snapshot', async (_, value) => {
    for (const entries of [1, 1000]) {
      const lab = new Lab()
      const chart = holding(() => value, entries)
      const first = await lab.start()
      first.runtime.get(chart, 'c').tell({ type: 'keep' })
      await first.settle()
      for (let pokes = 1; pokes < 4; pokes += 1) {
        const t = await lab.start()
        const ref = t.runtime.get(chart, 'c')
        ref.tell({ type: 'poke' })
        await t.settle()
        expect(ref.snapshot.context).toEqual({ kept: value, pokes })
      }
    }
  })

  test.each([
    ['an object of a class', () => new Account(), 'NOT_SERIALIZABLE'],
    ['a function', () => () => undefined, 'NOT_SERIALIZABLE'],
    ['a symbol', () => Symbol('x'), 'NOT_SERIALIZABLE'],
    [
      'a cycle',
      () => {
        const list: unknown[] = []
        list.push(list)
        return list
      },
      'NOT_SERIALIZABLE',
    ],
    [
      'a cycle of objects',
      () => {
        const a: Record<string, unknown> = {}
        a['b'] = { a }
        return a
      },
      'NOT_SERIALIZABLE',
    ],
  ])('given %s in it, then it is refused by name, and the context is the one before', async (_, value, code) => {
    const lab = new Lab()
    const chart = holding(value)
    const t = await lab.start()
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    const ref = t.runtime.get(chart, 'c')
    ref.tell({ type: 'poke' })
    ref.tell({ type: 'keep' })
    await t.settle()
    expect(problems).toMatchObject([{ code, at: expect.stringContaining('context.kept') as unknown }])
    ref.tell({ type: 'poke' })
    await t.settle()
    expect(ref.snapshot.context).toEqual({ kept: undefined, pokes: 2 })
  })

  test.each(['a local ref', 'a ref of a durable actor'])('given %s in it, then it is refused by name', async (kind) => {
    const lab = new Lab()
    const t = await lab.start()
    const other = defineActor({ name: 'other', protocol: {}, on: {} })
    const kept: { ref: AnyRef | undefined } = { ref: undefined }
    const chart = holding(() => kept)
    kept.ref = kind === 'a local ref' ? t.runtime.spawn(other) : t.runtime.get(chart, 'another')
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    t.runtime.get(chart, 'c').tell({ type: 'keep' })
    await t.settle()
    expect(problems).toMatchObject([{ code: 'NOT_SERIALIZABLE' }])
  })

  test('given the ref of a child in it, then that is its child again after restarts', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: { snapshotEvery: { entries: 3 } },
      protocol: { hire: message(), poke: message() },
      machine: ({ setup }) =>
        setup({
          types: { context: {} as { readonly worker: unknown; readonly pokes: number } },
          actors: { never },
        }).createMachine({
          context: { worker: undefined, pokes: 0 },
          invoke: { src: 'never', id: 'watched', onError: {} },
          on: {
            hire: { actions: assign({ worker: ({ self }) => self.getSnapshot().children['watched'] }) },
            poke: { actions: assign({ pokes: ({ context }) => context.pokes + 1 }) },
          },
        }),
    })
    for (const types of [['hire', 'poke'], ['poke', 'poke', 'poke'], ['poke']] as const) {
      const t = await lab.start()
      const problems: unknown[] = []
      t.runtime.on('failed', ({ error }) => problems.push(error))
      const ref = t.runtime.get(chart, 'c')
      for (const type of types) ref.tell({ type })
      await t.settle()
      const { context, children } = ref.snapshot
      expect(problems).toEqual([])
      expect(context.worker).toBe(children.watched)
    }
  })

  test.each([2, 3, 4])(
    'given a child whose ref it keeps and that is stopped, then restarts and snapshots after every %i entries agree on what is left',
    async (entries) => {
      const lab = new Lab()
      const chart = defineActor({
        name: 'chart',
        durable: { snapshotEvery: { entries } },
        protocol: { go: message(), poke: message() },
        machine: ({ setup }) =>
          setup({
            types: { context: {} as { readonly worker: unknown; readonly pokes: number } },
            actors: { never },
          }).createMachine({
            context: { worker: undefined, pokes: 0 },
            initial: 'working',
            states: {
              working: {
                entry: assign({ worker: ({ spawn }) => spawn('never', { id: 'worker' }) }),
                on: { go: { target: 'idle', actions: stopChild('worker') } },
                invoke: { src: 'never', id: 'other', onError: {} },
              },
              idle: {},
            },
            on: {
              poke: { actions: assign({ pokes: ({ context }) => Number(context['pokes']) + 1 }) },
              'xstate.error.actor.*': {},
            } as never,
          }),
      })
      const lives = [['poke'], ['go', 'poke', 'poke', 'poke', 'poke'], ['poke', 'poke'], ['poke']] as const
      for (const [process, types] of lives.entries()) {
        const t = await lab.start()
        const problems: unknown[] = []
        t.runtime.on('failed', ({ error }) => problems.push(error))
        const ref = t.runtime.get(chart, 'c')
        for (const type of types) ref.tell({ type })
        await t.settle()
        expect(problems).toEqual([])
        expect(ref.snapshot.context.worker === undefined).toBe(process > 1)
      }
    },
  )
})

describe('what a replay sees', () => {
  test('given an assignment that looks at the state of its own chart, then a replay sees the one of then', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol: { go: message() },
      machine: ({ setup }) => {
        const trail = assign({
          trail: ({ context, self }: { context: { trail: readonly unknown[] }; self: { getSnapshot(): unknown } }) => [
            ...context.trail,
            // The snapshot of this chart.
            (self.getSnapshot() as { readonly value: unknown }).value,
          ],
        })
        return setup({ types: { context: {} as { readonly trail: readonly unknown[] } } }).createMachine({
          context: { trail: [] },
          initial: 'a',
          states: {
            a: { on: { go: { target: 'b', actions: trail as never } } },
            b: { on: { go: { target: 'a', actions: trail as never } } },
          },
        })
      },
    })
    for (const count of [1, 2, 3]) {
      const t = await lab.start()
      const problems: unknown[] = []
      t.runtime.on('failed', ({ error }) => problems.push(error))
      t.runtime.get(chart, 'c').tell({ type: 'go' })
      await t.settle()
      expect(problems).toEqual([])
      expect(t.runtime.get(chart, 'c').snapshot.context.trail).toEqual(['a', 'b', 'a'].slice(0, count))
    }
  })

  test('given an input, then the chart has it in every life, and it is asked for once', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol: { poke: message() },
      input: z.object({ owner: z.string().trim() }),
      machine: ({ setup }) =>
        setup({
          types: { context: {} as { readonly owner: string; readonly pokes: number }, input: {} as { owner: string } },
        }).createMachine({
          context: ({ input }) => ({ owner: input.owner.toUpperCase(), pokes: 0 }),
          on: { poke: { actions: assign({ pokes: ({ context }) => context.pokes + 1 }) } },
        }),
    })
    for (const pokes of [1, 2, 3]) {
      const t = await lab.start()
      const ref = t.runtime.get(chart, 'c', pokes === 1 ? { input: { owner: ' ada ' } } : {})
      ref.tell({ type: 'poke' })
      await t.settle()
      expect(ref.snapshot.context).toEqual({ owner: 'ADA', pokes })
    }
  })

  test('given a chart that depends on more than its events, then its replay is refused at the first entry that shows it', async () => {
    const lab = new Lab()
    let calls = 0
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol: { poke: message(), roll: message() },
      machine: ({ setup }) =>
        setup({ types: { context: {} as { readonly dice: number } } }).createMachine({
          context: { dice: 0 },
          on: { roll: { actions: assign({ dice: () => (calls += 1) }) }, poke: { actions: assign({}) } },
        }),
    })
    const first = await lab.start()
    for (const type of ['poke', 'roll', 'poke'] as const) first.runtime.get(chart, 'c').tell({ type })
    await first.settle()
    const second = await lab.start({ definitions: [chart] })
    const problems: unknown[] = []
    second.runtime.on('failed', ({ error }) => problems.push(error))
    second.runtime.get(chart, 'c').tell({ type: 'poke' })
    await second.settle()
    expect(problems[0]).toMatchObject({ code: 'REPLAY_DIVERGED', stream: path, seq: 3 })
    expect((await lab.entries(path)).map(({ kind }) => kind)).toEqual(['created', 'handled', 'handled', 'handled'])
  })

  test('given a chart whose replay is gone through, then none of its actions is run, and its first state is not entered again', async () => {
    const lab = new Lab()
    const ran: string[] = []
    const chart = defineActor({
      name: 'chart',
      durable: { snapshotEvery: { entries: 1000 } },
      protocol: { go: message() },
      machine: ({ setup }) =>
        setup({}).createMachine({
          entry: () => ran.push('root'),
          initial: 'a',
          states: {
            a: { entry: () => ran.push('enter a'), exit: () => ran.push('exit a'), on: { go: 'b' } },
            b: { entry: () => ran.push('enter b'), on: { go: { target: 'a', actions: () => ran.push('go') } } },
          },
        }),
    })
    const first = await lab.start()
    for (let at = 0; at < 4; at += 1) first.runtime.get(chart, 'c').tell({ type: 'go' })
    await first.settle()
    const before = [...ran]
    const second = await lab.start()
    second.runtime.get(chart, 'c').subscribe(() => undefined)
    await second.settle()
    expect(ran).toEqual(before)
    expect(second.runtime.get(chart, 'c').snapshot.value).toBe('a')
  })
})
