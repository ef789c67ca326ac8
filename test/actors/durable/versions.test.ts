import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type AnyDefinition, type DurableOptions } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, entriesOf, loaded, type Disk } from './disk.ts'

const never = new Promise<never>(() => undefined)
const stream = '/durable/price/a'

/** Version 1 counts in euros. */
const euros = (options: { readonly hangs?: boolean; readonly snapshots?: boolean } = {}) =>
  defineActor({
    name: 'price',
    durable: { snapshotEvery: { entries: options.snapshots === true ? 2 : 1000 } },
    protocol: { add: message({ euros: z.int() }), remind: message({ ms: z.int() }), hang: message({ euros: z.int() }) },
    state: () => ({ euros: 0 }),
    on: {
      add: ({ state, message: { euros: by } }) => ({ euros: state.euros + by }),
      remind: ({ timers, message: { ms } }) => {
        timers.after('k', ms, { type: 'add', euros: 100 })
      },
      hang: async ({ state, message: { euros: by }, effect }) => {
        if (options.hangs === true) await effect('hang', () => never, { idempotent: true })
        return { euros: state.euros + by }
      },
    },
  })

/** From version 2 on it counts in cents. */
const cents = (durable: DurableOptions) =>
  defineActor({
    name: 'price',
    durable,
    protocol: {
      add: message({ cents: z.int() }),
      remind: message({ ms: z.int() }),
      hang: message({ cents: z.int() }),
      total: question({}, z.int()),
    },
    state: () => ({ cents: 0 }),
    on: {
      add: ({ state, message: { cents: by } }) => ({ cents: state.cents + by }),
      remind: ({ timers, message: { ms } }) => {
        timers.after('k', ms, { type: 'add', cents: 10_000 })
      },
      hang: async ({ state, message: { cents: by }, effect }) => {
        await effect('hang', () => 1, { idempotent: true })
        return { cents: state.cents + by }
      },
      total: ({ state, reply }) => {
        reply(state.cents)
      },
    },
  })

const toCents = {
  message: (old: { readonly type: string; readonly euros?: number }) =>
    old.euros === undefined ? old : { type: old.type, cents: old.euros * 100 },
  state: (old: unknown) => ({ cents: (old as { readonly euros: number }).euros * 100 }),
}

type Step = { type: 'add'; euros: number } | { type: 'remind'; ms: number } | { type: 'hang'; euros: number }

/** What version 1 left. */
async function left(
  steps: readonly Step[],
  options: Parameters<typeof euros>[0] & { readonly isClean?: boolean; readonly isAtOnce?: boolean } = {},
) {
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal })
  const ref = t.runtime.get(euros(options), 'a')
  for (const step of steps) {
    void ref.tell(step, { durable: true })
    if (options.isAtOnce !== true) await t.settle()
  }
  if (options.isClean === true) await t.until(t.runtime.shutdown({ deadlineMs: 100 }))
  return { world, t }
}

const next = (t: TestRuntime, { journal }: Disk, definitions: readonly AnyDefinition[] = []): Promise<TestRuntime> =>
  createTestRuntime({ journal, clock: clockAfter(t.clock), definitions })

const total = (t: TestRuntime, definition: ReturnType<typeof cents>): Promise<unknown> =>
  t.until(t.runtime.get(definition, 'a').ask({ type: 'total' })).catch((error: unknown) => error)

