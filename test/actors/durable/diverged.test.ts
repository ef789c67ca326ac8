import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type ActorContext } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { clockAfter, disk, loaded, type Disk } from './disk.ts'

const stream = '/durable/changing/a'
const protocol = { go: message(), add: message({ by: z.int() }), total: question({}, z.int()) }
type Effect = ActorContext['effect']

/** Its code changes from process to process: `go` does what it is given. */
const changing = (go: (effect: Effect, state: number) => unknown, add = (state: number, by: number) => state + by) =>
  defineActor({
    name: 'changing',
    durable: true,
    protocol,
    state: () => 0,
    on: {
      go: async ({ effect, state }) => {
        await go(effect, state)
        return state + 1
      },
      add: ({ state, message: { by } }) => add(state, by),
      total: ({ state, reply }) => {
        reply(state)
      },
    },
  })
type Changing = ReturnType<typeof changing>

/** A process in which it was told to add 1, to go, and to add 2. Entries: created, handled, received, intent, … */
async function lived(
  definition: Changing,
): Promise<{ readonly world: Disk; readonly clock: ReturnType<typeof clockAfter> }> {
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal })
  const ref = t.runtime.get(definition, 'a')
  ref.tell({ type: 'add', by: 1 })
  await t.settle()
  ref.tell({ type: 'go' })
  await t.settle()
  ref.tell({ type: 'add', by: 2 })
  await t.settle()
  return { world, clock: clockAfter(t.clock) }
}

/** What the next process, with other code, says about it. */
async function replayed(definition: Changing, { world, clock }: Awaited<ReturnType<typeof lived>>) {
  const t = await createTestRuntime({ journal: world.journal, clock })
  const failures: unknown[] = []
  t.runtime.on('failed', ({ error }) => failures.push(error))
  const asked = t.runtime.get(definition, 'a').ask({ type: 'total' }, { timeoutMs: 60_000 })
  const answer = await t.until(asked.catch((error: unknown) => error))
  return { t, answer, failures }
}

const one: (effect: Effect) => unknown = (effect) => effect('one', () => 1)
const both = (effect: Effect): unknown => Promise.all([effect('one', () => 1), effect('two', () => 2)])

/** Catches whatever its effects come to. */
const calm =
  (...keys: readonly string[]) =>
  async (effect: Effect): Promise<void> => {
    for (const key of keys) await effect(key, () => 1).catch(() => undefined)
  }

const changes: readonly (readonly [string, Changing, Changing, number, RegExp])[] = [
  [
    'an effect has another key',
    changing(one),
    changing((effect) => effect('other', () => 1)),
    6,
    /'other'.*did not then/,
  ],
  ['an effect is missing', changing(one), changing(() => undefined), 4, /ended without effect 'one'/],
  [
    'one of two effects in a row is missing',
    changing(async (effect) => {
      await effect('one', () => 1)
      await effect('two', () => 2)
    }),
    changing(one),
    6,
    /ended without effect 'two'/,
  ],
  ['there is an effect more', changing(one), changing(both), 6, /'two'.*did not then/],
  [
    'one of two effects side by side is missing, the first',
    changing(both),
    changing((effect) => effect('two', () => 2)),
    4,
    /without effect 'one'/,
  ],
  ['one of two effects side by side is missing, the second', changing(both), changing(one), 5, /without effect 'two'/],
  [
    'effects are in another order',
    changing(async (effect) => {
      await effect('one', () => 1)
      await effect('two', () => 2)
    }),
    changing(async (effect) => {
      await effect('two', () => 2)
      await effect('one', () => 1)
    }),
    4,
    /without effect 'one'/,
  ],
  [
    'the loser of a race is waited for',
    changing((effect) => Promise.race([effect('one', () => 1), effect('two', () => new Promise(() => undefined))])),
    changing((effect) => Promise.all([effect('one', () => 1), effect('two', () => 2)])),
    5,
    /'two', which had not ended/,
  ],
  [
    'there is an effect more, whose failure is caught',
    changing(calm('one')),
    changing(calm('one', 'two')),
    6,
    /'two'.*did not then/,
  ],
  [
    'its handler fails',
    changing(one),
    changing(async (effect) => {
      await one(effect)
      throw new TypeError('new bug')
    }),
    6,
    /fails now: TypeError: new bug/,
  ],
  [
    'it comes to another state',
    changing(one),
    changing(one, (state, by) => state + 2 * by),
    2,
    /'add' led to another state than now: 2/,
  ],
  [
    'it comes to another state later',
    changing(one),
    changing(one, (state, by) => (state < 2 ? state + by : 0)),
    7,
    /led to another state than now: 0/,
  ],
]

describe.each(changes)('given that %s', (_, before, now, seq, text) => {
  test('then the entry that shows it is named, the actor stays down, and nothing is written', async () => {
    const life = await lived(before)
    const was = await loaded(life.world.journal, stream)
    const { t, answer, failures } = await replayed(now, life)
    expect(answer).toMatchObject({ code: 'TARGET_DOWN' })
    expect(failures[0]).toMatchObject({
      code: 'REPLAY_DIVERGED',
      stream,
      seq,
      message: expect.stringMatching(text) as unknown,
    })
    await t.advance(60_000)
    expect(await loaded(life.world.journal, stream)).toEqual(was)
    // With the old code it is there again, as it was.
    await using later = await createTestRuntime({ journal: life.world.journal, clock: clockAfter(t.clock) })
    expect(await later.until(later.runtime.get(before, 'a').ask({ type: 'total' }))).toBe(4)
  })
})

