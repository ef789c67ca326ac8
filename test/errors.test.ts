import { readFileSync, globSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  child,
  createRuntime,
  defineActor,
  deleteChild,
  dynamicSupervisor,
  EchelonError,
  message,
  question,
  restartChild,
  startChild,
  startDynamicChild,
  strategic,
  supervisor,
  tactical,
  type ActorContext,
  type AnyDefinition,
  type MailboxOptions,
  type Ref,
  type RefOf,
} from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { createActor } from 'xstate'
import { loadPino } from '../src/runtime/log.ts'
import { durableProvocations } from './support/durable-provocations.ts'
import { pages, readPage, repositoryRoot } from './support/markdown.ts'
import { simulationProvocations } from './support/simulation-provocations.ts'

/*
 * Bad input of every kind, one provocation for each error code and each reason of a dead letter. Whoever adds one finds
 * here that it has no test yet.
 */

const never = new Promise<never>(() => undefined)

/** What the code did not do as the types say: input from untyped code. */
const untyped = <T>(value: unknown): T => value as T

/** Gives what a promise rejects with, letting everything happen meanwhile. */
async function rejection(t: TestRuntime, promise: Promise<unknown>, waitMs = 0): Promise<unknown> {
  const caught = promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  )
  await t.advance(waitMs)
  return caught
}

function thrown(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return new Error('it did not fail')
}

const echo = defineActor({
  name: 'echo',
  protocol: {
    ask: question({ n: z.int() }, z.int()),
    never: question({}, z.int()),
    wrong: question({}, z.int()),
    note: message(),
    wait: message(),
  },
  on: {
    ask: ({ message: { n }, reply }) => {
      reply(n)
    },
    never: () => undefined,
    wrong: ({ reply }) => {
      reply(0.5)
    },
    note: () => undefined,
    wait: () => never,
  },
})

const actorProtocol = { go: message() }

/** Runs `run` in an actor and gives the error that it crashes with. */
async function crash(
  t: TestRuntime,
  run: (context: ActorContext<typeof actorProtocol>) => unknown,
  mailbox: MailboxOptions = {},
): Promise<unknown> {
  const actor = defineActor({
    name: 'actor',
    protocol: actorProtocol,
    mailbox,
    on: {
      go: async (context) => {
        await run(context)
      },
    },
  })
  const ref = t.runtime.spawn(actor, { restart: 'temporary' })
  ref.tell({ type: 'go' })
  if (Object.keys(mailbox).length > 0) ref.tell({ type: 'go' })
  await t.settle()
  const exit = await ref.exited
  return exit.kind === 'crash' ? exit.error : exit
}

const crashing = defineActor({
  name: 'crashing',
  protocol: { crash: message() },
  on: {
    crash: () => {
      throw new Error('boom')
    },
  },
})

/** A supervisor with one child, `crashing`. */
function tree(t: TestRuntime, terms: Parameters<typeof child<typeof crashing>>[1] = {}) {
  const top = t.runtime.spawn(supervisor('tree', { children: [child(crashing, terms)] }))
  return { top, ref: untyped<RefOf<typeof crashing>>(t.runtime.ref(`${top.path}/crashing`)) }
}

type Provoke = (t: TestRuntime) => unknown

