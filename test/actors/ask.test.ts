import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type Ref } from 'echelon'
import { createTestRuntime } from 'echelon/testing'

const never = new Promise<never>(() => undefined)

/** What a promise came to, or `open`. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const settled = promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ code: (error as { readonly code?: string }).code }),
  )
  return Promise.race([settled, new Promise((resolve) => setImmediate(resolve, 'open'))])
}

const oracleProtocol = {
  'oracle.ask': question({ n: z.int() }, z.int()),
  'oracle.never': question({}, z.int()),
  'oracle.crash': question({}, z.int()),
  'oracle.wait': question({ gate: z.custom<Promise<void>>() }, z.int()),
  'oracle.note': message(),
}

const oracle = defineActor({
  name: 'oracle',
  protocol: oracleProtocol,
  on: {
    'oracle.ask': ({ message: { n }, reply }) => {
      reply(n + 1)
    },
    'oracle.never': () => undefined,
    'oracle.crash': () => {
      throw new Error('boom')
    },
    'oracle.wait': async ({ message: { gate }, reply }) => {
      await gate
      reply(1)
    },
    'oracle.note': () => undefined,
  },
})

describe('how an ask ends', () => {
  test('given an answer, then it is what the schema gives', async () => {
    await using t = await createTestRuntime()
    const trimming = defineActor({
      name: 'trimming',
      protocol: { ask: question({}, z.string().trim()) },
      on: {
        ask: ({ reply }) => {
          reply('  yes ')
        },
      },
    })
    const asked = t.runtime.spawn(trimming).ask({ type: 'ask' })
    await t.settle()
    expect(await asked).toBe('yes')
  })

  test('given a target that crashes at it, then its asker gets TARGET_DOWN with the crash as the cause', async () => {
    await using t = await createTestRuntime()
    const asked = t.runtime.spawn(oracle).ask({ type: 'oracle.crash' })
    const refused = expect(asked).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      reason: { kind: 'crash' },
      cause: { message: 'boom' },
      retryable: true,
    })
    await t.settle()
    await refused
  })

  test.each([
    ['stop', 'shutdown'],
    ['kill', 'killed'],
  ] as const)(
    'given a target that somebody should %s, then what waits in its mailbox fails at once',
    async (how, kind) => {
      await using t = await createTestRuntime()
      const ref = t.runtime.spawn(oracle, { restart: 'temporary' })
      const first = ref.ask({ type: 'oracle.wait', gate: never })
      const second = ref.ask({ type: 'oracle.ask', n: 1 })
      for (const asked of [first, second]) asked.catch(() => undefined)
      await t.settle()
      if (how === 'kill') ref.kill()
      else void ref.stop({ timeoutMs: 10 })
      if (how === 'stop') await t.advance(10)
      await t.settle()
      // A stop that ran out of time is a kill.
      for (const asked of [first, second]) {
        await expect(asked).rejects.toMatchObject({
          code: 'TARGET_DOWN',
          reason: { kind: how === 'stop' ? 'killed' : kind },
        })
      }
    },
  )

  test('given a target that is not there any more, then it fails at once, with how that ended', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(oracle, { restart: 'temporary' })
    void ref.stop()
    await t.settle()
    await expect(ref.ask({ type: 'oracle.ask', n: 1 })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      reason: { kind: 'shutdown' },
    })
    expect(t.clock.pending).toBe(0)
  })

  test('given no answer, when the time is up, then ASK_TIMEOUT; the default is five seconds', async () => {
    await using t = await createTestRuntime()
    const asked = t.runtime.spawn(oracle).ask({ type: 'oracle.never' })
    asked.catch(() => undefined)
    await t.advance(4999)
    expect(await outcome(asked)).toBe('open')
    await t.advance(1)
    await expect(asked).rejects.toMatchObject({
      code: 'ASK_TIMEOUT',
      message: expect.stringContaining('within 5000 ms') as unknown,
    })
  })

  test.each([0, -1, NaN])('given a time of %d, then it is refused before anything is sent', async (timeoutMs) => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(oracle)
    await expect(ref.ask({ type: 'oracle.ask', n: 1 }, { timeoutMs })).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
    })
  })

  test('given an infinite time, then it waits as long as it takes', async () => {
    await using t = await createTestRuntime()
    const gate = Promise.withResolvers<void>()
    const asked = t.runtime.spawn(oracle).ask({ type: 'oracle.wait', gate: gate.promise }, { timeoutMs: Infinity })
    await t.advance(10_000_000)
    expect(await outcome(asked)).toBe('open')
    gate.resolve()
    await t.settle()
    expect(await asked).toBe(1)
  })

  test('given its signal, when it aborts, then ASK_CANCELLED with the reason, and the answerer sees it', async () => {
    await using t = await createTestRuntime()
    let seen: AbortSignal | undefined
    const patient = defineActor({
      name: 'patient',
      protocol: { ask: question({}, z.int()) },
      on: {
        ask: async ({ signal }) => {
          seen = signal
          await never
        },
      },
    })
    const cancel = new AbortController()
    const asked = t.runtime.spawn(patient, { restart: 'temporary' }).ask({ type: 'ask' }, { signal: cancel.signal })
    await t.settle()
    const reason = new Error('not needed any more')
    const refused = expect(asked).rejects.toMatchObject({ code: 'ASK_CANCELLED', cause: reason })
    cancel.abort(reason)
    await refused
    expect(seen?.aborted).toBe(true)
  })

  test('given a signal that is aborted before, then nothing is sent', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(oracle)
    await expect(ref.ask({ type: 'oracle.ask', n: 1 }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ASK_CANCELLED',
    })
    expect(t.clock.pending).toBe(0)
  })

  test.each([
    ['a type that it does not know', { type: 'oracle.rain' }, 'MESSAGE_UNKNOWN'],
    ['a payload that the schema refuses', { type: 'oracle.ask', n: 'one' }, 'MESSAGE_INVALID'],
    ['a message that has no answer', { type: 'oracle.note' }, 'MESSAGE_INVALID'],
    ['no message at all', undefined, 'MESSAGE_UNKNOWN'],
  ])('given %s, then the ask is refused and nothing is sent', async (_, given, code) => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(oracle)
    // What untyped code may do.
    await expect(ref.ask(given as { type: 'oracle.never' })).rejects.toMatchObject({ code })
    expect(t.runtime.deadLetters.count).toBe(0)
  })

  test('given a shutdown, then asks from outside are refused', async () => {
    const t = await createTestRuntime()
    const ref = t.runtime.spawn(oracle)
    await t[Symbol.asyncDispose]()
    await expect(ref.ask({ type: 'oracle.ask', n: 1 })).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' })
  })
})

describe('what comes too late, or twice', () => {
  test('given an answer after the time is up, then it is a dead letter', async () => {
    await using t = await createTestRuntime()
    const gate = Promise.withResolvers<void>()
    const ref = t.runtime.spawn(oracle)
    const refused = expect(
      ref.ask({ type: 'oracle.wait', gate: gate.promise }, { timeoutMs: 10 }),
    ).rejects.toMatchObject({ code: 'ASK_TIMEOUT' })
    await t.advance(10)
    await refused
    gate.resolve()
    await t.settle()
    expect(t.runtime.deadLetters.recent()).toMatchObject([
      { reason: 'late-answer', message: { type: 'oracle.wait', answer: 1 } },
    ])
    expect(ref.incarnation).toBe(1)
  })

  test('given an ask whose time is up before its turn, then its handler is not run', async () => {
    await using t = await createTestRuntime()
    const gate = Promise.withResolvers<void>()
    const ref = t.runtime.spawn(oracle)
    const first = ref.ask({ type: 'oracle.wait', gate: gate.promise })
    const second = expect(ref.ask({ type: 'oracle.crash' }, { timeoutMs: 10 })).rejects.toMatchObject({
      code: 'ASK_TIMEOUT',
    })
    await t.advance(10)
    await second
    gate.resolve()
    await t.settle()
    expect(await first).toBe(1)
    expect(ref.incarnation).toBe(1)
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'expired', message: { type: 'oracle.crash' } }])
  })

  const misused = defineActor({
    name: 'misused',
    protocol: { twice: question({}, z.int()), told: message(), wrong: question({}, z.int()) },
    on: {
      twice: ({ reply }) => {
        reply(1)
        reply(2)
      },
      told: ({ reply }) => {
        // The type of reply for a message takes nothing; untyped code may call it.
        ;(reply as (answer: number) => void)(1)
      },
      wrong: ({ reply }) => {
        try {
          reply(0.5)
        } catch {
          reply(1)
        }
      },
    },
  })

  test('given two answers, then the first counts and the second is misuse', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(misused, { restart: 'temporary' })
    const asked = ref.ask({ type: 'twice' })
    await t.settle()
    expect(await asked).toBe(1)
    expect(await ref.exited).toMatchObject({ kind: 'crash', error: { code: 'REPLY_MISUSED' } })
  })

  test('given an answer to a message, then that is misuse', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(misused, { restart: 'temporary' })
    ref.tell({ type: 'told' })
    await t.settle()
    expect(await ref.exited).toMatchObject({ kind: 'crash', error: { code: 'REPLY_MISUSED' } })
  })

  test('given a question that was told, then the answer goes nowhere and that is no misuse', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(oracle)
    ref.send({ type: 'oracle.ask', n: 1 })
    await t.settle()
    expect(ref.incarnation).toBe(1)
    expect(t.runtime.deadLetters.count).toBe(0)
  })

  test('given a right answer after a wrong one, then the asker has the failure already and the answer is late', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(misused)
    const refused = expect(ref.ask({ type: 'wrong' })).rejects.toMatchObject({ code: 'ANSWER_INVALID' })
    await t.settle()
    await refused
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'late-answer', message: { answer: 1 } }])
  })
})

describe('time that shrinks at every hop', () => {
  const hopProtocol = { hop: question({ left: z.int() }, z.array(z.number())) }

  /** Waits 100 ms, then asks the next with plenty of time, and adds what is left of its own. */
  const hop = defineActor({
    name: 'hop',
    protocol: hopProtocol,
    input: z.object({ next: z.custom<Ref<typeof hopProtocol>>().optional() }),
    on: {
      hop: async ({ input: { next }, message: { left }, reply, clock }) => {
        await new Promise<void>((resolve) => {
          clock.setTimeout(resolve, 100)
        })
        const rest = next === undefined ? [] : await next.ask({ type: 'hop', left }, { timeoutMs: 60_000 })
        reply([clock.now(), ...rest])
      },
    },
  })

  test.each([
    [250, 'ASK_TIMEOUT'],
    [301, undefined],
  ])('given three hops of 100 ms and %d ms for all, then the end is %s', async (timeoutMs, code) => {
    await using t = await createTestRuntime()
    const third = t.runtime.spawn(hop, { input: {}, restart: 'temporary' })
    const second = t.runtime.spawn(hop, { input: { next: third }, restart: 'temporary' })
    const first = t.runtime.spawn(hop, { input: { next: second }, restart: 'temporary' })
    const failures: unknown[] = []
    t.runtime.on('failed', ({ path, error }) => failures.push([path, (error as { code: string }).code]))
    const asked = first.ask({ type: 'hop', left: 3 }, { timeoutMs })
    asked.catch(() => undefined)
    await t.advance(timeoutMs)
    expect(await outcome(asked)).toEqual(code === undefined ? { value: [300, 300, 300] } : { code })
    // No hop waits longer than the first asker: 60,000 ms were never granted.
    if (code !== undefined) {
      expect(failures.toSorted()).toEqual([
        ['/user/hop-2', 'ASK_TIMEOUT'],
        ['/user/hop-3', 'ASK_TIMEOUT'],
      ])
    }
    expect(t.clock.now()).toBe(timeoutMs)
  })

  test('given a question whose time is up, when its handler asks on, then that fails at once', async () => {
    await using t = await createTestRuntime()
    const gate = Promise.withResolvers<void>()
    const target = t.runtime.spawn(oracle)
    const errors: unknown[] = []
    const late = defineActor({
      name: 'late',
      protocol: { go: question({}, z.int()) },
      on: {
        go: async () => {
          await gate.promise
          await target.ask({ type: 'oracle.ask', n: 1 }).catch((error: unknown) => errors.push(error))
        },
      },
    })
    const refused = expect(t.runtime.spawn(late).ask({ type: 'go' }, { timeoutMs: 10 })).rejects.toMatchObject({
      code: 'ASK_TIMEOUT',
    })
    await t.advance(10)
    await refused
    gate.resolve()
    await t.settle()
    expect(errors).toMatchObject([{ code: 'ASK_TIMEOUT' }])
  })
})

