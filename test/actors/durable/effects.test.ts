import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  defineActor,
  message,
  question,
  type EchelonError,
  type EffectOptions,
  type EffectRun,
  type Resolution,
} from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { clockAfter, disk, entriesOf, kindsOf } from './disk.ts'
import { atEveryCommit, killed } from './lives.ts'

const never = new Promise<never>(() => undefined)

/** Who is called from effects, in no journal: it knows how often it was. */
class World {
  readonly calls: string[] = []
  readonly keys = new Map<string, Set<string>>()
  /** The result of each call; some never end, as when the process ends first. */
  answer: (key: string, attempt: number) => unknown = (key) => `did ${key}`

  call(key: string, { idempotencyKey, attempt }: EffectRun): unknown {
    this.calls.push(key)
    this.keys.set(key, (this.keys.get(key) ?? new Set()).add(idempotencyKey))
    return this.answer(key, attempt)
  }

  count(key: string): number {
    return this.calls.filter((call) => call === key).length
  }
}

/** Runs one effect after the other, as its question says, and keeps what they came to. */
const worker = (world: World, options: EffectOptions = {}) =>
  defineActor({
    name: 'worker',
    durable: true,
    protocol: {
      work: message({ keys: z.array(z.string()) }),
      done: question({}, z.unknown()),
    },
    state: () => ({ done: [] as readonly unknown[] }),
    on: {
      work: async ({ state, message: { keys }, effect }) => {
        const done: unknown[] = []
        for (const key of keys)
          done.push(
            await effect(key, (run) => world.call(key, run), options).catch((error: unknown) => ({
              failed: (error as { failure: unknown }).failure,
            })),
          )
        return { done: [...state.done, done] }
      },
      done: ({ state, reply }) => {
        reply(state.done)
      },
    },
  })

describe('given a process that ends at any commit', () => {
  const steps = ['book', 'charge', 'ship'] as const

  test('when no effect may run twice, then each runs once at most, and is in doubt when nobody knows', async () => {
    let world = new World()
    let definition = worker(world)
    const doubted: string[] = []
    const commits = await atEveryCommit({
      begin: () => {
        world = new World()
        definition = worker(world)
      },
      act: (t) => {
        void t.runtime.get(definition, 'a').tell({ type: 'work', keys: [...steps] }, { durable: true })
      },
      check: async (t) => {
        const ref = t.runtime.get(definition, 'a')
        const answer = ref.ask({ type: 'done' })
        await t.settle()
        for (const { key, stream, idempotencyKey, settle } of t.runtime.inDoubt) {
          // A person finds it where it was to run.
          expect(stream).toBe('/durable/worker/a')
          expect(world.keys.get(key)).toEqual(new Set([idempotencyKey]))
          doubted.push(key)
          expect(settle({ kind: 'value', value: `found ${key}` })).toBe(true)
        }
        const done = (await t.until(answer)) as string[][]
        for (const key of world.calls) expect(world.count(key)).toBe(1)
        if (done.length === 0) expect(world.calls).toEqual([])
        else {
          expect(world.calls).toEqual(steps)
          expect(done).toEqual([steps.map((key) => expect.stringMatching(`^(did|found) ${key}$`) as string)])
        }
      },
    })
    expect(commits).toBeGreaterThan(steps.length)
    // It was not for nothing.
    expect(new Set(doubted)).toEqual(new Set(steps))
  })

  test('when its effects may run twice, then they run again under the same key, and all is done', async () => {
    let world = new World()
    let definition = worker(world, { idempotent: true })
    let most = 0
    await atEveryCommit({
      begin: () => {
        world = new World()
        definition = worker(world, { idempotent: true })
      },
      act: (t) => {
        void t.runtime.get(definition, 'a').tell({ type: 'work', keys: [...steps] }, { durable: true })
      },
      check: async (t) => {
        const done = (await t.until(t.runtime.get(definition, 'a').ask({ type: 'done' }))) as unknown[]
        expect(t.runtime.inDoubt).toEqual([])
        for (const key of world.calls) {
          most = Math.max(most, world.count(key))
          expect(world.count(key)).toBeLessThanOrEqual(2)
          expect(world.keys.get(key)?.size).toBe(1)
        }
        if (world.calls.length > 0) expect(done).toEqual([steps.map((key) => `did ${key}`)])
      },
    })
    expect(most).toBe(2)
  })

  test('when an effect failed, then it has failed the same in the next life', async () => {
    let world = new World()
    let definition = worker(world)
    const begin = (): void => {
      world = new World()
      world.answer = (key) => {
        if (key !== 'charge' || world.count('charge') > 1) return `did ${key}`
        throw Object.assign(new RangeError('declined'), { code: 'E_DECLINED', secret: 'hunter2' })
      }
      definition = worker(world)
    }
    await atEveryCommit({
      begin,
      act: (t) => {
        void t.runtime.get(definition, 'a').tell({ type: 'work', keys: [...steps] }, { durable: true })
      },
      onInDoubt: ({ key }) => ({ kind: 'value', value: `did ${key}` }),
      check: async (t, { isWhole, disk: { journal } }) => {
        const done = await t.until(t.runtime.get(definition, 'a').ask({ type: 'done' }))
        expect(world.count('charge')).toBeLessThanOrEqual(1)
        if (!isWhole) return
        const failed = { name: 'RangeError', message: 'declined', code: 'E_DECLINED' }
        expect(done).toEqual([['did book', { failed }, 'did ship']])
        expect(JSON.stringify(await entriesOf(journal, '/durable/worker/a'))).not.toContain('hunter2')
      },
    })
  })
})

