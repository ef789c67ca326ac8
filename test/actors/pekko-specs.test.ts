import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, exits, message, question, type AnyRef, type Ref } from 'echelon'
import { createTestRuntime } from 'echelon/testing'

/*
 * The cases of Apache Pekko's typed AskSpec, WatchSpec, TimerSpec and StashBufferSpec that apply, by their names.
 * @see https://github.com/apache/pekko/tree/main/actor-typed-tests/src/test/scala/org/apache/pekko/actor/typed
 *
 * Not ported:
 * - AskSpec "provide a symbolic alias that works the same": there is no `?`.
 * - AskSpec "transform a replied Status.Failure to a failed future", "unwrap nested response a successful response":
 *   classic actors and StatusReply; here a failed answer is `refuse(error)`.
 * - WatchSpec "get notified of actor termination with a custom message", "allow idempotent invocations of watchWith",
 *   "allow watch message definition after watch using unwatch", "allow watch message redefinition using unwatch",
 *   "fail when watch is used after watchWith" and the two like it: there is no watchWith; `ref.watch(listener)` is what
 *   gives an end another form.
 * - TimerSpec "allow for nested timers": behaviours do not nest.
 * - StashBufferSpec "answer empty correctly", "append and drop", "answer 'exists' and 'contains' correctly", "clear",
 *   "be able to clear while unstashing", "answer truthfully about its capacity": the stash is not a value that one holds;
 *   its contents are the lane's, see lane.test.ts.
 * - StashBufferSpec "undefer returned behaviors when unstashing", "fail quick on invalid start behavior": Pekko's behaviours.
 */

const foo = defineActor({
  name: 'foo',
  protocol: {
    foo: question({ text: z.string() }, z.string()),
    stop: message(),
    slow: question({ gate: z.custom<Promise<void>>() }, z.string()),
  },
  on: {
    foo: ({ reply }) => {
      reply('foo')
    },
    stop: ({ stop }) => {
      stop()
    },
    slow: async ({ message: { gate }, reply }) => {
      await gate
      reply('bar')
    },
  },
})

describe('AskSpec', () => {
  test('must fail the future if the actor is already terminated', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(foo)
    ref.tell({ type: 'stop' })
    await t.settle()
    await expect(ref.ask({ type: 'foo', text: 'bar' })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      reason: { kind: 'normal' },
    })
  })

  test('must succeed when the actor is alive', async () => {
    await using t = await createTestRuntime()
    const answer = t.runtime.spawn(foo).ask({ type: 'foo', text: 'bar' })
    await t.settle()
    expect(await answer).toBe('foo')
  })

  test("must fail the future if the actor doesn't reply in time", async () => {
    await using t = await createTestRuntime()
    const refused = expect(
      t.runtime.spawn(foo).ask({ type: 'slow', gate: new Promise<void>(() => undefined) }, { timeoutMs: 10 }),
    ).rejects.toMatchObject({ code: 'ASK_TIMEOUT' })
    await t.advance(10)
    await refused
  })

  test("must fail the future if the actor doesn't exist", async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(foo, { restart: 'temporary' })
    ref.kill()
    await t.settle()
    expect(t.runtime.ref(ref.path)).toBeUndefined()
    await expect(ref.ask({ type: 'foo', text: 'bar' })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      reason: { kind: 'killed' },
    })
  })

  test.each(['context.ask', 'AskPattern.ask'])(
    'must publish dead-letter if the %s has completed on timeout',
    async (from) => {
      await using t = await createTestRuntime()
      const gate = Promise.withResolvers<void>()
      const target = t.runtime.spawn(foo)
      if (from === 'context.ask') {
        const proxy = defineActor({
          name: 'proxy',
          protocol: { go: message() },
          on: {
            go: async () => {
              await target.ask({ type: 'slow', gate: gate.promise }, { timeoutMs: 1 }).catch(() => undefined)
            },
          },
        })
        t.runtime.spawn(proxy).tell({ type: 'go' })
      } else {
        target.ask({ type: 'slow', gate: gate.promise }, { timeoutMs: 1 }).catch(() => undefined)
      }
      await t.advance(1)
      gate.resolve()
      await t.settle()
      expect(t.runtime.deadLetters.recent()).toMatchObject([
        { to: target.path, reason: 'late-answer', message: { answer: 'bar' } },
      ])
    },
  )

  test('must fail asking actor if responder function throws', async () => {
    await using t = await createTestRuntime()
    const target = t.runtime.spawn(foo)
    const asker = defineActor({
      name: 'asker',
      protocol: { go: message() },
      on: {
        go: async () => {
          const answer = await target.ask({ type: 'foo', text: '' })
          throw new Error(`Unsupported answer ${answer}`)
        },
      },
    })
    const ref = t.runtime.spawn(asker, { restart: 'temporary' })
    ref.tell({ type: 'go' })
    await t.settle()
    expect(await ref.exited).toMatchObject({ kind: 'crash', error: { message: 'Unsupported answer foo' } })
  })

  test('ActorContextAskSpec: receive replies in same order as sent', async () => {
    await using t = await createTestRuntime()
    const target = t.runtime.spawn(foo)
    const order: number[] = []
    const asks = [1, 2, 3].map((n) => target.ask({ type: 'foo', text: String(n) }).then(() => order.push(n)))
    await t.settle()
    await Promise.all(asks)
    expect(order).toEqual([1, 2, 3])
  })

  test.each([
    ['with text', new Error('text')],
    ['with custom exception', new RangeError('custom')],
  ])('askWithStatus: fail future for a fail response %s', async (_, error) => {
    await using t = await createTestRuntime()
    const refuser = defineActor({
      name: 'refuser',
      protocol: { go: question({}, z.string()) },
      on: {
        go: ({ refuse }) => {
          refuse(error)
        },
      },
    })
    const refused = expect(t.runtime.spawn(refuser).ask({ type: 'go' })).rejects.toBe(error)
    await t.settle()
    await refused
  })
})

