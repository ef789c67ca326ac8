import { describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { createRuntime, defineActor, memoryJournal, message, question } from 'echelon'
import { assign, type PromiseActorLogic } from 'xstate'

const runtime = await createRuntime({ journal: memoryJournal() })

describe('effects that a chart invokes', () => {
  test('input and output follow from the function, into invoke and onDone', () => {
    const shop = defineActor({
      name: 'shop',
      durable: true,
      protocol: { buy: message({ item: z.string() }), look: question({}, z.number().nullable()) },
      machine: ({ setup, effect, reply }) => {
        const charge = effect(
          ({ item }: { readonly item: string }) => `charge ${item}`,
          ({ input, idempotencyKey, signal, attempt }) => {
            expectTypeOf(input).toEqualTypeOf<{ readonly item: string }>()
            expectTypeOf(idempotencyKey).toEqualTypeOf<string>()
            expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
            expectTypeOf(attempt).toEqualTypeOf<number>()
            return { cents: 99 }
          },
          { idempotent: true, timeoutMs: 1000, retry: { attempts: 3, minMs: 10, maxMs: 100 } },
        )
        expectTypeOf(charge).toExtend<PromiseActorLogic<{ cents: number }, { readonly item: string }>>()
        const later = effect('later', async () => await Promise.resolve(['a', 'b']))
        return setup({
          types: { context: {} as { readonly cents: number | null; readonly all: readonly string[] } },
          actors: { charge, later },
        }).createMachine({
          context: { cents: null, all: [] },
          initial: 'idle',
          states: {
            idle: { on: { buy: 'charging' } },
            charging: {
              invoke: {
                src: 'charge',
                input: ({ event }) => {
                  expectTypeOf(event.type).toEqualTypeOf<'buy' | 'look' | 'actor.down'>()
                  return { item: 'apple' }
                },
                onDone: { target: 'asking', actions: assign({ cents: ({ event }) => event.output.cents }) },
                onError: { actions: ({ event }) => void expectTypeOf(event.error).toEqualTypeOf<unknown>() },
              },
            },
            asking: {
              invoke: {
                src: 'later',
                onDone: {
                  actions: assign({
                    all: ({ event }) => {
                      // What a promise gives, not the promise.
                      expectTypeOf(event.output).toEqualTypeOf<string[]>()
                      return event.output
                    },
                  }),
                },
              },
            },
          },
          on: { look: { actions: reply(({ context }) => context.cents) } },
        })
      },
    })
    const ref = runtime.get(shop, 'one')
    expectTypeOf(ref.snapshot.value).toEqualTypeOf<'idle' | 'charging' | 'asking'>()
    expectTypeOf(ref.ask({ type: 'look' })).toEqualTypeOf<Promise<number | null>>()
    expectTypeOf(ref.tell({ type: 'buy', item: 'pear' }, { durable: true })).toEqualTypeOf<Promise<void>>()
    // @ts-expect-error the item is a string
    void ref.tell({ type: 'buy', item: 1 }, { durable: true })
  })

  test('what does not fit is refused', () => {
    defineActor({
      name: 'shop',
      durable: true,
      protocol: { buy: message() },
      machine: ({ setup, effect }) =>
        setup({
          actors: {
            charge: effect('charge', ({ input }: { readonly input: { readonly cents: number } }) => input.cents),
          },
        }).createMachine({
          // @ts-expect-error cents is a number
          invoke: { src: 'charge', input: { cents: 'many' } },
        }),
    })
    defineActor({
      name: 'shop',
      durable: true,
      protocol: { buy: message() },
      machine: ({ setup, effect }) =>
        setup({ actors: { charge: effect('charge', () => 1) } }).createMachine({
          // @ts-expect-error there is no such effect
          invoke: { src: 'refund' },
        }),
    })
    defineActor({
      name: 'shop',
      durable: true,
      protocol: {},
      machine: ({ setup, effect }) => {
        // @ts-expect-error attempts is a number
        effect('charge', () => 1, { retry: { attempts: 'three' } })
        // @ts-expect-error a key is a text, or a function that gives one
        effect(7, () => 1)
        const count = (input: { readonly item: string }): number => input.item.length
        // @ts-expect-error a key is a text
        effect(count, () => 1)
        return setup({}).createMachine({})
      },
    })
  })

  test('durable takes its options and nothing else', () => {
    defineActor({
      name: 'a',
      durable: {
        version: 2,
        migrations: { 1: { message: (old) => old, state: (old) => old } },
        snapshotEvery: { entries: 10 },
        passivateAfterMs: Infinity,
      },
      protocol: {},
      machine: ({ setup }) => setup({}).createMachine({}),
    })
    defineActor({
      name: 'a',
      // @ts-expect-error there is no such option
      durable: { everySoOften: 1 },
      protocol: {},
      on: {},
    })
  })
})

describe('effects of handlers', () => {
  test('their value is what the function gives, without its promise', () => {
    defineActor({
      name: 'shop',
      durable: true,
      protocol: { buy: question({}, z.number()) },
      state: () => 0,
      on: {
        buy: async ({ effect, reply }) => {
          const now = await effect('a', () => ({ cents: 1 }))
          const later = await effect('b', ({ attempt }) => Promise.resolve(`${attempt}`))
          expectTypeOf(now).toEqualTypeOf<{ cents: number }>()
          expectTypeOf(later).toEqualTypeOf<string>()
          reply(now.cents)
          // @ts-expect-error the answer is a number
          reply(later)
        },
      },
    })
  })

  test('the state and the messages stay as the definition has them', () => {
    const durable = defineActor({
      name: 'shop',
      durable: true,
      protocol: { buy: message({ cents: z.int() }) },
      state: () => ({ total: 0 }),
      on: { buy: ({ state, message: { cents } }) => ({ total: state.total + cents }) },
    })
    expectTypeOf(runtime.get(durable, 'one').snapshot.context).toEqualTypeOf<{ total: number }>()
    // @ts-expect-error it takes no input
    runtime.get(durable, 'one', { input: 1 })
  })
})
