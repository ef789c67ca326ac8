import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  child,
  defineActor,
  exits,
  message,
  question,
  supervisor,
  type Budget,
  type ChildOptions,
  type Directive,
  type Ref,
} from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'

class Transient extends Error {}
class Fatal extends Error {}

const targetProtocol = {
  throw: message({ error: z.custom<Error>() }),
  increment: message(),
  get: question({}, z.int()),
  ask: question({ error: z.custom<Error>().optional() }, z.int()),
  wait: message({ gate: z.custom<Promise<void>>() }),
}

const target = defineActor({
  name: 'target',
  protocol: targetProtocol,
  state: () => 0,
  on: {
    throw: ({ message: { error } }) => {
      throw error
    },
    increment: ({ state }) => state + 1,
    get: ({ state, reply }) => {
      reply(state)
    },
    ask: ({ state, message: { error }, reply }) => {
      if (error !== undefined) throw error
      reply(state)
    },
    wait: async ({ message: { gate } }) => {
      await gate
    },
  },
})

type Target = Ref<typeof targetProtocol, { readonly context: number }>

/** The target under a supervisor of its own, with these terms. */
function supervised(t: TestRuntime, options: ChildOptions<typeof target>) {
  const top = t.runtime.spawn(
    supervisor('tree', { intensity: { restarts: 5, withinMs: 5000 }, children: [child(target, options)] }),
    {
      restart: 'temporary',
    },
  )
  // The only child is the target.
  return { top, ref: t.runtime.ref(`${top.path}/target`) as unknown as Target }
}

describe('a decider per error', () => {
  const decide = ({ error }: { readonly error: unknown }): Directive =>
    error instanceof Transient
      ? 'resume'
      : error instanceof Fatal
        ? 'escalate'
        : error instanceof RangeError
          ? 'stop'
          : 'restart'

  const rows: readonly (readonly [
    Error,
    { running: boolean; incarnation: number; state: number; supervisor: boolean },
  ])[] = [
    [new Transient('resume'), { running: true, incarnation: 1, state: 1, supervisor: true }],
    [new Error('restart'), { running: true, incarnation: 2, state: 0, supervisor: true }],
    [new RangeError('stop'), { running: false, incarnation: 1, state: 1, supervisor: true }],
    [new Fatal('escalate'), { running: false, incarnation: 1, state: 1, supervisor: false }],
  ]

  test.each(rows)('given %s, then that is what becomes of it', async (error, expected) => {
    await using t = await createTestRuntime()
    const { top, ref } = supervised(t, { decide })
    ref.tell({ type: 'increment' })
    ref.tell({ type: 'throw', error })
    await t.settle()
    expect({
      running: ref.isRunning,
      incarnation: ref.incarnation,
      state: ref.snapshot.context,
      supervisor: top.isRunning,
    }).toEqual(expected)
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: 'throw' }, error }])
  })

  test('given stop, then the supervisor keeps its spec, without a child', async () => {
    await using t = await createTestRuntime()
    const { top, ref } = supervised(t, { decide })
    ref.tell({ type: 'throw', error: new RangeError() })
    await t.settle()
    expect(top.snapshot.context.children).toMatchObject([{ id: 'target', status: 'stopped' }])
  })

  test('given escalate, then the supervisor fails with that very error, and says that it escalates', async () => {
    await using t = await createTestRuntime()
    const escalated: unknown[] = []
    t.runtime.on('escalated', ({ from, reason }) => escalated.push([from, reason]))
    const { top, ref } = supervised(t, { decide })
    const error = new Fatal('too much')
    ref.tell({ type: 'throw', error })
    await t.settle()
    expect(await top.exited).toEqual({ kind: 'crash', error })
    expect(escalated).toEqual([[top.path, { kind: 'failure', exit: { kind: 'crash', error } }]])
  })

  test('given resume, then the question at which it failed is answered by the failure', async () => {
    await using t = await createTestRuntime()
    const { ref } = supervised(t, { decide })
    const refused = expect(ref.ask({ type: 'ask', error: new Transient('no') })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      cause: { message: 'no' },
    })
    await t.settle()
    await refused
    expect(ref.incarnation).toBe(1)
  })

  test('is told what failed, where, and at which message', async () => {
    await using t = await createTestRuntime()
    const seen: unknown[] = []
    const error = new Error('boom')
    const { ref } = supervised(t, {
      decide: (failure) => {
        seen.push(failure)
        return 'restart'
      },
    })
    ref.tell({ type: 'throw', error })
    await t.settle()
    expect(seen).toEqual([{ error, path: ref.path, incarnation: 1, messageType: 'throw' }])
  })

  test('given a decider that throws, then it is reported and the default holds', async () => {
    await using t = await createTestRuntime()
    const reported: unknown[] = []
    t.runtime.on('observer-failed', ({ error }) => reported.push((error as Error).message))
    const { ref } = supervised(t, {
      decide: () => {
        throw new Error('decider')
      },
    })
    ref.tell({ type: 'throw', error: new Error('x') })
    await t.settle()
    expect(ref.incarnation).toBe(2)
    expect(reported).toEqual(['decider'])
  })

  test('SupervisionSpec: support nesting to handle different exceptions', async () => {
    await using t = await createTestRuntime()
    const { ref } = supervised(t, { decide })
    ref.tell({ type: 'increment' })
    ref.tell({ type: 'throw', error: new Transient() })
    const resumed = ref.ask({ type: 'get' })
    await t.settle()
    expect(await resumed).toBe(1)
    ref.tell({ type: 'throw', error: new Error() })
    await t.settle()
    const restarted = ref.ask({ type: 'get' })
    await t.settle()
    expect(await restarted).toBe(0)
    ref.tell({ type: 'throw', error: new RangeError() })
    await t.settle()
    expect(ref.isRunning).toBe(false)
  })
})

