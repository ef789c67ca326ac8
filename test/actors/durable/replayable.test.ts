import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  child,
  defineActor,
  defineKey,
  defineTopic,
  message,
  question,
  supervisor,
  type ActorContext,
  type AnyDefinition,
  type HandlerContext,
} from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { clockAfter, disk, kindsOf } from './disk.ts'

/* What a handler does must come of its message, its state and its effects: a replay has nothing else. */

const protocol = { go: message(), add: message(), total: question({}, z.int()) }
type Context = ActorContext<typeof protocol>

const peer = defineActor({
  name: 'peer',
  protocol: { ask: question({}, z.int()), note: message() },
  on: {
    ask: ({ reply }) => {
      reply(7)
    },
    note: () => undefined,
  },
})
const peerKey = defineKey('peers', protocol)
const news = defineTopic('news', z.string())

const doing = (run: (context: Context) => unknown) =>
  defineActor({
    name: 'doing',
    durable: true,
    protocol,
    state: () => 0,
    on: {
      go: async (context) => {
        await run(context)
        return context.state + 1
      },
      add: ({ state }) => state + 1,
      total: ({ state, reply }) => {
        reply(state)
      },
    },
  })

async function begin(definition: AnyDefinition) {
  const world = disk()
  const root = supervisor('top', { children: [child(peer), child(definition, { restart: 'temporary' })] })
  const t = await createTestRuntime({ journal: world.journal, root })
  const failures: unknown[] = []
  t.runtime.on('failed', ({ error }) => failures.push(error))
  t.runtime.ref('/top/doing')?.tell({ type: 'go' } as never)
  await t.settle()
  return { t, failures, world }
}

const deeds: readonly (readonly [string, (context: Context) => unknown])[] = [
  ['asks', ({ lookup }) => lookup(peer).ask({ type: 'ask' })],
  ['offers', ({ lookup }) => lookup(peer).offer({ type: 'note' })],
  ['spawns', ({ spawn }) => spawn(peer)],
  [
    'watches',
    ({ watch, lookup }) => {
      watch(lookup(peer))
    },
  ],
  [
    'subscribes',
    ({ subscribe }) => {
      subscribe(news, () => ({ type: 'add' }))
    },
  ],
  [
    'registers',
    ({ register }) => {
      register(peerKey)
    },
  ],
  ['escalates', ({ escalate }) => escalate({ action: 'go', options: ['yes'], defaultChoice: 'yes', deadlineMs: 1 })],
]

describe.each(deeds)('given a handler that %s', (_, deed) => {
  test('when it does so itself, then that is refused by name, and it fails', async () => {
    const { t, failures } = await begin(doing(deed))
    expect(failures).toMatchObject([{ code: 'NOT_REPLAYABLE', message: expect.stringContaining("'go'") as unknown }])
    await t.until(t.runtime.shutdown())
  })

  test('when it does so inside of an effect, then that is fine', async () => {
    const { t, failures, world } = await begin(
      doing((context) =>
        context.effect('deed', async () => {
          await deed(context)
        }),
      ),
    )
    await t.advance(10)
    expect(failures).toEqual([])
    expect(await kindsOf(world.journal, '/top/doing')).toEqual(['created', 'received', 'intent', 'outcome', 'handled'])
    await t.until(t.runtime.shutdown())
  })

  test('when it does so as it starts, then that is fine, in each life again', async () => {
    let times = 0
    const definition = {
      ...defineActor({
        name: 'doing',
        durable: true,
        protocol,
        state: () => 0,
        on: {
          go: ({ state }) => state + 1,
          add: ({ state }) => state + 1,
          total: () => undefined,
          'actor.started': async (context) => {
            times += 1
            await deed(context)
          },
        },
      }),
    }
    const { t, failures, world } = await begin(definition)
    await t.advance(10)
    expect(failures).toEqual([])
    await t.until(t.runtime.shutdown())
    const root = supervisor('top', { children: [child(peer), child(definition)] })
    await using next = await createTestRuntime({ journal: world.journal, root, clock: clockAfter(t.clock) })
    await next.advance(10)
    expect(times).toBe(2)
    expect(next.runtime.ref('/top/doing', definition)?.snapshot.context).toBe(1)
  })
})

