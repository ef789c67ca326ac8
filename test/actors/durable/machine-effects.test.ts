import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type DurableOptions, type EffectOptions } from 'echelon'
import { assign, createMachine, fromPromise } from 'xstate'
import { EffectFailedError } from '../../../src/actors/durable/errors.ts'
import type { InvokedEffect } from '../../../src/actors/durable/effect-logic.ts'
import { Lab } from './machine-lab.ts'

/* Effects that a chart invokes: run once for their key, known after a restart, in doubt when nobody can tell. */

const protocol = {
  buy: message({ item: z.string().default('apple') }),
  leave: message(),
  look: question({}, z.string()),
}

interface Order {
  readonly item: string
  readonly got: unknown
  readonly times: number
}

/** A shop that charges once it is told to buy. `charge` is what it invokes. */
const shopOf = (
  charge: (run: InvokedEffect<string>) => unknown,
  options: EffectOptions = {},
  durable: DurableOptions = {},
) =>
  defineActor({
    name: 'shop',
    durable,
    protocol,
    machine: ({ setup, reply, effect }) =>
      setup({
        types: { context: {} as Order },
        actors: { charge: effect((item: string) => `charge ${item}`, charge, options) },
      }).createMachine({
        context: { item: '', got: undefined, times: 0 },
        initial: 'idle',
        states: {
          idle: { on: { buy: { target: 'charging', actions: assign({ item: ({ event }) => event.item }) } } },
          charging: {
            invoke: {
              src: 'charge',
              input: ({ context }) => context.item,
              onDone: {
                target: 'paid',
                actions: assign({ got: ({ event }) => event.output, times: ({ context }) => context.times + 1 }),
              },
              onError: {
                target: 'refused',
                actions: assign({
                  got: ({ event: { error } }) =>
                    error instanceof EffectFailedError ? { key: error.key, ...error.failure } : 'another error',
                  times: ({ context }) => context.times + 1,
                }),
              },
            },
            on: { leave: 'idle', buy: { target: 'charging', reenter: true } },
          },
          paid: { on: { buy: 'charging' } },
          refused: { on: { buy: 'charging' } },
        },
        on: { look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
      }),
  })

const path = '/durable/shop/s'
const kindsOf = async (lab: Lab): Promise<readonly string[]> => (await lab.entries(path)).map(({ kind }) => kind)

describe('effects over restarts', () => {
  test.each([1, 2, 3, 4, 5].flatMap((append) => [true, false].map((written) => ({ append, written }))))(
    'given an idempotent effect and a process that dies at append $append (written: $written), then it comes to the same, under one key',
    async (cut) => {
      const lab = new Lab()
      const keys = new Set<string>()
      let runs = 0
      const shop = shopOf(
        ({ input, idempotencyKey }) => {
          runs += 1
          keys.add(idempotencyKey)
          return `receipt for ${input}`
        },
        { idempotent: true },
      )
      const first = await lab.start({ definitions: [shop] }, { cut })
      void first.runtime.get(shop, 's').tell({ type: 'buy', item: 'pear' }, { durable: true, id: 'order-1' })
      await first.settle()
      const second = await lab.start({ definitions: [shop] })
      await second.until(
        second.runtime.get(shop, 's').tell({ type: 'buy', item: 'pear' }, { durable: true, id: 'order-1' }),
      )
      await second.settle()
      expect(second.runtime.get(shop, 's').snapshot).toMatchObject({
        value: 'paid',
        context: { got: 'receipt for pear', times: 1 },
      })
      expect(keys.size).toBe(1)
      const hasOutcome = (await kindsOf(lab)).filter((kind) => kind === 'outcome').length
      expect([runs <= 2, hasOutcome]).toEqual([true, 1])
    },
  )

  test('given an effect that is done, when the chart is asked to do it again later, then it does not run again', async () => {
    const lab = new Lab()
    let runs = 0
    const shop = shopOf(() => (runs += 1))
    for (let process = 0; process < 3; process += 1) {
      const t = await lab.start()
      t.runtime.get(shop, 's').tell({ type: 'buy' })
      await t.settle()
    }
    expect(runs).toBe(1)
  })

  describe.each([
    [{ kind: 'value', value: 'found at the bank' } as const, 'paid', 'found at the bank', 0],
    [
      { kind: 'failed', error: Object.assign(new Error('card refused'), { code: 'CARD' }) } as const,
      'refused',
      { key: 'charge pear', name: 'Error', message: 'card refused', code: 'CARD' },
      0,
    ],
    [{ kind: 'retry' } as const, 'paid', 'receipt', 1],
  ])('given an effect that may have run', (resolution, value, got, runsAgain) => {
    test.each(['a person', 'a rule'])(
      `when %s settles it with ${resolution.kind}, then the chart goes on with that`,
      async (who) => {
        const lab = new Lab()
        let runs = 0
        let isStuck = true
        const shop = shopOf(() => {
          runs += 1
          return isStuck ? new Promise(() => undefined) : 'receipt'
        })
        const first = await lab.start()
        first.runtime.get(shop, 's').tell({ type: 'buy', item: 'pear' })
        await first.settle()
        isStuck = false
        const rule = who === 'a rule' ? { onInDoubt: () => resolution } : {}
        const second = await lab.start({ definitions: [shop], ...rule })
        await second.settle()
        if (who === 'a person') {
          expect(second.runtime.inDoubt).toMatchObject([{ stream: path, key: 'charge pear' }])
          expect(second.runtime.get(shop, 's').snapshot.value).toBe('charging')
          second.runtime.inDoubt[0]?.settle(resolution)
          await second.settle()
        }
        expect(second.runtime.get(shop, 's').snapshot).toMatchObject({ value, context: { got, times: 1 } })
        expect(runs).toBe(1 + runsAgain)
        const third = await lab.start()
        third.runtime.get(shop, 's').subscribe(() => undefined)
        await third.settle()
        expect(third.runtime.get(shop, 's').snapshot).toMatchObject({ value, context: { got, times: 1 } })
        expect(third.runtime.inDoubt).toEqual([])
      },
    )
  })

  test('given a large result, then the journal has it once, beside the entries, and a replay knows it', async () => {
    const lab = new Lab()
    const large = 'receipt '.repeat(100)
    const shop = shopOf(() => large, {}, { inlineResultBytes: 100 })
    const first = await lab.start()
    first.runtime.get(shop, 's').tell({ type: 'buy' })
    await first.settle()
    const entries = await lab.entries(path)
    expect(entries.filter(({ body }) => body.includes(large))).toEqual([])
    for (let process = 0; process < 2; process += 1) {
      const t = await lab.start()
      expect(await t.until(t.runtime.get(shop, 's').ask({ type: 'look' }))).toBe('"paid"')
      expect(t.runtime.get(shop, 's').snapshot).toMatchObject({ context: { got: large, times: 1 } })
      if (process === 0) lab.kill()
    }
  })

  test('given an effect that failed, then a replay sees the same failure, of the same class', async () => {
    const lab = new Lab()
    const shop = shopOf(() => {
      throw Object.assign(new TypeError('no money'), { code: 'POOR' })
    })
    for (let process = 0; process < 3; process += 1) {
      const t = await lab.start()
      const ref = t.runtime.get(shop, 's')
      if (process === 0) ref.tell({ type: 'buy' })
      else ref.subscribe(() => undefined)
      await t.settle()
      expect(ref.snapshot).toMatchObject({
        value: 'refused',
        context: { got: { key: 'charge apple', name: 'TypeError', message: 'no money', code: 'POOR' } },
      })
    }
  })

  test('given an effect that the first state invokes, then the stream begins with its creation all the same', async () => {
    const lab = new Lab()
    const eager = defineActor({
      name: 'shop',
      durable: true,
      protocol,
      machine: ({ setup, effect }) =>
        setup({ actors: { open: effect('open', () => 'opened') } }).createMachine({
          initial: 'opening',
          states: { opening: { invoke: { src: 'open', onDone: 'open' } }, open: {} },
        }),
    })
    const t = await lab.start()
    t.runtime.get(eager, 's').subscribe(() => undefined)
    await t.settle()
    expect(await kindsOf(lab)).toEqual(['created', 'intent', 'outcome', 'handled'])
  })

  test.each([
    ['clean ones', () => true],
    ['others', () => false],
    ['of both kinds', (process: number) => process === 2],
  ])(
    'given an onDone that stays in its state, then it is taken once, whatever restarts come: %s',
    async (_, isClean) => {
      const lab = new Lab()
      const once = defineActor({
        name: 'shop',
        durable: true,
        protocol,
        machine: ({ setup, effect }) =>
          setup({
            types: { context: {} as { readonly sum: number } },
            actors: { five: effect('five', () => 5) },
          }).createMachine({
            context: { sum: 0 },
            invoke: {
              src: 'five',
              onDone: { actions: assign({ sum: ({ context, event }) => context.sum + event.output }) },
            },
          }),
      })
      for (let process = 0; process < 4; process += 1) {
        const t = await lab.start()
        t.runtime.get(once, 's').subscribe(() => undefined)
        await t.settle()
        expect(t.runtime.get(once, 's').snapshot.context).toEqual({ sum: 5 })
        if (isClean(process)) await t[Symbol.asyncDispose]()
      }
    },
  )

  test('given an effect without a name in setup, then it is taken up again like any other', async () => {
    const lab = new Lab()
    let isStuck = true
    const inline = defineActor({
      name: 'shop',
      durable: true,
      protocol,
      machine: ({ effect }) =>
        createMachine({
          initial: 'working',
          states: {
            working: {
              invoke: {
                src: effect('work', () => (isStuck ? new Promise(() => undefined) : 1), { idempotent: true }),
                onDone: 'done',
              },
            },
            done: {},
          },
        }),
    })
    const first = await lab.start()
    first.runtime.get(inline, 's').subscribe(() => undefined)
    await first.settle()
    isStuck = false
    const second = await lab.start()
    second.runtime.get(inline, 's').subscribe(() => undefined)
    await second.settle()
    expect(second.runtime.get(inline, 's').snapshot.value).toBe('done')
  })

  test.each([
    ['a big one', 'x'.repeat(300_000)],
    [
      'data of many kinds',
      { at: new Date(5), all: new Map([[1n, new Set(['a'])]]), bytes: new Uint8Array([1, 2]), no: undefined },
    ],
  ])(
    'given a result that is %s, then it is the same after restarts, from the outcome and from a snapshot',
    async (_, result) => {
      const lab = new Lab()
      const shop = shopOf(() => result)
      const first = await lab.start({}, { cut: { append: 3, written: true } }) // the outcome, and not what the chart made of it
      first.runtime.get(shop, 's').tell({ type: 'buy' })
      await first.settle()
      expect(await kindsOf(lab)).toContain('outcome')
      for (let process = 0; process < 3; process += 1) {
        const t = await lab.start({ definitions: [shop] })
        t.runtime.get(shop, 's').subscribe(() => undefined)
        await t.settle()
        expect(t.runtime.get(shop, 's').snapshot).toMatchObject({ value: 'paid', context: { times: 1 } })
        expect(t.runtime.get(shop, 's').snapshot.context.got).toEqual(result)
        if (process === 1) await t[Symbol.asyncDispose]()
      }
    },
  )

  test.each([
    ['no data', () => () => undefined, 'NOT_SERIALIZABLE'],
    ['too large', () => 'x'.repeat(9 * 2 ** 20), 'EFFECT_RESULT_TOO_LARGE'],
  ])('given a result that is %s, then that is the failure of the effect', async (_, charge, code) => {
    const lab = new Lab()
    const shop = shopOf(charge)
    const t = await lab.start()
    t.runtime.get(shop, 's').tell({ type: 'buy' })
    await t.settle()
    expect(t.runtime.get(shop, 's').snapshot).toMatchObject({ value: 'refused', context: { got: { code } } })
  })

  test('given an input that is no data, then it is refused when it is invoked, not at some snapshot later', async () => {
    const lab = new Lab()
    const bad = defineActor({
      name: 'shop',
      durable: true,
      protocol,
      machine: ({ setup, effect }) =>
        setup({
          actors: { work: effect('work', ({ input }: InvokedEffect<{ readonly fn: () => number }>) => input.fn()) },
        }).createMachine({
          initial: 'idle',
          states: {
            idle: { on: { buy: 'working' } },
            working: { invoke: { src: 'work', input: () => ({ fn: () => 1 }) } },
          },
        }),
    })
    const t = await lab.start()
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    t.runtime.get(bad, 's').tell({ type: 'buy' })
    await t.settle()
    expect(problems).toMatchObject([{ code: 'NOT_SERIALIZABLE' }])
  })
})

describe('effects that are stopped', () => {
  test('given a state that is left, then its effect is told, and what it comes to is no event', async () => {
    const lab = new Lab()
    const reasons: unknown[] = []
    const shop = shopOf(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push('aborted')
            reject(new Error('stopped'))
          })
        }),
    )
    const t = await lab.start()
    const ref = t.runtime.get(shop, 's')
    ref.tell({ type: 'buy' })
    await t.settle()
    ref.tell({ type: 'leave' })
    await t.settle()
    expect(reasons).toEqual(['aborted'])
    expect(ref.snapshot).toMatchObject({ value: 'idle', context: { times: 0 } })
    expect(await kindsOf(lab)).toEqual(['created', 'intent', 'handled', 'handled', 'outcome'])
    expect(await lab.wakeAtMs(path)).toBe(null)
  })

  test.each([
    ['that heeds its signal', true, 2, 'receipt 2'],
    ['that does not', false, 1, 'receipt 1'],
  ])(
    'given an effect %s, when its state is entered again, then what was stopped is waited for, and not its failure but its value counts',
    async (_, heeds, runs, got) => {
      const lab = new Lab()
      const gates: PromiseWithResolvers<string>[] = []
      let atOnce = 0
      let most = 0
      const shop = shopOf(async ({ signal }) => {
        const gate = Promise.withResolvers<string>()
        gates.push(gate)
        atOnce += 1
        most = Math.max(most, atOnce)
        if (heeds)
          signal.addEventListener('abort', () => {
            gate.reject(new Error('stopped'))
          })
        try {
          return await gate.promise
        } finally {
          atOnce -= 1
        }
      })
      const t = await lab.start()
      const ref = t.runtime.get(shop, 's')
      ref.tell({ type: 'buy' })
      await t.settle()
      ref.tell({ type: 'buy' }) // the same again: the state is left and entered
      await t.settle()
      for (const [at, gate] of gates.entries()) gate.resolve(`receipt ${at + 1}`)
      await t.settle()
      for (const [at, gate] of gates.entries()) gate.resolve(`receipt ${at + 1}`)
      await t.settle()
      expect(ref.snapshot).toMatchObject({ value: 'paid', context: { got, times: 1 } })
      expect([gates.length, most]).toEqual([runs, 1])
    },
  )

  test('given an effect with retries, when its state is left between two attempts, then it does not run again', async () => {
    const lab = new Lab()
    let runs = 0
    const shop = shopOf(
      () => {
        runs += 1
        throw new Error('try again')
      },
      { retry: { attempts: 5, minMs: 100 } },
    )
    const t = await lab.start()
    const ref = t.runtime.get(shop, 's')
    ref.tell({ type: 'buy' })
    await t.advance(150)
    expect(runs).toBe(2)
    ref.tell({ type: 'leave' })
    await t.advance(10_000)
    expect([runs, ref.snapshot.value]).toEqual([2, 'idle'])
  })

  test('given an effect that was stopped and of which nobody knows, then it is in doubt after a restart, once, wanted again or not', async () => {
    const lab = new Lab()
    let runs = 0
    const shop = shopOf(() => {
      runs += 1
      return new Promise(() => undefined)
    })
    const first = await lab.start()
    first.runtime.get(shop, 's').tell({ type: 'buy' })
    await first.settle()
    first.runtime.get(shop, 's').tell({ type: 'leave' })
    await first.settle()
    const second = await lab.start()
    const ref = second.runtime.get(shop, 's')
    expect(await second.until(ref.ask({ type: 'look' }))).toBe('"idle"')
    expect(second.runtime.inDoubt).toMatchObject([{ key: 'charge apple' }])
    ref.tell({ type: 'buy' })
    await second.settle()
    expect(second.runtime.inDoubt).toMatchObject([{ key: 'charge apple' }])
    expect(runs).toBe(1)
    second.runtime.inDoubt[0]?.settle({ kind: 'retry' })
    await second.settle()
    expect(runs).toBe(2)
  })
})