describe('a mailbox that is kept', () => {
  test('given a crash, then address, mailbox and watchers stay; what was being handled is lost', async () => {
    await using t = await createTestRuntime()
    const { ref } = supervised(t, { keepMailbox: true })
    const downs: string[] = []
    ref.watch(({ reason }) => downs.push(reason.kind))
    const seen: unknown[] = []
    ref.subscribe({ next: ({ context }) => seen.push(context), error: () => seen.push('error') })
    const accepted = expect(ref.ask({ type: 'ask', error: new Error('boom') })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      reason: { kind: 'crash' },
    })
    ref.tell({ type: 'increment' })
    const waiting = ref.ask({ type: 'get' })
    await t.settle()
    await accepted
    expect(await waiting).toBe(1)
    expect(ref.incarnation).toBe(2)
    expect(downs).toEqual([])
    expect(seen).toEqual([1])
    void ref.stop()
    await t.settle()
    expect(downs).toEqual(['shutdown'])
  })

  test('given a question that was taken and is not answered yet, then a crash at another message fails it at once', async () => {
    await using t = await createTestRuntime()
    const lazy = defineActor({
      name: 'lazy',
      protocol: { ask: question({}, z.int()), crash: message() },
      on: {
        ask: () => undefined, // it would answer later
        crash: () => {
          throw new Error('boom')
        },
      },
    })
    const ref = t.runtime.spawn(lazy, { keepMailbox: true })
    const refused = expect(ref.ask({ type: 'ask' })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      cause: { message: 'boom' },
    })
    ref.tell({ type: 'crash' })
    await t.settle()
    await refused
    expect([ref.incarnation, t.clock.pending]).toEqual([2, 0])
  })

  test('given a question that was stashed, then it survives a crash and is answered by the next incarnation', async () => {
    await using t = await createTestRuntime()
    const shy = defineActor({
      name: 'shy',
      protocol: { ask: question({}, z.int()), crash: message() },
      on: {
        ask: ({ stash, incarnation, reply }) => {
          if (incarnation === 1) stash()
          else reply(incarnation)
        },
        crash: () => {
          throw new Error('boom')
        },
      },
    })
    const ref = t.runtime.spawn(shy, { keepMailbox: true })
    const asked = ref.ask({ type: 'ask' })
    ref.tell({ type: 'crash' })
    await t.settle()
    expect(await asked).toBe(2)
  })

  test('given a backoff, then what comes meanwhile waits within the bound', async () => {
    await using t = await createTestRuntime()
    const small = defineActor({
      name: 'small',
      protocol: { crash: message(), put: message({ n: z.int() }) },
      mailbox: { capacity: 2 },
      state: (): readonly number[] => [],
      on: {
        crash: () => {
          throw new Error('boom')
        },
        put: ({ state, message: { n } }) => [...state, n],
      },
    })
    const ref = t.runtime.spawn(small, { keepMailbox: true, backoff: { minMs: 1000, maxMs: 1000, jitter: 0 } })
    ref.tell({ type: 'crash' })
    await t.settle()
    // SupervisionSpec: publish dropped messages while backing off and stash is full
    for (const n of [1, 2, 3, 4]) ref.tell({ type: 'put', n })
    expect(t.runtime.deadLetters.recent().slice(1)).toMatchObject([
      { reason: 'mailbox-full', message: { n: 3 } },
      { reason: 'mailbox-full', message: { n: 4 } },
    ])
    await t.advance(1000)
    expect(ref.snapshot.context).toEqual([1, 2])
  })

  test('given an ask that waits during a backoff, when its time is up, then it fails and is not handled', async () => {
    await using t = await createTestRuntime()
    const { ref } = supervised(t, { keepMailbox: true, backoff: { minMs: 1000, maxMs: 1000, jitter: 0 } })
    ref.tell({ type: 'throw', error: new Error('x') })
    await t.settle()
    const refused = expect(ref.ask({ type: 'get' }, { timeoutMs: 500 })).rejects.toMatchObject({ code: 'ASK_TIMEOUT' })
    const patient = ref.ask({ type: 'get' })
    await t.advance(1000)
    await refused
    expect(await patient).toBe(0)
    expect(t.runtime.deadLetters.byReason.get('expired')).toBe(1)
  })

  test('given stashed messages, then they come first in the next incarnation', async () => {
    await using t = await createTestRuntime()
    const seen: string[] = []
    const stashing = defineActor({
      name: 'stashing',
      protocol: { keep: message({ text: z.string() }), crash: message(), note: message({ text: z.string() }) },
      on: {
        keep: ({ message: { text }, stash, incarnation }) => {
          if (incarnation === 1) stash()
          else seen.push(text)
        },
        crash: () => {
          throw new Error('boom')
        },
        note: ({ message: { text } }) => {
          seen.push(text)
        },
      },
    })
    const ref = t.runtime.spawn(stashing, { keepMailbox: true })
    ref.tell({ type: 'keep', text: 'stashed' })
    ref.tell({ type: 'crash' })
    ref.tell({ type: 'note', text: 'queued' })
    await t.settle()
    expect(seen).toEqual(['stashed', 'queued'])
  })

  test.each(['intensity', 'temporary', 'stop'] as const)(
    'given no restart, for %s, then mailbox and watchers learn of the end',
    async (why) => {
      await using t = await createTestRuntime()
      const { ref } = supervised(t, {
        keepMailbox: true,
        ...(why === 'intensity'
          ? { intensity: { restarts: 0, withinMs: 1 } }
          : why === 'temporary'
            ? { restart: 'temporary' }
            : { decide: () => 'stop' }),
      })
      const downs: string[] = []
      ref.watch(({ reason }) => downs.push(reason.kind))
      ref.tell({ type: 'throw', error: new Error('x') })
      ref.tell({ type: 'increment' })
      const refused = expect(ref.ask({ type: 'get' })).rejects.toMatchObject({ code: 'TARGET_DOWN' })
      await t.settle()
      await refused
      expect(downs).toEqual(['crash'])
      expect(t.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual(['crashed', 'stopped', 'stopped'])
    },
  )
})

