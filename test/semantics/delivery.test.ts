/** Promises D and M of `docs/semantics.md`: delivery, order and mailboxes. */
import { createRuntime, defineActor, message, question, type MailboxOptions } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'

const numbers = { 'n.add': message({ n: z.int() }) }

/** Notes what it handles; a gate, when there is one, holds it at its first message. */
const collector = (seen: number[], gate?: Promise<void>, mailbox: MailboxOptions = {}) =>
  defineActor({
    name: 'collector',
    protocol: numbers,
    mailbox,
    on: {
      'n.add': async ({ message }) => {
        if (seen.length === 0) await gate
        seen.push(message.n)
      },
    },
  })

test('D1: given actors that are full, stopped, or do not know the message, when they are told, then nothing throws', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(collector([], undefined, { capacity: 1 }))

  ref.tell({ type: 'n.add', n: 1 })
  ref.tell({ type: 'n.add', n: 2 })
  // @ts-expect-error -- a wrong payload
  void ref.tell({ type: 'n.add', n: 'three' })
  // @ts-expect-error -- an unknown type
  void ref.tell({ type: 'n.subtract' })
  await world.settle()
  ref.kill()
  ref.tell({ type: 'n.add', n: 4 })

  expect(world.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual([
    'mailbox-full',
    'invalid-message',
    'unknown-message',
    'stopped',
  ])
})

test('D2: given messages before, at and after a crash, then each is handled once or is one dead letter', async () => {
  await using world = await createTestRuntime()
  const seen: number[] = []
  const picky = defineActor({
    name: 'picky',
    protocol: numbers,
    on: {
      'n.add': ({ message }) => {
        if (message.n % 7 === 0) throw new Error('seven')
        seen.push(message.n)
      },
    },
  })
  const ref = world.runtime.spawn(picky, { intensity: { restarts: 100, withinMs: 1 } })

  for (let n = 1; n <= 50; n += 1) {
    ref.tell({ type: 'n.add', n })
    if (n % 5 === 0) await world.settle()
  }

  const lost = world.runtime.deadLetters.recent().map(({ message }) => (message as { n: number }).n)
  expect(lost.length).toBeGreaterThan(7)
  expect([...seen, ...lost].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
})

test('D3: given two senders, then what each of them sends arrives in its order', async () => {
  await using world = await createTestRuntime()
  const seen: number[] = []
  const target = world.runtime.spawn(collector(seen))
  const sender = defineActor({
    name: 'sender',
    protocol: { 'sender.go': message({ from: z.int() }) },
    on: {
      'sender.go': async ({ message }) => {
        for (let n = message.from; n < message.from + 100; n += 1) {
          target.tell({ type: 'n.add', n })
          if (n % 10 === 0) await Promise.resolve()
        }
      },
    },
  })
  for (const from of [0, 1000]) world.runtime.spawn(sender).tell({ type: 'sender.go', from })
  await world.settle()

  const ascending = (list: number[]): number[] => list.toSorted((a, b) => a - b)
  const [small, large] = [seen.filter((n) => n < 1000), seen.filter((n) => n >= 1000)]
  expect(seen).toHaveLength(200)
  expect(small).toEqual(ascending(small))
  expect(large).toEqual(ascending(large))
})

test.each([
  [false, ['start 1', 'end 1', 'start 2', 'end 2']],
  [true, ['start 1', 'start 2', 'end 1', 'end 2']],
])(
  'D4: given async handlers and reentrant %s, then they interleave only when that is declared',
  async (reentrant, expected) => {
    await using world = await createTestRuntime()
    const seen: string[] = []
    const worker = defineActor({
      name: 'worker',
      protocol: numbers,
      reentrant,
      on: {
        'n.add': async ({ message, clock }) => {
          seen.push(`start ${message.n}`)
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 10))
          seen.push(`end ${message.n}`)
        },
      },
    })
    const ref = world.runtime.spawn(worker)
    ref.tell({ type: 'n.add', n: 1 })
    ref.tell({ type: 'n.add', n: 2 })
    await world.advance(30)

    expect(seen).toEqual(expected)
  },
)

