import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { child, defineActor, message, question, supervisor, type AnyDefinition, type RefOf } from 'echelon'
import { createTestRuntime, VirtualClock, type TestRuntime } from 'echelon/testing'
import type { JournalEntry, JournalSource, Snapshot } from '../../../src/core/journal.ts'
import { memoryJournal } from '../../../src/journal/memory.ts'
import { encode } from '../../../src/actors/durable/values.ts'
import { encodable } from './arbitraries.ts'
import { clockAfter, disk, entriesOf, loaded, observed } from './disk.ts'

const stream = '/durable/notes/a'

/** Keeps what it is told, uses every way in which a handler can depend on more than its message, and fails at times. */
const notes = (entries: number, fails: (n: number) => boolean = () => false) =>
  defineActor({
    name: 'notes',
    durable: { snapshotEvery: { entries, bytes: 1e9 }, window: 3 },
    protocol: {
      keep: message({ value: z.unknown() }),
      count: message(),
      call: message({ key: z.string() }),
      later: message({ ms: z.int() }),
      rung: message(),
      fail: message(),
      ask: question({}, z.int()),
    },
    input: z.string().optional(),
    state: ({ input }): { readonly n: number; readonly kept: unknown } => ({ n: 0, kept: input ?? 'nothing' }),
    on: {
      keep: ({ state, message: { value } }) => ({ ...state, kept: value }),
      count: ({ state, clock, random }) => ({ n: state.n + 1, kept: [clock.wallNow(), random.next()] }),
      call: async ({ state, message: { key }, effect }) => {
        const value = await effect(key, () => {
          if (fails(state.n)) throw new Error('no')
          return { n: state.n, key }
        }).catch(String)
        return { n: state.n + 1, kept: value }
      },
      later: ({ message: { ms }, timers }) => {
        timers.after(`in ${ms}`, ms, { type: 'rung' })
      },
      rung: ({ state }) => ({ ...state, n: state.n + 100 }),
      fail: () => {
        throw new Error('boom')
      },
      ask: ({ state, reply }) => {
        reply(state.n)
      },
    },
  })