describe('poison', () => {
  const poisoned = (failures: number) => {
    const tries: number[] = []
    const actor = defineActor({
      name: 'poisoned',
      protocol: { put: message({ n: z.int() }), ask: question({ n: z.int() }, z.int()) },
      state: (): readonly number[] => [],
      on: {
        put: ({ state, message: { n } }) => {
          tries.push(n)
          if (n === 0 && tries.filter((tried) => tried === 0).length <= failures) throw new Error('poison')
          return [...state, n]
        },
        ask: ({ message: { n }, reply }) => {
          tries.push(n)
          if (tries.filter((tried) => tried === n).length <= failures) throw new Error('poison')
          reply(n)
        },
      },
    })
    return { tries, actor }
  }
  const terms = { keepMailbox: true, poison: { after: 3 }, intensity: { restarts: 10, withinMs: 5000 } }

  test('given a message that fails again and again, then it is a dead letter after so many times, and the rest goes on', async () => {
    await using t = await createTestRuntime()
    const { tries, actor } = poisoned(Infinity)
    const ref = t.runtime.spawn(actor, terms)
    for (const n of [0, 1, 2]) ref.tell({ type: 'put', n })
    await t.settle()
    expect(tries).toEqual([0, 0, 0, 1, 2])
    expect(ref.snapshot.context).toEqual([1, 2])
    expect(t.runtime.deadLetters.recent()).toMatchObject([
      { reason: 'poison', message: { n: 0 }, error: { message: 'poison' } },
    ])
  })

  test('given a message that succeeds in time, then nothing is lost and the order is kept', async () => {
    await using t = await createTestRuntime()
    const { actor } = poisoned(2)
    const ref = t.runtime.spawn(actor, terms)
    for (const n of [0, 1, 2]) ref.tell({ type: 'put', n })
    await t.settle()
    expect(ref.snapshot.context).toEqual([0, 1, 2])
    expect(t.runtime.deadLetters.count).toBe(0)
  })

  test('given a question, then it is answered by the incarnation that can', async () => {
    await using t = await createTestRuntime()
    const { actor } = poisoned(2)
    const ref = t.runtime.spawn(actor, terms)
    const asked = ref.ask({ type: 'ask', n: 5 })
    await t.settle()
    expect(await asked).toBe(5)
    expect(ref.incarnation).toBe(3)
  })

  test('given a question that is poison, then its asker learns of the crash', async () => {
    await using t = await createTestRuntime()
    const { actor } = poisoned(Infinity)
    const ref = t.runtime.spawn(actor, terms)
    const refused = expect(ref.ask({ type: 'ask', n: 5 })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      cause: { message: 'poison' },
    })
    await t.settle()
    await refused
    expect(t.runtime.deadLetters.byReason.get('poison')).toBe(1)
  })

  test('given a tick that fails, then it is not tried again: it was the timer’s of that incarnation', async () => {
    await using t = await createTestRuntime()
    let ticks = 0
    const clockwork = defineActor({
      name: 'clockwork',
      protocol: { start: message(), tick: message() },
      on: {
        start: ({ timers }) => {
          timers.after('t', 10, { type: 'tick' })
        },
        tick: () => {
          ticks += 1
          throw new Error('tick')
        },
      },
    })
    const ref = t.runtime.spawn(clockwork, terms)
    ref.tell({ type: 'start' })
    await t.advance(100)
    expect([ticks, ref.incarnation]).toEqual([1, 2])
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: 'tick' } }])
  })

  test('given a handler that stashes its message and fails, then that message is there once', async () => {
    await using t = await createTestRuntime()
    let seen = 0
    const clumsy = defineActor({
      name: 'clumsy',
      protocol: { put: message() },
      on: {
        put: ({ stash, incarnation }) => {
          seen += 1
          if (incarnation > 1) return
          stash()
          throw new Error('clumsy')
        },
      },
    })
    const ref = t.runtime.spawn(clumsy, terms)
    ref.tell({ type: 'put' })
    await t.settle()
    expect([seen, ref.incarnation, t.runtime.deadLetters.count]).toEqual([2, 2, 0])
  })

  test('given a decider that stops it, then its message is no poison', async () => {
    await using t = await createTestRuntime()
    const { actor } = poisoned(Infinity)
    const ref = t.runtime.spawn(actor, { ...terms, decide: () => 'stop' })
    ref.tell({ type: 'put', n: 0 })
    await t.settle()
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed' }])
  })
})

