import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { waitFor } from 'xstate'
import * as z from 'zod'
import { child, defineActor, message, question, supervisor, type RefOf } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, observed } from '../../actors/durable/disk.ts'

const counter = defineActor({
  name: 'counter',
  durable: { passivateAfterMs: 1000 },
  protocol: { add: message(), crash: message(), stop: message(), total: question({}, z.int()) },
  input: z.int().optional(),
  state: ({ input }) => input ?? 0,
  on: {
    add: ({ state }) => state + 1,
    crash: () => {
      throw new Error('boom')
    },
    stop: ({ stop }) => {
      stop()
    },
    total: ({ state, reply }) => {
      reply(state)
    },
  },
})
type Counter = RefOf<typeof counter>

const total = (t: TestRuntime, ref: Counter): Promise<number> => t.until(ref.ask({ type: 'total' }))
const begin = (): Promise<TestRuntime> => createTestRuntime({ journal: disk().journal })

describe('keys', () => {
  test.each(['', '/', 'a/b', 'a b', 'ä', '.hidden/..', 'x'.repeat(201), 'a\u0000b', '*'])(
    'given %j, then it is refused by name',
    async (key) => {
      await using t = await begin()
      expect(() => t.runtime.get(counter, key)).toThrow(
        expect.objectContaining({ code: 'DEFINITION_INVALID' }) as Error,
      )
    },
  )

  test.each(['a', '0', 'x'.repeat(200), 'order-17', 'a.b:c@d$e~f+g', '..', '__proto__', 'constructor', 'toString'])(
    'given %j, then it is an actor of its own',
    async (key) => {
      await using t = await begin()
      t.runtime.get(counter, key).tell({ type: 'add' })
      expect(await total(t, t.runtime.get(counter, key))).toBe(1)
      expect(await total(t, t.runtime.get(counter, 'another'))).toBe(0)
      expect(t.runtime.ref(`/durable/counter/${key}`, counter)?.isRunning).toBe(true)
    },
  )

  test('given two definitions of one name, then the second is refused: the journal could not tell them apart', async () => {
    await using t = await begin()
    t.runtime.get(counter, 'a')
    const other = { ...counter }
    expect(() => t.runtime.get(other, 'a')).toThrow(/taken by another definition/)
    expect(await total(t, t.runtime.get(counter, 'a'))).toBe(0)
  })

  test('given a definition that is not durable, or no journal, then that is said at once', async () => {
    await using t = await begin()
    const plain = defineActor({ name: 'plain', protocol: {}, on: {} })
    expect(() => t.runtime.get(plain, 'a')).toThrow(expect.objectContaining({ code: 'NOT_DURABLE' }) as Error)
    await using without = await createTestRuntime()
    expect(() => without.runtime.get(counter, 'a')).toThrow(
      expect.objectContaining({ code: 'JOURNAL_MISSING' }) as Error,
    )
  })

  test('given an input that its schema refuses, then whoever needs the actor learns it', async () => {
    await using t = await begin()
    const ref = t.runtime.get(counter, 'a', { input: 'one' as never })
    expect(await t.until(ref.ask({ type: 'total' }).catch((error: unknown) => error))).toMatchObject({
      code: 'DEFINITION_INVALID',
    })
    ref.tell({ type: 'add' })
    await t.settle()
    expect(t.runtime.deadLetters.recent().at(-1)).toMatchObject({ to: '/durable/counter/a', reason: 'stopped' })
  })
})

