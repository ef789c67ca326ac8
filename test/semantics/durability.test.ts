/** Promises J of `docs/semantics.md`: what durable actors do across crashes. A crash is a runtime that is left alone. */
import {
  defineActor,
  defineKey,
  defineTopic,
  message,
  question,
  type MissedTicks,
  type Resolution,
  type RuntimeEventOf,
} from 'echelon'
import { JournalFullError, memoryJournal } from 'echelon/journal'
import { createTestRuntime, VirtualClock, type TestRuntime, type TestRuntimeOptions } from 'echelon/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromPromise } from 'xstate'
import * as z from 'zod'
import { disk } from '../actors/durable/disk.ts'

const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    (answer) => answer,
    (error: unknown) => (error as { code?: string }).code,
  )

/** Whether a promise has settled by now. */
async function isSettled(world: TestRuntime, promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const note = (): void => {
    settled = true
  }
  promise.then(note, note)
  await world.settle()
  return settled
}

const heard = defineTopic('heard', z.string())
const tellersNotes: string[] = []
const listenerProtocol = { 'listener.note': message({ text: z.string() }) }
const listeners = defineKey('listeners', listenerProtocol)
const listener = defineActor({
  name: 'listener',
  protocol: listenerProtocol,
  on: {
    'actor.started': ({ register }) => register(listeners),
    'listener.note': ({ message }) => void tellersNotes.push(message.text),
  },
})

/** Does whatever leaves an actor. */
const teller = defineActor({
  name: 'teller',
  durable: true,
  protocol: {
    'teller.say': question({ text: z.string() }, z.int()),
    'teller.note': message({ text: z.string() }),
    'teller.count': question({}, z.int()),
  },
  state: () => 0,
  on: {
    'teller.say': ({ state, message, find, publish, reply }) => {
      find(listeners)[0]?.tell({ type: 'listener.note', text: message.text })
      publish(heard, message.text)
      reply(state + 1)
      return state + 1
    },
    'teller.note': ({ message, publish }) => {
      publish(heard, message.text)
    },
    'teller.count': ({ state, reply }) => reply(state),
  },
})

async function tellersWorld(options: TestRuntimeOptions): Promise<TestRuntime & { readonly published: string[] }> {
  const world = await createTestRuntime(options)
  const published: string[] = []
  tellersNotes.length = 0
  world.runtime.spawn(listener)
  await world.settle()
  world.runtime.subscribe(heard, (text) => published.push(text))
  return { ...world, published }
}

test('J1: given a disk that is slow, then answers, messages and publications of a durable actor wait for it', async () => {
  const { journal, hold, letGo } = disk()
  const world = await tellersWorld({ journal })
  const ref = world.runtime.get(teller, 't')
  await world.until(ref.ask({ type: 'teller.count' }))

  hold()
  const answer = ref.ask({ type: 'teller.say', text: 'hello' })
  const written = ref.tell({ type: 'teller.note', text: 'again' }, { durable: true })
  const before = [
    await isSettled(world, answer),
    await isSettled(world, written),
    [...world.published],
    [...tellersNotes],
  ]
  letGo()
  await world.settle()

  expect(before).toEqual([false, false, [], []])
  await written
  expect([await answer, world.published, tellersNotes]).toEqual([1, ['hello', 'again'], ['hello']])
})

test('J1: given a disk that refuses, then nothing of the message ever leaves, and the actor goes on from what is on disk', async () => {
  const { journal, fail, mend } = disk()
  const world = await tellersWorld({ journal })
  const ref = world.runtime.get(teller, 't')
  await world.until(ref.ask({ type: 'teller.say', text: 'one' }))

  fail(new JournalFullError('a disk'))
  const refused = await world.until(codeOf(ref.ask({ type: 'teller.say', text: 'two' })))
  mend()
  const answer = await world.until(ref.ask({ type: 'teller.say', text: 'three' }))

  expect([refused, answer]).toEqual(['JOURNAL_FULL', 2])
  expect([world.published, tellersNotes]).toEqual([
    ['one', 'three'],
    ['one', 'three'],
  ])
})

/** A counter whose state tells every message that it was made of. */
const list = (snapshotEvery: number) =>
  defineActor({
    name: 'list',
    durable: { snapshotEvery: { entries: snapshotEvery, bytes: 1 } },
    protocol: { 'list.add': message({ n: z.int() }), 'list.all': question({}, z.array(z.int())) },
    state: (): readonly number[] => [],
    on: {
      'list.add': ({ state, message }) => [...state, message.n],
      'list.all': ({ state, reply }) => reply([...state]),
    },
  })