describe('one key', () => {
  const two = (work: (run: InvokedEffect<undefined>) => unknown) =>
    defineActor({
      name: 'shop',
      durable: true,
      protocol,
      machine: ({ setup, effect }) =>
        setup({
          types: { context: {} as { readonly got: readonly unknown[] } },
          actors: { work: effect('work', work) },
        }).createMachine({
          context: { got: [] },
          type: 'parallel',
          states: Object.fromEntries(
            ['left', 'right'].map((side) => [
              side,
              {
                initial: 'working',
                states: {
                  working: {
                    invoke: {
                      src: 'work' as const,
                      onDone: {
                        target: 'done',
                        actions: assign({ got: ({ context, event }) => [...context.got, event.output] }),
                      },
                      onError: 'failed',
                    },
                    ...(side === 'left' ? { on: { leave: 'left' } } : {}),
                  },
                  done: {},
                  failed: {},
                  left: {},
                },
              },
            ]),
          ),
        }),
    })

  test('given the same key twice at a time, then it runs once, for both', async () => {
    const lab = new Lab()
    let runs = 0
    const shop = two(() => Promise.resolve((runs += 1)))
    for (let process = 0; process < 2; process += 1) {
      const t = await lab.start()
      t.runtime.get(shop, 's').subscribe(() => undefined)
      await t.settle()
      expect(t.runtime.get(shop, 's').snapshot).toMatchObject({
        value: { left: 'done', right: 'done' },
        context: { got: [1, 1] },
      })
    }
    expect(runs).toBe(1)
  })

  test('given the same key twice at a time, when the one that runs it is stopped, then the other runs it', async () => {
    const lab = new Lab()
    let runs = 0
    const shop = two(({ signal }) => {
      runs += 1
      if (runs > 1) return runs
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('stopped'))
        })
      })
    })
    const t = await lab.start()
    const ref = t.runtime.get(shop, 's')
    ref.subscribe(() => undefined)
    await t.settle()
    ref.tell({ type: 'leave' })
    await t.settle()
    expect(ref.snapshot).toMatchObject({ value: { left: 'left', right: 'done' }, context: { got: [2] } })
  })

  test('given keys from inputs, then each runs once', async () => {
    const lab = new Lab()
    const charged: string[] = []
    const shop = shopOf(({ input }) => {
      charged.push(input)
      return input
    })
    for (const item of ['apple', 'pear', 'apple', 'pear']) {
      const t = await lab.start()
      const ref = t.runtime.get(shop, 's')
      ref.tell({ type: 'leave' })
      ref.tell({ type: 'buy', item })
      await t.settle()
    }
    expect(charged).toEqual(['apple'])
  })
})