describe('a migration', () => {
  const second = cents({ version: 2, migrations: { 1: toCents } })

  test.each([
    ['entries', { snapshots: false }],
    ['a snapshot', { snapshots: true }],
    ['a clean end', { isClean: true }],
  ])('given %s of an older version, then they are carried over', async (_, options) => {
    const { world, t } = await left(
      [
        { type: 'add', euros: 3 },
        { type: 'add', euros: 4 },
      ],
      options,
    )
    await using now = await next(t, world)
    expect(await total(now, second)).toBe(700)
    now.runtime.get(second, 'a').tell({ type: 'add', cents: 1 })
    expect(await total(now, second)).toBe(701)
    const versions = (await entriesOf(world.journal, stream)).map(({ version }) => version)
    expect([versions.at(0), versions.at(-1)]).toEqual([1, 2])
    // Old and new entries after one another.
    await using later = await next(now, world)
    expect(await total(later, second)).toBe(701)
  })

  test.each([false, true])(
    'given a timer of an older version (snapshot: %s), then its message is carried over',
    async (isClean) => {
      const { world, t } = await left([{ type: 'remind', ms: 1000 }], { isClean })
      await using now = await next(t, world, [second])
      await now.advance(1000)
      expect(await total(now, second)).toBe(10_000)
    },
  )

  test.each([false, true])(
    'given a message that was not handled (snapshot: %s), then it is carried over and goes on',
    async (isClean) => {
      const { world, t } = await left(
        [
          { type: 'add', euros: 1 },
          { type: 'hang', euros: 5 },
          { type: 'add', euros: 2 },
        ],
        { hangs: true, isClean },
      )
      await using now = await next(t, world, [second])
      await now.settle()
      expect(await total(now, second)).toBe(800)
    },
  )

  test('given messages that a snapshot has, not handled, then they are carried over', async () => {
    const steps = [
      { type: 'add', euros: 1 },
      { type: 'hang', euros: 5 },
      { type: 'add', euros: 2 },
    ] as const
    const { world, t } = await left(steps, { hangs: true, snapshots: true, isAtOnce: true })
    await t.settle()
    expect((await loaded(world.journal, stream)).snapshot?.body).toContain('"hang"')
    await using now = await next(t, world, [second])
    await now.settle()
    expect(await total(now, second)).toBe(800)
  })

  test('given several versions, then each step leads to the next one', async () => {
    const { world, t } = await left([{ type: 'add', euros: 3 }])
    const steps: string[] = []
    const third = cents({
      version: 3,
      migrations: {
        1: { ...toCents, message: (old) => (steps.push('1 to 2'), toCents.message(old)) },
        2: {
          message: (old) => (steps.push('2 to 3'), { ...old, cents: (old as unknown as { cents: number }).cents + 1 }),
        },
      },
    })
    await using now = await next(t, world)
    expect(await total(now, third)).toBe(301)
    expect(steps).toEqual(['1 to 2', '2 to 3'])
  })

  test('given a migration that throws, then the actor stays down with its reason, and nothing is lost', async () => {
    const { world, t } = await left([{ type: 'add', euros: 3 }])
    const broken = cents({
      version: 2,
      migrations: {
        1: {
          message: () => {
            throw new Error('what was that')
          },
        },
      },
    })
    const before = await loaded(world.journal, stream)
    await using now = await next(t, world)
    expect(String(await total(now, broken))).toContain('what was that')
    await now.advance(60_000)
    expect(await loaded(world.journal, stream)).toEqual(before)
  })

  test.each<[string, DurableOptions]>([
    ['of a version that is not before', { version: 2, migrations: { 2: {} } }],
    ['of version 0', { version: 2, migrations: { 0: {} } }],
    ['without a version', { migrations: { 1: {} } }],
    ['to a version that is none', { version: 1.5 }],
  ])('given one %s, then the definition is refused', (_, durable) => {
    expect(() => cents(durable)).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }) as Error)
  })
})

