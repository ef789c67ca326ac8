import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type DurableOptions, type EffectFailedError } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, entriesOf, kindsOf } from './disk.ts'

/* What no journal can keep, in every place where somebody may put it. */

const stream = '/durable/keeper/a'
const keeper = (durable: DurableOptions = {}) =>
  defineActor({
    name: 'keeper',
    durable,
    protocol: {
      keep: message({ value: z.unknown() }),
      fail: message({ value: z.unknown() }),
      spoil: message(),
      effect: message({ value: z.unknown() }),
      timer: message({ value: z.unknown() }),
      count: question({}, z.int()),
      give: question({ value: z.unknown() }, z.unknown()),
    },
    input: z.unknown(),
    state: (): { readonly count: number; readonly value: unknown } => ({ count: 0, value: undefined }),
    on: {
      keep: ({ state, message: { value } }) => ({ count: state.count + 1, value }),
      spoil: ({ state }) => ({ count: state.count + 1, value: { before: state.value, secret } }),
      fail: ({ message: { value } }) => {
        throw Object.assign(new Error(`failed with a ${typeof value}`), { value })
      },
      effect: async ({ state, effect }) => {
        await effect('e', () => 1)
        return { ...state, count: state.count + 1 }
      },
      timer: ({ state, message: { value }, timers }) => {
        timers.after('k', 10, { type: 'keep', value })
        return { ...state, count: state.count + 1 }
      },
      count: ({ state, reply }) => {
        reply(state.count)
      },
      give: ({ message: { value }, reply }) => {
        reply(value)
      },
    },
  })

const secret = (): number => 0

async function begin(durable?: DurableOptions) {
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal })
  const failures: unknown[] = []
  t.runtime.on('failed', ({ error }) => failures.push(error))
  const definition = keeper(durable)
  return { t, world, failures, definition, ref: t.runtime.get(definition, 'a') }
}

/** It is there and sound, now and in the next life, having counted so many. */
async function isSound({ t, world, definition, ref }: Awaited<ReturnType<typeof begin>>, count: number): Promise<void> {
  const counted = (at: TestRuntime, from = ref): Promise<number> => at.until(from.ask({ type: 'count' }))
  ref.tell({ type: 'keep', value: 1 })
  expect(await counted(t)).toBe(count + 1)
  await using next = await createTestRuntime({ journal: world.journal, clock: clockAfter(t.clock) })
  expect(await counted(next, next.runtime.get(definition, 'a'))).toBe(count + 1)
}

const refused = expect.objectContaining({ code: 'NOT_SERIALIZABLE' }) as unknown