const step = fc.oneof(
  fc.record({ type: fc.constant('keep' as const), value: encodable }),
  fc.record({ type: fc.constant('count' as const) }),
  fc.record({ type: fc.constant('call' as const), key: fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5') }),
  fc.record({ type: fc.constant('later' as const), ms: fc.constantFrom(0, 5, 10, 1000) }),
  fc.record({ type: fc.constant('fail' as const) }),
  fc.record({ type: fc.constant('wait' as const), ms: fc.constantFrom(3, 7) }),
)

/** A journal with some of the entries of another. */
async function copyOf(entries: readonly JournalEntry[], snapshot?: Snapshot): Promise<JournalSource> {
  const source = memoryJournal()
  const journal = await source.open({ node: 'copy', clock: new VirtualClock() })
  await journal.append([{ stream, expectedSeq: 0, entries, snapshot, wakeAtMs: null }])
  await journal.close()
  return source
}

/** The state that an actor has come back to, before it takes up anything. */
async function broughtBack(journal: JournalSource, definition: AnyDefinition, clock: VirtualClock) {
  const t = await createTestRuntime({ journal, clock })
  const ref = t.runtime.get(definition, 'a')
  let text: string | undefined
  t.runtime.on('recovered', () => {
    text ??= encode(ref.snapshot)
  })
  const problems: unknown[] = []
  t.runtime.on('failed', ({ error, messageType }) => {
    // A message that is handled afterwards may fail.
    if (messageType === undefined) problems.push(error)
  })
  ref.subscribe(() => undefined)
  await t.settle()
  expect(problems).toEqual([])
  if (text === undefined) throw new Error('it did not come back')
  return { t, text }
}

/** Whatever the order of its keys. */
const bodyOf = (snapshot: Snapshot | undefined): unknown => JSON.parse(snapshot?.body ?? 'null')

describe('replay', () => {
  test('given any past, then replaying a prefix of the journal gives the state of then, from any snapshot', async () => {
    let compared = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 15 }),
        fc.integer({ min: 1, max: 6 }),
        fc.infiniteStream(fc.nat({ max: 1000 })),
        async (steps, every, choices) => {
          const definition = notes(every, (n) => n % 3 === 1)
          const world = disk()
          const first = await createTestRuntime({ journal: world.journal })
          const ref = first.runtime.get(definition, 'a', { input: 'begun' })
          /** The state after each entry that ended a message. */
          const states = new Map<number, string>()
          let seq = 0
          const settled = async (): Promise<void> => {
            await first.settle()
            ;({ lastSeq: seq } = await loaded(world.journal, stream))
            if (seq > 0) states.set(seq, encode(ref.snapshot))
          }
          for (const [i, given] of steps.entries()) {
            if (given.type === 'wait') await first.advance(given.ms)
            else if (i % 2 === 0) ref.tell(given)
            else void ref.tell(given, { durable: true })
            await settled()
            // A crash uses up restarts, which come back after some time.
            if (given.type === 'fail') await first.advance(10_000)
            await settled()
          }
          fc.pre(seq > 0)
          const entries = await entriesOf(world.journal, stream)
          const snapshots = world.tried.flatMap(({ snapshot }) => snapshot ?? [])
          for (let end = 1; end <= entries.length; end += 1) {
            const [choice = 0] = choices.take(1)
            const usable = [undefined, ...snapshots.filter(({ seq: covered }) => covered <= end)]
            const source = await copyOf(entries.slice(0, end), usable[choice % usable.length])
            const { text } = await broughtBack(source, definition, clockAfter(first.clock))
            const [at, state] = [...states].findLast(([known]) => known <= end) ?? []
            // Ticks of one moment are handled in one go: what was between is not known.
            const isKnown = !entries.slice(at, end).some(({ kind }) => kind === 'handled' || kind === 'failed')
            if (isKnown && state !== undefined) {
              expect(text).toBe(state)
              compared += 1
            }
          }
        },
      ),
      { numRuns: 60 },
    )
    expect(compared).toBeGreaterThan(200)
  }, 60_000)

  test('given any past, then a life that read all entries knows what the one knew that wrote them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 20 }),
        fc.nat({ max: 1000 }),
        async (steps, choice) => {
          const definition = notes(3)
          const world = disk()
          const first = await createTestRuntime({ journal: world.journal })
          const ref = first.runtime.get(definition, 'a', { input: 'begun' })
          for (const [i, given] of steps.entries()) {
            if (given.type === 'wait') await first.advance(given.ms)
            else if (i % 2 === 0) ref.tell(given)
            else void ref.tell(given, { durable: true })
            await first.settle()
            if (given.type === 'fail') await first.advance(10_000)
          }
          await first.until(first.runtime.shutdown())
          const { snapshot, lastSeq } = await loaded(world.journal, stream)
          fc.pre(snapshot?.seq === lastSeq)
          const entries = await entriesOf(world.journal, stream)
          const older = world.tried.flatMap(({ snapshot }) =>
            snapshot !== undefined && snapshot.seq < lastSeq ? [snapshot] : [],
          )
          const source = await copyOf(entries, [undefined, ...older][choice % (older.length + 1)])
          const { t } = await broughtBack(source, definition, first.clock)
          await t.until(t.runtime.shutdown())
          const again = await loaded(source, stream)
          expect(bodyOf(again.snapshot)).toEqual(bodyOf(snapshot))
        },
      ),
      { numRuns: 100 },
    )
  }, 60_000)

  test('given more entries after a snapshot than a page has, then all are read, in pages', async () => {
    const definition = notes(1_000_000)
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal })
    const ref = first.runtime.get(definition, 'a')
    for (let i = 0; i < 2500; i += 1) {
      ref.tell({ type: 'count' })
      if (i % 500 === 0) await first.settle()
    }
    await first.settle()
    const { source, calls } = observed(world.journal)
    await using t = await createTestRuntime({ journal: source, clock: clockAfter(first.clock) })
    const recovered: unknown[] = []
    t.runtime.on('recovered', ({ entries, snapshotSeq, path }) => recovered.push({ entries, snapshotSeq, path }))
    expect(await t.until(t.runtime.get(definition, 'a').ask({ type: 'ask' }))).toBe(2500)
    expect(recovered).toEqual([{ entries: 2501, snapshotSeq: 0, path: stream }])
    expect(calls.filter((call) => call === 'load')).toHaveLength(1)
    expect(calls.filter((call) => call === 'read')).toHaveLength(2)
  })

  test.each<[string, (page: readonly JournalEntry[]) => readonly JournalEntry[]]>([
    ['ends early', () => []],
    ['begins late', (page) => page.slice(1)],
    ['has a gap', (page) => page.filter((_, i) => i !== 5)],
    ['is read twice', (page) => [...page.slice(0, 5), ...page]],
  ])('given a journal that %s, then the actor is not brought back, and the place is named', async (_, spoil) => {
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal })
    const definition = notes(10_000)
    for (let i = 0; i < 3000; i += 1) first.runtime.get(definition, 'a').tell({ type: 'count' })
    await first.settle()
    const spoiled: JournalSource = {
      ...world.journal,
      open: async (host) => {
        const journal = await world.journal.open(host)
        const read: typeof journal.read = async (...args) => spoil(await journal.read(...args))
        return new Proxy(journal, {
          get: (target, name) => {
            if (name === 'read') return read
            const member: unknown = Reflect.get(target, name)
            return typeof member === 'function' ? (member.bind(target) as unknown) : member
          },
        })
      },
    }
    await using next = await createTestRuntime({ journal: spoiled, clock: clockAfter(first.clock) })
    const asked = next.runtime.get(definition, 'a').ask({ type: 'ask' }, { timeoutMs: 60_000 })
    expect(await next.until(asked.catch((error: unknown) => error))).toMatchObject({
      code: 'TARGET_DOWN',
      reason: { error: { code: 'JOURNAL_CORRUPT', where: expect.stringMatching(/^after entry \d+$/) as unknown } },
    })
  })

  test('given a very long past, then it says how far it is', async () => {
    const body = '{"message":{"type":"count"}}'
    const entries = Array.from({ length: 25_001 }, (_, i) => ({
      ...({ stream, seq: i + 1, position: i + 1, kind: i === 0 ? 'created' : 'handled', version: 1, atMs: i } as const),
      body: i === 0 ? '{"definition":"notes","input":"x"}' : body,
    }))
    await using t = await createTestRuntime({ journal: await copyOf(entries) })
    const progress: number[] = []
    t.runtime.on('recovering', ({ entries: done }) => progress.push(done))
    expect(await t.until(t.runtime.get(notes(1e6), 'a').ask({ type: 'ask' }))).toBe(25_000)
    expect(progress).toEqual([10_000, 20_000])
  })
})