describe('WatchSpec', () => {
  const terminator = defineActor({
    name: 'terminator',
    protocol: { stop: message(), crash: message({ error: z.custom<Error>() }) },
    on: {
      stop: ({ stop }) => {
        stop()
      },
      crash: ({ message: { error } }) => {
        throw error
      },
    },
  })
  const watcherProtocol = { watch: message({ ref: z.custom<AnyRef>() }), unwatch: message({ ref: z.custom<AnyRef>() }) }

  const watching = (seen: unknown[]) =>
    defineActor({
      name: 'watcher',
      protocol: watcherProtocol,
      on: {
        watch: ({ message: { ref }, watch }) => {
          watch(ref)
        },
        unwatch: ({ message: { ref }, unwatch }) => {
          unwatch(ref)
        },
        'actor.down': ({ message: { ref, reason } }) => {
          seen.push([ref, reason])
        },
      },
    })

  test('must get notified of graceful actor termination', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const [target, watcher] = [t.runtime.spawn(terminator), t.runtime.spawn(watching(seen))]
    watcher.tell({ type: 'watch', ref: target })
    await t.settle()
    target.tell({ type: 'stop' })
    await t.settle()
    expect(seen).toEqual([[target, exits.normal]])
  })

  test.each(['', ' with a supervisor'])(
    'must notify a parent of child termination because of failure%s',
    async (supervised) => {
      await using t = await createTestRuntime()
      const error = new Error('boom')
      const seen: unknown[] = []
      const parent = defineActor({
        name: 'parent',
        protocol: { go: message() },
        on: {
          go: ({ spawn, watch }) => {
            const child = spawn(terminator, { name: 'child' })
            watch(child)
            child.tell({ type: 'crash', error })
          },
          'actor.down': ({ message: { ref, reason } }) => {
            seen.push(ref.path, reason)
          },
        },
      })
      const ref = t.runtime.spawn(parent, {
        name: 'parent',
        ...(supervised === '' ? {} : { decide: () => 'stop' as const }),
      })
      ref.tell({ type: 'go' })
      await t.settle()
      expect(seen).toEqual(['/user/parent/child', { kind: 'crash', error }])
      expect([ref.isRunning, ref.incarnation]).toEqual([true, 1])
    },
  )

  test('must fail the actor itself with DeathPact if it does not accept Terminated', async () => {
    await using t = await createTestRuntime()
    const error = new Error('boom')
    const seen: unknown[] = []
    const middle = defineActor({
      name: 'middle-management',
      protocol: { go: message() },
      on: {
        go: ({ spawn, watch }) => {
          const joe = spawn(terminator, { name: 'joe' })
          watch(joe)
          joe.tell({ type: 'crash', error })
        }, // it does not handle actor.down, even though it watches
      },
    })
    const boss = defineActor({
      name: 'grosso-bosso',
      protocol: { go: message() },
      on: {
        go: ({ spawn, watch }) => {
          const child = spawn(middle)
          watch(child)
          child.tell({ type: 'go' })
        },
        'actor.down': ({ message: { reason } }) => {
          seen.push(reason)
        },
      },
    })
    t.runtime.spawn(boss).tell({ type: 'go' })
    await t.settle()
    expect(seen).toMatchObject([{ kind: 'crash', error: { code: 'DEATH_PACT', cause: error } }])
  })

  test('DeathPact: a clean end that nobody handles is no failure', async () => {
    await using t = await createTestRuntime()
    const target = t.runtime.spawn(terminator)
    const careless = defineActor({
      name: 'careless',
      protocol: { watch: message({ ref: z.custom<AnyRef>() }) },
      on: {
        watch: ({ message: { ref }, watch }) => {
          watch(ref)
        },
      },
    })
    const watcher = t.runtime.spawn(careless)
    watcher.tell({ type: 'watch', ref: target })
    await t.settle()
    target.tell({ type: 'stop' })
    await t.settle()
    expect(watcher.incarnation).toBe(1)
  })

  test('must allow idempotent invocations of watch: here each is a monitor of its own, as in Erlang', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const [target, watcher] = [t.runtime.spawn(terminator), t.runtime.spawn(watching(seen))]
    watcher.tell({ type: 'watch', ref: target })
    watcher.tell({ type: 'watch', ref: target })
    await t.settle()
    target.tell({ type: 'stop' })
    await t.settle()
    expect(seen).toHaveLength(2)
  })

  test('unwatch: takes back every watch of that actor, also a notice that is queued already', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const [target, other, watcher] = [
      t.runtime.spawn(terminator),
      t.runtime.spawn(terminator),
      t.runtime.spawn(watching(seen)),
    ]
    for (const ref of [target, target, other]) watcher.tell({ type: 'watch', ref })
    await t.settle()
    watcher.tell({ type: 'unwatch', ref: target })
    target.kill() // its notice comes behind the unwatch
    other.kill()
    await t.settle()
    expect(seen).toEqual([[other, exits.killed]])
  })

  test('monitor: of an actor that is gone answers noproc, once', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const [target, watcher] = [t.runtime.spawn(terminator), t.runtime.spawn(watching(seen))]
    void target.stop()
    await t.settle()
    watcher.tell({ type: 'watch', ref: target })
    target.watch(({ reason }) => seen.push(reason))
    await t.settle()
    expect(seen).toHaveLength(2)
    expect(seen).toEqual(expect.arrayContaining([[target, exits.noproc], exits.noproc]))
  })

  test('monitor: is of one incarnation; a restart needs a new one', async () => {
    await using t = await createTestRuntime()
    const seen: string[] = []
    const target = t.runtime.spawn(terminator)
    target.watch(({ reason }) => seen.push(`first ${reason.kind}`))
    target.tell({ type: 'crash', error: new Error('one') })
    await t.settle()
    target.watch(({ reason }) => seen.push(`second ${reason.kind}`))
    target.kill()
    await t.settle()
    expect(seen).toEqual(['first crash', 'second killed'])
    expect(target.incarnation).toBe(3)
  })

  test('monitor: one that was cancelled does not answer, and a listener that throws harms nobody', async () => {
    await using t = await createTestRuntime()
    const seen: string[] = []
    const failures: unknown[] = []
    t.runtime.on('observer-failed', ({ error }) => failures.push((error as Error).message))
    const target = t.runtime.spawn(terminator)
    target.watch(() => {
      throw new Error('listener')
    })
    const cancel = target.watch(() => seen.push('cancelled'))
    target.watch(() => seen.push('last'))
    cancel()
    target.kill()
    await t.settle()
    expect(seen).toEqual(['last'])
    expect(failures).toEqual(['listener'])
  })

  test('monitor: of an actor that is gone, cancelled at once, does not answer', async () => {
    await using t = await createTestRuntime()
    const seen: string[] = []
    const target = t.runtime.spawn(terminator)
    void target.stop()
    await t.settle()
    const cancel = target.watch(() => seen.push('cancelled'))
    cancel()
    await t.settle()
    expect(seen).toEqual([])
  })

  test('visibility: a registered name is free before anybody learns of the end', async () => {
    await using t = await createTestRuntime()
    const [target, next] = [t.runtime.spawn(terminator), t.runtime.spawn(terminator)]
    t.runtime.register('boss', target)
    target.watch(() => {
      t.runtime.register('boss', next)
    })
    void target.stop()
    await t.settle()
    expect(t.runtime.whereis('boss')).toBe(next)
  })
})