describe.each([true, false])('given an actor in memory: %s', (isWarm) => {
  async function warm() {
    const life = await begin()
    if (isWarm) await life.t.until(life.ref.ask({ type: 'count' }))
    return life
  }

  test('when a durable message is no data, then its sender learns it, and the actor goes on', async () => {
    const life = await warm()
    const told = life.ref.tell({ type: 'keep', value: { a: secret } }, { durable: true })
    expect(await life.t.until(told.catch((error: unknown) => error))).toMatchObject({
      code: 'NOT_SERIALIZABLE',
      at: expect.stringMatching(/message\.value\.a$/) as unknown,
    })
    await isSound(life, 0)
    expect(life.failures).toEqual([])
  })

  test('when others wait beside it, then they are not affected', async () => {
    const life = await warm()
    const told = [
      life.ref.tell({ type: 'keep', value: 1 }, { durable: true }),
      life.ref.tell({ type: 'keep', value: secret }, { durable: true }),
      life.ref.tell({ type: 'keep', value: 2 }, { durable: true }),
    ]
    const settled = await life.t.until(Promise.allSettled(told))
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    await isSound(life, 2)
  })

  test.each(['keep', 'effect', 'timer'] as const)(
    'when a plain message is no data (%s), then it is given up by its type, and the actor goes on',
    async (type) => {
      const life = await warm()
      life.ref.tell({ type: 'keep', value: 1 })
      life.ref.tell({ type, value: secret })
      await life.t.settle()
      expect(life.failures).toEqual([refused])
      const [, , failed] = await entriesOf(life.world.journal, stream)
      expect(failed).toMatchObject({ kind: 'failed' })
      expect(JSON.parse(failed?.body ?? '')).toMatchObject({ message: { type }, error: { code: 'NOT_SERIALIZABLE' } })
      await isSound(life, 1)
    },
  )

  test('when a handler fails with a message that is no data, then its own failure is told and kept', async () => {
    const life = await warm()
    life.ref.tell({ type: 'keep', value: 1 })
    life.ref.tell({ type: 'fail', value: secret })
    await life.t.settle()
    expect(life.failures).toMatchObject([{ message: 'failed with a function' }])
    const [, , failed] = await entriesOf(life.world.journal, stream)
    expect(JSON.parse(failed?.body ?? '')).toEqual({
      message: { type: 'fail' },
      error: { name: 'Error', message: 'failed with a function' },
    })
    await isSound(life, 1)
  })

  test('when an answer is no data, then it is given all the same: it goes into no journal', async () => {
    const life = await warm()
    expect(await life.t.until(life.ref.ask({ type: 'give', value: secret }))).toBe(secret)
    await isSound(life, 0)
  })
})

test('given an input that is no data, then whoever needs the actor learns it, and nothing is written', async () => {
  const { t, world, definition } = await begin()
  const ref = t.runtime.get(definition, 'a', { input: { f: secret } })
  const told = ref.tell({ type: 'keep', value: 1 }, { durable: true })
  expect(await t.until(told.catch((error: unknown) => error))).toMatchObject({
    code: 'TARGET_DOWN',
    message: expect.stringContaining('input.f is a function') as unknown,
  })
  expect(await kindsOf(world.journal, stream)).toEqual([])
})

test('given a large state that is checked now and then, when it can not be kept, then its snapshot refuses the message, which was not handled', async () => {
  const life = await begin({ snapshotEvery: { entries: 4 } })
  const { t, world, ref, failures } = life
  // Large enough that most messages are not checked.
  const large = 'x'.repeat(100_000)
  ref.tell({ type: 'keep', value: large })
  ref.tell({ type: 'keep', value: large })
  await t.settle()
  for (let i = 0; i < 3; i += 1) {
    ref.tell({ type: 'spoil' })
    await t.settle()
  }
  expect(failures.length).toBeGreaterThan(0)
  for (const failure of failures) expect(failure).toEqual(refused)
  const kinds = await kindsOf(world.journal, stream)
  // One entry for each message that there is, and none is both.
  expect(kinds.filter((kind) => kind === 'handled' || kind === 'failed')).toHaveLength(5)
})