describe('laziness', () => {
  test('given many keys, then those that nobody has anything for cost nothing', async () => {
    const { source, calls } = observed(disk().journal)
    await using t = await createTestRuntime({ journal: source })
    const before = t.runtime.stats.actors
    const looks = calls.length
    const refs = Array.from({ length: 1000 }, (_, i) => t.runtime.get(counter, `k${i}`))
    await t.settle()
    for (const ref of refs) expect([ref.isRunning, ref.incarnation]).toEqual([false, 0])
    expect(t.runtime.stats.actors).toBe(before)
    expect(calls.slice(looks).filter((call) => call === 'load')).toEqual([])
    expect(await total(t, refs[500] ?? t.runtime.get(counter, 'none'))).toBe(0)
    // With its supervisor.
    expect(t.runtime.stats.actors).toBe(before + 2)
  })

  test('given many who need the same one at once, then it is brought back once', async () => {
    const { source, calls } = observed(disk().journal)
    await using t = await createTestRuntime({ journal: source })
    const answers = Array.from({ length: 50 }, () => t.runtime.get(counter, 'a').ask({ type: 'total' }))
    await t.until(Promise.all(answers))
    expect(calls.filter((call) => call === 'load')).toHaveLength(1)
  })

  test('given a handler that needs another one, then it gets it by its context', async () => {
    const parent = defineActor({
      name: 'parent',
      protocol: { go: question({}, z.int()) },
      on: {
        go: async ({ get, reply }) => {
          get(counter, 'a').tell({ type: 'add' })
          reply(await get(counter, 'a').ask({ type: 'total' }))
        },
      },
    })
    await using t = await begin()
    expect(await t.until(t.runtime.spawn(parent).ask({ type: 'go' }))).toBe(1)
  })
})

describe('the ref of one that is not in memory', () => {
  test('given nobody there, then watching, stopping and killing say so, and start nothing', async () => {
    await using t = await begin()
    const ref = t.runtime.get(counter, 'a')
    const downs: unknown[] = []
    ref.watch(({ reason }) => downs.push(reason.kind))
    const off = ref.watch(() => downs.push('never'))
    off()
    ref.kill()
    expect(await t.until(ref.stop())).toEqual({ kind: 'noproc' })
    expect(await t.until(ref.exited)).toEqual({ kind: 'noproc' })
    await t.settle()
    expect(downs).toEqual(['noproc'])
    expect(ref.isRunning).toBe(false)
    expect(String(ref.path)).toBe('/durable/counter/a')
    expect(JSON.parse(JSON.stringify(ref))).toEqual({ xstate$$type: 1, id: '/durable/counter/a' })
  })

  test('given one that is there, then they are of its incarnation, and the ref outlives it', async () => {
    await using t = await begin()
    const ref = t.runtime.get(counter, 'a')
    await total(t, ref)
    const downs: string[] = []
    ref.watch(({ reason }) => downs.push(reason.kind))
    const { exited } = ref
    expect(await t.until(ref.stop())).toEqual({ kind: 'shutdown' })
    expect(await t.until(exited)).toEqual({ kind: 'shutdown' })
    expect(downs).toEqual(['shutdown'])
    ref.tell({ type: 'add' })
    expect(await total(t, ref)).toBe(1)
  })

  test('given somebody who looks on, then it is brought back, and what changes is seen', async () => {
    await using t = await begin()
    const ref = t.runtime.get(counter, 'a')
    const seen: unknown[] = []
    const subscription = ref.subscribe(({ context }) => seen.push(context))
    const early = ref.subscribe(() => seen.push('never'))
    early.unsubscribe()
    const selected: unknown[] = []
    const selection = ref.select((snapshot) => snapshot.context * 10).subscribe((value) => selected.push(value))
    await t.settle()
    expect(ref.isRunning).toBe(true)
    ref.tell({ type: 'add' })
    await t.settle()
    subscription.unsubscribe()
    selection.unsubscribe()
    ref.tell({ type: 'add' })
    await t.settle()
    expect(seen).toEqual([0, 1])
    expect(selected).toEqual([0, 10])
    expect(ref.select((snapshot) => snapshot.context).get()).toBe(2)
  })

  test('given one that ends by itself, then it begins again when it is needed, with its state', async () => {
    await using t = await begin()
    const ref = t.runtime.get(counter, 'a')
    ref.tell({ type: 'add' })
    ref.tell({ type: 'stop' })
    await t.settle()
    expect(ref.isRunning).toBe(false)
    expect(await total(t, ref)).toBe(1)
  })

  test('given one that crashes too often, then it stays down until somebody needs it again', async () => {
    await using t = await begin()
    const ref = t.runtime.get(counter, 'a')
    ref.tell({ type: 'add' })
    for (let i = 0; i < 4; i += 1) {
      ref.tell({ type: 'crash' })
      await t.settle()
    }
    await t.advance(10_000)
    expect(ref.isRunning).toBe(false)
    expect(await total(t, ref)).toBe(1)
  })

  test('given the same actor under a supervisor of its own, then it is another one: its path is its name', async () => {
    const tree = supervisor('tree', { children: [child(counter, { id: 'a', input: 100 })] })
    await using t = await createTestRuntime({ journal: disk().journal, root: tree })
    expect(await t.until(t.runtime.ref('/tree/a', counter)?.ask({ type: 'total' }) ?? Promise.resolve(-1))).toBe(100)
    expect(await total(t, t.runtime.get(counter, 'a'))).toBe(0)
  })
})