describe('TimerSpec', () => {
  const tickProtocol = {
    tick: message({ n: z.int() }),
    bump: message(),
    slowThenBump: message({ gate: z.custom<Promise<void>>() }),
    end: message(),
    cancel: message(),
    throw: message(),
    slowThenThrow: message({ gate: z.custom<Promise<void>>() }),
  }
  const intervalMs = 1000

  /** Pekko's target: it says Tock for each Tick, and replaces its timer by one with the next number when it is bumped. */
  const target = (
    seen: unknown[],
    first: 'once' | 'repeated' = 'repeated',
    started: { count: number } = { count: 0 },
  ) =>
    defineActor({
      name: 'target',
      protocol: tickProtocol,
      state: () => ({ bumps: 1 }),
      on: {
        'actor.started': ({ timers }) => {
          started.count += 1
          if (first === 'once') timers.after('T', 10, { type: 'tick', n: 1 })
          else timers.every('T', intervalMs, { type: 'tick', n: started.count })
        },
        tick: ({ message: { n } }) => {
          seen.push(`tock ${n}`)
        },
        bump: ({ state, timers }) => {
          timers.every('T', intervalMs, { type: 'tick', n: state.bumps + 1 })
          return { bumps: state.bumps + 1 }
        },
        slowThenBump: async ({ state, timers, message: { gate } }) => {
          await gate
          timers.every('T', intervalMs, { type: 'tick', n: state.bumps + 1 })
          return { bumps: state.bumps + 1 }
        },
        end: ({ stop }) => {
          stop()
        },
        cancel: ({ timers }) => {
          seen.push(timers.cancel('T') ? 'cancelled' : 'no timer')
        },
        throw: () => {
          throw new Error('simulated')
        },
        slowThenThrow: async ({ message: { gate } }) => {
          await gate
          throw new Error('simulated')
        },
        'actor.stopping': ({ timers }) => {
          seen.push(`stopping, timer ${timers.active('T') ? 'active' : 'gone'}`)
        },
      },
    })

  test('must schedule non-repeated ticks', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    t.runtime.spawn(target(seen, 'once'))
    await t.advance(10)
    expect(seen).toEqual(['tock 1'])
    await t.advance(10_000)
    expect(seen).toEqual(['tock 1'])
  })

  test('must schedule repeated ticks', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    t.runtime.spawn(target(seen))
    await t.advance(intervalMs * 4 - 100)
    expect(seen).toEqual(['tock 1', 'tock 1', 'tock 1'])
  })

  test('must replace timer', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const ref = t.runtime.spawn(target(seen))
    await t.advance(intervalMs)
    const gate = Promise.withResolvers<void>()
    ref.tell({ type: 'slowThenBump', gate: gate.promise })
    await t.advance(intervalMs + 100) // the next tick 1 is in the mailbox, and is discarded for the new timer
    expect(seen).toEqual(['tock 1'])
    gate.resolve()
    await t.advance(intervalMs)
    expect(seen).toEqual(['tock 1', 'tock 2'])
  })

  test('must cancel timer', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const ref = t.runtime.spawn(target(seen))
    await t.advance(intervalMs)
    ref.tell({ type: 'cancel' })
    ref.tell({ type: 'cancel' })
    await t.advance(intervalMs * 3)
    expect(seen).toEqual(['tock 1', 'cancelled', 'no timer'])
    expect(t.clock.pending).toBe(0)
  })

  test.each([
    ['alt 1', false],
    ['alt 2', true],
  ])('must discard timers from old incarnation after restart, %s', async (_, bumped) => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const started = { count: 0 }
    const ref = t.runtime.spawn(target(seen, 'repeated', started), { keepMailbox: true })
    await t.advance(intervalMs)
    if (bumped) {
      ref.tell({ type: 'bump' })
      await t.advance(intervalMs)
    }
    seen.length = 0
    const gate = Promise.withResolvers<void>()
    ref.tell({ type: 'slowThenThrow', gate: gate.promise })
    await t.advance(intervalMs + 100) // a tick of the old incarnation waits in the mailbox, which is kept
    started.count = 8
    gate.resolve()
    await t.settle()
    expect(seen).toEqual(['stopping, timer active'])
    await t.advance(intervalMs)
    expect(seen).toEqual(['stopping, timer active', 'tock 9'])
  })

  test.each([
    ['from exception', 'throw'],
    ['voluntarily', 'end'],
  ] as const)('must cancel timers when stopped %s', async (_, type) => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const ref = t.runtime.spawn(target(seen), { restart: 'temporary' })
    await t.settle()
    ref.tell({ type })
    await t.settle()
    expect(t.clock.pending).toBe(0)
    await t.advance(intervalMs * 2)
    expect(seen).toHaveLength(1)
  })

  test('must keep timers when behavior changes', async () => {
    await using t = await createTestRuntime()
    const seen: string[] = []
    const changing = defineActor({
      name: 'changing',
      protocol: { tick: message({ key: z.string() }) },
      state: () => 1,
      on: {
        'actor.started': ({ timers }) => {
          timers.every('one', 50, { type: 'tick', key: 'one' })
        },
        tick: ({ state, message: { key }, timers }) => {
          seen.push(key)
          if (state === 1) timers.every('two', 50, { type: 'tick', key: 'two' })
          return state + 1
        },
      },
    })
    t.runtime.spawn(changing)
    await t.advance(100)
    expect(seen).toEqual(['one', 'one', 'two'])
  })

  test('must not leak timers when PostStop is used', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(target([]))
    await t.settle()
    void ref.stop()
    await t.settle()
    await t.advance(intervalMs * 2)
    expect(t.runtime.deadLetters.count).toBe(0)
    expect(t.clock.pending).toBe(0)
  })

  test.each(['on restart', 'when exception from withTimers block'])('discard TimerMsg %s', async (when) => {
    await using t = await createTestRuntime()
    const seen: number[] = []
    const gate = Promise.withResolvers<void>()
    const thrower = defineActor({
      name: 'thrower',
      protocol: { tick: message({ n: z.int() }) },
      on: {
        tick: async ({ message: { n }, timers }) => {
          seen.push(n)
          if (n === -1) timers.after('T', 5, { type: 'tick', n: 0 })
          if (n === (when === 'on restart' ? 0 : -1)) {
            if (n === 0) timers.after('T', 5, { type: 'tick', n: 1 })
            await gate.promise // meanwhile the next tick comes into the mailbox
            throw new Error('boom')
          }
        },
      },
    })
    const ref = t.runtime.spawn(thrower, { keepMailbox: true })
    ref.tell({ type: 'tick', n: -1 })
    await t.advance(100)
    gate.resolve()
    await t.advance(100)
    ref.tell({ type: 'tick', n: 100 })
    await t.settle()
    expect(seen).toEqual(when === 'on restart' ? [-1, 0, 100] : [-1, 100])
    expect(ref.incarnation).toBe(2)
  })

  test('actor-ts #921: a period counts from the tick that was taken, so slow work never piles ticks up', async () => {
    await using t = await createTestRuntime()
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const at: number[] = []
    const slow = defineActor({
      name: 'slow',
      protocol: { tick: message() },
      on: {
        'actor.started': ({ timers }) => {
          timers.every('T', 100, { type: 'tick' })
        },
        tick: async ({ clock }) => {
          at.push(clock.now())
          await gates[at.length - 1]?.promise
        },
      },
    })
    t.runtime.spawn(slow)
    await t.advance(350)
    gates[0]?.resolve()
    await t.settle()
    gates[1]?.resolve()
    await t.advance(150)
    expect(at).toEqual([100, 350, 450])
  })

  test.each([NaN, -1])('a delay of %d is refused', async (delayMs) => {
    await using t = await createTestRuntime()
    const broken = defineActor({
      name: 'broken',
      protocol: { tick: message() },
      on: {
        tick: ({ timers }) => {
          timers.after('T', delayMs, { type: 'tick' })
        },
      },
    })
    const ref = t.runtime.spawn(broken, { restart: 'temporary' })
    ref.tell({ type: 'tick' })
    await t.settle()
    expect(await ref.exited).toMatchObject({ kind: 'crash', error: { code: 'DEFINITION_INVALID' } })
  })

  test('a message that the actor does not know is refused when the timer is set, not lost when it fires', async () => {
    await using t = await createTestRuntime()
    const broken = defineActor({
      name: 'broken',
      protocol: { tick: message() },
      on: {
        tick: ({ timers }) => {
          // What untyped code may do.
          timers.after('T', 1, { type: 'tock' } as unknown as { type: 'tick' })
        },
      },
    })
    const ref = t.runtime.spawn(broken, { restart: 'temporary' })
    ref.tell({ type: 'tick' })
    await t.settle()
    expect(await ref.exited).toMatchObject({ kind: 'crash', error: { code: 'MESSAGE_UNKNOWN' } })
  })
})