const provocations: Readonly<Record<string, Provoke>> = {
  ...durableProvocations,
  ...simulationProvocations,
  ACTOR_NOT_FOUND: (t) => thrown(() => t.runtime.lookup(echo)),
  ANSWER_INVALID: (t) => rejection(t, t.runtime.spawn(echo).ask({ type: 'wrong' })),
  ASK_CANCELLED: (t) => rejection(t, t.runtime.spawn(echo).ask({ type: 'never' }, { signal: AbortSignal.abort() })),
  ASK_CYCLE: (t) => {
    const selfish: AnyDefinition = defineActor({
      name: 'selfish',
      protocol: { go: question({}, z.int()) },
      on: {
        go: async ({ self, reply }) => {
          reply(await self.ask({ type: 'go' }))
        },
      },
    })
    const ref = untyped<Ref<{ go: ReturnType<typeof question<{}, z.ZodInt>> }>>(
      t.runtime.spawn(selfish, { restart: 'temporary' }),
    )
    return rejection(t, ref.ask({ type: 'go' })).then((error) => (error as Error).cause)
  },
  ASK_TIMEOUT: (t) => rejection(t, t.runtime.spawn(echo).ask({ type: 'never' }, { timeoutMs: 10 }), 10),
  AUTHORITY_WIDENED: () =>
    thrown(() =>
      strategic('top', {
        actor: echo,
        authority: { spendUsd: 1 },
        children: [tactical('inner', { actor: echo, authority: { spendUsd: 2 }, children: [] })],
      }),
    ),
  BUDGET_EXCEEDED: async (t) => {
    const ref = t.runtime.spawn(echo, { budget: { messages: 1 }, restart: 'temporary' })
    for (let i = 0; i < 2; i += 1) ref.tell({ type: 'note' })
    await t.settle()
    return ref.exited
  },
  CHILD_ALREADY_PRESENT: async (t) => {
    const { top, ref } = tree(t)
    void ref.stop()
    await t.settle()
    return rejection(t, startChild(top, crashing))
  },
  CHILD_ALREADY_STARTED: (t) => rejection(t, startChild(tree(t).top, crashing)),
  CHILD_NOT_FOUND: (t) => rejection(t, restartChild(tree(t).top, 'nobody')),
  CHILD_RESTARTING: async (t) => {
    const { top, ref } = tree(t, { backoff: { minMs: 1000, maxMs: 1000 } })
    ref.tell({ type: 'crash' })
    await t.settle()
    return rejection(t, restartChild(top, 'crashing'))
  },
  CHILD_RUNNING: (t) => rejection(t, deleteChild(tree(t).top, 'crashing')),
  CHILD_SPEC_INVALID: () => thrown(() => child(echo, { shutdown: -1 })),
  CHILD_START_FAILED: (t) => {
    const broken = defineActor({
      name: 'broken',
      protocol: {},
      state: () => {
        throw new Error('no')
      },
      on: {},
    })
    return rejection(t, startChild(tree(t).top, broken))
  },
  DEATH_PACT: async (t) => {
    const ref = t.runtime.spawn(crashing)
    return crash(t, ({ watch, self }) => {
      watch(ref)
      ref.kill()
      self.watch(() => undefined)
    })
  },
  DEFINITION_INVALID: () => thrown(() => defineActor({ name: 'a b', protocol: {}, on: {} })),
  DEPENDENCY_MISSING: () =>
    loadPino(() => Promise.reject(Object.assign(new Error('no pino'), { code: 'ERR_MODULE_NOT_FOUND' }))).catch(
      (error: unknown) => error,
    ),
  DYNAMIC_SUPERVISOR: (t) =>
    rejection(t, restartChild(t.runtime.spawn(dynamicSupervisor('dynamic', { child: crashing })), 'x')),
  ESCALATION_INVALID: (t) =>
    crash(t, ({ escalate }) =>
      escalate({ action: 'go', options: ['yes'] as const, defaultChoice: untyped<'yes'>('no'), deadlineMs: 1 }),
    ),
  ESCALATION_LIMIT: (t) =>
    crash(t, async ({ escalate }) => {
      const request = {
        action: 'go',
        options: ['yes', 'no'],
        defaultChoice: 'no',
        deadlineMs: 1000,
        spendUsd: 1,
      } as const
      for (let i = 0; i < 1000; i += 1) void escalate(request)
      await escalate(request)
    }),
  FENCED: async (t) => {
    let caught: unknown
    const gate = Promise.withResolvers<void>()
    const zombie = defineActor({
      name: 'zombie',
      protocol: { go: message() },
      on: {
        go: async ({ spawn }) => {
          await gate.promise
          caught = thrown(() => spawn(echo))
        },
      },
    })
    const ref = t.runtime.spawn(zombie)
    ref.tell({ type: 'go' })
    await t.settle()
    ref.kill()
    gate.resolve()
    await t.settle()
    return caught
  },
  INTERRUPTED: async (t) => {
    const { fromPromise, setup } = await import('xstate')
    const failed: unknown[] = []
    const machine = setup({ actors: { work: fromPromise(() => never) } }).createMachine({
      invoke: { src: 'work' },
      on: {
        crash: {
          actions: () => {
            throw new Error('boom')
          },
        },
      },
    })
    const ref = t.runtime.spawn(
      defineActor({ name: 'chart', protocol: { crash: message() }, machine: () => machine }),
      { stateOnRestart: 'snapshot' },
    )
    t.runtime.on('failed', ({ error }) => failed.push(error))
    ref.tell({ type: 'crash' })
    await t.settle()
    return failed[1]
  },
  MAILBOX_FULL: async (t) => {
    const small = t.runtime.spawn({ ...echo, mailbox: { ...echo.mailbox, capacity: 1 } })
    small.tell({ type: 'wait' })
    await t.settle()
    small.tell({ type: 'note' })
    return rejection(t, small.offer({ type: 'note' }))
  },
  MAX_CHILDREN: async (t) => {
    const top = t.runtime.spawn(dynamicSupervisor('dynamic', { child: crashing, maxChildren: 1 }))
    void startDynamicChild(top)
    return rejection(t, startDynamicChild(top))
  },
  MESSAGE_INVALID: (t) => rejection(t, t.runtime.spawn(echo).ask({ type: 'ask', n: 0.5 })),
  MESSAGE_UNHANDLED: (t) => {
    const chart = defineActor({
      name: 'chart',
      protocol: { ask: question({}, z.int()) },
      machine: ({ setup }) => setup({}).createMachine({ initial: 'deaf', states: { deaf: {} } }),
    })
    return rejection(t, t.runtime.spawn(chart).ask({ type: 'ask' }))
  },
  MESSAGE_UNKNOWN: (t) => rejection(t, t.runtime.spawn(echo).ask(untyped({ type: 'sing' }))),
  NAME_TAKEN: (t) => {
    t.runtime.spawn(echo, { name: 'one' })
    return thrown(() => t.runtime.spawn(echo, { name: 'one' }))
  },
  NOT_HOSTED: () => {
    const errors: unknown[] = []
    const actor = createActor(echo.logic)
    actor.subscribe({ error: (error) => errors.push(error) })
    actor.start()
    actor.send({ type: 'ask', n: 1 })
    return errors[0]
  },
  REPLY_MISUSED: (t) => crash(t, (context) => untyped<{ reply(answer: number): void }>(context).reply(1)),
  RUNTIME_CLOSED: async () => {
    const runtime = await createRuntime()
    const ref = runtime.spawn(echo)
    await runtime.shutdown()
    expect(thrown(() => runtime.spawn(echo))).toMatchObject({ code: 'RUNTIME_CLOSED' })
    return ref.ask({ type: 'ask', n: 1 }).catch((error: unknown) => error)
  },
  SHUTDOWN_TIMEOUT: async (t) => {
    t.runtime.onShutdown('close', 'hang', () => never)
    const closing = t.runtime.shutdown({ deadlineMs: 100 })
    await t.advance(100)
    return (await closing).phases.flatMap(({ failures }) => failures.map(({ error }) => error))[0]
  },
  STASH_FULL: (t) =>
    crash(
      t,
      ({ stash }) => {
        stash()
      },
      { stashCapacity: 1 },
    ),
  START_FAILED: (t) => {
    const cause = new Error('no state')
    const broken = defineActor({
      name: 'broken',
      protocol: {},
      state: () => {
        throw cause
      },
      on: {},
    })
    return thrown(() => t.runtime.spawn(broken))
  },
  STUCK: async (t) => {
    const ref = t.runtime.spawn(echo, { progress: { withinMs: 10 }, restart: 'temporary' })
    ref.tell({ type: 'wait' })
    await t.advance(10)
    return ref.exited
  },
  TARGET_DOWN: async (t) => {
    const ref = t.runtime.spawn(echo, { restart: 'temporary' })
    ref.kill()
    return rejection(t, ref.ask({ type: 'ask', n: 1 }))
  },
}