describe('the state of the next incarnation', () => {
  test('given snapshot and a crash, then it goes on with the last state', async () => {
    await using t = await createTestRuntime()
    const { ref } = supervised(t, { stateOnRestart: 'snapshot' })
    ref.tell({ type: 'increment' })
    ref.tell({ type: 'throw', error: new Error('x') })
    await t.settle()
    expect([ref.incarnation, ref.snapshot.context]).toEqual([2, 1])
  })

  test('given snapshot and a normal end, then a permanent child begins anew: there was no failure', async () => {
    await using t = await createTestRuntime()
    const quitter = defineActor({
      name: 'quitter',
      protocol: { quit: message() },
      state: () => 0,
      on: {
        quit: ({ state, stop }) => {
          stop()
          return state + 1
        },
      },
    })
    const ref = t.runtime.spawn(quitter, { restart: 'permanent', stateOnRestart: 'snapshot' })
    ref.tell({ type: 'quit' })
    await t.settle()
    expect([ref.incarnation, ref.snapshot.context]).toEqual([2, 0])
  })
})

describe('the progress watchdog', () => {
  const worker = defineActor({
    name: 'worker',
    protocol: { work: question({ steps: z.int(), stepMs: z.int() }, z.int()), note: message() },
    on: {
      work: async ({ message: { steps, stepMs }, progress, reply, clock }) => {
        for (let step = 0; step < steps; step += 1) {
          await new Promise<void>((resolve) => {
            clock.setTimeout(resolve, stepMs)
          })
          progress()
        }
        reply(steps)
      },
      note: () => undefined,
    },
  })

  test('given work that says that it goes on, then it may take as long as it takes', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(worker, { progress: { withinMs: 100 } })
    const asked = ref.ask({ type: 'work', steps: 20, stepMs: 99 })
    await t.advance(20 * 99)
    expect(await asked).toBe(20)
    expect(ref.incarnation).toBe(1)
  })

  test('given work that says nothing for too long, then that is a failure, and its message a dead letter', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(worker, { progress: { withinMs: 100 } })
    const { exited } = ref
    const refused = expect(ref.ask({ type: 'work', steps: 1, stepMs: 101 })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
    })
    await t.advance(100)
    await refused
    expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'STUCK' } })
    expect(ref.incarnation).toBe(2)
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: 'work' } }])
  })

  test('given work that is done in time, then no watchdog is left', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(worker, { progress: { withinMs: 100 } })
    const asked = ref.ask({ type: 'work', steps: 1, stepMs: 50 })
    await t.advance(50)
    await asked
    expect(t.clock.pending).toBe(0)
    await t.advance(1000)
    expect(ref.incarnation).toBe(1)
  })

  test('given a reentrant actor, then each message is watched by itself', async () => {
    await using t = await createTestRuntime()
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const reentrant = defineActor({
      name: 'reentrant',
      protocol: { go: message({ n: z.int() }) },
      reentrant: true,
      on: {
        go: async ({ message: { n } }) => {
          await gates[n]?.promise
        },
      },
    })
    const ref = t.runtime.spawn(reentrant, { progress: { withinMs: 100 } })
    const { exited } = ref
    ref.tell({ type: 'go', n: 0 })
    await t.advance(50)
    ref.tell({ type: 'go', n: 1 })
    await t.settle()
    gates[1]?.resolve()
    await t.advance(50)
    expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'STUCK' } })
  })
})