describe('after the end of the runtime', () => {
  test('given a ref, then asking, telling durably and offering are refused, and a plain message is a dead letter', async () => {
    const t = await begin()
    const ref = t.runtime.get(counter, 'a')
    await total(t, ref)
    await t.until(t.runtime.shutdown())
    const codes = await t.until(
      Promise.all(
        [ref.ask({ type: 'total' }), ref.tell({ type: 'add' }, { durable: true }), ref.offer({ type: 'add' })].map(
          (promise) =>
            promise.then(
              () => 'fine',
              (error: unknown) => (error as { code: string }).code,
            ),
        ),
      ),
    )
    expect(codes).toEqual(['RUNTIME_CLOSED', 'RUNTIME_CLOSED', 'RUNTIME_CLOSED'])
    const { count } = t.runtime.deadLetters
    ref.tell({ type: 'add' })
    await t.settle()
    expect(t.runtime.deadLetters.count).toBe(count + 1)
    expect(t.runtime.get(counter, 'b').isRunning).toBe(false)
  })
})

describe('passivation against messages', () => {
  test('given messages at any moment, then none is lost, and all are handled once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            waitMs: fc.constantFrom(0, 1, 499, 500, 501, 999, 1000, 1001, 1500, 3000),
            how: fc.constantFrom('tell' as const, 'durably' as const, 'ask' as const, 'offer' as const),
            settles: fc.boolean(),
          }),
          { minLength: 1, maxLength: 15 },
        ),
        fc.array(fc.constantFrom('passivated' as const, 'stopped' as const), { maxLength: 2 }),
        async (sends, onEvents) => {
          const world = disk()
          const t = await createTestRuntime({ journal: world.journal })
          const ref = t.runtime.get(counter, 'a')
          let told = 0
          // Whoever hears of the end sends something at that very moment.
          for (const type of onEvents) {
            t.runtime.on(type, () => {
              if (told > 100) return
              told += 1
              ref.tell({ type: 'add' })
            })
          }
          for (const { waitMs, how, settles } of sends) {
            await t.advance(waitMs)
            // Before what else happens at this moment.
            told += 1
            if (how === 'tell') ref.tell({ type: 'add' })
            else if (how === 'durably') void ref.tell({ type: 'add' }, { durable: true })
            else if (how === 'offer') void ref.offer({ type: 'add' })
            else {
              told -= 1
              expect(await total(t, ref)).toBeLessThanOrEqual(told)
            }
            if (settles) await t.settle()
          }
          await t.settle()
          expect(await total(t, ref)).toBe(told)
          expect(t.runtime.deadLetters.count).toBe(0)
          const next = await createTestRuntime({ journal: world.journal, clock: clockAfter(t.clock) })
          expect(await total(next, next.runtime.get(counter, 'a'))).toBe(told)
        },
      ),
      { numRuns: 80 },
    )
  })
})