describe('many at once', () => {
  test('given more actors than may be brought back at once, then fifty are at a time, and all come back', async () => {
    const world = disk()
    const { source, calls, hold } = observed(world.journal)
    const release = hold('load')
    await using t = await createTestRuntime({ journal: source })
    const answers = Array.from({ length: 130 }, (_, i) => t.runtime.get(notes100, `a-${i}`).ask({ type: 'ask' }))
    const loads = (): number => calls.filter((call) => call === 'load').length
    await t.settle()
    expect(loads()).toBe(50)
    release(10)
    await t.settle()
    expect(loads()).toBe(60)
    release()
    expect(await t.until(Promise.all(answers))).toEqual(answers.map(() => 0))
    expect(loads()).toBe(130)
  })

  const notes100 = notes(100)

  test('given one that cannot be read, then others come back, and its place is free', async () => {
    const world = disk()
    const { source, fail } = observed(world.journal)
    await using t = await createTestRuntime({ journal: source })
    const mend = fail('load', new Error('unreadable'))
    const broken = Array.from({ length: 60 }, (_, i) =>
      t.runtime.get(notes100, `b-${i}`).ask({ type: 'ask' }).catch(String),
    )
    for (const answer of await t.until(Promise.all(broken))) expect(answer).toContain('unreadable')
    mend()
    expect(await t.until(t.runtime.get(notes100, 'b-1').ask({ type: 'ask' }))).toBe(0)
  })
})