describe('budgets', () => {
  const spender = defineActor({
    name: 'spender',
    protocol: {
      spend: message({ usd: z.number().optional(), tokens: z.number().optional(), calls: z.number().optional() }),
      note: message(),
    },
    on: {
      spend: ({ message: { type: _, ...amount }, spend }) => {
        // Absent amounts are absent keys.
        spend(amount as { usd?: number })
      },
      note: () => undefined,
    },
  })

  test.each([
    ['usd', { usd: 1 }, { usd: 0.6 }],
    ['tokens', { tokens: 100 }, { tokens: 60 }],
    ['calls', { calls: 3 }, { calls: 2 }],
  ] as const)(
    'given a budget of %s, then using up more is a failure, and exactly as much is not',
    async (resource, budget: Budget, amount) => {
      await using t = await createTestRuntime()
      const ref = t.runtime.spawn(spender, { budget })
      const { exited } = ref
      ref.tell({ type: 'spend', ...amount })
      await t.settle()
      expect(ref.incarnation).toBe(1)
      ref.tell({ type: 'spend', ...amount })
      await t.settle()
      expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'BUDGET_EXCEEDED', resource } })
      expect(ref.incarnation).toBe(2)
      ref.tell({ type: 'spend', ...amount })
      await t.settle()
      expect(ref.incarnation).toBe(2) // each incarnation has its own
    },
  )

  /** Counts the messages that reach its handlers, over all incarnations. */
  const handled: string[] = []
  const noting = defineActor({
    name: 'noting',
    protocol: { note: message(), much: question({}, z.int()), wait: message(), go: message() },
    reentrant: true,
    on: {
      note: () => void handled.push('note'),
      much: async ({ reply }) => {
        handled.push('much')
        await Promise.resolve()
        reply(handled.length)
      },
      wait: ({ stash }) => {
        stash()
      },
      go: ({ unstashAll }) => {
        handled.push('go')
        unstashAll()
      },
      'actor.started': () => undefined,
      'actor.stopping': () => void handled.push('stopping'),
    },
  })

  test('given a budget of messages, then exactly as many are handled, and one more is a failure and a dead letter', async () => {
    handled.length = 0
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(noting, { budget: { messages: 2 } })
    const { exited } = ref
    ref.tell({ type: 'note' })
    ref.tell({ type: 'note' })
    await t.settle()
    expect([ref.incarnation, handled.length]).toEqual([1, 2])
    ref.tell({ type: 'note' })
    await t.settle()
    expect(await exited).toMatchObject({ error: { code: 'BUDGET_EXCEEDED', resource: 'messages' } })
    expect(handled).toEqual(['note', 'note', 'stopping'])
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: 'note' } }])
    ref.tell({ type: 'note' })
    ref.tell({ type: 'note' })
    await t.settle()
    expect([ref.incarnation, handled.length]).toEqual([2, 5]) // each incarnation has its own
  })

  test('given questions at once to an actor with a budget of messages, then the ask beyond it fails', async () => {
    handled.length = 0
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(noting, { budget: { messages: 2 }, restart: 'temporary' })
    const asked = Promise.allSettled([1, 2, 3].map(() => ref.ask({ type: 'much' })))
    await t.settle()
    expect((await asked)[2]).toMatchObject({ reason: { code: 'TARGET_DOWN', cause: { code: 'BUDGET_EXCEEDED' } } })
    expect(handled.filter((type) => type === 'much')).toHaveLength(2)
  })

  test('given a message that is set aside, then it does not count until its turn comes again', async () => {
    handled.length = 0
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(noting, { budget: { messages: 2 } })
    ref.tell({ type: 'wait' })
    ref.tell({ type: 'note' })
    ref.tell({ type: 'go' })
    await t.settle()
    expect([ref.incarnation, handled]).toEqual([2, ['note', 'go', 'stopping']])
  })

  test('given a budget of time, then it ends when that is up, also in the middle of its work', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(target, { budget: { wallMs: 100 }, restart: 'temporary' })
    ref.tell({ type: 'wait', gate: new Promise<void>(() => undefined) })
    await t.advance(99)
    expect(ref.isRunning).toBe(true)
    await t.advance(1)
    expect(await ref.exited).toMatchObject({ kind: 'crash', error: { code: 'BUDGET_EXCEEDED', resource: 'wallMs' } })
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: 'wait' } }])
  })

  test.each([-1, NaN])('given an amount of %d, then it is refused', async (usd) => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(
      defineActor({
        name: 'cheat',
        protocol: { go: message() },
        on: {
          go: ({ spend }) => {
            spend({ usd })
          },
        },
      }),
      { restart: 'temporary' },
    )
    ref.tell({ type: 'go' })
    await t.settle()
    expect(await ref.exited).toMatchObject({ error: { code: 'DEFINITION_INVALID' } })
  })
})