describe('given an effect in doubt', () => {
  /** A process that ended while it charged, and the next one, in which `settle` decides. */
  async function inDoubt(settle: Resolution | undefined, rule?: () => Resolution | undefined) {
    const world = new World()
    world.answer = () => (world.calls.length === 1 ? never : 'charged now')
    const definition = worker(world)
    const dead = disk()
    const clock = await killed(dead, (t) => {
      void t.runtime.get(definition, 'a').tell({ type: 'work', keys: ['charge'] }, { durable: true })
    })
    const t = await createTestRuntime({
      journal: dead.journal,
      clock,
      definitions: [definition],
      ...(rule === undefined ? {} : { onInDoubt: rule }),
    })
    const events: unknown[] = []
    t.runtime.on('in-doubt', (event) => events.push(event))
    await t.settle()
    const [doubt] = t.runtime.inDoubt
    const settled = settle === undefined ? undefined : [doubt?.settle(settle), doubt?.settle(settle)]
    const read = async (): Promise<unknown> => t.until(t.runtime.get(definition, 'a').ask({ type: 'done' }))
    return { t, world, definition, dead, settled, doubt, read }
  }

  test.each<[string, Resolution, unknown, number]>([
    ['it ran', { kind: 'value', value: { receipt: 7n } }, { receipt: 7n }, 1],
    [
      'it failed',
      { kind: 'failed', error: Object.assign(new TypeError('no'), { code: 'E_NO' }) },
      { failed: { name: 'TypeError', message: 'no', code: 'E_NO' } },
      1,
    ],
    ['it is to run again', { kind: 'retry' }, 'charged now', 2],
  ])('when somebody says that %s, then that is how it ended, once and for all', async (_, settle, result, calls) => {
    const { t, world, definition, dead, settled, read } = await inDoubt(settle)
    expect(settled).toEqual([true, false])
    expect(await read()).toEqual([[result]])
    expect(world.calls).toHaveLength(calls)
    expect(t.runtime.inDoubt).toEqual([])
    await t.until(t.runtime.shutdown())
    await using next = await createTestRuntime({ journal: dead.journal })
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'done' }))).toEqual([[result]])
    expect(world.calls).toHaveLength(calls)
  })

  test('when a rule knows, then nobody is asked', async () => {
    const { t, read, world } = await inDoubt(undefined, () => ({ kind: 'value', value: 'the rule knows' }))
    expect(t.runtime.inDoubt).toEqual([])
    expect(await read()).toEqual([['the rule knows']])
    expect(world.calls).toHaveLength(1)
    await t.until(t.runtime.shutdown())
  })

  test('when a rule does not know, then a person is asked, with an event', async () => {
    const world = new World()
    world.answer = () => never
    const definition = worker(world)
    const dead = disk()
    const clock = await killed(dead, (t) => {
      void t.runtime.get(definition, 'a').tell({ type: 'work', keys: ['charge'] }, { durable: true })
    })
    await using t = await createTestRuntime({
      journal: dead.journal,
      clock,
      onInDoubt: () => Promise.resolve(undefined),
    })
    const events: unknown[] = []
    t.runtime.on('in-doubt', ({ stream, key, path, beganAtMs, settle }) => {
      events.push({ stream, key, path, beganAtMs })
      settle({ kind: 'value', value: 'heard' })
    })
    expect(await t.until(t.runtime.get(definition, 'a').ask({ type: 'done' }))).toEqual([['heard']])
    const stream = '/durable/worker/a'
    expect(events).toEqual([{ stream, key: 'charge', path: stream, beganAtMs: clock.wallNow() }])
  })

  test('when the runtime ends first, then it ends at once, and leaves it for the next process', async () => {
    const { t, definition, dead, world, doubt } = await inDoubt(undefined)
    const { phases, killed: victims } = await t.until(t.runtime.shutdown())
    expect(phases.every(({ timedOut }) => !timedOut)).toBe(true)
    expect(victims).toEqual([])
    // Whoever decides now is too late.
    expect(doubt?.settle({ kind: 'retry' })).toBe(false)
    await using next = await createTestRuntime({
      journal: dead.journal,
      definitions: [definition],
      clock: clockAfter(t.clock),
    })
    await next.settle()
    expect(next.runtime.inDoubt.map(({ key }) => key)).toEqual(['charge'])
    expect(world.calls).toHaveLength(1)
    next.runtime.inDoubt[0]?.settle({ kind: 'value', value: 'at last' })
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'done' }))).toEqual([['at last']])
  })

  test('when its actor is killed meanwhile, then the doubt is withdrawn, and comes again with the actor', async () => {
    const { t, definition } = await inDoubt(undefined)
    t.runtime.get(definition, 'a').kill()
    await t.settle()
    const [again, ...others] = t.runtime.inDoubt
    expect(others).toEqual([])
    expect(again?.key).toBe('charge')
    again?.settle({ kind: 'value', value: 1 })
    expect(await t.until(t.runtime.get(definition, 'a').ask({ type: 'done' }))).toEqual([[1]])
    await t.until(t.runtime.shutdown())
  })

  test('when a decision is no data, then the effect has failed, and the journal says why', async () => {
    const { read, t } = await inDoubt({ kind: 'value', value: () => 0 })
    expect(await read()).toMatchObject([[{ failed: { code: 'NOT_SERIALIZABLE' } }]])
    await t.until(t.runtime.shutdown())
  })

  test('when its code says by now that it may run twice, then it runs again', async () => {
    const world = new World()
    world.answer = () => (world.calls.length === 1 ? never : 'again')
    const dead = disk()
    const clock = await killed(dead, (t) => {
      void t.runtime.get(worker(world), 'a').tell({ type: 'work', keys: ['charge'] }, { durable: true })
    })
    await using t = await createTestRuntime({ journal: dead.journal, clock })
    const ref = t.runtime.get(worker(world, { idempotent: true }), 'a')
    expect(await t.until(ref.ask({ type: 'done' }))).toEqual([['again']])
  })
})

