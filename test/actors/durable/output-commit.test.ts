import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, defineKey, defineTopic, message, question } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { JournalFailedError, JournalFullError } from '../../../src/core/journal-errors.ts'
import { disk } from './disk.ts'

/* The actor works ahead of the disk, and nothing that follows from what is not on disk yet leaves it. */

const news = defineTopic('news', z.string())

/** Where what is told ends up: one that is not durable, and one that is. */
const sinkProtocol = { put: message({ word: z.string() }) }
const sinks = defineKey('sinks', sinkProtocol)
const sink = defineActor({
  name: 'sink',
  protocol: sinkProtocol,
  state: (): readonly string[] => [],
  on: {
    'actor.started': ({ register }) => {
      register(sinks)
    },
    put: ({ state, message: { word } }) => [...state, word],
  },
})
const vault = defineActor({
  name: 'vault',
  durable: true,
  protocol: { put: message({ word: z.string() }), words: question({}, z.array(z.string())) },
  state: (): readonly string[] => [],
  on: {
    put: ({ state, message: { word } }) => [...state, word],
    words: ({ state, reply }) => {
      reply([...state])
    },
  },
})

const speaker = defineActor({
  name: 'speaker',
  durable: true,
  protocol: {
    add: message(),
    total: question({}, z.int()),
    addAndTell: question({}, z.int()),
    refuse: question({}, z.int()),
    tell: message(),
    get: message(),
    publish: message(),
    durably: message(),
    effect: message(),
  },
  state: () => 0,
  on: {
    add: ({ state }) => state + 1,
    total: ({ state, reply }) => {
      reply(state)
    },
    addAndTell: ({ state, reply }) => {
      reply(state + 1)
      return state + 1
    },
    refuse: ({ state }) => {
      if (state < 0) return state
      throw new Error('refused')
    },
    tell: ({ state, find }) => {
      for (const found of find(sinks)) found.tell({ type: 'put', word: 'told' })
      return state + 1
    },
    get: ({ state, get }) => {
      get(vault, 'v').tell({ type: 'put', word: 'told' })
      return state + 1
    },
    publish: ({ state, publish }) => {
      publish(news, 'published')
      return state + 1
    },
    durably: async ({ state, get }) => {
      await get(vault, 'v').tell({ type: 'put', word: 'durably' }, { durable: true })
      return state + 1
    },
    effect: async ({ state, effect }) => {
      await effect('e', () => seen.push('ran'))
      return state + 1
    },
  },
})
/** What came out, in its order. */
let seen: string[] = []

async function begin() {
  seen = []
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal })
  const out = t.runtime.spawn(sink, { name: 'sink' })
  t.runtime.subscribe(news, (word) => seen.push(word))
  const ref = t.runtime.spawn(speaker, { name: 'speaker', restart: 'transient' })
  await t.until(ref.ask({ type: 'total' }))
  const words = (): readonly string[] => [...seen, ...out.snapshot.context]
  const vaultWords = (): unknown =>
    t.runtime.get(vault, 'v').isRunning ? t.runtime.get(vault, 'v').snapshot.context : []
  return { t, world, ref, words, vaultWords }
}

type World = Awaited<ReturnType<typeof begin>>

const outputs: readonly (readonly [string, (world: World) => void, (world: World) => unknown, unknown])[] = [
  [
    'a message to a neighbour',
    ({ ref }) => {
      ref.tell({ type: 'tell' })
    },
    ({ words }) => words(),
    ['told'],
  ],
  [
    'a message to a durable actor',
    ({ ref }) => {
      ref.tell({ type: 'get' })
    },
    ({ vaultWords }) => vaultWords(),
    ['told'],
  ],
  [
    'what is published',
    ({ ref }) => {
      ref.tell({ type: 'publish' })
    },
    ({ words }) => words(),
    ['published'],
  ],
  [
    'a durable message',
    ({ ref }) => {
      ref.tell({ type: 'durably' })
    },
    ({ vaultWords }) => vaultWords(),
    ['durably'],
  ],
  [
    'an effect',
    ({ ref }) => {
      ref.tell({ type: 'effect' })
    },
    ({ words }) => words(),
    ['ran'],
  ],
  [
    'an answer',
    ({ ref }) => {
      void ref.ask({ type: 'addAndTell' }).then(
        (n) => seen.push(`answer ${n}`),
        () => undefined,
      )
    },
    ({ words }) => words(),
    ['answer 1'],
  ],
  [
    'the acknowledgement of a durable message',
    ({ ref }) => {
      void ref.tell({ type: 'add' }, { durable: true }).then(
        () => seen.push('acknowledged'),
        () => undefined,
      )
    },
    ({ words }) => words(),
    ['acknowledged'],
  ],
]

