/** Promises A, W and T of `docs/semantics.md`: asks, watches and timers. */
import { defineActor, defineKey, exits, message, question, type Ref } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'

const slow = defineActor({
  name: 'slow',
  protocol: { 'slow.work': question({ ms: z.int() }, z.string()), 'slow.crash': message() },
  on: {
    'slow.work': async ({ message, clock, reply }) => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, message.ms))
      reply('done')
    },
    'slow.crash': () => {
      throw new Error('asked to')
    },
  },
})
type SlowRef = Ref<typeof slow.protocol>

/** How an ask ended: its answer, or the code of its error. */
const outcome = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    (answer) => answer,
    (error: unknown) => (error as { code?: string }).code,
  )

test('A1: given an answer that comes after the deadline, then the ask times out once and the answer is a dead letter', async () => {
  await using world = await createTestRuntime()
  const asked = outcome(world.runtime.spawn(slow).ask({ type: 'slow.work', ms: 200 }, { timeoutMs: 100 }))
  await world.advance(300)

  expect(await asked).toBe('ASK_TIMEOUT')
  expect(world.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual(['late-answer'])
})

test('A2: given a target that crashes, is stopped, or is gone, then an ask fails at once and says why', async () => {
  await using world = await createTestRuntime()
  const spawn = (): SlowRef => world.runtime.spawn(slow, { restart: 'temporary' })
  const [crashes, stops, gone] = [spawn(), spawn(), spawn()]
  gone.kill()

  crashes.tell({ type: 'slow.crash' })
  const asked = [crashes, stops, gone].map((ref) =>
    ref.ask({ type: 'slow.work', ms: 1 }).catch((error: unknown) => error),
  )
  stops.kill()
  await world.settle() // no time passes

  const errors = await Promise.all(asked)
  expect(errors).toMatchObject([
    { code: 'TARGET_DOWN', reason: { kind: 'crash' } },
    { code: 'TARGET_DOWN', reason: { kind: 'killed' } },
    { code: 'TARGET_DOWN', reason: { kind: 'killed' } },
  ])
})

test('A3: given an ask inside an ask, then it gets no more time than the outer one has left', async () => {
  await using world = await createTestRuntime()
  const inner = world.runtime.spawn(slow)
  const ends: unknown[] = []
  const middle = defineActor({
    name: 'middle',
    protocol: { 'middle.work': question({}, z.string()) },
    on: {
      'middle.work': async ({ clock }) => {
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 60))
        ends.push(await outcome(inner.ask({ type: 'slow.work', ms: 10_000 }, { timeoutMs: 5000 })), clock.now())
      },
    },
  })
  const asked = outcome(world.runtime.spawn(middle).ask({ type: 'middle.work' }, { timeoutMs: 100 }))
  await world.advance(100)

  expect(await asked).toBe('ASK_TIMEOUT')
  expect(ends).toEqual(['ASK_TIMEOUT', 100])
})

test('A4: given two actors that ask each other, then the ask that closes the circle fails at once', async () => {
  await using world = await createTestRuntime()
  const protocol = { 'asker.ask': question({}, z.string()) }
  const key = defineKey('askers', protocol)
  const asker = defineActor({
    name: 'asker',
    protocol,
    on: {
      'asker.ask': async ({ find, path, reply }) => {
        const [next] = find(key).filter((ref) => ref.path !== path)
        reply(String(await outcome(next?.ask({ type: 'asker.ask' }) ?? Promise.resolve())))
      },
      'actor.started': ({ register }) => {
        register(key)
      },
    },
  })
  const first = world.runtime.spawn(asker)
  world.runtime.spawn(asker)
  await world.settle()
  const asked = first.ask({ type: 'asker.ask' })
  await world.settle() // no time passes

  expect(await asked).toBe('ASK_CYCLE')
})

test('A5: given an ask that is cancelled, then it rejects, and the actor that answers sees its signal', async () => {
  await using world = await createTestRuntime()
  const aborted: unknown[] = []
  const patient = defineActor({
    name: 'patient',
    protocol: { 'patient.wait': question({}, z.string()) },
    on: {
      'patient.wait': ({ signal }) => {
        signal.addEventListener('abort', () => aborted.push(signal.reason))
      },
    },
  })
  const cancel = new AbortController()
  const asked = outcome(world.runtime.spawn(patient).ask({ type: 'patient.wait' }, { signal: cancel.signal }))
  await world.settle()
  cancel.abort('changed my mind')

  expect([await asked, aborted]).toEqual(['ASK_CANCELLED', ['changed my mind']])
})

test('A6: given an answer that its schema refuses, then asker and answerer learn of it', async () => {
  await using world = await createTestRuntime()
  const liar = defineActor({
    name: 'liar',
    protocol: { 'liar.age': question({}, z.int().nonnegative()) },
    on: { 'liar.age': ({ reply }) => reply(-1) },
  })
  const ref = world.runtime.spawn(liar, { restart: 'temporary' })
  const { exited } = ref
  const asked = outcome(ref.ask({ type: 'liar.age' }))
  await world.settle()

  expect(await asked).toBe('ANSWER_INVALID')
  expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'ANSWER_INVALID' } })
})

test('A7: given a question whose asker gave up while it waited, then it is not handled', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(slow)
  const first = ref.ask({ type: 'slow.work', ms: 100 })
  const second = outcome(ref.ask({ type: 'slow.work', ms: 100 }, { timeoutMs: 50 }))
  await world.advance(100)
  expect([await first, await second]).toEqual(['done', 'ASK_TIMEOUT'])
  await world.advance(200)

  // Had it been handled, its answer would be a second letter.
  expect(world.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual(['expired'])
})

