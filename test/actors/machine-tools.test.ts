import { describe, expect, test } from 'vitest'
import { fromPromise } from 'xstate'
import * as z from 'zod'
import { defineActor, message, question, type RefOf } from 'echelon'
import { memoryJournal } from 'echelon/journal'
import { createTestRuntime } from 'echelon/testing'

const echo = defineActor({
  name: 'echo',
  protocol: { 'echo.say': question({ text: z.string() }, z.string()) },
  on: { 'echo.say': ({ message: { text }, reply }) => void reply(text) },
})

const asker = defineActor({
  name: 'asker',
  protocol: { 'ask.begin': message(), 'ask.done': message({ text: z.string() }) },
  machine: ({ setup, act }) =>
    setup({}).createMachine({
      initial: 'idle',
      states: {
        idle: {
          on: {
            'ask.begin': {
              target: 'waiting',
              actions: act(async (actor) => {
                const text = await actor.spawn(echo).ask({ type: 'echo.say', text: 'hello' })
                actor.self.tell({ type: 'ask.done', text })
              }),
            },
          },
        },
        waiting: { on: { 'ask.done': { guard: ({ event }) => event.text === 'hello', target: 'told' } } },
        told: {},
      },
    }),
})

test('given a chart with act(), when it spawns and asks in an action, then what comes of it is told to the chart', async () => {
  await using runtime = await createTestRuntime()
  const ref = runtime.runtime.spawn(asker)
  ref.tell({ type: 'ask.begin' })
  await runtime.settle()
  expect(runtime.runtime.ref(`${ref.path}/echo-1`)?.isRunning).toBe(true)
  expect(ref.snapshot.value).toBe('told')
})

test('given act() with a promise that rejects, then the chart crashes with its error', async () => {
  const failing = defineActor({
    name: 'failing',
    protocol: { go: message() },
    machine: ({ setup, act }) =>
      setup({}).createMachine({ on: { go: { actions: act(() => Promise.reject(new Error('no luck'))) } } }),
  })
  await using test = await createTestRuntime()
  const ref = test.runtime.spawn(failing, { restart: 'temporary' })
  const { exited } = ref
  ref.tell({ type: 'go' })
  await test.settle()
  expect(await exited).toMatchObject({ kind: 'crash', error: { message: 'no luck' } })
})