describe('chains that come back', () => {
  const linkProtocol = { pass: question({ hops: z.int() }, z.string()), join: message({ next: z.custom<Ref>() }) }
  type Link = Ref<typeof linkProtocol>

  const link = (kind: 'async' | 'promise' | 'reentrant' | 'continuing') => {
    const passOn = async (next: Link | undefined, hops: number): Promise<string> =>
      hops === 0 || next === undefined ? 'arrived' : next.ask({ type: 'pass', hops: hops - 1 })
    return defineActor({
      name: kind,
      protocol: linkProtocol,
      state: (): { next: Link | undefined } => ({ next: undefined }),
      reentrant: kind === 'reentrant',
      on: {
        // The test joins links only.
        join: ({ message: { next } }) => ({ next: next as unknown as Link }),
        pass:
          kind === 'promise'
            ? ({ state, message: { hops }, reply }) => passOn(state.next, hops).then(reply)
            : kind === 'continuing'
              ? ({ state, message: { hops }, reply, refuse }) => {
                  passOn(state.next, hops).then(reply, refuse) // it answers later and takes other messages meanwhile
                }
              : async ({ state, message: { hops }, reply }) => {
                  await Promise.resolve()
                  reply(await passOn(state.next, hops))
                },
      },
    })
  }

  test.each([1, 2, 3, 4, 5])(
    'given a ring of %d waiting actors, when the question comes back, then ASK_CYCLE names the ring',
    async (size) => {
      await using t = await createTestRuntime()
      const refs = Array.from({ length: size }, () => t.runtime.spawn(link('async'), { restart: 'temporary' }))
      refs.forEach((ref, index) => {
        ref.tell({ type: 'join', next: refs[(index + 1) % size] as unknown as Ref })
      })
      const failed: unknown[] = []
      t.runtime.on('failed', ({ error }) => failed.push(error))
      const asked = refs[0]?.ask({ type: 'pass', hops: size })
      const refused = expect(asked).rejects.toMatchObject({ code: 'TARGET_DOWN' })
      await t.settle()
      await refused
      const ring = [...refs, refs[0]].map((ref) => ref?.path)
      expect(failed[0]).toMatchObject({ code: 'ASK_CYCLE', cycle: ring })
      expect(t.clock.now()).toBe(0) // it did not take the time-out
    },
  )

  test('given a ring that is asked one hop less than round, then it is no cycle', async () => {
    await using t = await createTestRuntime()
    const refs = Array.from({ length: 4 }, () => t.runtime.spawn(link('async')))
    refs.forEach((ref, index) => {
      ref.tell({ type: 'join', next: refs[(index + 1) % 4] as unknown as Ref })
    })
    const asked = refs[0]?.ask({ type: 'pass', hops: 3 })
    await t.settle()
    expect(await asked).toBe('arrived')
  })

  test.each(['reentrant', 'continuing'] as const)(
    'given %s actors, which do not wait, then the question may come back',
    async (kind) => {
      await using t = await createTestRuntime()
      const [one, two] = [t.runtime.spawn(link(kind)), t.runtime.spawn(link(kind))]
      one.tell({ type: 'join', next: two as unknown as Ref })
      two.tell({ type: 'join', next: one as unknown as Ref })
      const asked = one.ask({ type: 'pass', hops: 5 })
      await t.settle()
      expect(await asked).toBe('arrived')
    },
  )

  test.each([1, 2])(
    'given a plain function that returns a promise, then the cycle is found in its call %d, too',
    async (round) => {
      await using t = await createTestRuntime()
      const ref = t.runtime.spawn(link('promise'))
      if (round === 2) {
        const asked = ref.ask({ type: 'pass', hops: 0 })
        await t.settle()
        await asked
      }
      ref.tell({ type: 'join', next: ref as unknown as Ref })
      const failed: unknown[] = []
      t.runtime.on('failed', ({ error }) => failed.push(error))
      const refused = expect(ref.ask({ type: 'pass', hops: 1 })).rejects.toMatchObject({ code: 'TARGET_DOWN' })
      await t.settle()
      await refused
      expect(failed).toMatchObject([{ code: 'ASK_CYCLE', cycle: [ref.path, ref.path] }])
    },
  )

  test('given two asks of one actor that do not wait for each other, then they are no cycle', async () => {
    await using t = await createTestRuntime()
    const target = t.runtime.spawn(oracle)
    const both = defineActor({
      name: 'both',
      protocol: { go: question({}, z.int()) },
      on: {
        go: async ({ reply }) => {
          const [a, b] = await Promise.all([
            target.ask({ type: 'oracle.ask', n: 1 }),
            target.ask({ type: 'oracle.ask', n: 2 }),
          ])
          reply(a + b)
        },
      },
    })
    const asked = t.runtime.spawn(both).ask({ type: 'go' })
    await t.settle()
    expect(await asked).toBe(5)
  })
})