/* Every member of a context, so that none is forgotten. */

const everything = { go: question({}, z.unknown()), add: message(), note: message() }
type Everything = HandlerContext<typeof everything, 'go', { readonly type: 'go' }, readonly unknown[], string>
const setAside = Symbol('set aside')
let ran = 0

/** What a handler gets or does by each member: in a replay that is the same again, or it is refused. */
const members: {
  readonly [Name in keyof Everything]: readonly ['replayable' | 'refused', (context: Everything) => unknown]
} = {
  self: ['replayable', ({ self }) => [self.path, self.snapshot]],
  path: ['replayable', ({ path }) => path],
  incarnation: ['refused', ({ incarnation }) => incarnation],
  signal: ['replayable', ({ signal }) => signal.aborted],
  clock: ['replayable', ({ clock }) => [clock.now(), clock.wallNow()]],
  random: ['replayable', ({ random }) => random.next()],
  timers: [
    'replayable',
    ({ timers }) => {
      timers.after('t', 1e6, { type: 'note' })
      return [timers.active('t'), timers.cancel('t'), timers.active('t')]
    },
  ],
  effect: ['replayable', ({ effect }) => effect('e', () => (ran += 1))],
  get: ['replayable', ({ get }) => get(other, 'o').path],
  spawn: ['refused', ({ spawn }) => spawn(peer).path],
  stop: ['replayable', ({ stop }) => stop()],
  watch: ['refused', ({ watch, self }) => watch(self)],
  unwatch: ['replayable', ({ unwatch, self }) => unwatch(self)],
  stash: [
    'replayable',
    ({ stash }) => {
      stash()
      return setAside
    },
  ],
  unstashAll: ['replayable', ({ unstashAll }) => unstashAll()],
  postpone: [
    'replayable',
    ({ postpone }) => {
      postpone()
      return setAside
    },
  ],
  register: ['refused', ({ register }) => register(defineKey('everything', everything))],
  find: [
    'replayable',
    ({ find }) => {
      for (const found of find(peerKey)) found.tell({ type: 'go' })
    },
  ],
  lookup: ['refused', ({ lookup }) => lookup(peer).path],
  publish: ['replayable', ({ publish }) => publish(news, 'x')],
  subscribe: ['refused', ({ subscribe }) => subscribe(news, () => ({ type: 'note' }))],
  progress: ['replayable', ({ progress }) => progress()],
  spend: ['replayable', ({ spend }) => spend({ calls: 1 })],
  escalate: [
    'refused',
    ({ escalate }) => escalate({ action: 'go', options: ['yes'], defaultChoice: 'yes', deadlineMs: 1 }),
  ],
  message: ['replayable', ({ message: { type } }) => type],
  state: ['replayable', ({ state }) => [...state]],
  input: ['replayable', ({ input }) => input],
  reply: ['replayable', ({ reply }) => reply('x')],
  refuse: ['replayable', ({ refuse }) => refuse(new Error('no'))],
}

const other = defineActor({
  name: 'other',
  durable: true,
  protocol: { note: message() },
  on: { note: () => undefined },
})

test.each(Object.entries(members))(
  'given `%s` of a context, then a handler finds it so again, or is refused it',
  async (name, [kind, deed]) => {
    const definition = defineActor({
      name: 'doing',
      durable: true,
      input: z.string(),
      protocol: everything,
      state: (): readonly unknown[] => [],
      on: {
        go: async (context) => {
          const found = await deed(context)
          return found === setAside ? undefined : [...context.state, found]
        },
        add: ({ state }) => [...state, 'added'],
        note: ({ state }) => state,
      },
    })
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal })
    const failures: unknown[] = []
    first.runtime.on('failed', ({ error }) => failures.push(error))
    const ref = first.runtime.get(definition, 'a', { input: 'x' })
    ref.tell({ type: 'add' })
    await first.settle()
    void ref.ask({ type: 'go' }).catch(() => undefined)
    await first.advance(100)
    if (kind === 'refused') {
      const refused = { code: 'NOT_REPLAYABLE', message: expect.stringContaining(`${name} in the handler`) as unknown }
      expect(failures).toMatchObject([refused])
      return
    }
    expect(failures).toEqual([])
    const was = ref.isRunning ? ref.snapshot.context : undefined
    const clock = clockAfter(first.clock, 1000)
    await using next = await createTestRuntime({ journal: world.journal, clock, seed: 2 })
    const again = next.runtime.get(definition, 'a')
    again.tell({ type: 'add' })
    await next.settle()
    expect(again.snapshot.context.at(-1)).toBe('added')
    if (was !== undefined) expect(again.snapshot.context.slice(0, -1)).toEqual(was)
  },
)