test('J2: given a crash after any commit and snapshots at any distance, then the state is that of a prefix with all that was acknowledged', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(12), fc.integer({ min: 1, max: 6 }), fc.nat(10), async (messages, every, commits) => {
      const { journal, dieAfter, revive } = disk()
      const definition = list(every)
      const world = await createTestRuntime({ journal })
      const acknowledged: number[] = []
      dieAfter(commits)
      for (let n = 0; n < messages; n += 1) {
        const told = world.runtime.get(definition, 'a').tell({ type: 'list.add', n }, { durable: true })
        void told.then(() => acknowledged.push(n))
        if (n % 2 === 0) await world.settle()
      }
      await world.settle()
      revive()
      const next = await createTestRuntime({ journal })

      const found = await next.until(next.runtime.get(definition, 'a').ask({ type: 'list.all' }))

      expect(found).toEqual(Array.from({ length: found.length }, (_, n) => n))
      expect(found.slice(0, acknowledged.length)).toEqual(acknowledged)
    }),
    { numRuns: 60 },
  )
})

test('J3: given a durable message that is told again, also after a crash, then it is handled once while its id is in the window', async () => {
  const journal = memoryJournal({ takeOver: true })
  const definition = list(100)
  const add = (world: TestRuntime, n: number): Promise<void> =>
    world.until(world.runtime.get(definition, 'a').tell({ type: 'list.add', n }, { durable: true, id: `add ${n}` }))
  const world = await createTestRuntime({ journal })
  for (const n of [1, 2, 1]) await add(world, n)

  const next = await createTestRuntime({ journal })
  for (const n of [2, 3, 1]) await add(next, n)

  expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'list.all' }))).toEqual([1, 2, 3])
})

/** Runs an effect for each message; the world outside counts. */
function payer(outside: { runs: number; hangs: boolean }, idempotent: boolean) {
  return defineActor({
    name: 'payer',
    durable: { window: 3 },
    protocol: { 'payer.pay': question({ key: z.string() }, z.string()) },
    on: {
      'payer.pay': async ({ message, effect, reply }) => {
        const pay = async ({ idempotencyKey }: { readonly idempotencyKey: string }): Promise<string> => {
          outside.runs += 1
          if (outside.hangs) await new Promise(() => undefined)
          return `${message.key} ${idempotencyKey.length}`
        }
        reply(await effect(message.key, pay, { idempotent }))
      },
    },
  })
}

test('J4: given an effect that succeeded, then its key gives the same value in every later message and life, without running', async () => {
  const outside = { runs: 0, hangs: false }
  const definition = payer(outside, false)
  const journal = memoryJournal({ takeOver: true })
  const answers: unknown[] = []
  for (let life = 0; life < 3; life += 1) {
    const world = await createTestRuntime({ journal })
    const ref = world.runtime.get(definition, 'p')
    answers.push(await world.until(ref.ask({ type: 'payer.pay', key: 'rent' })))
    answers.push(await world.until(ref.ask({ type: 'payer.pay', key: 'rent' })))
  }

  expect([outside.runs, new Set(answers).size]).toEqual([1, 1])
})

test('J4: given more newer effects than the window, then a key is forgotten', async () => {
  const outside = { runs: 0, hangs: false }
  await using world = await createTestRuntime({ journal: memoryJournal() })
  const ref = world.runtime.get(payer(outside, false), 'p')
  for (const key of ['a', 'b', 'c', 'd', 'a']) await world.until(ref.ask({ type: 'payer.pay', key }))

  expect(outside.runs).toBe(5)
})

