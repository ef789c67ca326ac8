import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  defineActor,
  question,
  type DurableOptions,
  type EffectFunction,
  type EffectOptions,
  type EffectRun,
} from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { effectLogic } from '../../../src/actors/durable/effect-logic.ts'
import { clockAfter, disk, entriesOf, kindsOf, loaded, type Disk } from './disk.ts'

const never = new Promise<never>(() => undefined)

/** Runs the effect that a question names; what it is, the test says. */
function caller(
  effects: Readonly<Record<string, EffectFunction<unknown>>>,
  durable: DurableOptions = {},
  options: EffectOptions = {},
) {
  return defineActor({
    name: 'caller',
    durable,
    protocol: { call: question({ key: z.string() }, z.unknown()), calls: question({}, z.int()) },
    state: (): { readonly calls: number; readonly last: unknown } => ({ calls: 0, last: undefined }),
    on: {
      call: async ({ state, message: { key }, effect, reply }) => {
        const value = await effect(key, effects[key] ?? (() => key), options).catch((error: unknown) => error)
        reply(value)
        return { calls: state.calls + 1, last: value instanceof Error ? String(value) : value }
      },
      calls: ({ state, reply }) => {
        reply(state.calls)
      },
    },
  })
}

type Caller = ReturnType<typeof caller>

const call = (t: TestRuntime, definition: Caller, key: string): Promise<unknown> =>
  t.until(t.runtime.get(definition, 'a').ask({ type: 'call', key }, { timeoutMs: 1_000_000 }))

/** The next process on the same disk. */
const after = (t: TestRuntime, { journal }: Disk): Promise<TestRuntime> =>
  createTestRuntime({ journal, clock: clockAfter(t.clock) })

describe('what an effect comes to', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a date', new Date(5)],
    ['a map of bytes', new Map([['a', new Uint8Array([1])]])],
    ['a large number', 2n ** 70n],
    ['an error as a value', Object.assign(new Error('kept'), { name: 'RangeError', code: 'E' })],
    ['what looks like a tag', { $: 'date', v: 1 }],
  ])('given %s, then it is the same now and in every later life', async (_, value) => {
    const world = disk()
    const definition = caller({ e: () => value })
    const first = await createTestRuntime({ journal: world.journal })
    expect(await call(first, definition, 'e')).toStrictEqual(value)
    const next = await after(first, world)
    expect(await call(next, caller({ e: () => 'ran again' }), 'e')).toStrictEqual(value)
  })

  test('given a result that is changed by whoever got it, then nobody else sees that', async () => {
    const world = disk()
    const mine = { list: [1] }
    let runs = 0
    const definition = defineActor({
      name: 'vandal',
      durable: true,
      protocol: { go: question({}, z.unknown()) },
      state: () => 0,
      on: {
        go: async ({ effect, reply, state }) => {
          const read = (): Promise<{ list: number[] }> =>
            effect('e', () => {
              runs += 1
              return mine
            })
          const [one, two] = [await read(), await read()]
          one.list.push(2)
          mine.list.push(3)
          reply([one, two, await read()])
          return state + 1
        },
      },
    })
    const answer = [{ list: [1, 2] }, { list: [1] }, { list: [1] }]
    const first = await createTestRuntime({ journal: world.journal })
    expect(await first.until(first.runtime.get(definition, 'a').ask({ type: 'go' }))).toEqual(answer)
    const next = await after(first, world)
    const later = [{ list: [1, 2] }, { list: [1] }, { list: [1] }]
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'go' }))).toEqual(later)
    expect(runs).toBe(1)
  })

  test('given a result that is no data, then it ran and has failed, and its place is named', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    expect(await call(t, caller({ e: () => ({ a: [() => 0] }) }), 'e')).toMatchObject({
      code: 'EFFECT_FAILED',
      failure: { code: 'NOT_SERIALIZABLE', message: expect.stringContaining("'e'.a.0") as unknown },
    })
  })

  test.each<[string, unknown, object]>([
    ['an error', new TypeError('bad'), { name: 'TypeError', message: 'bad', code: undefined }],
    [
      'an error with a code',
      Object.assign(new Error('x'), { code: 'E_X' }),
      { name: 'Error', message: 'x', code: 'E_X' },
    ],
    ['a text', 'just text', { name: 'Error', message: 'just text', code: undefined }],
    ['nothing', undefined, { name: 'Error', message: 'undefined', code: undefined }],
  ])('given that it throws %s, then its failure is the same now and later', async (_, thrown, failure) => {
    const world = disk()
    // What is thrown is anybody's.
    const definition = caller({ e: () => Promise.reject(thrown) })
    const first = await createTestRuntime({ journal: world.journal })
    const now = (await call(first, definition, 'e')) as Error & { failure: object }
    expect(now).toMatchObject({ code: 'EFFECT_FAILED', key: 'e' })
    expect(now.failure).toEqual(failure)
    const next = await after(first, world)
    // The handler is gone through again, to the same state.
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'calls' }))).toBe(1)
  })
})

