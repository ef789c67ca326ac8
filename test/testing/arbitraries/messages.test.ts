import { defineActor, message, question, type MessageOf } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { DefinitionInvalidError } from '../../../src/core/errors.ts'
import { invalidMessagesOf, messagesOf } from '../../../src/testing/arbitraries/messages.ts'

const protocol = {
  'order.place': message({
    id: z.uuid(),
    lines: z.array(z.strictObject({ cents: z.int().positive(), note: z.string().optional() })).min(1),
  }),
  'order.cancel': message(),
  'order.total': question({ currency: z.enum(['EUR', 'USD']) }, z.int()),
}
const order = defineActor({
  name: 'order',
  protocol,
  state: (): readonly string[] => [],
  on: {
    'order.place': ({ state, message }) => [...state, message.id],
    'order.cancel': ({ state }) => [...state, 'cancelled'],
    'order.total': ({ state, reply }) => void reply(state.length),
  },
})
const draw = <T>(arbitrary: fc.Arbitrary<T>, numRuns = 400): T[] => fc.sample(arbitrary, { seed: 1, numRuns })

describe('messagesOf', () => {
  test('given an actor, when any of its messages is told, then it handles it, and every type comes', async () => {
    await using world = await createTestRuntime()
    const ref = world.runtime.spawn(order)
    const messages = draw(messagesOf(order))
    for (const each of messages) {
      if (each.type === 'order.total') void ref.ask(each)
      else ref.tell(each)
    }
    await world.settle()

    expect(world.runtime.deadLetters.count).toBe(0)
    expect(ref.snapshot.context).toHaveLength(messages.filter(({ type }) => type !== 'order.total').length)
    expect(new Set(messages.map(({ type }) => type))).toEqual(new Set(Object.keys(protocol)))
  })

  test('given a protocol, then its arbitrary is typed by it', () => {
    const told = messagesOf(protocol, { except: ['order.total'] })
    expectTypeOf(told).toExtend<fc.Arbitrary<MessageOf<typeof protocol>>>()
    expectTypeOf(messagesOf(order, { only: ['order.cancel'] })).toEqualTypeOf<
      fc.Arbitrary<{ readonly type: 'order.cancel' }>
    >()
    // @ts-expect-error a question is no message that could be told
    expectTypeOf(messagesOf(order)).toExtend<fc.Arbitrary<MessageOf<typeof protocol>>>()
    // @ts-expect-error no such type
    expect(() => messagesOf(protocol, { only: ['order.pay'] })).toThrow("the protocol has no 'order.pay'")
  })

  test.each([
    [{ only: ['order.place', 'order.cancel'] } as const, ['order.cancel', 'order.place']],
    [{ except: ['order.place'] } as const, ['order.cancel', 'order.total']],
    [{ only: ['order.place', 'order.total'], except: ['order.total'] } as const, ['order.place']],
  ])('given %o, when messages are drawn, then only those types come', (options, types) => {
    expect([...new Set(draw(messagesOf(protocol, options)).map(({ type }) => type))].sort()).toEqual(types)
  })

  test('given nothing left to make, then an error says so', () => {
    expect(() => messagesOf({})).toThrow(DefinitionInvalidError)
  })

  test('given a field that no value is known of, then the error names the message and the field', () => {
    const odd = { 'file.put': message({ bytes: z.file() }) }
    expect(() => messagesOf(odd)).toThrow('file.put.bytes: is of kind file: give an arbitrary for it in overrides')
  })

  test('given an override for a schema of the protocol, when messages are drawn, then they have its values', () => {
    const { id } = protocol['order.place'].shape
    const same = '00000000-0000-4000-8000-000000000000'
    const placed = draw(messagesOf(order, { only: ['order.place'], overrides: new Map([[id, fc.constant(same)]]) }))
    expect(new Set(placed.map((each) => each.id))).toEqual(new Set([same]))
  })
})

describe('invalidMessagesOf', () => {
  test('given an actor, when it is told any near miss, then it becomes a dead letter that says why', async () => {
    await using world = await createTestRuntime()
    const ref = world.runtime.spawn(order)
    const misses = draw(invalidMessagesOf(order), 1_000)
    const reasons = misses.map((miss) => {
      ref.tell(miss as never) // as untyped code would
      return world.runtime.deadLetters.recent().at(-1)?.reason
    })
    await world.settle()

    expect(world.runtime.deadLetters.count).toBe(misses.length)
    expect(new Set(reasons)).toEqual(new Set(['unknown-message', 'invalid-message']))
    expect(ref.snapshot.context).toEqual([])
  })

  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
  const hasOwnDeep = (value: unknown, key: string): boolean =>
    isObject(value) && (Object.hasOwn(value, key) || Object.values(value).some((each) => hasOwnDeep(each, key)))
  const typeIsKnown = (value: unknown): value is Record<string, unknown> =>
    isObject(value) && typeof value['type'] === 'string' && Object.hasOwn(protocol, value['type'])

  test.each<[string, (miss: unknown) => boolean]>([
    ['things that are no object', (miss) => !isObject(miss)],
    ['no type', (miss) => isObject(miss) && !('type' in miss)],
    ['a type that is almost right', (miss) => isObject(miss) && miss['type'] === 'order.places'],
    ['a type that every object has', (miss) => isObject(miss) && miss['type'] === 'constructor'],
    ['a missing field', (miss) => typeIsKnown(miss) && miss['type'] === 'order.place' && !('id' in miss)],
    ['a field of a wrong type', (miss) => typeIsKnown(miss) && 'id' in miss && typeof miss['id'] !== 'string'],
    ['a key too many in a strict object', (miss) => typeIsKnown(miss) && hasOwnDeep(miss['lines'], 'extra')],
    ['fields behind __proto__', (miss) => typeIsKnown(miss) && hasOwnDeep(miss, '__proto__')],
    ['a then', (miss) => typeIsKnown(miss) && hasOwnDeep(miss, 'then')],
  ])('when near misses are drawn, then some have %s', (_what, is) => {
    expect(draw(invalidMessagesOf(protocol), 3_000).some(is)).toBe(true)
  })

  test('given misses that the protocol takes after all, then they are not drawn', () => {
    const open = { 'any.thing': message({ body: z.unknown() }) }
    for (const miss of draw(invalidMessagesOf(open))) {
      const isRight =
        typeof miss === 'object' && miss !== null && 'type' in miss && miss.type === 'any.thing' && 'body' in miss
      expect(isRight).toBe(false)
    }
  })

  test('given a miss that fails a test, when it shrinks, then it is one still', () => {
    const { counterexample } = fc.check(
      fc.property(invalidMessagesOf(protocol, { only: ['order.place'] }), (miss) => !typeIsKnown(miss)),
      { seed: 1 },
    )
    const table = new Map(Object.entries(protocol).map(([type, { shape }]) => [type, z.looseObject(shape)] as const))
    expect(table.get('order.place')?.safeParse(counterexample?.[0]).success).toBe(false)
  })
})