/** The codes that the sources name. */
function codesOfSources(): readonly string[] {
  const source = globSync('src/**/*.ts', { cwd: repositoryRoot })
    .map((file) => readFileSync(repositoryRoot + file, 'utf8'))
    .join('\n')
  const codes = [...source.matchAll(/readonly code = '([A-Z_]+)'/g)].map(([, code]) => code ?? '')
  const [, refusals = ''] = /const refusals = \{(.*?)^\}/ms.exec(source) ?? []
  return [...codes, ...[...refusals.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, code]) => code ?? '')]
}

describe('every error code', () => {
  test('has a provocation here', () => {
    expect(Object.keys(provocations).toSorted()).toEqual([...new Set(codesOfSources())].toSorted())
  })

  test('is described in docs/errors.md', () => {
    expect(pages).toContain('docs/errors.md')
    const entries = [...readPage('docs/errors.md').matchAll(/^### `([^`]+)`/gm)].map(([, entry]) => entry)
    expect(entries).toEqual(expect.arrayContaining(Object.keys(provocations)))
  })

  test.each(Object.entries(provocations))('%s', async (code, provoke) => {
    await using t = await createTestRuntime()
    const given = await provoke(t)
    const error = typeof given === 'object' && given !== null && 'error' in given ? given.error : given
    expect(error).toMatchObject({ code })
    expect(error).toBeInstanceOf(EchelonError)
    const { name, message: text, retryable } = error as EchelonError
    expect(name).toMatch(/Error$/)
    expect(text.length).toBeGreaterThan(20) // what, where, and mostly what to do
    expect(typeof retryable).toBe('boolean')
  })
})

const letters: Readonly<Record<string, Provoke>> = {
  'unknown-message': (t) => {
    t.runtime.spawn(echo).tell(untyped({ type: 'sing' }))
  },
  'invalid-message': (t) => {
    t.runtime.spawn(echo).send(untyped({ type: 'ask', n: 'one' }))
  },
  'mailbox-full': async (t) => overflow(t, 'reject'),
  'dropped-newest': async (t) => overflow(t, 'drop-newest'),
  'dropped-oldest': async (t) => overflow(t, 'drop-oldest'),
  stopped: async (t) => {
    const ref = t.runtime.spawn(echo)
    void ref.stop()
    await t.settle()
    ref.tell({ type: 'note' })
  },
  crashed: (t) => {
    t.runtime.spawn(crashing).tell({ type: 'crash' })
  },
  poison: (t) => {
    t.runtime.spawn(crashing, { keepMailbox: true, poison: { after: 1 } }).tell({ type: 'crash' })
  },
  'late-answer': async (t) => {
    const gate = Promise.withResolvers<void>()
    const late = defineActor({
      name: 'late',
      protocol: { ask: question({}, z.int()) },
      on: {
        ask: async ({ reply }) => {
          await gate.promise
          reply(1)
        },
      },
    })
    t.runtime
      .spawn(late)
      .ask({ type: 'ask' }, { timeoutMs: 1 })
      .catch(() => undefined)
    await t.advance(1)
    gate.resolve()
  },
  unhandled: (t) => provocations['MESSAGE_UNHANDLED']?.(t),
  expired: async (t) => {
    const gate = Promise.withResolvers<void>()
    const busy = defineActor({
      name: 'busy',
      protocol: { wait: message(), ask: question({}, z.int()) },
      on: {
        wait: async () => {
          await gate.promise
        },
        ask: () => undefined,
      },
    })
    const ref = t.runtime.spawn(busy)
    ref.tell({ type: 'wait' })
    ref.ask({ type: 'ask' }, { timeoutMs: 1 }).catch(() => undefined)
    await t.advance(1)
    gate.resolve()
  },
}

async function overflow(t: TestRuntime, policy: 'reject' | 'drop-newest' | 'drop-oldest'): Promise<void> {
  const ref = t.runtime.spawn({ ...echo, mailbox: { ...echo.mailbox, capacity: 1, overflow: policy } })
  ref.tell({ type: 'wait' })
  await t.settle()
  for (let i = 0; i < 2; i += 1) ref.tell({ type: 'note' })
}

describe('every reason of a dead letter', () => {
  test('has a provocation here', () => {
    const source = readFileSync(`${repositoryRoot}src/core/events.ts`, 'utf8')
    const [, union = ''] = /type DeadLetterReason =\n(.*?)\n\n/s.exec(source) ?? []
    const reasons = [...union.matchAll(/'([a-z-]+)'/g)].map(([, reason]) => reason)
    expect(Object.keys(letters).toSorted()).toEqual(reasons.toSorted())
  })

  test.each(Object.entries(letters))('%s', async (reason, provoke) => {
    await using t = await createTestRuntime()
    const events: unknown[] = []
    t.runtime.on('dead-letter', (event) => events.push(event.reason))
    const told: unknown[] = []
    t.runtime.deadLetters.subscribe((letter) => told.push(letter.reason))
    await provoke(t)
    await t.settle()
    expect(t.runtime.deadLetters.byReason.get(reason as 'stopped')).toBe(1)
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason }])
    expect(events).toEqual([reason])
    expect(told).toEqual([reason])
  })
})