const resolutions: readonly (Resolution | 'idempotent' | 'nobody')[] = [
  'nobody',
  'idempotent',
  { kind: 'retry' },
  { kind: 'value', value: 'looked up' },
  { kind: 'failed', error: new Error('it never came') },
]
test.each(resolutions)(
  'J5: given an effect that a crash cut off, when it is settled by %j, then it runs again only if that says so',
  async (how) => {
    const outside = { runs: 0, hangs: true }
    const definition = payer(outside, how === 'idempotent')
    const journal = memoryJournal({ takeOver: true })
    const world = await createTestRuntime({ journal })
    void world.runtime.get(definition, 'p').ask({ type: 'payer.pay', key: 'rent' })
    await world.settle()
    outside.hangs = false

    const rule = (): Resolution | undefined => (typeof how === 'string' ? undefined : how)
    const next = await createTestRuntime({ journal, onInDoubt: rule })
    const answer = codeOf(next.runtime.get(definition, 'p').ask({ type: 'payer.pay', key: 'rent' }))
    await next.settle()

    if (how === 'nobody') {
      expect([outside.runs, await isSettled(next, answer)]).toEqual([1, false])
      expect(next.runtime.inDoubt).toMatchObject([{ stream: '/durable/payer/p', key: 'rent' }])
      for (const doubt of next.runtime.inDoubt) expect(doubt.settle({ kind: 'value', value: 'by hand' })).toBe(true)
    }
    const again = how === 'idempotent' || (typeof how === 'object' && how.kind === 'retry')
    expect(outside.runs).toBe(again ? 2 : 1)
    // A failure crashes this actor, since it does not catch it.
    expect(await next.until(answer)).toMatch(
      typeof how === 'object' && how.kind === 'failed' ? /^TARGET_DOWN$/ : /^(rent 32|looked up|by hand)$/,
    )
  },
)

test('J6: given messages that are gone through again, then nothing of them leaves a second time', async () => {
  const journal = memoryJournal({ takeOver: true })
  const world = await tellersWorld({ journal })
  for (const text of ['one', 'two']) await world.until(world.runtime.get(teller, 't').ask({ type: 'teller.say', text }))

  const next = await tellersWorld({ journal })
  const recovered: number[] = []
  next.runtime.on('recovered', ({ entries }) => recovered.push(entries))
  const count = await next.until(next.runtime.get(teller, 't').ask({ type: 'teller.count' }))

  expect([count, recovered, next.published, tellersNotes]).toEqual([2, [3], [], []])
})

/** The same actor as another program would have it. */
const doubler = (factor: number, effects: readonly string[] = [], version = 1) =>
  defineActor({
    name: 'doubler',
    durable: { version },
    protocol: { 'doubler.go': message({ n: z.int() }), 'doubler.sum': question({}, z.int()) },
    state: () => 0,
    on: {
      'doubler.go': async ({ state, message, effect }) => {
        for (const key of effects) await effect(`${key} ${message.n}`, () => null)
        return state + message.n * factor
      },
      'doubler.sum': ({ state, reply }) => reply(state),
    },
  })

/** What becomes of a stream that one program wrote when another one brings it back. */
async function broughtBack(one: ReturnType<typeof doubler>, other: ReturnType<typeof doubler>) {
  const journal = memoryJournal({ takeOver: true })
  const world = await createTestRuntime({ journal })
  for (const n of [0, 1])
    await world.until(world.runtime.get(one, 'd').tell({ type: 'doubler.go', n }, { durable: true }))
  await world.settle()
  const next = await createTestRuntime({ journal })
  const failures: RuntimeEventOf<'failed'>[] = []
  next.runtime.on('failed', (event) => failures.push(event))
  const answer = await next.until(
    codeOf(next.runtime.get(other, 'd').ask({ type: 'doubler.sum' }, { timeoutMs: 60_000 })),
  )
  return { answer, error: failures[0]?.error }
}

test.each([
  { change: 'another state', one: doubler(1), other: doubler(2), seq: 5 },
  { change: 'one effect more', one: doubler(1, ['a']), other: doubler(1, ['a', 'b']), seq: 5 },
  { change: 'one effect less', one: doubler(1, ['a', 'b']), other: doubler(1, ['a']), seq: 5 },
  { change: 'the same effects in another order', one: doubler(1, ['a', 'b']), other: doubler(1, ['b', 'a']), seq: 3 },
])('J7: given code that does $change, then a replay is refused and names the entry', async ({ one, other, seq }) => {
  const { answer, error } = await broughtBack(one, other)

  expect(answer).toBe('TARGET_DOWN')
  expect(error).toMatchObject({ code: 'REPLAY_DIVERGED', stream: '/durable/doubler/d', seq })
})

test.each([
  { what: 'of an older version without a migration', one: doubler(1), other: doubler(1, [], 2) },
  { what: 'of a newer version', one: doubler(1, [], 2), other: doubler(1) },
])('J8: given a journal $what, then it is refused and not guessed at', async ({ one, other }) => {
  const { answer, error } = await broughtBack(one, other)

  expect([answer, (error as { readonly code: string }).code]).toEqual(['TARGET_DOWN', 'VERSION_MISMATCH'])
})