describe.each([true, false])('given a journal of small entries, and an actor in memory: %s', (isWarm) => {
  const large = 'x'.repeat(3000)
  const tooLarge = { code: 'ENTRY_TOO_LARGE' }

  async function small() {
    const world = disk({ maxEntryBytes: 2000 })
    const t = await createTestRuntime({ journal: world.journal })
    const failures: unknown[] = []
    t.runtime.on('failed', ({ error }) => failures.push(error))
    const definition = keeper()
    const ref = t.runtime.get(definition, 'a')
    if (isWarm) {
      await t.until(ref.tell({ type: 'keep', value: 0 }, { durable: true }))
      await t.settle()
    }
    const incarnation = (): number => ref.incarnation
    return { t, world, failures, definition, ref, incarnation }
  }
  const before = isWarm ? 1 : 0

  test('when a durable message is too large, then its sender learns it, nobody else, and the actor goes on', async () => {
    const { t, failures, ref, incarnation, ...life } = await small()
    const told = [1, large, 2].map((value) => ref.tell({ type: 'keep', value }, { durable: true }))
    const settled = await t.until(Promise.allSettled(told))
    expect(settled).toMatchObject([{ status: 'fulfilled' }, { reason: tooLarge }, { status: 'fulfilled' }])
    expect(incarnation()).toBe(1)
    await isSound({ t, failures, ref, ...life }, before + 2)
    expect(failures).toEqual([])
  })

  test('when it has fewer characters than bytes, then that is noticed too', async () => {
    const { t, ref } = await small()
    const told = ref.tell({ type: 'keep', value: '€'.repeat(900) }, { durable: true })
    expect(await t.until(told.catch((error: unknown) => error))).toMatchObject(tooLarge)
  })

  test.each(['keep', 'effect', 'fail'] as const)(
    'when a plain message is too large (%s), then it is given up by its type, and no sender beside it is affected',
    async (type) => {
      const { t, failures, ref, ...life } = await small()
      const told = ref.tell({ type: 'keep', value: 1 }, { durable: true })
      ref.tell({ type, value: large })
      await t.until(told)
      await t.settle()
      expect(failures).toMatchObject([type === 'fail' ? { message: 'failed with a string' } : tooLarge])
      const failed = (await entriesOf(life.world.journal, stream)).find(({ kind }) => kind === 'failed')
      expect(JSON.parse(failed?.body ?? '')).toMatchObject({ message: { type } })
      await isSound({ t, failures, ref, ...life }, before + 1)
    },
  )

  test('when an effect gives more than fits, then it has failed', async () => {
    const { t, world } = await small()
    const definition = defineActor({
      name: 'caller',
      durable: true,
      protocol: { call: question({ length: z.int() }, z.unknown()) },
      on: {
        call: async ({ message: { length }, effect, reply }) => {
          reply(
            await effect(`give ${length}`, () => 'x'.repeat(length)).catch(
              (error: unknown) => (error as EffectFailedError).failure,
            ),
          )
        },
      },
    })
    const call = (length: number): Promise<unknown> =>
      t.until(t.runtime.get(definition, 'c').ask({ type: 'call', length }))
    expect(await call(1900)).toBe('x'.repeat(1900))
    expect(await call(2000)).toMatchObject({ code: 'EFFECT_RESULT_TOO_LARGE' })
    expect(await kindsOf(world.journal, '/durable/caller/c')).toHaveLength(9)
  })

  test('when a failure says more than fits, then it is kept cut short', async () => {
    const world = disk({ maxEntryBytes: 20_000 })
    const definition = defineActor({
      name: 'keeper',
      durable: true,
      protocol: { go: message() },
      on: {
        go: () => {
          throw new Error('x'.repeat(30_000))
        },
      },
    })
    await using t = await createTestRuntime({ journal: world.journal })
    await t.until(t.runtime.get(definition, 'a').tell({ type: 'go' }, { durable: true }))
    await t.settle()
    expect(await kindsOf(world.journal, stream)).toEqual(['created', 'received', 'failed'])
  })
})