test('D5: given a schema with a default, then the receiver sees it, and fields that no schema names stay', async () => {
  await using world = await createTestRuntime()
  const seen: unknown[] = []
  const actor = defineActor({
    name: 'actor',
    protocol: { 'a.take': message({ size: z.int().default(3), name: z.string() }) },
    on: { 'a.take': ({ message }) => void seen.push(message) },
  })
  const given = { type: 'a.take', name: 'x', extra: true } as const
  world.runtime.spawn(actor).tell(given)
  await world.settle()

  expect(seen).toEqual([{ type: 'a.take', size: 3, name: 'x', extra: true }])
})

test.each([
  ['reject', [1, 2, 3], ['mailbox-full'], [4]],
  ['drop-newest', [1, 2, 3], ['dropped-newest'], [4]],
  ['drop-oldest', [1, 3, 4], ['dropped-oldest'], [2]],
] as const)(
  'M1: given a full mailbox of two under %s, then it keeps its bound',
  async (overflow, handled, reasons, lost) => {
    await using world = await createTestRuntime()
    const gate = Promise.withResolvers<void>()
    const seen: number[] = []
    const ref = world.runtime.spawn(collector(seen, gate.promise, { capacity: 2, overflow }))
    ref.tell({ type: 'n.add', n: 1 })
    await world.settle() // it is at 1 now

    for (const n of [2, 3, 4]) ref.tell({ type: 'n.add', n })
    gate.resolve()
    await world.settle()

    const letters = world.runtime.deadLetters.recent()
    expect(seen).toEqual(handled)
    expect(letters.map(({ reason }) => reason)).toEqual(reasons)
    expect(letters.map(({ message }) => (message as { n: number }).n)).toEqual(lost)
  },
)

test('M2: given a full mailbox under park, when a sender offers, then it waits for room and nothing is lost', async () => {
  await using world = await createTestRuntime()
  const gate = Promise.withResolvers<void>()
  const seen: number[] = []
  const ref = world.runtime.spawn(collector(seen, gate.promise, { capacity: 1, overflow: 'park' }))
  let accepted = 0
  for (let n = 1; n <= 5; n += 1) {
    void ref.offer({ type: 'n.add', n }).then(() => (accepted += 1))
    await world.settle()
  }
  expect(accepted).toBe(2) // one is being handled, one waits

  gate.resolve()
  await world.settle()

  expect([accepted, seen, world.runtime.deadLetters.count]).toEqual([5, [1, 2, 3, 4, 5], 0])
})

test('M3: given a full mailbox, then timers and ends of watched actors arrive all the same', async () => {
  await using world = await createTestRuntime()
  const gate = Promise.withResolvers<void>()
  const seen: string[] = []
  const watched = world.runtime.spawn(collector([]))
  const watcher = defineActor({
    name: 'watcher',
    protocol: { 'w.hold': message(), 'w.tick': message() },
    mailbox: { capacity: 1 },
    on: {
      'actor.started': ({ watch, timers }) => {
        watch(watched)
        timers.after('tick', 5, { type: 'w.tick' })
      },
      'actor.down': () => void seen.push('down'),
      'w.hold': () => gate.promise,
      'w.tick': () => void seen.push('tick'),
    },
  })
  const ref = world.runtime.spawn(watcher)
  await world.settle()
  for (let i = 0; i < 3; i += 1) ref.tell({ type: 'w.hold' })
  watched.kill()
  await world.advance(5)
  gate.resolve()
  await world.settle()

  expect(seen).toEqual(['down', 'tick'])
})