describe('what an effect does on behalf of its handler', () => {
  test.each<[string, (context: Context) => unknown]>([
    [
      'sets a timer',
      ({ timers }) => {
        timers.after('k', 1, { type: 'add' })
      },
    ],
    ['cancels a timer', ({ timers }) => timers.cancel('k')],
  ])('given one that %s, then that is refused, since no replay would come by it', async (_, deed) => {
    const refused: unknown[] = []
    const { t } = await begin(
      doing((context) =>
        context.effect('deed', async () => {
          try {
            await deed(context)
          } catch (error) {
            refused.push(error)
          }
        }),
      ),
    )
    expect(refused).toMatchObject([{ code: 'NOT_REPLAYABLE' }])
    await t.until(t.runtime.shutdown())
  })

  test('given one that tells its own actor, then that is a message like any other', async () => {
    const { t } = await begin(
      doing(({ effect, self }) =>
        effect('deed', () => {
          self.tell({ type: 'add' })
        }),
      ),
    )
    await t.settle()
    expect(t.runtime.ref('/top/doing')?.snapshot).toMatchObject({ context: 2 })
    await t.until(t.runtime.shutdown())
  })
})

describe('a signal', () => {
  test('given a handler of a signal that gives a new state, then it fails: a replay knows of no signals', async () => {
    const definition = defineActor({
      name: 'doing',
      durable: true,
      protocol,
      state: () => 0,
      on: {
        go: () => 1,
        add: () => 1,
        total: () => undefined,
        'actor.started': () => 5,
      },
    })
    await using t = await createTestRuntime({ journal: disk().journal })
    const failures: unknown[] = []
    t.runtime.on('failed', ({ error }) => failures.push(error))
    t.runtime.get(definition, 'a').tell({ type: 'go' })
    await t.settle()
    expect(failures[0]).toMatchObject({
      code: 'NOT_REPLAYABLE',
      message: expect.stringContaining('actor.started') as unknown,
    })
  })

  test('given timers and effects of a signal, then they are of its incarnation, and the journal knows nothing of the timers', async () => {
    let effects = 0
    const definition = defineActor({
      name: 'doing',
      durable: true,
      protocol,
      state: () => 0,
      on: {
        go: ({ state }) => state + 1,
        add: ({ state }) => state + 1,
        total: () => undefined,
        'actor.started': async ({ timers, effect }) => {
          timers.every('k', 1000, { type: 'add' })
          await effect('greet', () => (effects += 1))
        },
      },
    })
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal })
    const ref = first.runtime.get(definition, 'a')
    ref.tell({ type: 'go' })
    await first.advance(2500)
    expect(ref.snapshot.context).toBe(3)
    await using next = await createTestRuntime({
      journal: world.journal,
      clock: clockAfter(first.clock, 60_000),
      definitions: [definition],
    })
    await next.advance(5000)
    // Nobody wakes it for a timer of a life that is over.
    expect(next.runtime.get(definition, 'a').isRunning).toBe(false)
    next.runtime.get(definition, 'a').tell({ type: 'go' })
    await next.advance(1500)
    expect(next.runtime.get(definition, 'a').snapshot.context).toBe(5)
    expect(effects).toBe(1)
  })

  test('given a timer of a signal, when a handler cancels its key or sets it anew, then it does not come any more', async () => {
    const rings: string[] = []
    const definition = defineActor({
      name: 'doing',
      durable: true,
      protocol: { cancel: message(), set: message(), ring: message({ of: z.string() }) },
      on: {
        'actor.started': ({ timers }) => {
          timers.after('one', 1000, { type: 'ring', of: 'the signal' })
          timers.after('two', 1000, { type: 'ring', of: 'the signal' })
        },
        // What a handler is told has to be the same in a replay: it is about the timers of handlers.
        cancel: ({ timers }) => void rings.push(`cancelled ${timers.cancel('one')}`),
        set: ({ timers }) => {
          timers.after('two', 2000, { type: 'ring', of: 'a handler' })
        },
        ring: ({ message: { of } }) => void rings.push(of),
      },
    })
    await using t = await createTestRuntime({ journal: disk().journal })
    const ref = t.runtime.get(definition, 'a')
    ref.tell({ type: 'cancel' })
    ref.tell({ type: 'set' })
    await t.advance(5000)
    expect(rings).toEqual(['cancelled false', 'a handler'])
  })
})

