import { describe, expect, test } from 'vitest'
import { defineActor, message, type Migration } from 'echelon'
import { assign, fromPromise } from 'xstate'
import type { TestRuntime } from 'echelon/testing'
import { delaysOf, Lab } from './machine-lab.ts'

/* Charts that change between two runs of the program. */

const path = '/durable/chart/c'
const protocol = { go: message(), stop: message() }

/** Version 1: `idle` and `busy`, which goes back by itself after a minute. */
const old = (entries: number) =>
  defineActor({
    name: 'chart',
    durable: { snapshotEvery: { entries } },
    protocol,
    machine: ({ setup }) =>
      setup({ types: { context: {} as { readonly runs: number } } }).createMachine({
        id: 'job',
        context: { runs: 0 },
        initial: 'idle',
        states: {
          idle: { on: { go: { target: 'busy', actions: assign({ runs: ({ context }) => context.runs + 1 }) } } },
          busy: { after: { 60_000: 'idle' }, on: { stop: 'idle' } },
        },
      }),
  })

/** Version 2: `busy` is called `working`, and `runs` is called `count`. */
const current = (version: number, migrations: Readonly<Record<number, Migration>> = {}) =>
  defineActor({
    name: 'chart',
    durable: { version, migrations },
    protocol: { begin: message(), stop: message() },
    machine: ({ setup }) =>
      setup({ types: { context: {} as { readonly count: number } } }).createMachine({
        id: 'job',
        context: { count: 0 },
        initial: 'idle',
        states: {
          idle: {
            on: { begin: { target: 'working', actions: assign({ count: ({ context }) => context.count + 1 }) } },
          },
          working: { after: { 60_000: 'idle' }, on: { stop: 'idle' } },
        },
      }),
  })

const fromOld: Readonly<Record<number, Migration>> = {
  1: {
    message: ({ type, ...rest }) => {
      if (type === 'go') return { ...rest, type: 'begin' }
      return { ...rest, type: type.replace('job.busy', 'job.working') }
    },
    state: (state) => {
      // What version 1 persisted.
      const { value, context, ...rest } = state as {
        readonly value: string
        readonly context: { readonly runs: number }
      }
      return { ...rest, value: value === 'busy' ? 'working' : value, context: { count: context.runs } }
    },
  },
}

/** Leaves a stream of version 1 that is busy, with or without a snapshot of it. */
async function busyStream(entries: number): Promise<Lab> {
  const lab = new Lab()
  const chart = old(entries)
  const t = await lab.start()
  for (const type of ['go', 'stop', 'go'] as const) t.runtime.get(chart, 'c').tell({ type })
  await t.settle()
  return lab
}

const problemsIn = (t: TestRuntime): unknown[] => {
  const problems: unknown[] = []
  t.runtime.on('failed', ({ error }) => problems.push(error))
  return problems
}

describe.each([
  ['entries', 1000],
  ['a snapshot', 1],
  ['a snapshot and entries', 2],
])('a stream of version 1 that is %s', (_, entries) => {
  test('given migrations, then state and events are carried over, and the chart goes on', async () => {
    const lab = await busyStream(entries)
    const chart = current(2, fromOld)
    const t = await lab.start({ definitions: [chart] })
    const problems = problemsIn(t)
    const ref = t.runtime.get(chart, 'c')
    ref.subscribe(() => undefined)
    await t.settle()
    expect(problems).toEqual([])
    expect(ref.snapshot).toMatchObject({ value: 'working', context: { count: 2 } })
    await t.advance(60_000)
    ref.tell({ type: 'begin' })
    await t.settle()
    expect(ref.snapshot).toMatchObject({ value: 'working', context: { count: 3 } })
    const again = await lab.start({ definitions: [chart] })
    expect(problemsIn(again)).toEqual([])
    again.runtime.get(chart, 'c').subscribe(() => undefined)
    await again.settle()
    expect(again.runtime.get(chart, 'c').snapshot).toMatchObject({ value: 'working', context: { count: 3 } })
  })

  test('given a higher version and no migration, then it is refused by name, and nothing is lost', async () => {
    const lab = await busyStream(entries)
    const before = await lab.entries(path)
    const chart = current(2)
    const t = await lab.start({ definitions: [chart] })
    const problems = problemsIn(t)
    t.runtime.get(chart, 'c').tell({ type: 'stop' })
    await t.settle()
    expect(problems[0]).toMatchObject({ code: 'VERSION_MISMATCH', found: 1, current: 2 })
    expect(await lab.entries(path)).toEqual(before)
    await comesBack(lab, entries)
  })

  test('given the same version of a chart without that state, then it is refused by name, and nothing is lost', async () => {
    const lab = await busyStream(entries)
    const before = await lab.entries(path)
    const chart = current(1)
    const t = await lab.start({ definitions: [chart] })
    const problems = problemsIn(t)
    t.runtime.get(chart, 'c').tell({ type: 'stop' })
    await t.settle()
    // The first entry of its replay that shows it, or the state of its snapshot.
    if (entries === 1000) expect(problems[0]).toMatchObject({ code: 'REPLAY_DIVERGED', seq: 2 })
    else
      expect(problems[0]).toMatchObject({
        code: 'DEFINITION_INVALID',
        message: expect.stringContaining('"') as unknown,
      })
    expect(await lab.entries(path)).toEqual(before)
    await comesBack(lab, entries)
  })

  test('given a stream of a newer version, then the older program refuses it by name', async () => {
    const lab = await busyStream(entries)
    const newer = current(2, fromOld)
    const t = await lab.start()
    t.runtime.get(newer, 'c').tell({ type: 'stop' })
    await t.settle()
    const older = await lab.start()
    const problems = problemsIn(older)
    older.runtime.get(old(entries), 'c').tell({ type: 'go' })
    await older.settle()
    expect(problems[0]).toMatchObject({ code: 'VERSION_MISMATCH', found: 2, current: 1 })
  })

  /** With the program that wrote it. */
  async function comesBack(lab: Lab, every: number): Promise<void> {
    const chart = old(every)
    const t = await lab.start()
    const problems = problemsIn(t)
    t.runtime.get(chart, 'c').subscribe(() => undefined)
    await t.settle()
    expect(problems).toEqual([])
    expect(t.runtime.get(chart, 'c').snapshot).toMatchObject({ value: 'busy', context: { runs: 2 } })
    expect(Object.keys(delaysOf(t, path))).toHaveLength(1)
  }
})