describe('StashBufferSpec', () => {
  const bufferProtocol = { put: message({ text: z.string() }), unstash: message(), get: question({}, z.string()) }

  /** Stashes until the first `unstash`; then it appends what comes, but what `again` says is stashed once more. */
  const buffer = (again: (text: string) => boolean = () => false, stashCapacity = 10) =>
    defineActor({
      name: 'buffer',
      protocol: bufferProtocol,
      mailbox: { stashCapacity },
      state: () => ({ isOpen: false, text: '' }),
      on: {
        put: ({ state, message: { text }, stash }) => {
          if (state.isOpen && !again(text)) return { ...state, text: state.text + text }
          stash()
          return undefined
        },
        unstash: ({ state, unstashAll }) => {
          unstashAll()
          return { ...state, isOpen: true }
        },
        get: ({ state, reply }) => {
          reply(state.text)
        },
      },
    })

  const put = (ref: Ref<typeof bufferProtocol>, ...texts: string[]): void => {
    for (const text of texts) ref.tell({ type: 'put', text })
  }

  test.each(['process elements in the right order', 'unstash to returned behaviors'])('must %s', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(buffer())
    put(ref, 'm1', 'm2', 'm3')
    ref.tell({ type: 'unstash' })
    const text = ref.ask({ type: 'get' })
    await t.settle()
    expect(await text).toBe('m1m2m3')
  })

  test('must enforce capacity', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(buffer(undefined, 3), { restart: 'temporary' })
    put(ref, 'm1', 'm2', 'm3', 'm4')
    await t.settle()
    expect(await ref.exited).toMatchObject({ kind: 'crash', error: { code: 'STASH_FULL' } })
  })

  test('must be able to stash while unstashing', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(buffer((text) => text === 'm2'))
    put(ref, 'm1', 'm2', 'm3')
    ref.tell({ type: 'unstash' })
    const first = ref.ask({ type: 'get' })
    await t.settle()
    expect(await first).toBe('m1m3')
    ref.tell({ type: 'unstash' })
    const second = ref.ask({ type: 'get' })
    await t.settle()
    expect(await second).toBe('m1m3')
  })

  test('must unstash at most the number of messages in the buffer', async () => {
    await using t = await createTestRuntime()
    let again = true
    const ref = t.runtime.spawn(buffer((text) => text === 'm2' && again))
    put(ref, 'm1', 'm2', 'm3')
    ref.tell({ type: 'unstash' })
    const first = ref.ask({ type: 'get' })
    await t.settle()
    expect(await first).toBe('m1m3') // it did not take m2 up again and again
    again = false
    ref.tell({ type: 'unstash' })
    const second = ref.ask({ type: 'get' })
    await t.settle()
    expect(await second).toBe('m1m3m2')
  })

  test('actor-ts #518, #638: what is stashed when its actor ends becomes dead letters', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(buffer())
    put(ref, 'm1', 'm2')
    await t.settle()
    void ref.stop()
    await t.settle()
    expect(
      t.runtime.deadLetters.recent().map(({ reason, message: letter }) => [reason, (letter as { text: string }).text]),
    ).toEqual([
      ['stopped', 'm1'],
      ['stopped', 'm2'],
    ])
  })

  test('a stashed question keeps its deadline, and is answered when it is unstashed', async () => {
    await using t = await createTestRuntime()
    const later = defineActor({
      name: 'later',
      protocol: { ask: question({}, z.int()), open: message() },
      state: () => false,
      on: {
        ask: ({ state, stash, reply }) => {
          if (state) reply(1)
          else stash()
        },
        open: ({ unstashAll }) => {
          unstashAll()
          return true
        },
      },
    })
    const target = t.runtime.spawn(later)
    const refused = expect(target.ask({ type: 'ask' }, { timeoutMs: 10 })).rejects.toMatchObject({
      code: 'ASK_TIMEOUT',
    })
    const patient = target.ask({ type: 'ask' }, { timeoutMs: 100 })
    await t.advance(10)
    await refused
    target.tell({ type: 'open' })
    await t.settle()
    expect(await patient).toBe(1)
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'expired' }])
  })
})