describe('supervision', () => {
  const stateOf = (t: TestRuntime, path: string): unknown => t.runtime.ref(path, named)?.snapshot.context
  const named = defineActor({
    name: 'named',
    durable: true,
    protocol: { add: message(), boom: message() },
    state: () => 0,
    on: {
      add: ({ state }) => state + 1,
      boom: () => {
        throw new Error('boom')
      },
    },
  })

  test('given a crash, then its supervisor starts it again with its state, and the failed message is given up, once', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal })
    const failures: string[] = []
    t.runtime.on('failed', ({ messageType }) => failures.push(messageType ?? ''))
    const ref = t.runtime.get(named, 'a')
    ref.tell({ type: 'add' })
    await t.until(ref.tell({ type: 'boom' }, { durable: true }))
    await t.settle()
    await t.until(ref.tell({ type: 'add' }, { durable: true }))
    await t.settle()
    expect(ref.snapshot.context).toBe(2)
    expect(failures).toEqual(['boom'])
    expect((await entriesOf(world.journal, '/durable/named/a')).map(({ kind }) => kind)).toEqual([
      'created',
      'received',
      'handled',
      'failed',
      'received',
      'handled',
    ])
    const { body } = (await entriesOf(world.journal, '/durable/named/a'))[3] ?? { body: '' }
    expect(JSON.parse(body)).toEqual({
      of: 2,
      id: expect.any(String) as unknown,
      error: { name: 'Error', message: 'boom' },
    })
  })

  test('given a durable child in a tree, then its path is its stream, and it keeps its state over crashes and processes', async () => {
    const tree = supervisor('shop', { children: [supervisor('desk', { children: [child(named, { id: 'till' })] })] })
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal, root: tree })
    const path = '/shop/desk/till'
    const tell = (t: TestRuntime, type: 'add' | 'boom'): void => t.runtime.ref(path, named)?.tell({ type })
    tell(first, 'add')
    tell(first, 'boom')
    await first.settle()
    tell(first, 'add')
    await first.settle()
    expect(stateOf(first, path)).toBe(2)
    expect((await loaded(world.journal, path)).lastSeq).toBe(4)
    await first.until(first.runtime.shutdown())
    await using next = await createTestRuntime({ journal: world.journal, root: tree, clock: clockAfter(first.clock) })
    await next.settle()
    expect(stateOf(next, path)).toBe(2)
    tell(next, 'add')
    await next.settle()
    expect(stateOf(next, path)).toBe(3)
  })

  test('given a crash while the disk is slow, then the next incarnation waits for what the last one wrote', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal })
    const failures: unknown[] = []
    t.runtime.on('failed', ({ error }) => failures.push(String(error)))
    const ref: RefOf<typeof named> = t.runtime.spawn(named, { name: 'a' })
    ref.tell({ type: 'add' })
    await t.settle()
    world.hold()
    ref.tell({ type: 'add' })
    ref.tell({ type: 'boom' })
    await t.settle()
    ref.tell({ type: 'add' })
    await t.settle()
    world.letGo()
    await t.settle()
    expect(stateOf(t, '/user/a')).toBe(3)
    expect(failures).toEqual(['Error: boom'])
  })

  test('given an actor without a name of its own, then it is refused, since nobody would find it again', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    expect(() => t.runtime.spawn(named)).toThrow(/give it a name/)
  })

  test('given its input, then it is in the journal, and a later one changes nothing', async () => {
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal })
    const definition = notes(100)
    const kept = (t: TestRuntime, input?: string): Promise<unknown> => {
      const ref = t.runtime.get(definition, 'a', input === undefined ? {} : { input })
      return t.until(ref.ask({ type: 'ask' })).then(() => ref.snapshot.context.kept)
    }
    expect(await kept(first, 'first')).toBe('first')
    first.runtime.get(definition, 'a').tell({ type: 'later', ms: 5000 })
    await first.settle()
    for (const input of [undefined, 'other']) {
      const next = await createTestRuntime({ journal: world.journal, clock: clockAfter(first.clock) })
      expect(await kept(next, input)).toBe('first')
    }
  })
})