test('given time and randomness of a handler, then they are the same in a replay', async () => {
  const definition = defineActor({
    name: 'doing',
    durable: true,
    protocol,
    state: (): readonly number[] => [],
    on: {
      go: async ({ state, clock, random, effect }) => {
        const before = [clock.wallNow(), random.int(1000)]
        await effect(
          'takes time',
          () =>
            new Promise((resolve) =>
              first.clock.setTimeout(() => {
                resolve(1)
              }, 5000),
            ),
        )
        return [...state, ...before, clock.wallNow(), random.int(1000)]
      },
      add: ({ state, random }) => [...state, random.next()],
      total: () => undefined,
    },
  })
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  const ref = first.runtime.get(definition, 'a')
  for (const type of ['add', 'go', 'add'] as const) ref.tell({ type })
  await first.advance(6000)
  const numbers = ref.snapshot.context
  expect(numbers).toHaveLength(6)
  // It stands still while a handler waits.
  expect(numbers[1]).toBe(numbers[3])
  // Each message has numbers of its own.
  expect(new Set([numbers[0], numbers[5]]).size).toBe(2)
  await using next = await createTestRuntime({ journal: world.journal, clock: clockAfter(first.clock, 1e9), seed: 99 })
  next.runtime.get(definition, 'a').subscribe(() => undefined)
  await next.settle()
  expect(next.runtime.get(definition, 'a').snapshot.context).toEqual(numbers)
})

describe('setting messages aside', () => {
  const shy = (how: 'stash' | 'postpone') =>
    defineActor({
      name: 'shy',
      durable: true,
      protocol: { knock: message({ n: z.int() }), open: message() },
      state: () => ({ isOpen: false, seen: [] as readonly number[] }),
      on: {
        knock: (context) => {
          const {
            state,
            message: { n },
          } = context
          if (state.isOpen) return { ...state, seen: [...state.seen, n] }
          context[how]()
          return undefined
        },
        open: ({ state, unstashAll }) => {
          unstashAll()
          return { ...state, isOpen: true }
        },
      },
    })

  test.each(['stash', 'postpone'] as const)(
    'given plain messages (%s), then they come again in their order, and a replay sees them when they were handled',
    async (how) => {
      const definition = shy(how)
      const world = disk()
      const first = await createTestRuntime({ journal: world.journal })
      const ref = first.runtime.get(definition, 'a')
      for (const n of [1, 2]) ref.tell({ type: 'knock', n })
      await first.settle()
      ref.tell({ type: 'open' })
      ref.tell({ type: 'knock', n: 3 })
      await first.settle()
      const state = { isOpen: true, seen: [1, 2, 3] }
      expect(ref.snapshot.context).toEqual(state)
      expect(await kindsOf(world.journal, '/durable/shy/a')).toEqual([
        'created',
        'handled',
        'handled',
        'handled',
        'handled',
      ])
      await using next = await createTestRuntime({ journal: world.journal, clock: clockAfter(first.clock) })
      next.runtime.get(definition, 'a').subscribe(() => undefined)
      await next.settle()
      expect(next.runtime.get(definition, 'a').snapshot.context).toEqual(state)
    },
  )
})