test.each(['stop', 'kill'] as const)(
  'given an answer whose handler is cut off (%s), then its asker learns at once that it does not come',
  async (how) => {
    const definition = defineActor({
      name: 'early',
      durable: true,
      protocol: { go: question({}, z.int()) },
      on: {
        go: async ({ reply, effect }) => {
          reply(1)
          const untilAborted = (signal: AbortSignal): Promise<never> =>
            new Promise((_, reject) => signal.addEventListener('abort', reject))
          await effect('e', ({ signal }) => untilAborted(signal))
        },
      },
    })
    await using t = await createTestRuntime({ journal: disk().journal })
    const ref = t.runtime.get(definition, 'a')
    const asked = ref.ask({ type: 'go' }, { timeoutMs: 60_000 }).catch((error: unknown) => error)
    await t.settle()
    const startMs = t.clock.now()
    if (how === 'stop') void ref.stop()
    else ref.kill()
    expect(await t.until(asked)).toMatchObject({ code: 'TARGET_DOWN' })
    expect(t.clock.now()).toBe(startMs)
  },
)

describe.each(outputs)('%s', (_, act, look, expected) => {
  test('given a disk that takes its time, then it leaves when it is on disk, and not before', async () => {
    const world = await begin()
    world.world.hold()
    act(world)
    await world.t.settle()
    expect(look(world)).toEqual([])
    world.world.letGo()
    await world.t.settle()
    expect(look(world)).toEqual(expected)
    await world.t.until(world.t.runtime.shutdown())
  })

  test.each([new JournalFullError('memory'), new JournalFailedError('memory', 'the disk broke')])(
    'given a disk that takes nothing ($code), then it never leaves',
    async (error) => {
      const world = await begin()
      world.world.fail(error)
      act(world)
      await world.t.advance(1000)
      expect(look(world)).toEqual([])
      world.world.mend()
      await world.t.advance(10_000)
      expect(look(world)).toEqual([])
      await world.t.until(world.t.runtime.shutdown())
    },
  )
})

test.each([
  ['JOURNAL_FULL', new JournalFullError('memory')],
  ['JOURNAL_FAILED', new JournalFailedError('memory', 'the disk broke')],
])('given a disk that takes nothing, then whoever waits for it learns %s', async (code, error) => {
  const { t, world, ref } = await begin()
  world.fail(error)
  const asked = ref.ask({ type: 'addAndTell' }).catch((reason: unknown) => reason)
  expect(await t.until(asked)).toMatchObject({ code })
  const told = t.runtime.get(vault, 'v').tell({ type: 'put', word: 'x' }, { durable: true })
  expect(await t.until(told.catch((reason: unknown) => reason))).toMatchObject({ code })
})

test('given a question that changes nothing, then nothing is written, and it is answered whatever the disk does', async () => {
  const { t, world, ref } = await begin()
  ref.tell({ type: 'add' })
  await t.settle()
  const { commits } = world
  world.hold()
  expect(await t.until(ref.ask({ type: 'total' }))).toBe(1)
  world.letGo()
  world.fail(new JournalFullError('memory'))
  expect(await t.until(ref.ask({ type: 'total' }))).toBe(1)
  expect(world.commits).toBe(commits)
})

test('given a question after a change that is not on disk yet, then its answer waits for that, and order is kept', async () => {
  const { t, world, ref } = await begin()
  world.hold()
  ref.tell({ type: 'publish' })
  const answers = [ref.ask({ type: 'total' }), ref.ask({ type: 'addAndTell' }), ref.ask({ type: 'total' })]
  for (const answer of answers) void answer.then((n) => seen.push(`answer ${n}`))
  ref.tell({ type: 'publish' })
  await t.settle()
  expect(seen).toEqual([])
  world.letGo()
  await t.settle()
  // Those who wait are told by a promise, a moment later than listeners.
  expect(seen).toEqual(['published', 'published', 'answer 1', 'answer 2', 'answer 2'])
})

test('given a change that is on its way to the disk, then a later question waits for it too', async () => {
  const { t, world, ref } = await begin()
  world.hold()
  ref.tell({ type: 'add' })
  await t.settle()
  void ref.ask({ type: 'total' }).then((n) => seen.push(`answer ${n}`))
  await t.settle()
  expect(seen).toEqual([])
  world.letGo()
  await t.settle()
  expect(seen).toEqual(['answer 1'])
})

test('given a handler that fails, then what it said before is not said, and its asker learns of the failure', async () => {
  const { t, ref } = await begin()
  const failing = defineActor({
    name: 'failing',
    durable: true,
    protocol: { go: question({}, z.int()) },
    on: {
      go: ({ publish, reply, get }) => {
        publish(news, 'from a failure')
        get(vault, 'v').tell({ type: 'put', word: 'from a failure' })
        reply(1)
        throw new Error('boom')
      },
    },
  })
  const asked = t.runtime.get(failing, 'f').ask({ type: 'go' })
  expect(await t.until(asked.catch((error: unknown) => error))).toMatchObject({ code: 'TARGET_DOWN' })
  await t.settle()
  expect(seen).toEqual([])
  expect(await t.until(t.runtime.get(vault, 'v').ask({ type: 'words' }))).toEqual([])
  expect(await t.until(ref.ask({ type: 'refuse' }).catch((error: unknown) => error))).toMatchObject({
    code: 'TARGET_DOWN',
  })
})