test('given a fenced incarnation whose effect ends late, then it writes nothing, and its successor asks', async () => {
  const world = new World()
  const gate = Promise.withResolvers<string>()
  world.answer = () => gate.promise
  const definition = worker(world)
  const { journal } = disk()
  await using t = await createTestRuntime({ journal })
  const ref = t.runtime.get(definition, 'a')
  void ref.tell({ type: 'work', keys: ['charge'] }, { durable: true })
  await t.settle()
  const before = await kindsOf(journal, '/durable/worker/a')
  ref.kill()
  gate.resolve('too late')
  await t.settle()
  expect(await kindsOf(journal, '/durable/worker/a')).toEqual(before)
  expect(t.runtime.stats.zombieEffects).toBeGreaterThan(0)
  const answer = ref.ask({ type: 'done' })
  await t.settle()
  expect(t.runtime.inDoubt.map(({ key }) => key)).toEqual(['charge'])
  t.runtime.inDoubt[0]?.settle({ kind: 'value', value: 'by hand' })
  expect(await t.until(answer)).toEqual([['by hand']])
  expect(world.calls).toHaveLength(1)
})

test('given an actor that is killed while the beginning of an effect is on its way to the disk, then it does not run', async () => {
  const world = new World()
  const slow = disk()
  await using t = await createTestRuntime({ journal: slow.journal })
  const ref = t.runtime.get(worker(world), 'a')
  slow.hold()
  void ref.tell({ type: 'work', keys: ['charge'] }, { durable: true })
  await t.settle()
  ref.kill()
  slow.letGo()
  await t.settle()
  expect(await kindsOf(slow.journal, '/durable/worker/a')).toEqual(['created', 'received', 'intent'])
  expect(t.runtime.inDoubt.map(({ key }) => key)).toEqual(['charge'])
  expect(world.calls).toEqual([])
})