describe('changes without a version', () => {
  const chartOf = (target: string, entries: number) =>
    defineActor({
      name: 'chart',
      durable: { snapshotEvery: { entries } },
      protocol,
      machine: ({ setup }) =>
        setup({}).createMachine({
          initial: 'a',
          states: {
            a: { on: { go: 'b' } },
            b: { on: { go: target as 'a' } },
            c: { on: { go: 'a' } },
          },
        }),
    })

  test.each([1, 2, 3, 4])(
    'given %i messages and a chart that goes elsewhere by now, then the entry that shows it first is named',
    async (count) => {
      const lab = new Lab()
      const t = await lab.start()
      const before = chartOf('a', 1000)
      for (let at = 0; at < count; at += 1) t.runtime.get(before, 'c').tell({ type: 'go' })
      await t.settle()
      const again = await lab.start()
      const problems = problemsIn(again)
      again.runtime.get(chartOf('c', 1000), 'c').subscribe(() => undefined)
      await again.settle()
      if (count < 2) expect(problems).toEqual([])
      else expect(problems[0]).toMatchObject({ code: 'REPLAY_DIVERGED', seq: 3 })
    },
  )

  test('given a message that crashes a transition by now, then its entry is named, with what it throws', async () => {
    const lab = new Lab()
    const t = await lab.start()
    const make = (isBroken: boolean) =>
      defineActor({
        name: 'chart',
        durable: true,
        protocol,
        machine: ({ setup }) =>
          setup({ types: { context: {} as { readonly n: number } } }).createMachine({
            context: { n: 0 },
            on: {
              go: {
                actions: assign({
                  n: ({ context }) => {
                    if (isBroken && context.n === 1) throw new Error('not any more')
                    return context.n + 1
                  },
                }),
              },
            },
          }),
      })
    const before = make(false)
    for (let at = 0; at < 3; at += 1) t.runtime.get(before, 'c').tell({ type: 'go' })
    await t.settle()
    const again = await lab.start()
    const problems = problemsIn(again)
    again.runtime.get(make(true), 'c').subscribe(() => undefined)
    await again.settle()
    expect(problems[0]).toMatchObject({
      code: 'REPLAY_DIVERGED',
      seq: 3,
      message: expect.stringContaining('not any more') as unknown,
    })
  })

  test('given a snapshot with something at work that the chart does not know any more, then it is refused by name', async () => {
    const lab = new Lab()
    const make = (src: 'work' | 'other') =>
      defineActor({
        name: 'chart',
        durable: true,
        protocol,
        machine: ({ setup }) => {
          const actors = { [src]: fromPromise(() => new Promise(() => undefined)) }
          return setup({ actors } as { readonly actors: { readonly work: (typeof actors)[string] } }).createMachine({
            invoke: { src: src as 'work', id: 'job', onError: {} },
          })
        },
      })
    const before = make('work')
    const t = await lab.start()
    t.runtime.get(before, 'c').subscribe(() => undefined)
    await t.settle()
    await t[Symbol.asyncDispose]()
    const again = await lab.start()
    const problems = problemsIn(again)
    again.runtime.get(make('other'), 'c').subscribe(() => undefined)
    await again.settle()
    expect(problems[0]).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining("'work'") as unknown,
    })
  })

  test('given a stream of another definition, then it is refused by name', async () => {
    const lab = new Lab()
    const before = old(1000)
    const first = await lab.start()
    first.runtime.spawn(before, { name: 'one' }).tell({ type: 'go' })
    await first.settle()
    const other = defineActor({
      name: 'other',
      durable: true,
      protocol,
      machine: ({ setup }) => setup({}).createMachine({}),
    })
    const t = await lab.start()
    const problems = problemsIn(t)
    t.runtime.spawn(other, { name: 'one' })
    await t.settle()
    expect(problems[0]).toMatchObject({ code: 'STREAM_MISMATCH' })
    expect((await lab.entries('/user/one')).map(({ kind }) => kind)).toEqual(['created', 'handled'])
  })
})