test('given a chart, when it is asked what its state does not handle, then the ask fails at once and the dead letter says so', async () => {
  const gate = defineActor({
    name: 'gate',
    protocol: { 'gate.open': message(), 'gate.who': question({}, z.string()) },
    machine: ({ setup, reply }) =>
      setup({}).createMachine({
        initial: 'shut',
        states: {
          shut: { on: { 'gate.open': 'open' } },
          open: { on: { 'gate.who': { actions: reply(() => 'me') } } },
        },
      }),
  })
  await using test = await createTestRuntime()
  const ref = test.runtime.spawn(gate)
  const early = ref.ask({ type: 'gate.who' })
  early.catch(() => undefined)
  await test.settle()
  await expect(early).rejects.toMatchObject({ code: 'MESSAGE_UNHANDLED', retryable: true })
  expect(test.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual(['unhandled'])
  ref.tell({ type: 'gate.open' })
  const later = ref.ask({ type: 'gate.who' })
  await test.settle()
  expect(await later).toBe('me')
})

test('given an invoked promise that asks after an await, when its actor was killed meanwhile, then the ask is a zombie effect', async () => {
  const started = Promise.withResolvers<void>()
  const outcome = Promise.withResolvers<unknown>()
  await using test = await createTestRuntime()
  const target = test.runtime.spawn(echo)
  const worker = defineActor({
    name: 'worker',
    protocol: { go: message() },
    machine: ({ setup }) =>
      setup({
        actors: {
          work: fromPromise(async () => {
            await started.promise
            await target.ask({ type: 'echo.say', text: 'too late' }).then(outcome.resolve, outcome.resolve)
          }),
        },
      }).createMachine({
        initial: 'idle',
        states: { idle: { on: { go: 'working' } }, working: { invoke: { src: 'work' } } },
      }),
  })
  const ref = test.runtime.spawn(worker, { restart: 'temporary' })
  ref.tell({ type: 'go' })
  await test.settle()
  ref.kill()
  started.resolve()
  await test.settle()
  expect(await outcome.promise).toMatchObject({ code: 'FENCED' })
  expect(test.runtime.stats.zombieEffects).toBeGreaterThan(0)
})

describe('transitions that no message sets off', () => {
  const diary = defineActor({
    name: 'diary',
    protocol: { write: message({ what: z.string() }) },
    state: () => [] as readonly string[],
    on: { write: ({ state, message: { what } }) => [...state, what] },
  })

  const watchman = (pages: RefOf<typeof diary>, durable: boolean) =>
    defineActor({
      name: 'watchman',
      ...(durable ? { durable } : {}),
      protocol: { knock: message(), ring: message(), wait: message(), work: message() },
      machine: ({ setup, act, stash, unstashAll, postpone }) => {
        const open = { target: 'open', actions: ['write', 'unstashAll'] } as const
        const aside = { knock: { actions: stash }, ring: { actions: postpone } }
        return setup({
          actors: { work: fromPromise(() => Promise.resolve(1)) },
          actions: { unstashAll, write: act(({ path }) => void pages.tell({ type: 'write', what: path })) },
        }).createMachine({
          initial: 'idle',
          states: {
            idle: { on: { wait: 'waiting', work: 'working' } },
            waiting: { on: aside, after: { 100: open } },
            working: { on: aside, invoke: { src: 'work', onDone: open } },
            open: { on: { knock: 'knocked', ring: 'rung' } },
            knocked: { on: { ring: 'both' } },
            rung: { on: { knock: 'both' } },
            both: {},
          },
        })
      },
    })

  test.each([false, true].flatMap((durable) => (['wait', 'work'] as const).map((type) => ({ type, durable }))))(
    'given act(), unstashAll and what is postponed in a chart (durable: $durable), when its $type is over, then that is done',
    async ({ type, durable }) => {
      await using test = await createTestRuntime({ journal: memoryJournal() })
      const problems: unknown[] = []
      test.runtime.on('failed', ({ error }) => problems.push(error))
      const pages = test.runtime.spawn(diary)
      const ref = test.runtime.spawn(watchman(pages, durable), { name: 'watchman' })
      ref.tell({ type })
      ref.tell({ type: 'knock' })
      ref.tell({ type: 'ring' })
      await test.advance(100)
      expect(problems).toEqual([])
      expect([ref.snapshot.value, pages.snapshot.context]).toEqual(['both', ['/user/watchman']])
    },
  )

  test.each(['stash', 'postpone'] as const)(
    'given %s in one of them, then it is refused: it is no message',
    async (how) => {
      const aside = defineActor({
        name: 'aside',
        protocol: {},
        machine: ({ setup, ...tools }) =>
          setup({}).createMachine({ initial: 'on', states: { on: { after: { 100: { actions: tools[how] } } } } }),
      })
      await using test = await createTestRuntime()
      const failed: unknown[] = []
      test.runtime.on('failed', ({ error }) => failed.push(error))
      test.runtime.spawn(aside, { restart: 'temporary' })
      await test.advance(100)
      expect(failed).toMatchObject([{ code: 'DEFINITION_INVALID', message: expect.stringContaining(how) as unknown }])
    },
  )

  test('given an action that throws in one of them, then the chart crashes once, and no message is blamed', async () => {
    const failing = defineActor({
      name: 'failing',
      protocol: { go: message() },
      machine: ({ setup, act }) =>
        setup({}).createMachine({
          initial: 'idle',
          states: {
            idle: { on: { go: 'waiting' } },
            waiting: {
              after: {
                100: {
                  actions: act(() => {
                    throw new Error('no luck')
                  }),
                },
              },
            },
          },
        }),
    })
    await using test = await createTestRuntime()
    const failed: unknown[] = []
    test.runtime.on('failed', ({ error, messageType }) => failed.push([(error as Error).message, messageType]))
    const ref = test.runtime.spawn(failing, { restart: 'temporary' })
    const { exited } = ref
    ref.tell({ type: 'go' })
    await test.advance(100)
    expect(await exited).toMatchObject({ kind: 'crash', error: { message: 'no luck' } })
    expect([failed, test.runtime.deadLetters.count]).toEqual([[['no luck', undefined]], 0])
  })
})

test('given a delay that has passed, when a message begins its state again before its turn, then it does not come early', async () => {
  const sleeper = defineActor({
    name: 'sleeper',
    protocol: { again: message() },
    machine: ({ setup }) =>
      setup({}).createMachine({
        initial: 'asleep',
        states: { asleep: { after: { 1000: 'awake' }, on: { again: { target: 'asleep', reenter: true } } }, awake: {} },
      }),
  })
  await using test = await createTestRuntime()
  test.clock.setTimeout(() => {
    ref.tell({ type: 'again' })
  }, 1000)
  const ref = test.runtime.spawn(sleeper)
  // Both are due at once, and the message has its turn first.
  test.clock.advanceBy(1000)
  await test.advance(999)
  expect(ref.snapshot.value).toBe('asleep')
  await test.advance(1)
  expect(ref.snapshot.value).toBe('awake')
})