test('M4: given stashed messages, when they are put back, then they keep their order, before what waits', async () => {
  await using world = await createTestRuntime()
  const desk = defineActor({
    name: 'desk',
    protocol: { 'd.open': message(), 'd.work': message({ n: z.int() }), 'd.done': question({}, z.array(z.int())) },
    state: () => ({ open: false, done: [] as number[] }),
    on: {
      'd.open': ({ state, unstashAll }) => {
        unstashAll()
        return { ...state, open: true }
      },
      'd.work': ({ state, message, stash }) => {
        if (!state.open) return void stash()
        return { ...state, done: [...state.done, message.n] }
      },
      'd.done': ({ state, reply }) => reply(state.done),
    },
  })
  const ref = world.runtime.spawn(desk)
  for (const n of [1, 2]) ref.tell({ type: 'd.work', n })
  ref.tell({ type: 'd.open' })
  ref.tell({ type: 'd.work', n: 3 })
  const done = ref.ask({ type: 'd.done' })
  await world.settle()

  expect(await done).toEqual([1, 2, 3])
})

test('M5: given a postponed message, then it comes again after the next change of state, and not before', async () => {
  await using world = await createTestRuntime()
  const tries: string[] = []
  const gate = defineActor({
    name: 'gate',
    protocol: { 'g.pass': message(), 'g.look': message(), 'g.unlock': message() },
    state: () => 'locked',
    on: {
      'g.pass': ({ state, postpone }) => {
        tries.push(state)
        if (state === 'locked') postpone()
      },
      'g.look': () => undefined,
      'g.unlock': () => 'unlocked',
    },
  })
  const ref = world.runtime.spawn(gate)
  for (const type of ['g.pass', 'g.look', 'g.unlock'] as const) ref.tell({ type })
  await world.settle()

  expect(tries).toEqual(['locked', 'unlocked'])
})

test('M6: given a full stash, when one more message is stashed, then that is a crash with STASH_FULL', async () => {
  await using world = await createTestRuntime()
  const hoarder = defineActor({
    name: 'hoarder',
    protocol: numbers,
    mailbox: { stashCapacity: 2 },
    on: { 'n.add': ({ stash }) => stash() },
  })
  const ref = world.runtime.spawn(hoarder, { restart: 'temporary' })
  const { exited } = ref
  for (const n of [1, 2, 3]) ref.tell({ type: 'n.add', n })
  await world.settle()

  expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'STASH_FULL' } })
  expect(world.runtime.deadLetters.count).toBe(3)
})

test('F1: given a chain of 20,000 actors, when a message runs through it, then the stack stays as it is', async () => {
  await using runtime = await createRuntime()
  const end = Promise.withResolvers<number>()
  type Next = { tell(message: { type: 'n.add'; n: number }): void }
  const link = defineActor({
    name: 'link',
    protocol: numbers,
    input: z.custom<Next>(),
    state: ({ input }) => input,
    on: { 'n.add': ({ state, message }) => state.tell({ type: 'n.add', n: message.n + 1 }) },
  })
  let first: Next = { tell: ({ n }) => end.resolve(n) }
  for (let i = 0; i < 20_000; i += 1) first = runtime.spawn(link, { input: first })
  first.tell({ type: 'n.add', n: 0 })

  expect(await end.promise).toBe(20_000)
})

test('F2: given two actors that never stop playing ping-pong, when a timer is due, then it fires within some turns', async () => {
  await using runtime = await createRuntime()
  type Player = { tell(message: { type: 'p.ball' }): void }
  const player = defineActor({
    name: 'player',
    protocol: { 'p.meet': message({ other: z.custom<Player>() }), 'p.ball': message() },
    state: () => undefined as Player | undefined,
    on: {
      'p.meet':
        ({ message }) =>
        () =>
          message.other,
      'p.ball': ({ state }) => state?.tell({ type: 'p.ball' }),
    },
  })
  const [ping, pong] = [runtime.spawn(player), runtime.spawn(player)]
  ping.tell({ type: 'p.meet', other: pong })
  pong.tell({ type: 'p.meet', other: ping })
  ping.tell({ type: 'p.ball' })

  const { clock } = runtime
  const startMs = clock.now()
  await new Promise<void>((resolve) => clock.setTimeout(resolve, 10))

  // A turn is 5 ms. A machine that is busy with other things may add its own delay, but not for ever.
  expect(clock.now() - startMs).toBeLessThan(500)
  ping.kill()
})