const harmless: readonly (readonly [string, Changing, Changing])[] = [
  ['what an effect does has changed', changing(one), changing((effect) => effect('one', () => 2))],
  [
    'effects side by side begin in another order',
    changing(both),
    changing((effect) => Promise.all([effect('two', () => 1), effect('one', () => 1)])),
  ],
  [
    'a handler waits for something more on its way',
    changing(one),
    changing(async (effect) => {
      await Promise.resolve()
      await one(effect)
      await Promise.resolve()
    }),
  ],
]

test.each(harmless)('given that %s, then that is no other replay', async (_, before, now) => {
  const { answer } = await replayed(now, await lived(before))
  expect(answer).toBe(4)
})

test('given code that has changed below a snapshot, then nobody needs to replay that', async () => {
  const world = disk()
  const first = await createTestRuntime({ journal: world.journal })
  first.runtime.get(changing(one), 'a').tell({ type: 'go' })
  await first.until(first.runtime.shutdown())
  const { answer } = await replayed(
    changing((effect) => effect('other', () => 1)),
    { world, clock: clockAfter(first.clock) },
  )
  expect(answer).toBe(1)
})

test('given a raised version, then states may differ from then on, while effects must be the same', async () => {
  const life = await lived(changing(one))
  const next = changing(one, (state, by) => state + 10 * by)
  const raised = { ...next, durable: { ...next.durable, version: 2, migrations: { 1: {} } } } as Changing
  expect((await replayed(raised, life)).answer).toBe(31)
})

describe('given a message that was being handled when the process ended', () => {
  const never = new Promise<never>(() => undefined)
  const twice = { idempotent: true }
  const before = (two: () => unknown): Changing =>
    changing(async (effect) => {
      await effect('one', () => 1)
      await effect('two', two, twice)
    })

  test.each<[string, (effect: Effect) => unknown, RegExp]>([
    ['does not ask for an effect that has ended', (effect) => effect('two', () => 2, twice), /without effect 'one'/],
    ['does nothing', () => undefined, /without effect 'one'/],
    ['catches that', calm('three', 'four'), /without effect 'one'/],
    ['does something new first', (effect) => effect('three', () => 3), /without effect 'one'/],
    ['does something new in between', calm('one', 'three', 'two'), /without effect 'two'/],
    [
      'fails before it is there',
      () => {
        throw new TypeError('new bug')
      },
      /without effect 'one'/,
    ],
    [
      'makes another failure of it',
      async (effect) => {
        try {
          await effect('three', () => 3)
        } catch {
          throw new TypeError('wrapped')
        }
      },
      /without effect 'one'/,
    ],
  ])(
    'when its handler has changed and %s, then nothing is written, the actor stays down, and the code before can go on',
    async (_, go, text) => {
      const life = await lived(before(() => never))
      const was = await loaded(life.world.journal, stream)
      const { t, answer, failures } = await replayed(changing(go), life)
      await t.advance(60_000)
      expect(answer).toMatchObject({ code: expect.stringMatching(/TARGET_DOWN|ASK_TIMEOUT/) as unknown })
      expect(failures[0]).toMatchObject({ code: 'REPLAY_DIVERGED', message: expect.stringMatching(text) as unknown })
      expect(t.runtime.deadLetters.recent()).not.toContainEqual(expect.objectContaining({ message: { type: 'go' } }))
      expect((await loaded(life.world.journal, stream)).entries).toEqual(was.entries)
      await using later = await createTestRuntime({ journal: life.world.journal, clock: clockAfter(t.clock) })
      expect(
        await later.until(
          later.runtime
            .get(
              before(() => 2),
              'a',
            )
            .ask({ type: 'total' }),
        ),
      ).toBe(2)
    },
  )

  test('when its handler fails as it did not before, and asks for all before, then it is given up', async () => {
    const life = await lived(before(() => never))
    const failing = before(() => {
      throw new TypeError('new bug')
    })
    const { t, failures } = await replayed(failing, life)
    expect(failures[0]).toMatchObject({ code: 'EFFECT_FAILED' })
    expect(await t.until(t.runtime.get(failing, 'a').ask({ type: 'total' }))).toBe(1)
  })
})

test('given a message that was handled, when its handler sets it aside by now, then that is another replay', async () => {
  const holding = (holds: boolean) =>
    defineActor({
      name: 'changing',
      durable: true,
      protocol,
      state: () => 0,
      on: {
        go: ({ stash }) => {
          if (holds) stash()
        },
        add: ({ state, message: { by } }) => state + by,
        total: ({ state, reply }) => {
          reply(state)
        },
      },
    })
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal })
  await t.until(t.runtime.get(holding(false), 'a').tell({ type: 'go' }, { durable: true }))
  await t.settle()
  await using next = await createTestRuntime({ journal: world.journal, clock: clockAfter(t.clock) })
  const asked = next.runtime.get(holding(true), 'a').ask({ type: 'total' })
  expect(await next.until(asked.catch(String))).toMatch(
    /REPLAY_DIVERGED|ReplayDiverged.*stash\(\) of a message that was handled/,
  )
})