describe('large results', () => {
  const text = 'ä'.repeat(1000)
  const limits = { inlineResultBytes: 100, maxResultBytes: 5000 }

  test('given one above what an entry holds, then it is kept beside the entry, and is there in the next life', async () => {
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal })
    expect(await call(first, caller({ e: () => text }, limits), 'e')).toBe(text)
    const entries = await entriesOf(world.journal, '/durable/caller/a')
    const outcome = entries.find(({ kind }) => kind === 'outcome')
    expect(outcome?.body).not.toContain('ää')
    const next = await after(first, world)
    expect(await call(next, caller({}, limits), 'e')).toBe(text)
    await next.until(next.runtime.shutdown())
    // By its snapshot alone.
    const { snapshot } = await loaded(world.journal, '/durable/caller/a')
    expect(snapshot?.blobs).toHaveLength(1)
    const last = await after(next, world)
    const journal = await world.journal.open({ node: 'compaction', clock: last.clock })
    await journal.compact()
    await journal.close()
    const compacted = await after(next, world)
    expect(await call(compacted, caller({}, limits), 'e')).toBe(text)
  })

  test('given the same key in two actors, then each has its own', async () => {
    const { journal } = disk()
    await using t = await createTestRuntime({ journal })
    const keys = new Set<string>()
    const definition = caller({ e: ({ idempotencyKey }) => keys.add(idempotencyKey).size }, { inlineResultBytes: 0 })
    const of = (key: string) => t.until(t.runtime.get(definition, key).ask({ type: 'call', key: 'e' }))
    expect(await of('a')).toBe(1)
    // Also for whoever is called.
    expect(await of('b')).toBe(2)
  })

  test('given one above what is kept at all, then it has failed, and says so', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    const definition = caller({ e: () => 'x'.repeat(4999), f: () => 'x'.repeat(4998) }, limits)
    expect(await call(t, definition, 'f')).toHaveLength(4998)
    expect(await call(t, definition, 'e')).toMatchObject({
      code: 'EFFECT_FAILED',
      failure: { code: 'EFFECT_RESULT_TOO_LARGE' },
    })
  })
})

