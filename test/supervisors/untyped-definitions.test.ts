import { child, createRuntime, defineActor, dynamicSupervisor, message, pool, strategic, supervisor } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { describe, expect, test } from 'vitest'

const worker = defineActor({ name: 'worker', protocol: {}, on: {} })
/** What untyped code gives: the compiler would refuse it. */
const untyped = (value: unknown): never => value as never

describe('what untyped code gives in place of a definition is refused by name', () => {
  test.each<readonly [string, () => unknown, string, RegExp]>([
    ['a supervisor without children', () => supervisor('s', untyped({})), 'DEFINITION_INVALID', /s\.children/],
    [
      'a child that is nothing',
      () => supervisor('s', { children: [untyped(undefined)] }),
      'CHILD_SPEC_INVALID',
      /neither/,
    ],
    [
      'a dynamic supervisor without a child',
      () => dynamicSupervisor('d', untyped({})),
      'CHILD_SPEC_INVALID',
      /neither/,
    ],
    ['a tier without authority', () => strategic('t', untyped({})), 'DEFINITION_INVALID', /t\.authority/],
    [
      'a tier whose decide is no function',
      () => strategic('t', untyped({ authority: {}, decide: 3 })),
      'DEFINITION_INVALID',
      /t\.decide/,
    ],
    [
      'a pool of nothing',
      () => pool('p', untyped(undefined), untyped({ size: 1 })),
      'CHILD_SPEC_INVALID',
      /no definition/,
    ],
    ['a child of nothing', () => child(untyped(undefined)), 'CHILD_SPEC_INVALID', /no definition/],
    ['an unknown budget', () => child(worker, { budget: untyped({ eur: 1 }) }), 'CHILD_SPEC_INVALID', /budget\.eur/],
    ['a decider that is none', () => child(worker, { decide: untyped(3) }), 'CHILD_SPEC_INVALID', /decide/],
    [
      'a keepMailbox of text',
      () => child(worker, { keepMailbox: untyped('yes') }),
      'CHILD_SPEC_INVALID',
      /keepMailbox/,
    ],
    ['no protocol', () => defineActor(untyped({ name: 'a', on: {} })), 'DEFINITION_INVALID', /a\.protocol/],
    [
      'no logic',
      () => defineActor(untyped({ name: 'a', protocol: {} })),
      'DEFINITION_INVALID',
      /on, machine nor logic/,
    ],
    [
      'a machine that is no function',
      () => defineActor(untyped({ name: 'a', protocol: {}, machine: {} })),
      'DEFINITION_INVALID',
      /a\.machine/,
    ],
    ...[5, null, undefined, {}, 'text'].map(
      (item) =>
        [
          `${JSON.stringify(item)} in a protocol`,
          () => defineActor(untyped({ name: 'a', protocol: { fine: message(), odd: item }, on: {} })),
          'DEFINITION_INVALID',
          /'odd' is neither/,
        ] as const,
    ),
  ])('given %s', (_, make, code, text) => {
    expect(make).toThrow(expect.objectContaining({ code }))
    expect(make).toThrow(text)
  })

  test.each([NaN, Infinity])('given %s as the seed of a runtime', async (seed) => {
    await expect(createRuntime({ seed })).rejects.toMatchObject({ code: 'DEFINITION_INVALID', where: 'seed' })
  })

  test('given nothing to spawn by a closed runtime, then it is closed', async () => {
    const runtime = await createRuntime()
    await runtime.shutdown()
    expect(() => runtime.spawn(untyped(undefined))).toThrow(expect.objectContaining({ code: 'RUNTIME_CLOSED' }))
  })

  test.each([5, null, 'text', {}])('given %j as the tree of a runtime', async (root) => {
    await expect(createRuntime({ root: untyped(root) })).rejects.toMatchObject({ code: 'CHILD_SPEC_INVALID' })
  })

  test.each([undefined, null, 5, {}])('given %j to spawn', async (given) => {
    await using t = await createTestRuntime()
    expect(() => t.runtime.spawn(untyped(given))).toThrow(expect.objectContaining({ code: 'CHILD_SPEC_INVALID' }))
    const caught: unknown[] = []
    const parent = defineActor({
      name: 'parent',
      protocol: { go: message() },
      on: {
        go: ({ spawn }) => {
          try {
            spawn(untyped(given))
          } catch (error) {
            caught.push(error)
          }
        },
      },
    })
    t.runtime.spawn(parent).tell({ type: 'go' })
    await t.settle()
    expect(caught).toMatchObject([{ code: 'DEFINITION_INVALID' }])
  })
})