describe('one on its way out that takes its time', () => {
  const slow = defineActor({
    name: 'slow',
    durable: true,
    protocol: { add: message(), total: question({}, z.int()) },
    state: () => 0,
    on: {
      add: ({ state }) => state + 1,
      total: ({ state, reply }) => {
        reply(state)
      },
      'actor.stopping': () => new Promise<void>(() => undefined),
    },
  })

  async function stopping() {
    const t = await begin()
    const ref = t.runtime.get(slow, 'a')
    await t.until(ref.ask({ type: 'total' }))
    const ended = ref.stop({ timeoutMs: 3000 })
    await t.settle()
    return { t, ref, ended, startMs: t.clock.now() }
  }
  const refusal = <T>(promise: Promise<T>): Promise<unknown> => promise.catch((error: unknown) => error)

  test('given an ask with less time than that, then its time runs from the call', async () => {
    const { t, ref, startMs } = await stopping()
    expect(await t.until(refusal(ref.ask({ type: 'total' }, { timeoutMs: 100 })))).toMatchObject({
      code: 'ASK_TIMEOUT',
      message: expect.stringContaining('100 ms') as string,
    })
    expect(t.clock.now() - startMs).toBe(100)
    // Nobody wants it any more, so it is not brought back.
    await t.advance(5000)
    expect(ref.isRunning).toBe(false)
    await t[Symbol.asyncDispose]()
  })

  test('given an ask or an offer that is cancelled meanwhile, then that is at once', async () => {
    const { t, ref, startMs } = await stopping()
    const cancel = new AbortController()
    const asked = refusal(ref.ask({ type: 'total' }, { signal: cancel.signal }))
    const offered = refusal(ref.offer({ type: 'add' }, { signal: cancel.signal }))
    await t.settle()
    cancel.abort('enough')
    expect(await t.until(asked)).toMatchObject({ code: 'ASK_CANCELLED' })
    expect(await t.until(offered)).toBe('enough')
    expect(await t.until(refusal(ref.ask({ type: 'total' }, { signal: cancel.signal })))).toMatchObject({
      code: 'ASK_CANCELLED',
    })
    expect(t.clock.now()).toBe(startMs)
    await t[Symbol.asyncDispose]()
  })

  test('given somebody who wanted to look on and does no more, then it is not brought back for that', async () => {
    const { t, ref } = await stopping()
    ref.subscribe(() => undefined).unsubscribe()
    await t.advance(5000)
    expect(ref.isRunning).toBe(false)
    await t[Symbol.asyncDispose]()
  })

  test('given an ask with more time, then it is answered by the next one, in what is left of its time', async () => {
    const { t, ref, ended } = await stopping()
    expect(await t.until(ref.ask({ type: 'total' }, { timeoutMs: 10_000 }))).toBe(0)
    expect(await t.until(ended)).toEqual({ kind: 'killed' })
    const late = ref.stop({ timeoutMs: 3000 })
    await t.settle()
    const startMs = t.clock.now()
    ref.tell({ type: 'add' })
    await t.advance(2000)
    expect(await t.until(ref.ask({ type: 'total' }, { timeoutMs: 1500 }))).toBe(1)
    expect(t.clock.now() - startMs).toBe(3000)
    await t.until(late)
    await t[Symbol.asyncDispose]()
  })
})

describe('a durable actor that another actor watches', () => {
  const guard = defineActor({
    name: 'guard',
    protocol: { watch: message(), unwatch: message() },
    state: () => [] as readonly string[],
    on: {
      watch: ({ watch, get }) => {
        watch(get(counter, 'a'))
      },
      unwatch: ({ unwatch, get }) => {
        unwatch(get(counter, 'a'))
      },
      'actor.down': ({ state, message: { ref, reason } }) => [...state, `${ref.path} ${reason.kind}`],
    },
  })

  test('given its address, then its end is told as that of any other, once, and that it is not there too', async () => {
    await using t = await begin()
    const watcher = t.runtime.spawn(guard)
    const ref = t.runtime.get(counter, 'a')
    watcher.tell({ type: 'watch' })
    await t.settle()
    expect(watcher.snapshot.context).toEqual(['/durable/counter/a noproc'])
    await total(t, ref)
    watcher.tell({ type: 'watch' })
    await t.settle()
    ref.kill()
    await t.settle()
    expect(watcher.snapshot.context).toEqual(['/durable/counter/a noproc', '/durable/counter/a killed'])
  })

  test('given it is watched no more, by an address of its own, then nothing is told', async () => {
    await using t = await begin()
    const watcher = t.runtime.spawn(guard)
    const ref = t.runtime.get(counter, 'a')
    watcher.tell({ type: 'watch' })
    watcher.tell({ type: 'unwatch' })
    await total(t, ref)
    watcher.tell({ type: 'watch' })
    watcher.tell({ type: 'unwatch' })
    await t.settle()
    ref.kill()
    await t.settle()
    expect(watcher.snapshot.context).toEqual([])
  })

  test('given a watcher that is gone, or a name for one that is there, then that works as for any other', async () => {
    await using t = await begin()
    const ref = t.runtime.get(counter, 'a')
    const watcher = t.runtime.spawn(guard)
    watcher.tell({ type: 'watch' })
    await total(t, ref)
    watcher.tell({ type: 'watch' })
    await t.settle()
    expect(await t.until(watcher.stop())).toEqual({ kind: 'shutdown' })
    t.runtime.register('first', ref)
    expect(t.runtime.whereis('first')?.path).toBe('/durable/counter/a')
    await t.until(ref.stop())
    expect(t.runtime.whereis('first')).toBeUndefined()
  })
})