/** Notes when it is rung, by the wall clock and from the begin. */
const bell = defineActor({
  name: 'bell',
  durable: true,
  protocol: {
    'bell.every': message({ missed: z.enum(['skip', 'one', 'all']) }),
    'bell.once': message(),
    'bell.ring': message(),
    'bell.rung': question({}, z.array(z.number())),
  },
  state: (): readonly number[] => [],
  on: {
    'bell.every': ({ timers, message }) => {
      timers.every('bell', 60_000, { type: 'bell.ring' }, { missed: message.missed })
    },
    'bell.once': ({ timers }) => {
      timers.after('bell', 60_000, { type: 'bell.ring' })
    },
    'bell.ring': ({ state, clock }) => [...state, (clock.wallNow() - Date.UTC(2026, 0, 1)) / 1000],
    'bell.rung': ({ state, reply }) => reply([...state]),
  },
})

/** What was rung by an actor that was set up, lived for 90 s, was away until 265 s, and came back until 400 s. */
async function rungWith(setUp: 'once' | MissedTicks): Promise<readonly number[]> {
  const journal = memoryJournal({ takeOver: true })
  const clock = new VirtualClock()
  const world = await createTestRuntime({ journal, clock })
  const ref = world.runtime.get(bell, 'b')
  ref.tell(setUp === 'once' ? { type: 'bell.once' } : { type: 'bell.every', missed: setUp })
  await world.advance(setUp === 'once' ? 30_000 : 90_000)

  const later = new VirtualClock({ epochMs: Date.UTC(2026, 0, 1) + 265_000 })
  const next = await createTestRuntime({ journal, clock: later, definitions: [bell] })
  await next.advance(135_000)
  return next.until(next.runtime.get(bell, 'b').ask({ type: 'bell.rung' }))
}

test.each([
  { setUp: 'once', rung: [265] },
  { setUp: 'one', rung: [60, 265, 325, 385] },
  { setUp: 'skip', rung: [60, 325, 385] },
  { setUp: 'all', rung: [60, 265, 265, 265, 300, 360] },
] as const)(
  'J9: given a durable timer ($setUp) and a process that is away when it is due, then its ticks come as told, each once',
  async ({ setUp, rung }) => {
    expect(await rungWith(setUp)).toEqual(rung)
  },
)

let mails = 0
const invoice = defineActor({
  name: 'invoice',
  durable: true,
  protocol: { 'invoice.send': message(), 'invoice.where': question({}, z.string()) },
  machine: ({ setup, reply, effect }) =>
    setup({
      actors: {
        mail: effect('mail', () => (mails += 1)),
        wait: fromPromise(() => new Promise(() => undefined)),
      },
    }).createMachine({
      initial: 'draft',
      states: {
        draft: { on: { 'invoice.send': 'sending' } },
        sending: { invoke: { src: 'mail', onDone: 'sent' } },
        sent: { after: { 60_000: 'waiting' } },
        waiting: { invoke: { src: 'wait', onError: 'interrupted' } },
        interrupted: {},
      },
      on: { 'invoice.where': { actions: reply(({ self }) => self.getSnapshot().value as string) } }, // no state has states in it
    }),
})

test('J10: given a durable chart, when its process is gone in any state, then delays, effects and invocations go on as told', async () => {
  const journal = memoryJournal({ takeOver: true })
  const clock = new VirtualClock()
  const life = async (ms: number): Promise<string> => {
    const world = await createTestRuntime({ journal, clock, definitions: [invoice] })
    await world.advance(ms)
    return world.until(world.runtime.get(invoice, 'i').ask({ type: 'invoice.where' }))
  }
  mails = 0
  const first = await createTestRuntime({ journal, clock })
  await first.until(first.runtime.get(invoice, 'i').tell({ type: 'invoice.send' }, { durable: true }))
  await first.settle()

  expect([await life(59_000), await life(1000), await life(0), mails]).toEqual(['sent', 'waiting', 'interrupted', 1])
})