describe('time limits and retries', () => {
  test('given a time limit, when it passes, then the effect is told and has failed', async () => {
    const lab = new Lab()
    const aborted: boolean[] = []
    const shop = shopOf(
      ({ signal }) => {
        signal.addEventListener('abort', () => aborted.push(true))
        return new Promise(() => undefined)
      },
      { timeoutMs: 500 },
    )
    const t = await lab.start()
    t.runtime.get(shop, 's').tell({ type: 'buy' })
    await t.advance(499)
    expect(aborted).toEqual([])
    await t.advance(1)
    expect(aborted).toEqual([true])
    expect(t.runtime.get(shop, 's').snapshot).toMatchObject({
      value: 'refused',
      context: { got: { code: 'EFFECT_TIMEOUT' } },
    })
  })

  test('given retries, then attempts are counted, have one key, and the last one counts', async () => {
    const lab = new Lab()
    const attempts: [number, string][] = []
    const shop = shopOf(
      ({ attempt, idempotencyKey }) => {
        attempts.push([attempt, idempotencyKey])
        if (attempt < 3) throw new Error('not yet')
        return `after ${attempt}`
      },
      { retry: { attempts: 3, minMs: 100 } },
    )
    const t = await lab.start()
    t.runtime.get(shop, 's').tell({ type: 'buy' })
    await t.advance(300)
    expect(attempts.map(([attempt]) => attempt)).toEqual([1, 2, 3])
    expect(new Set(attempts.map(([, key]) => key)).size).toBe(1)
    expect(t.runtime.get(shop, 's').snapshot.context.got).toBe('after 3')
  })
})