describe('keys', () => {
  test('given a key that succeeded in an earlier message, then a later one gets what it came to then', async () => {
    const world = disk()
    let runs = 0
    const definition = caller({ e: () => (runs += 1) })
    const first = await createTestRuntime({ journal: world.journal })
    for (let i = 0; i < 3; i += 1) expect(await call(first, definition, 'e')).toBe(1)
    const next = await after(first, world)
    expect(await call(next, definition, 'e')).toBe(1)
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'calls' }))).toBe(4)
  })

  test('given a key that failed in an earlier message, then a later one tries it again', async () => {
    const world = disk()
    let runs = 0
    const definition = caller({
      e: () => {
        runs += 1
        if (runs < 3) throw new Error('not yet')
        return runs
      },
    })
    const first = await createTestRuntime({ journal: world.journal })
    expect(await call(first, definition, 'e')).toMatchObject({ code: 'EFFECT_FAILED' })
    expect(await call(first, definition, 'e')).toMatchObject({ code: 'EFFECT_FAILED' })
    expect(await call(first, definition, 'e')).toBe(3)
    const next = await after(first, world)
    expect(await call(next, definition, 'e')).toBe(3)
    expect(runs).toBe(3)
  })

  test('given a handler that tries a failed effect again itself, then a replay gives it both', async () => {
    const world = disk()
    let runs = 0
    const stubborn = defineActor({
      name: 'stubborn',
      durable: true,
      protocol: { go: question({}, z.array(z.string())) },
      state: () => [] as readonly string[],
      on: {
        go: async ({ effect, reply }) => {
          const results: string[] = []
          for (let i = 0; i < 3; i += 1) {
            const result = effect('e', () => {
              runs += 1
              if (runs < 3) throw new Error(`no ${runs}`)
              return 'yes'
            })
            results.push(await result.catch((error: unknown) => (error as { failure: Error }).failure.message))
          }
          reply(results)
          return results
        },
      },
    })
    const first = await createTestRuntime({ journal: world.journal })
    const answer = ['no 1', 'no 2', 'yes']
    expect(await first.until(first.runtime.get(stubborn, 'a').ask({ type: 'go' }))).toEqual(answer)
    const next = await after(first, world)
    const ref = next.runtime.get(stubborn, 'a')
    expect(await next.until(ref.ask({ type: 'go' }))).toEqual(['yes', 'yes', 'yes'])
    expect(runs).toBe(3)
  })

  test('given more keys than the window has, then the oldest runs again, in a replay like then', async () => {
    const world = disk()
    const runs: string[] = []
    const durable = { window: 2, snapshotEvery: { entries: 1_000_000 } }
    const effects = Object.fromEntries(['a', 'b', 'c'].map((key) => [key, () => runs.push(key)]))
    const definition = caller(effects, durable)
    const first = await createTestRuntime({ journal: world.journal })
    const keys = ['a', 'b', 'a', 'c', 'a', 'b', 'a', 'a', 'c']
    const answers: unknown[] = []
    for (const key of keys) answers.push(await call(first, definition, key))
    expect(runs).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
    const next = await after(first, world)
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'calls' }))).toBe(keys.length)
    // The same are remembered as before.
    expect(await call(next, definition, 'b')).toBe(5)
    expect(await call(next, definition, 'a')).toBe(7)
    expect(runs).toHaveLength(7)
  })

  test.each<[string, unknown]>([
    ['no text', ''],
    ['more than 1,000 characters', 'x'.repeat(1001)],
    ['a number', 5],
    ['nothing', undefined],
  ])('given %s for a key, then it is refused', async (_, key) => {
    const refused: unknown[] = []
    const odd = defineActor({
      name: 'odd',
      durable: true,
      protocol: { go: question({}, z.unknown()) },
      on: {
        go: async ({ effect, reply }) => {
          // From untyped code.
          await effect(key as string, () => 1).catch((error: unknown) => refused.push(error))
          reply(1)
        },
      },
    })
    await using t = await createTestRuntime({ journal: disk().journal })
    await t.until(t.runtime.get(odd, 'a').ask({ type: 'go' }))
    expect(refused).toMatchObject([{ code: 'DEFINITION_INVALID' }])
  })
})