describe('a question that is settled limits its handler no more', () => {
  const asideProtocol = { ask: question({}, z.int()), back: question({}, z.int()) }

  /** A pair: `front` asks `behind`, whose handler settles that somehow and then asks back and works on. */
  async function pair(settle: (context: { reply: (n: number) => void; refuse: (error: Error) => void }) => unknown) {
    const t = await createTestRuntime()
    const target = t.runtime.spawn(oracle)
    const asked: unknown[] = []
    const behind = t.runtime.spawn(
      defineActor({
        name: 'behind',
        protocol: asideProtocol,
        on: {
          ask: async ({ reply, refuse, clock }) => {
            await settle({ reply, refuse })
            asked.push(await outcome(front.ask({ type: 'back' })))
            await new Promise<void>((resolve) => {
              clock.setTimeout(resolve, 1000)
            })
            const late = target.ask({ type: 'oracle.never' }, { timeoutMs: 500 })
            await late.catch((error: unknown) => asked.push([(error as { code: string }).code, clock.now()]))
            asked.push(await target.ask({ type: 'oracle.ask', n: 1 }))
          },
          back: ({ reply }) => {
            reply(0)
          },
        },
      }),
    )
    const front: Ref<typeof asideProtocol> = t.runtime.spawn(
      defineActor({
        name: 'front',
        protocol: asideProtocol,
        on: {
          ask: async ({ reply }) => {
            reply(await behind.ask({ type: 'ask' }, { timeoutMs: 100 }).catch(() => -1))
            await never // it blocks still, though not for `behind`
          },
          back: ({ reply }) => {
            reply(0)
          },
        },
      }),
    )
    return { t, front, asked }
  }

  test.each([
    ['answered', 1, ({ reply }: { reply: (n: number) => void }) => reply(1)],
    ['refused', -1, ({ refuse }: { refuse: (error: Error) => void }) => refuse(new Error('no'))],
  ] as const)(
    'given one that is %s, when its handler asks back and works on, then neither cycle nor deadline hold it',
    async (_, answer, settle) => {
      const { t, front, asked } = await pair(settle)
      await using _t = t
      const first = front.ask({ type: 'ask' })
      await t.settle()
      expect(await first).toBe(answer)
      await t.advance(1500)
      await t.settle()
      // The question back waits for its turn, and the later one had its own 500 ms, not what was left of 100.
      expect(asked).toEqual(['open', ['ASK_TIMEOUT', 1500], 2])
    },
  )

  test('given one that is not settled, then the question back is a cycle', async () => {
    const { t, front, asked } = await pair(() => undefined)
    await using _t = t
    front.ask({ type: 'ask' }).catch(() => undefined)
    await t.settle()
    expect(asked).toEqual([{ code: 'ASK_CYCLE' }])
  })
})