const idle = defineActor({ name: 'idle', protocol: { 'idle.go': message() }, on: { 'idle.go': () => undefined } })

test('W1: given two watches of one actor, when it ends, then each is answered once, with the reason', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(idle)
  const reasons: string[] = []
  for (let i = 0; i < 2; i += 1) ref.watch(({ reason }) => reasons.push(reason.kind))
  const unwatch = ref.watch(() => reasons.push('never'))
  unwatch()
  void ref.stop({ reason: exits.normal })
  await world.settle()
  ref.kill()
  await world.settle()

  expect(reasons).toEqual(['normal', 'normal'])
})

test('W2: given an actor that has ended, when it is watched, then the answer is noproc', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(idle, { restart: 'temporary' })
  ref.kill()
  await world.settle()
  const reasons: string[] = []
  ref.watch(({ reason }) => reasons.push(reason.kind))
  await world.settle()

  expect(reasons).toEqual(['noproc'])
})

const watcherOf = (ref: Ref<typeof idle.protocol>, seen: string[]) =>
  defineActor({
    name: 'watcher',
    protocol: { 'w.unwatch': message() },
    on: {
      'actor.started': ({ watch }) => {
        watch(ref)
      },
      'actor.down': ({ message }) => void seen.push(message.reason.kind),
      'w.unwatch': ({ unwatch }) => {
        unwatch(ref)
      },
    },
  })

test('W3: given an actor.down that is queued, when its watch is taken back, then it does not arrive', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(idle)
  const seen: string[] = []
  const watcher = world.runtime.spawn(watcherOf(ref, seen))
  await world.settle()
  watcher.tell({ type: 'w.unwatch' }) // queued before the end
  ref.kill()
  await world.settle()

  expect(seen).toEqual([])
})

test('W4: given a watcher, when it learns of an end, then the name of the dead is free', async () => {
  await using world = await createTestRuntime()
  const { runtime } = world
  const [ref, heir] = [runtime.spawn(idle), runtime.spawn(idle)]
  runtime.register('leader', ref)
  ref.watch(() => runtime.register('leader', heir))
  ref.kill()
  await world.settle()

  expect(runtime.whereis('leader')).toBe(heir)
})

test('W5: given an actor that does not handle actor.down, when what it watches crashes, then it ends too', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(slow, { restart: 'temporary' })
  const naive = defineActor({
    name: 'naive',
    protocol: { 'naive.watch': message() },
    on: {
      'naive.watch': ({ watch }) => {
        watch(ref)
      },
    },
  })
  const watcher = world.runtime.spawn(naive, { restart: 'temporary' })
  const { exited } = watcher
  watcher.tell({ type: 'naive.watch' })
  await world.settle()
  ref.tell({ type: 'slow.crash' })
  await world.settle()

  expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'DEATH_PACT' } })
})

/** Sets timers as it is told and notes when they fire. */
const ticker = (seen: string[]) =>
  defineActor({
    name: 'ticker',
    protocol: {
      't.after': message({ ms: z.int(), label: z.string() }),
      't.every': message({ ms: z.int() }),
      't.cancel': message(),
      't.busy': message({ ms: z.int() }),
      't.tick': message({ label: z.string() }),
      't.crash': message(),
    },
    on: {
      't.after': ({ message, timers }) => {
        timers.after('key', message.ms, { type: 't.tick', label: message.label })
      },
      't.every': ({ message, timers }) => {
        timers.every('key', message.ms, { type: 't.tick', label: 'tick' })
      },
      't.cancel': ({ timers }) => void timers.cancel('key'),
      't.busy': ({ message, clock }) => new Promise<void>((resolve) => clock.setTimeout(resolve, message.ms)),
      't.tick': ({ message, clock }) => void seen.push(`${message.label} at ${clock.now()}`),
      't.crash': () => {
        throw new Error('boom')
      },
    },
  })

test('T1: given a timer of the same key, then it replaces the one before, and cancelling takes back a tick that is queued', async () => {
  await using world = await createTestRuntime()
  const seen: string[] = []
  const ref = world.runtime.spawn(ticker(seen))
  ref.tell({ type: 't.after', ms: 10, label: 'old' })
  ref.tell({ type: 't.after', ms: 20, label: 'new' })
  await world.advance(20)
  expect(seen).toEqual(['new at 20'])

  ref.tell({ type: 't.after', ms: 10, label: 'cancelled' })
  ref.tell({ type: 't.busy', ms: 30 }) // it fires meanwhile
  ref.tell({ type: 't.cancel' })
  await world.advance(50)
  expect(seen).toHaveLength(1)
})

test('T2: given a timer, when its actor crashes and is restarted, then it does not fire', async () => {
  await using world = await createTestRuntime()
  const seen: string[] = []
  const ref = world.runtime.spawn(ticker(seen))
  ref.tell({ type: 't.after', ms: 10, label: 'old' })
  await world.settle()
  expect(world.clock.pending).toBe(1)

  ref.tell({ type: 't.crash' })
  await world.settle()
  expect(world.clock.pending).toBe(0)

  await world.advance(100)
  expect([ref.incarnation, seen]).toEqual([2, []])
})

test('T3: given a repeating timer and a handler that takes long, then ticks do not pile up', async () => {
  await using world = await createTestRuntime()
  const seen: string[] = []
  const ref = world.runtime.spawn(ticker(seen))
  ref.tell({ type: 't.every', ms: 10 })
  ref.tell({ type: 't.busy', ms: 35 })
  await world.advance(50)

  expect(seen).toEqual(['tick at 35', 'tick at 45'])
})