const dice = defineActor({
  name: 'dice',
  durable: true,
  protocol: { 'dice.roll': message(), 'dice.all': question({}, z.array(z.number())) },
  state: (): readonly number[] => [],
  on: {
    'dice.roll': ({ state, clock, random }) => [...state, random.next(), clock.wallNow(), clock.now()],
    'dice.all': ({ state, reply }) => reply([...state]),
  },
})

test('J11: given time and chance from the context, then a replay comes to the same', async () => {
  const journal = memoryJournal({ takeOver: true })
  const world = await createTestRuntime({ journal, seed: 1 })
  const ref = world.runtime.get(dice, 'd')
  for (let roll = 0; roll < 3; roll += 1) {
    ref.tell({ type: 'dice.roll' })
    await world.advance(1000)
  }
  const before = await world.until(ref.ask({ type: 'dice.all' }))

  const next = await createTestRuntime({ journal, seed: 2 })

  expect(await next.until(next.runtime.get(dice, 'd').ask({ type: 'dice.all' }))).toEqual(before)
  expect(new Set(before).size).toBeGreaterThan(5)
})

const sleeper = defineActor({
  name: 'sleeper',
  durable: { passivateAfterMs: 1000 },
  protocol: { 'sleeper.add': message(), 'sleeper.sum': question({}, z.int()) },
  state: () => 0,
  on: { 'sleeper.add': ({ state }) => state + 1, 'sleeper.sum': ({ state, reply }) => reply(state) },
})

test('J12: given addresses of durable actors, then none is in memory before its first message, nor after it was idle, and nothing is lost', async () => {
  await using world = await createTestRuntime({ journal: memoryJournal() })
  const actors = world.runtime.stats.actors
  const refs = Array.from({ length: 1000 }, (_, n) => world.runtime.get(sleeper, `s-${n}`))
  const [first] = refs
  const before = world.runtime.stats.actors
  first?.tell({ type: 'sleeper.add' })
  await world.settle()
  const during = [world.runtime.stats.actors - actors, first?.isRunning]
  await world.advance(5000)

  expect([before, during, first?.isRunning]).toEqual([actors, [2, true], false])
  first?.tell({ type: 'sleeper.add' })
  expect(await world.until(refs[0]?.ask({ type: 'sleeper.sum' }) ?? Promise.resolve(0))).toBe(2)
})

const fragile = defineActor({
  name: 'fragile',
  durable: true,
  protocol: { 'fragile.add': message({ n: z.int() }), 'fragile.sum': question({}, z.int()) },
  state: () => 0,
  on: {
    'fragile.add': async ({ state, message, effect, timers }) => {
      timers.after(`t ${message.n}`, 1000, { type: 'fragile.add', n: 1000 })
      await effect(`e ${message.n}`, () => null)
      if (message.n === 2) throw new Error('no twos')
      return state + message.n
    },
    'fragile.sum': ({ state, reply }) => reply(state),
  },
})

test('J13: given a message that its handler fails, then state and timers are as before it, in this life and the next, and it is not tried again', async () => {
  const journal = memoryJournal({ takeOver: true })
  const clock = new VirtualClock()
  const world = await createTestRuntime({ journal, clock })
  for (const n of [1, 2])
    await world.until(world.runtime.get(fragile, 'f').tell({ type: 'fragile.add', n }, { durable: true }))
  await world.settle()
  const letters = world.runtime.deadLetters.recent().map(({ reason }) => reason)
  const sum = (of: TestRuntime): Promise<number> => of.until(of.runtime.get(fragile, 'f').ask({ type: 'fragile.sum' }))
  const before = await sum(world)

  const next = await createTestRuntime({ journal, clock })

  expect([letters, before, await sum(next)]).toEqual([['crashed'], 1, 1])
  await next.advance(1000)
  expect(await sum(next)).toBe(1001)
})

test('J14: given a clean end, then it leaves a snapshot that covers all, and nothing is gone through again', async () => {
  const journal = memoryJournal()
  {
    await using world = await createTestRuntime({ journal })
    for (let n = 0; n < 7; n += 1) world.runtime.get(sleeper, 'a').tell({ type: 'sleeper.add' })
    await world.settle()
  }
  await using next = await createTestRuntime({ journal })
  const recovered: number[] = []
  next.runtime.on('recovered', ({ entries, snapshotSeq }) => recovered.push(entries, snapshotSeq))

  expect(await next.until(next.runtime.get(sleeper, 'a').ask({ type: 'sleeper.sum' }))).toBe(7)
  expect(recovered).toEqual([0, 8])
})