describe('attempts', () => {
  test('given an effect that fails at first, then it is tried again, later and later, and its outcome is one', async () => {
    const world = disk()
    const times: number[] = []
    const keys = new Set<string>()
    const first = await createTestRuntime({ journal: world.journal })
    const definition = caller(
      {
        e: ({ attempt, idempotencyKey }) => {
          times.push(first.clock.now())
          keys.add(idempotencyKey)
          expect(attempt).toBe(times.length)
          if (attempt < 6) throw new Error('not yet')
          return attempt
        },
      },
      {},
      { retry: { attempts: 6, minMs: 100, maxMs: 500 } },
    )
    expect(await call(first, definition, 'e')).toBe(6)
    expect(times.map((at, i) => at - (times[i - 1] ?? 0))).toEqual([0, 100, 200, 400, 500, 500])
    expect(keys.size).toBe(1)
    expect(await kindsOf(world.journal, '/durable/caller/a')).toEqual([
      'created',
      'received',
      'intent',
      'outcome',
      'handled',
    ])
    const next = await after(first, world)
    expect(await call(next, definition, 'e')).toBe(6)
  })

  test('given that every attempt fails, then it has failed as the last one did', async () => {
    let runs = 0
    const definition = caller(
      {
        e: ({ attempt }) => {
          runs += 1
          throw new Error(`attempt ${attempt}`)
        },
      },
      {},
      { retry: { attempts: 3, minMs: 1 } },
    )
    await using t = await createTestRuntime({ journal: disk().journal })
    expect(await call(t, definition, 'e')).toMatchObject({ failure: { message: 'attempt 3' } })
    expect(runs).toBe(3)
  })

  test('given an attempt that takes too long, then its signal is aborted, and it is tried again or has failed', async () => {
    const signals: AbortSignal[] = []
    const definition = caller(
      {
        e: ({ signal }) => {
          signals.push(signal)
          return never
        },
      },
      {},
      { timeoutMs: 1000, retry: { attempts: 2, minMs: 100 } },
    )
    await using t = await createTestRuntime({ journal: disk().journal })
    expect(await call(t, definition, 'e')).toMatchObject({ failure: { code: 'EFFECT_TIMEOUT' } })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
    expect(t.clock.now()).toBe(2100)
  })

  test.each<[string, EffectOptions]>([
    ['timeoutMs 0', { timeoutMs: 0 }],
    ['timeoutMs NaN', { timeoutMs: NaN }],
    ['timeoutMs Infinity', { timeoutMs: Infinity }],
    ['retry.attempts 0', { retry: { attempts: 0 } }],
    ['retry.attempts 1.5', { retry: { attempts: 1.5 } }],
    ['retry.attempts NaN', { retry: { attempts: NaN } }],
    ['retry.minMs -1', { retry: { attempts: 2, minMs: -1 } }],
    ['retry.minMs NaN', { retry: { attempts: 2, minMs: NaN } }],
    ['retry.minMs 10 and retry.maxMs 5', { retry: { attempts: 2, minMs: 10, maxMs: 5 } }],
    ['retry.minMs 100 and retry.maxMs Infinity', { retry: { attempts: 2, maxMs: Infinity } }],
  ])('given %s, then that is refused by name, by a handler and by a chart', async (what, options) => {
    const refused = { code: 'DEFINITION_INVALID', message: expect.stringContaining(what) as unknown }
    let runs = 0
    const definition = caller({ e: () => (runs += 1) }, {}, options)
    await using t = await createTestRuntime({ journal: disk().journal })
    expect(await call(t, definition, 'e')).toMatchObject(refused)
    expect(runs).toBe(0)
    expect(() => effectLogic('e', () => 1, options)).toThrow(expect.objectContaining(refused))
  })

  test('given a first wait above the greatest, when no greatest is named, then it is waited for so long', async () => {
    const times: number[] = []
    const run = ({ attempt }: EffectRun): number => {
      times.push(t.clock.now())
      if (attempt < 3) throw new Error('not yet')
      return attempt
    }
    await using t = await createTestRuntime({ journal: disk().journal })
    const definition = caller({ e: run }, {}, { retry: { attempts: Infinity, minMs: 60_000 } })
    expect(await call(t, definition, 'e')).toBe(3)
    expect(times).toEqual([0, 60_000, 120_000])
  })

  test('given an effect in time, then no timer is left behind', async () => {
    const definition = caller({}, { passivateAfterMs: Infinity }, { timeoutMs: 1000 })
    await using t = await createTestRuntime({ journal: disk().journal })
    await call(t, definition, 'e')
    await t.advance(10_000)
    expect(t.clock.pending).toBe(0)
  })
})
