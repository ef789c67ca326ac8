import { assertType, describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import {
  child,
  createRuntime,
  defineActor,
  defineKey,
  defineTopic,
  message,
  question,
  startDynamicChild,
  supervisor,
  type AnyRef,
  type AnswerOf,
  type ExitReason,
  type InputOf,
  type MessageOf,
  type Ref,
  type RefOf,
} from 'echelon'
import { assign, fromCallback, fromPromise, fromTransition, waitFor } from 'xstate'

const runtime = await createRuntime()

/* Program 1: an actor from handlers. Nothing is annotated. */
const counter = defineActor({
  name: 'counter',
  protocol: {
    'counter.add': message({ by: z.int() }),
    'counter.reset': message(),
    'counter.total': question({}, z.int()),
    'counter.find': question(
      { text: z.string().default(''), limit: z.int().optional() },
      z.array(z.string()).nullable(),
    ),
  },
  state: () => ({ total: 0 }),
  on: {
    'counter.add': ({ state, message: { by } }) => ({ total: state.total + by }),
    'counter.reset': () => ({ total: 0 }),
    'counter.total': ({ state, reply }) => void reply(state.total),
    'counter.find': ({ message: { text, limit }, reply }) => {
      expectTypeOf(text).toEqualTypeOf<string>()
      expectTypeOf(limit).toEqualTypeOf<number | undefined>()
      reply(null)
    },
  },
})

/* Program 2: an actor from a statechart. Its events are the messages of the protocol. */
const door = defineActor({
  name: 'door',
  protocol: {
    'door.open': message(),
    'door.close': message(),
    'door.knock': message({ times: z.int() }),
    'door.isOpen': question({}, z.boolean()),
  },
  machine: ({ setup, reply }) =>
    setup({}).createMachine({
      initial: 'closed',
      states: {
        closed: { on: { 'door.open': 'open' } },
        open: { after: { 30_000: 'closed' }, on: { 'door.close': 'closed' } },
      },
      on: { 'door.isOpen': { actions: reply(({ self }) => self.getSnapshot().matches('open')) } },
    }),
})

describe('what a ref takes', () => {
  const ref = runtime.spawn(counter)

  test('tell: messages of the protocol, with their payloads', () => {
    ref.tell({ type: 'counter.add', by: 2 })
    ref.tell({ type: 'counter.reset' })
    // @ts-expect-error the payload is missing
    void ref.tell({ type: 'counter.add' })
    // @ts-expect-error the payload is of another type
    void ref.tell({ type: 'counter.add', by: '2' })
    // @ts-expect-error the protocol has no such message
    void ref.tell({ type: 'counter.subtract', by: 2 })
    // @ts-expect-error a question is asked, not told
    void ref.tell({ type: 'counter.total' })
    // @ts-expect-error signals come from the runtime alone
    void ref.tell({ type: 'actor.started' })
    expectTypeOf<MessageOf<(typeof counter)['protocol']>['type']>().toEqualTypeOf<'counter.add' | 'counter.reset'>()
  })

  test('ask: questions of the protocol, and the answer has its type', () => {
    expectTypeOf(ref.ask({ type: 'counter.total' })).toEqualTypeOf<Promise<number>>()
    expectTypeOf(ref.ask({ type: 'counter.find' })).toEqualTypeOf<Promise<string[] | null>>()
    expectTypeOf(ref.ask({ type: 'counter.find', text: 'x', limit: 1 }, { timeoutMs: 1 })).toEqualTypeOf<
      Promise<string[] | null>
    >()
    expectTypeOf<AnswerOf<(typeof counter)['protocol'], 'counter.total'>>().toEqualTypeOf<number>()
    // @ts-expect-error a message has no answer
    void ref.ask({ type: 'counter.reset' })
    // @ts-expect-error the protocol has no such question
    void ref.ask({ type: 'counter.average' })
    // @ts-expect-error the payload is of another type
    void ref.ask({ type: 'counter.find', text: 1 })
    // @ts-expect-error there is no such option
    void ref.ask({ type: 'counter.total' }, { timeout: 5 })
  })

  test('offer and send', () => {
    expectTypeOf(ref.offer({ type: 'counter.add', by: 1 })).toEqualTypeOf<Promise<void>>()
    // @ts-expect-error a question cannot be offered
    void ref.offer({ type: 'counter.total' })
    ref.send({ type: 'counter.add', by: 1 })
    // @ts-expect-error the protocol has no such message
    ref.send({ type: 'counter.subtract' })
  })

  test('the snapshot has the type of the state', () => {
    expectTypeOf(ref.snapshot.context).toEqualTypeOf<{ total: number }>()
    ref.subscribe(({ context }) => {
      expectTypeOf(context.total).toEqualTypeOf<number>()
    })
    expectTypeOf(ref.select(({ context }) => context.total).get()).toEqualTypeOf<number>()
    expectTypeOf(waitFor(ref, ({ context }) => context.total > 1)).resolves.toHaveProperty('context')
  })

  test('any ref can be watched and stopped, whatever its protocol', () => {
    assertType<AnyRef>(ref)
    ref.watch(({ ref: ended, reason }) => {
      expectTypeOf(ended).toEqualTypeOf<AnyRef>()
      expectTypeOf(reason).toEqualTypeOf<ExitReason>()
    })
    expectTypeOf(ref.stop()).toEqualTypeOf<Promise<ExitReason>>()
  })

  test('a ref of another protocol is not taken for this one', () => {
    const doorRef = runtime.spawn(door)
    // @ts-expect-error a door is no counter
    assertType<Ref<(typeof counter)['protocol']>>(doorRef)
    assertType<RefOf<typeof counter>>(ref)
  })
})

describe('definitions by handlers', () => {
  test('a handler for each message, and no other', () => {
    defineActor({
      name: 'incomplete',
      protocol: { a: message(), b: message() },
      // @ts-expect-error b has no handler
      on: { a: () => undefined },
    })
    // @ts-expect-error the protocol has no c
    defineActor({ name: 'x', protocol: { a: message() }, on: { a: () => undefined, c: () => undefined } })
  })

  test('the next state is of the state’s type', () => {
    // @ts-expect-error n is a number
    defineActor({ name: 'x', protocol: { a: message() }, state: () => ({ n: 0 }), on: { a: () => ({ n: '1' }) } })
    defineActor({
      name: 'update',
      protocol: { a: message(), b: message() },
      state: () => ({ n: 0 }),
      on: {
        a: () => (state) => ({ n: state.n + 1 }),
        b: async ({ state }) => {
          await Promise.resolve()
          return { n: state.n + 1 }
        },
      },
    })
  })

  test('the answer is what the question’s schema takes; a message has none', () => {
    defineActor({
      name: 'answers',
      protocol: { ask: question({}, z.object({ n: z.int().default(0) })), tell: message() },
      on: {
        ask: ({ reply }) => {
          reply({ n: 1 })
          reply({})
          // @ts-expect-error n is a number
          reply({ n: 'one' })
          // @ts-expect-error an answer is missing
          reply()
        },
        tell: ({ reply }) => {
          // @ts-expect-error there is nothing to answer
          reply(1)
        },
      },
    })
  })

  test('signals have their own types', () => {
    defineActor({
      name: 'signals',
      protocol: { work: message() },
      on: {
        work: () => undefined,
        'actor.started': ({ message: signal }) => {
          expectTypeOf(signal.type).toEqualTypeOf<'actor.started'>()
        },
        'actor.down': ({ message: { ref, reason } }) => {
          expectTypeOf(ref).toEqualTypeOf<AnyRef>()
          expectTypeOf(reason).toEqualTypeOf<ExitReason>()
        },
        'actor.stopping': async ({ message: { reason } }) => {
          expectTypeOf(reason).toEqualTypeOf<ExitReason>()
          await Promise.resolve()
        },
      },
    })
  })

  test('self, timers, children, topics and keys are typed', () => {
    const numbers = defineTopic('numbers', z.object({ n: z.int() }))
    const counters = defineKey('counters', counter.protocol)
    defineActor({
      name: 'typed',
      protocol: { tick: message({ n: z.int() }), ask: question({}, z.int()) },
      on: {
        tick: ({ self, timers, spawn, publish, subscribe, find }) => {
          self.tell({ type: 'tick', n: 1 })
          timers.after('t', 1, { type: 'tick', n: 1 })
          // @ts-expect-error n is a number
          timers.every('t', 1, { type: 'tick', n: 'one' })
          // @ts-expect-error a question cannot tick: nobody waits for its answer
          timers.after('t', 1, { type: 'ask' })
          expectTypeOf(spawn(counter)).toEqualTypeOf<RefOf<typeof counter>>()
          publish(numbers, { n: 1 })
          // @ts-expect-error n is a number
          publish(numbers, { n: 'one' })
          subscribe(numbers, ({ n }) => ({ type: 'tick', n }))
          // @ts-expect-error the message is none of this actor’s
          subscribe(numbers, ({ n }) => ({ type: 'tock', n }))
          for (const found of find(counters)) found.tell({ type: 'counter.add', by: 1 })
        },
        ask: ({ reply }) => void reply(1),
      },
    })
    // @ts-expect-error a door is not to be found among counters
    defineActor({ name: 'x', protocol: door.protocol, on: { 'door.open': ({ register }) => register(counters) } })
  })
})

describe('inputs', () => {
  const greeter = defineActor({
    name: 'greeter',
    protocol: {},
    input: z.object({ name: z.string(), times: z.int().default(1) }),
    state: ({ input }) => {
      expectTypeOf(input).toEqualTypeOf<{ name: string; times: number }>()
      return input.name.length
    },
    on: {},
  })

  test('spawn takes what the schema takes', () => {
    runtime.spawn(greeter, { input: { name: 'Ada' } })
    // @ts-expect-error the name is a string
    runtime.spawn(greeter, { input: { name: 1 } })
    child(greeter, { input: { name: 'Ada', times: 2 } })
    // @ts-expect-error times is a number
    child(greeter, { input: { name: 'Ada', times: 'two' } })
    expectTypeOf<InputOf<typeof greeter>>().toEqualTypeOf<{ name: string; times?: number | undefined }>()
    // @ts-expect-error this actor takes no input
    runtime.spawn(counter, { input: 1 })
  })
})

describe('definitions by charts', () => {
  test('events are those of the protocol, with their payloads', () => {
    defineActor({
      name: 'chart',
      protocol: { go: message({ by: z.int() }), ask: question({}, z.string()) },
      machine: ({ setup, reply, act }) =>
        setup({ types: { context: {} as { n: number } } }).createMachine({
          context: { n: 0 },
          on: {
            go: { actions: assign({ n: ({ context, event }) => context.n + event.by }) },
            ask: { actions: reply(({ context }) => String(context.n)) },
            'actor.down': { actions: ({ event }) => void event.reason.kind },
          },
          entry: act((actor) => {
            actor.self.tell({ type: 'go', by: 1 })
          }),
        }),
    })
    defineActor({
      name: 'chart',
      protocol: { go: message() },
      machine: ({ setup }) =>
        setup({}).createMachine({
          // @ts-expect-error the protocol has no such event
          on: { stop: {} },
        }),
    })
    defineActor({
      name: 'chart',
      protocol: { ask: question({}, z.string()) },
      machine: ({ setup, reply }) =>
        setup({}).createMachine({
          on: {
            // @ts-expect-error the answer is a string
            ask: { actions: reply(() => 1) },
          },
        }),
    })
  })

  test('the snapshot is the chart’s', () => {
    const ref = runtime.spawn(door)
    expectTypeOf(ref.snapshot.value).toEqualTypeOf<'closed' | 'open'>()
    expectTypeOf(ref.snapshot.matches).parameter(0).toEqualTypeOf<'closed' | 'open'>()
    expectTypeOf(ref.ask({ type: 'door.isOpen' })).toEqualTypeOf<Promise<boolean>>()
    // @ts-expect-error there is no such state
    ref.snapshot.matches('ajar')
    // @ts-expect-error the payload is missing
    void ref.tell({ type: 'door.knock' })
  })
})

describe('definitions by other logic', () => {
  test('input and snapshot come from the logic', () => {
    const sum = defineActor({
      name: 'sum',
      protocol: {},
      logic: fromPromise(({ input }: { input: { a: number } }) => Promise.resolve(input.a)),
    })
    const ref = runtime.spawn(sum, { input: { a: 1 } })
    expectTypeOf(ref.snapshot.output).toEqualTypeOf<number | undefined>()
    // @ts-expect-error a is a number
    runtime.spawn(sum, { input: { a: 'one' } })
    const toggle = defineActor({
      name: 'toggle',
      protocol: { flip: message() },
      logic: fromTransition((on: boolean) => !on, false),
    })
    expectTypeOf(runtime.spawn(toggle).snapshot.context).toEqualTypeOf<boolean>()
    runtime
      .spawn(
        defineActor({
          name: 'cb',
          protocol: { ping: message() },
          logic: fromCallback<{ type: 'ping' }>(() => undefined),
        }),
      )
      .tell({ type: 'ping' })
  })
})

describe('supervisors', () => {
  test('their children are definitions or specs, and administration is for supervisors', () => {
    const tree = supervisor('tree', { children: [counter, child(door, { restart: 'transient' })] })
    const ref = runtime.spawn(tree)
    expectTypeOf(ref.snapshot.value).toEqualTypeOf<'starting' | 'running' | 'restarting' | 'stopping'>()
    // @ts-expect-error this is no child
    supervisor('tree', { children: ['counter'] })
    // @ts-expect-error OTP has no such strategy
    supervisor('tree', { strategy: 'one_for_some', children: [] })
    // @ts-expect-error a static supervisor starts specs, not inputs
    void startDynamicChild(ref, { input: 1 })
    // @ts-expect-error a counter is no supervisor
    void startDynamicChild(runtime.spawn(counter))
  })
})