describe('a state that is changed in place', () => {
  interface Count {
    n: number
    readonly text: string
  }
  const counter = (text = '') =>
    defineActor({
      name: 'keeper',
      durable: true,
      protocol: { spoil: message(), keep: message(), leave: message(), count: question({}, z.int()) },
      state: (): Count => ({ n: 0, text }),
      on: {
        spoil: ({ state }) => {
          state.n += 1
          return state
        },
        keep: ({ state }) => ({ ...state, n: state.n + 1 }),
        leave: ({ state }) => state,
        count: ({ state, reply }) => {
          reply(state.n)
        },
      },
    })

  test.each<[string, 'tell' | 'durably']>([
    ['plainly', 'tell'],
    ['durably', 'durably'],
  ])(
    'given a handler that is told %s and gives it back, then it is refused, and the state is as before',
    async (_, how) => {
      const definition = counter()
      const world = disk()
      await using t = await createTestRuntime({ journal: world.journal })
      const failures: unknown[] = []
      t.runtime.on('failed', ({ error }) => failures.push(error))
      const ref = t.runtime.get(definition, 'a')
      ref.tell({ type: 'keep' })
      ref.tell({ type: 'leave' })
      await t.settle()
      if (how === 'tell') ref.tell({ type: 'spoil' })
      else await t.until(ref.tell({ type: 'spoil' }, { durable: true }))
      await t.settle()
      expect(failures).toMatchObject([
        { code: 'NOT_REPLAYABLE', message: expect.stringContaining('changed in place') as unknown },
      ])
      expect(await t.until(ref.ask({ type: 'count' }))).toBe(1)
    },
  )

  test('given a handler that gives it back as it is, then that is fine, and writes nothing', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal })
    const ref = t.runtime.get(counter(), 'a')
    ref.tell({ type: 'keep' })
    for (let i = 0; i < 5; i += 1) ref.tell({ type: 'leave' })
    expect(await t.until(ref.ask({ type: 'count' }))).toBe(1)
    expect(await kindsOf(world.journal, stream)).toEqual(['created', 'handled'])
  })

  test('given a large state, then it is noticed after some messages', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    let failures = 0
    t.runtime.on('failed', () => (failures += 1))
    const ref = t.runtime.get(counter('x'.repeat(20_000)), 'a')
    for (let i = 0; i < 20; i += 1) ref.tell({ type: 'spoil' })
    await t.settle()
    expect(failures).toBeGreaterThan(0)
  })
})

test.each(['durably', 'plainly'])(
  'given a message that is too large (%s), then nothing of it stays, and all else goes on',
  async (how) => {
    const world = disk({ maxEntryBytes: 2000 })
    await using t = await createTestRuntime({ journal: world.journal })
    const definition = keeper()
    const ref = t.runtime.get(definition, 'a')
    await t.until(ref.tell({ type: 'keep', value: 1 }, { durable: true }))
    const value = 'x'.repeat(3000)
    if (how === 'plainly') ref.tell({ type: 'keep', value })
    else {
      const told = ref.tell({ type: 'keep', value }, { durable: true })
      expect(await t.until(told.catch((error: unknown) => error))).toMatchObject({ code: 'ENTRY_TOO_LARGE' })
    }
    await t.settle()
    expect(await t.until(ref.ask({ type: 'count' }))).toBe(1)
    await t.until(ref.tell({ type: 'keep', value: 2 }, { durable: true }))
    expect(await t.until(ref.ask({ type: 'count' }))).toBe(2)
  },
)

test.each<[string, unknown]>([
  ['a number for a message', Object.assign(new Error('x'), { message: 5 })],
  ['no name', Object.assign(new Error('x'), { name: undefined })],
  ['a code that is a number', Object.assign(new Error('x'), { code: 5 })],
  ['nothing in it', Object.create(null)],
  ['no error at all', 'text'],
])('given a failure that has %s, then it is written down, and the next life can read it', async (_, thrown) => {
  const odd = defineActor({
    name: 'keeper',
    durable: true,
    protocol: { go: message(), keep: message(), count: question({}, z.int()) },
    state: () => 0,
    on: {
      go: () => {
        throw thrown
      },
      keep: ({ state }) => state + 1,
      count: ({ state, reply }) => {
        reply(state)
      },
    },
  })
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal })
  const ref = t.runtime.get(odd, 'a')
  ref.tell({ type: 'go' })
  ref.tell({ type: 'keep' })
  await t.settle()
  ref.tell({ type: 'keep' })
  await t.settle()
  await using next = await createTestRuntime({ journal: world.journal, clock: clockAfter(t.clock) })
  expect(await next.until(next.runtime.get(odd, 'a').ask({ type: 'count' }))).toBeGreaterThanOrEqual(1)
  expect(await kindsOf(world.journal, stream)).toContain('failed')
})