describe('no way from there to here', () => {
  test.each<[string, boolean, ReturnType<typeof cents>, object]>([
    [
      'entries of an older version without a migration',
      false,
      cents({ version: 2 }),
      { found: 1, current: 2, message: expect.stringContaining('migrations[1]') as unknown },
    ],
    ['a snapshot of an older version without a migration', true, cents({ version: 2 }), { found: 1, current: 2 }],
    ['a gap in the migrations', false, cents({ version: 4, migrations: { 1: {}, 3: {} } }), { found: 2, current: 4 }],
  ])('given %s, then the actor stays down, with all that it had', async (_, isClean, definition, expected) => {
    const { world, t } = await left(
      [
        { type: 'add', euros: 3 },
        { type: 'add', euros: 4 },
      ],
      { isClean },
    )
    const before = await loaded(world.journal, stream)
    await using now = await next(t, world, [definition])
    const failures: unknown[] = []
    const restarts: unknown[] = []
    now.runtime.on('failed', ({ error }) => failures.push(error))
    now.runtime.on('restarted', (event) => restarts.push(event))
    expect(await total(now, definition)).toMatchObject({ code: 'TARGET_DOWN' })
    await now.advance(60_000)
    expect(failures[0]).toMatchObject({ code: 'VERSION_MISMATCH', ...expected })
    expect(await loaded(world.journal, stream)).toEqual(before)
    // And once there is a way, it is there again.
    await using later = await next(now, world)
    expect(await total(later, cents({ version: 2, migrations: { 1: toCents } }))).toBe(700)
  })

  test('given what a newer program wrote, then an older one does not touch it', async () => {
    const world = disk()
    const newer = cents({ version: 3 })
    const t = await createTestRuntime({ journal: world.journal })
    t.runtime.get(newer, 'a').tell({ type: 'add', cents: 5 })
    await t.until(t.runtime.shutdown())
    const before = await loaded(world.journal, stream)
    await using now = await next(t, world)
    const failures: unknown[] = []
    now.runtime.on('failed', ({ error }) => failures.push(error))
    expect(await total(now, cents({ version: 2, migrations: { 1: toCents } }))).toMatchObject({ code: 'TARGET_DOWN' })
    expect(failures[0]).toMatchObject({
      code: 'VERSION_MISMATCH',
      found: 3,
      current: 2,
      message: expect.stringMatching(/newer program/) as unknown,
    })
    await now.advance(60_000)
    expect(await loaded(world.journal, stream)).toEqual(before)
  })

  test('given a stream that another definition wrote, then it is not touched', async () => {
    const { world, t } = await left([{ type: 'add', euros: 3 }])
    // The same path, by another name for its supervisor.
    const other = { ...cents({}), name: 'price' }
    const before = await loaded(world.journal, stream)
    const journal = await world.journal.open({ node: 'editor', clock: t.clock })
    await journal.append([
      {
        stream: '/durable/price/b',
        expectedSeq: 0,
        entries: [{ kind: 'created', version: 1, atMs: 0, body: '{"definition":"order"}' }],
        wakeAtMs: null,
      },
    ])
    await journal.close()
    await using now = await next(t, world)
    const failures: unknown[] = []
    now.runtime.on('failed', ({ error }) => failures.push(error))
    now.runtime.get(other, 'b').tell({ type: 'add', cents: 1 })
    await now.advance(60_000)
    expect(failures[0]).toMatchObject({
      code: 'STREAM_MISMATCH',
      message: expect.stringContaining("'order'") as unknown,
    })
    expect((await loaded(world.journal, '/durable/price/b')).lastSeq).toBe(1)
    expect(await loaded(world.journal, stream)).toEqual(before)
  })

  test.each(['{', '{}', '[]', '"text"', '{"definition":5}'])(
    'given an entry that is none of ours (%s), then it is refused by name',
    async (body) => {
      const world = disk()
      const t = await createTestRuntime({ journal: world.journal })
      const journal = await world.journal.open({ node: 'editor', clock: t.clock })
      await journal.append([
        { stream, expectedSeq: 0, entries: [{ kind: 'created', version: 1, atMs: 0, body }], wakeAtMs: null },
      ])
      await journal.close()
      await using now = await next(t, world)
      const failures: unknown[] = []
      now.runtime.on('failed', ({ error }) => failures.push(error))
      now.runtime.get(cents({}), 'a').tell({ type: 'add', cents: 1 })
      await now.settle()
      expect(failures[0]).toMatchObject({ code: 'STREAM_MISMATCH' })
    },
  )
})