describe('bad input of other kinds', () => {
  test('a predicate of a schema that throws makes its message invalid, for whoever sends it', async () => {
    await using t = await createTestRuntime()
    const picky = z.int().refine(() => {
      throw new Error('predicate')
    })
    const actor = defineActor({
      name: 'picky',
      protocol: { put: message({ n: picky }), ask: question({ n: picky }, z.int()) },
      on: { put: () => undefined, ask: () => undefined },
    })
    const ref = t.runtime.spawn(actor)
    ref.tell({ type: 'put', n: 1 })
    expect(t.runtime.deadLetters.recent()).toMatchObject([
      { reason: 'invalid-message', error: { issues: ['predicate'] } },
    ])
    await expect(ref.ask({ type: 'ask', n: 1 })).rejects.toMatchObject({ code: 'MESSAGE_INVALID' })
    await expect(ref.offer({ type: 'put', n: 1 })).rejects.toMatchObject({ code: 'MESSAGE_INVALID' })
  })

  test.each([
    [{ capacity: 0 }, 'actor.mailbox.capacity'],
    [{ capacity: -1 }, 'actor.mailbox.capacity'],
    [{ capacity: 1.5 }, 'actor.mailbox.capacity'],
    [{ capacity: Infinity }, 'actor.mailbox.capacity'],
    [{ parkedCapacity: 0 }, 'actor.mailbox.parkedCapacity'],
    [{ stashCapacity: NaN }, 'actor.mailbox.stashCapacity'],
    [{ overflow: 'explode' }, 'actor.mailbox.overflow'],
  ])('a mailbox of %o is refused by name', (mailbox, where) => {
    const define = (): unknown =>
      defineActor({ name: 'actor', protocol: {}, mailbox: untyped<MailboxOptions>(mailbox), on: {} })
    expect(define).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID', where }))
  })

  test.each([
    ['no name', { name: '' }],
    ['a name with a slash', { name: 'a/b' }],
    ['a name that is too long', { name: 'a'.repeat(201) }],
    ['a protocol with a reserved type', { protocol: { 'actor.down': message() } }],
    ['a protocol with XState’s types', { protocol: { 'xstate.stop': message() } }],
    ['a protocol with *', { protocol: { '*': message() } }],
    ['a handler that is missing', { protocol: { go: message() }, on: {} }],
    ['a handler that is no function', { protocol: { go: message() }, on: { go: 'no' } }],
    ['a handler that nobody can call', { protocol: {}, on: { go: () => undefined } }],
  ])('a definition with %s is refused', (_, options) => {
    const define = (): unknown => defineActor({ name: 'actor', protocol: {}, on: {}, ...untyped<object>(options) })
    expect(define).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
  })

  test.each([undefined, null, 7, 'note', {}, { type: 7 }, { type: 'toString' }, { type: '__proto__' }, []])(
    'a tell of %o is a dead letter, and harms nobody',
    async (given) => {
      await using t = await createTestRuntime()
      const ref = t.runtime.spawn(echo)
      ref.tell(untyped(given))
      await t.settle()
      expect(t.runtime.deadLetters.recent()).toMatchObject([
        { reason: 'unknown-message', error: { code: 'MESSAGE_UNKNOWN' } },
      ])
      expect(ref.incarnation).toBe(1)
    },
  )

  test('a payload whose getters throw is a dead letter', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(echo)
    const hostile = {
      type: 'ask',
      get n(): number {
        throw new Error('hostile')
      },
    }
    expect(() => {
      ref.send(untyped(hostile))
    }).not.toThrow()
    await t.settle()
    expect(t.runtime.deadLetters.byReason.get('invalid-message')).toBe(1)
  })

  test('an input that the schema refuses fails the start by name', async () => {
    await using t = await createTestRuntime()
    const needy = defineActor({ name: 'needy', protocol: {}, input: z.object({ n: z.int() }), on: {} })
    expect(thrown(() => t.runtime.spawn(needy, { input: untyped({ n: 'one' }) }))).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringMatching(/input of needy: n: /) as unknown,
    })
    expect(t.runtime.stats.actors).toBe(1)
  })

  test.each([
    ['a bad node name', { node: 'a b' }],
    ['no dead letters kept', { deadLettersKept: 0 }],
    ['no time for a shutdown', { shutdownMs: -1 }],
    ['no messages per turn', { dispatcher: { messagesPerTurn: 0 } }],
    ['no time per turn', { dispatcher: { turnMs: 0 } }],
  ])('a runtime with %s is refused', async (_, options) => {
    await expect(createRuntime(options)).rejects.toMatchObject({ code: 'DEFINITION_INVALID' })
  })
})