test('given an effect in an actor that is not durable, then it runs each time, and fails as it fails', async () => {
  const runs: number[] = []
  const plain = defineActor({
    name: 'plain',
    protocol: { go: question({ fails: z.boolean() }, z.unknown()), note: message() },
    on: {
      go: async ({ message: { fails }, effect, reply }) => {
        const result = effect('e', ({ attempt }) => {
          runs.push(attempt)
          if (fails) throw new RangeError('as it is')
          return runs.length
        })
        reply(await result.catch((error: unknown) => String(error)))
      },
      note: () => undefined,
    },
  })
  await using t = await createTestRuntime()
  const ref = t.runtime.spawn(plain)
  expect(await t.until(ref.ask({ type: 'go', fails: false }))).toBe(1)
  expect(await t.until(ref.ask({ type: 'go', fails: false }))).toBe(2)
  expect(await t.until(ref.ask({ type: 'go', fails: true }))).toBe('RangeError: as it is')
})

describe('given an effect in doubt whose message was given up, when a later message asks for it', () => {
  let isFirstLife = true
  /** A message is given up while `y` runs, which never ends in its first life; others keep what `y` came to. */
  const asker = (call: () => unknown, options: EffectOptions = {}) =>
    defineActor({
      name: 'asker',
      durable: true,
      protocol: { both: message(), again: message(), log: question({}, z.unknown()) },
      state: (): readonly unknown[] => [],
      on: {
        both: async ({ effect }) => {
          await Promise.all([
            effect('x', () => Promise.reject(new Error('x fails')), options),
            effect('y', () => (isFirstLife ? never : call()), options),
          ])
        },
        again: async ({ state, effect, clock }) => {
          const atMs = clock.wallNow()
          const y = await effect('y', call, options).catch((error: unknown) => (error as EchelonError).code)
          return [...state, y, clock.wallNow() - atMs]
        },
        log: ({ state, reply }) => {
          reply([...state])
        },
      },
    })

  const ways: readonly (readonly [string, () => unknown, EffectOptions, Resolution | undefined, unknown])[] = [
    ['runs again and fails', () => Promise.reject(new Error('no')), { idempotent: true }, undefined, 'EFFECT_FAILED'],
    ['runs again and succeeds', () => 'did', { idempotent: true }, undefined, 'did'],
    ['may run again and fails', () => Promise.reject(new Error('no')), {}, { kind: 'retry' }, 'EFFECT_FAILED'],
    [
      'has failed',
      () => Promise.reject(new Error('no')),
      {},
      { kind: 'failed', error: new Error('no') },
      'EFFECT_FAILED',
    ],
    ['has succeeded', () => 'found', {}, { kind: 'value', value: 'found' }, 'found'],
  ]
  test.each(ways)('and it %s, then every later life comes to the same', async (_, call, options, resolution, y) => {
    const definition = asker(call, options)
    const rule = resolution === undefined ? {} : { onInDoubt: () => resolution }
    await atEveryCommit({
      ...rule,
      definitions: [definition],
      act: async (t) => {
        isFirstLife = true
        const ref = t.runtime.get(definition, 'a')
        ref.tell({ type: 'both' })
        await t.settle()
        ref.kill()
        isFirstLife = false
        // It runs on in this process, and is taken for one that does not end.
        await t.advance(60_000)
        ref.tell({ type: 'again' })
        await t.settle()
      },
      check: async (t, { isWhole }) => {
        const ref = t.runtime.get(definition, 'a')
        const log = await t.until(ref.ask({ type: 'log' }))
        expect([[], [y, 0]]).toContainEqual(log)
        if (isWhole) expect(log).toEqual([y, 0])
      },
    })
  })

  test('and a person decides, then it is in doubt since it began first', async () => {
    const definition = asker(() => never)
    const world = disk()
    const first = await killed(world, async (t) => {
      t.runtime.get(definition, 'a').tell({ type: 'both' })
      await t.settle()
    })
    const beganAtMs = first.wallNow()
    first.advanceBy(1000)
    const again = await killed(
      world,
      async (t) => {
        t.runtime.get(definition, 'a').tell({ type: 'again' })
        await t.settle()
        expect(t.runtime.inDoubt).toMatchObject([{ key: 'y', beganAtMs }])
      },
      { clock: first },
    )
    await using next = await createTestRuntime({ journal: world.journal, clock: again, definitions: [definition] })
    await next.advance(1000)
    expect(next.runtime.inDoubt).toMatchObject([{ key: 'y', beganAtMs }])
  })
})