describe('the state of one that is not up yet', () => {
  const light = defineActor({
    name: 'light',
    durable: true,
    protocol: { turn: message() },
    machine: ({ setup }) =>
      setup({}).createMachine({
        initial: 'off',
        states: { off: { on: { turn: 'on' } }, on: { on: { turn: 'off' } } },
      }),
  })
  const tree = supervisor('tree', { children: [child(counter, { id: 'counter' }), child(light, { id: 'light' })] })

  /** After a process in which each of them was told something. */
  async function again(): Promise<{ t: TestRuntime; letGo: () => void }> {
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal, root: tree })
    first.runtime.ref('/tree/counter', counter)?.tell({ type: 'add' })
    first.runtime.ref('/tree/light', light)?.tell({ type: 'turn' })
    first.runtime.get(counter, 'a').tell({ type: 'add' })
    first.runtime.get(light, 'a').tell({ type: 'turn' })
    await first.settle()
    world.endProcess()
    const { source, hold } = observed(world.journal)
    const letGo = hold('load')
    const t = await createTestRuntime({ journal: source, root: tree, clock: clockAfter(first.clock) })
    return { t, letGo }
  }

  test('given a handler actor, then it is undefined, and whoever waits for a state gets it once it is up', async () => {
    const { t, letGo } = await again()
    for (const ref of [t.runtime.get(counter, 'a'), t.runtime.ref('/tree/counter', counter)]) {
      if (ref === undefined) throw new Error('it is there')
      expect([ref.snapshot, ref.getSnapshot()]).toEqual([undefined, undefined])
      expect(() => ref.getPersistedSnapshot()).toThrow(expect.objectContaining({ code: 'NOT_HOSTED' }) as Error)
    }
    const isOne = (snapshot: { readonly context: number } | undefined): boolean => snapshot?.context === 1
    const waits = [
      waitFor(t.runtime.get(counter, 'a'), isOne),
      waitFor(t.runtime.ref('/tree/counter', counter) ?? t.runtime.get(counter, 'b'), isOne),
    ]
    await t.settle()
    letGo()
    expect(await t.until(Promise.all(waits))).toMatchObject([{ context: 1 }, { context: 1 }])
    await t[Symbol.asyncDispose]()
  })

  test('given a chart, then it is undefined, and whoever waits for a state gets it once it is up', async () => {
    const { t, letGo } = await again()
    const isOn = (snapshot: { readonly value: unknown } | undefined): boolean => snapshot?.value === 'on'
    const refs = [t.runtime.get(light, 'a'), t.runtime.ref('/tree/light', light) ?? t.runtime.get(light, 'b')]
    expect(refs.map((ref) => ref.snapshot)).toEqual([undefined, undefined])
    const seen: unknown[] = []
    const waits = refs.map((ref) => waitFor(ref, isOn))
    for (const ref of refs) {
      ref.subscribe(({ value }) => seen.push(value))
      ref.select((snapshot) => snapshot.value).subscribe((value) => seen.push(value))
    }
    await t.settle()
    letGo()
    expect(await t.until(Promise.all(waits))).toMatchObject([{ value: 'on' }, { value: 'on' }])
    expect(seen).toEqual(['on', 'on', 'on', 'on'])
    await t[Symbol.asyncDispose]()
  })
})