describe('stops, kills and restarts that meet', () => {
  const slowStop = (gate: Promise<void>, seen: string[] = []) =>
    defineActor({
      name: 'slow-stop',
      protocol: { crash: message() },
      on: {
        'actor.started': ({ incarnation }) => {
          seen.push(`started ${incarnation}`)
        },
        crash: () => {
          throw new Error('boom')
        },
        'actor.stopping': async ({ message: { reason } }) => {
          seen.push(`stopping ${reason.kind}`)
          await gate
        },
      },
    })

  test('given a kill while it says its last words, then it ends at once and is restarted', async () => {
    await using t = await createTestRuntime()
    const seen: string[] = []
    const ref = t.runtime.spawn(slowStop(new Promise<void>(() => undefined), seen))
    await t.settle()
    ref.tell({ type: 'crash' })
    await t.settle()
    expect(ref.incarnation).toBe(1)
    ref.kill()
    await t.settle()
    expect(seen).toEqual(['started 1', 'stopping crash', 'started 2'])
  })

  test('given a stop while it says its last words of a crash, then it is not restarted', async () => {
    await using t = await createTestRuntime()
    const gate = Promise.withResolvers<void>()
    const ref = t.runtime.spawn(slowStop(gate.promise))
    await t.settle()
    ref.tell({ type: 'crash' })
    await t.settle()
    const stopped = ref.stop()
    gate.resolve()
    await t.settle()
    expect(await stopped).toMatchObject({ kind: 'crash' })
    expect([ref.isRunning, ref.incarnation]).toEqual([false, 1])
  })

  test('given last words of a stop that take too long, then it is killed when the time is up', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(slowStop(new Promise<void>(() => undefined)), { shutdown: 300 })
    await t.settle()
    const stopped = ref.stop()
    await t.advance(299)
    expect(await Promise.race([stopped, Promise.resolve('open')])).toBe('open')
    await t.advance(1)
    expect(await stopped).toEqual(exits.killed)
    expect(ref.isRunning).toBe(false)
  })

  test('given brutal_kill, then no last words are waited for', async () => {
    await using t = await createTestRuntime()
    const seen: string[] = []
    const ref = t.runtime.spawn(slowStop(new Promise<void>(() => undefined), seen), { shutdown: 'brutal_kill' })
    await t.settle()
    expect(await ref.stop()).toEqual(exits.killed)
    expect(seen).toEqual(['started 1'])
  })

  test('given stops of all kinds one after the other, then the first reason stands and all learn of it', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(target, { restart: 'temporary' })
    const stops = [
      ref.stop({ reason: exits.shutdown('first') }),
      ref.stop({ reason: exits.shutdown('second') }),
      ref.exited,
    ]
    await t.settle()
    expect(await Promise.all(stops)).toEqual([
      exits.shutdown('first'),
      exits.shutdown('first'),
      exits.shutdown('first'),
    ])
  })

  test('given a stop of what has ended, then it says how that did', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(target, { restart: 'temporary' })
    ref.kill()
    expect(await ref.stop()).toEqual(exits.killed)
    expect(await ref.exited).toEqual(exits.killed)
  })

  test('given a child that is attached during a stop, then its signal is aborted from the first and it is stopped', async () => {
    await using t = await createTestRuntime()
    const gate = Promise.withResolvers<void>()
    const seen: unknown[] = []
    const late = defineActor({
      name: 'late',
      protocol: {},
      on: {
        'actor.started': ({ signal }) => {
          seen.push(signal.aborted)
        },
        'actor.stopping': () => {
          seen.push('stopped')
        },
      },
    })
    const parent = defineActor({
      name: 'parent',
      protocol: { go: message() },
      on: {
        go: async ({ spawn, signal }) => {
          await gate.promise
          seen.push(signal.aborted)
          spawn(late)
        },
      },
    })
    const ref = t.runtime.spawn(parent)
    ref.tell({ type: 'go' })
    await t.settle()
    const stopped = ref.stop()
    gate.resolve()
    await t.settle()
    expect(await stopped).toEqual(exits.shutdown())
    expect(seen[0]).toBe(true)
    expect(seen).not.toContain(false)
    expect(seen.at(-1)).toBe('stopped')
    expect(t.runtime.stats.actors).toBe(1)
  })

  test('given a tree that is stopped, then the signals of all below are aborted at once, before any has stopped', async () => {
    await using t = await createTestRuntime()
    const signals: AbortSignal[] = []
    const leaf = defineActor({
      name: 'leaf',
      protocol: {},
      on: {
        'actor.started': async ({ signal }) => {
          signals.push(signal)
          await new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              resolve()
            })
          })
        },
      },
    })
    const top = t.runtime.spawn(
      supervisor('top', {
        children: [supervisor('inner', { children: [child(leaf, { id: 'a' }), child(leaf, { id: 'b' })] })],
      }),
    )
    await t.settle()
    const stopped = top.stop()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
    await t.settle()
    expect(await stopped).toEqual(exits.shutdown())
  })
})