describe('effects of a machine that a chart invokes', () => {
  let runs = 0
  const nested = defineActor({
    name: 'shop',
    durable: true,
    protocol,
    machine: ({ setup, effect }) => {
      const till = setup({ actors: { charge: effect('charge', () => (runs += 1)) } }).createMachine({
        context: {} as never,
        initial: 'charging',
        states: { charging: { invoke: { src: 'charge', onDone: 'waiting' } }, waiting: {} },
      })
      return setup({ actors: { till } }).createMachine({
        initial: 'selling',
        states: {
          selling: {
            invoke: { src: 'till', onError: { target: 'again' } },
          },
          again: { always: 'retrying' },
          retrying: { invoke: { src: 'till', onError: 'broken' } },
          broken: {},
        },
      })
    },
  })

  test('given a restart, then the machine was interrupted, and what its effect came to is known to the next', async () => {
    const lab = new Lab()
    const first = await lab.start()
    first.runtime.get(nested, 's').subscribe(() => undefined)
    await first.settle()
    const second = await lab.start()
    second.runtime.get(nested, 's').subscribe(() => undefined)
    await second.settle()
    expect(second.runtime.get(nested, 's').snapshot.value).toBe('retrying')
    expect(runs).toBe(1)
  })
})

describe('ends of an actor with an effect', () => {
  test.each(['stop', 'shutdown', 'kill'] as const)(
    'given %s while an effect runs, then it is told, nothing of it counts, and the next life runs it again',
    async (how) => {
      const lab = new Lab()
      const gates: PromiseWithResolvers<string>[] = []
      const signals: AbortSignal[] = []
      const shop = shopOf(
        ({ signal }) => {
          signals.push(signal)
          const gate = Promise.withResolvers<string>()
          gates.push(gate)
          return gate.promise
        },
        { idempotent: true },
      )
      const first = await lab.start()
      const ref = first.runtime.get(shop, 's')
      ref.tell({ type: 'buy' })
      await first.settle()
      if (how === 'kill') ref.kill()
      else if (how === 'stop') await first.until(ref.stop())
      else await first.until(first.runtime.shutdown())
      expect(signals[0]?.aborted).toBe(true)
      await first.settle()
      const isBackAtOnce = gates.length > 1
      if (!isBackAtOnce) gates[0]?.resolve('late')
      await first.settle()
      const kinds = await kindsOf(lab)
      expect(kinds.filter((kind) => kind === 'outcome')).toEqual([])
      const second = await lab.start({ definitions: [shop] })
      await second.settle()
      gates.at(-1)?.resolve('receipt')
      await second.settle()
      expect(second.runtime.get(shop, 's').snapshot).toMatchObject({
        value: 'paid',
        context: { got: 'receipt', times: 1 },
      })
    },
  )
})

test('given a chart that is not durable, then its effects run with their retries, and nothing is remembered', async () => {
  const lab = new Lab()
  let runs = 0
  const shop = defineActor({
    name: 'shop',
    protocol,
    machine: ({ setup, effect }) =>
      setup({
        actors: {
          charge: effect(
            'charge',
            ({ attempt }) => {
              runs += 1
              if (attempt === 1) throw new Error('not yet')
              return runs
            },
            { retry: { attempts: 2, minMs: 10 } },
          ),
          other: fromPromise(() => Promise.resolve(1)),
        },
      }).createMachine({
        initial: 'charging',
        states: { charging: { invoke: { src: 'charge', onDone: 'paid' } }, paid: { on: { buy: 'charging' } } },
      }),
  })
  const t = await lab.start()
  const ref = t.runtime.spawn(shop)
  await t.advance(10)
  ref.tell({ type: 'buy' })
  await t.advance(10)
  expect([ref.snapshot.value, runs]).toEqual(['paid', 4])
})
