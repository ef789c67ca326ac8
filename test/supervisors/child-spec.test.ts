import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  child,
  defineActor,
  dynamicSupervisor,
  exits,
  supervisor,
  type ChildInput,
  type ChildOptions,
  type ExitReason,
  type RestartType,
} from 'echelon'
import { shouldRestart } from '../../src/supervisors/child-spec.ts'

const worker = defineActor({ name: 'worker', protocol: {}, on: {} })
const needy = defineActor({ name: 'needy', protocol: {}, input: z.object({ n: z.int() }), on: {} })
const nested = supervisor('nested', { children: [] })

/** What untyped code may give. */
const untyped = (options: object): ChildOptions<typeof worker> => options

describe('a child spec', () => {
  test('given nothing but a definition, then it has OTP’s defaults', () => {
    expect(child(worker)).toMatchObject({
      kind: 'child',
      id: 'worker',
      restart: 'permanent',
      shutdown: 5000,
      significant: false,
      keepMailbox: false,
      stateOnRestart: 'fresh',
      backoff: undefined,
      intensity: undefined,
      poisonAfter: undefined,
      budget: undefined,
    })
    expect(child(nested).shutdown).toBe('infinity')
  })

  const refused: readonly (readonly [string, object, RegExp])[] = [
    ['an id that is no segment', { id: 'a/b' }, /an id is/],
    ['an empty id', { id: '' }, /an id is/],
    ['a restart type that there is not', { restart: 'sometimes' }, /restart 'sometimes' is none of/],
    ['a significant that is no boolean', { significant: 'yes' }, /true or false/],
    ['a permanent child as significant', { significant: true }, /permanent child cannot be significant/],
    ['a negative shutdown', { shutdown: -1 }, /shutdown -1 is no time/],
    ['a shutdown that is no number', { shutdown: NaN }, /is no time/],
    ['an infinite number as shutdown', { shutdown: Infinity }, /give milliseconds of 0 or more, infinity/],
    ['a shutdown that there is not', { shutdown: 'soon' }, /is no time/],
    ['a state policy that there is not', { stateOnRestart: 'latest' }, /none of fresh, snapshot, replay/],
    ['a replay of what has no journal', { stateOnRestart: 'replay' }, /replay is for durable actors/],
    ['poison after no failure', { keepMailbox: true, poison: { after: 0 } }, /poison.after 0/],
    ['poison after half a failure', { keepMailbox: true, poison: { after: 1.5 } }, /poison.after 1.5/],
    ['poison without a kept mailbox', { poison: { after: 1 } }, /poison needs keepMailbox/],
    ['no time for progress', { progress: { withinMs: 0 } }, /progress.withinMs 0/],
    ['a budget of nothing', { budget: { usd: 0 } }, /budget.usd 0/],
    ['a budget that is no number', { budget: { tokens: NaN } }, /budget.tokens NaN/],
    ['a backoff the wrong way round', { backoff: { minMs: 10, maxMs: 5 } }, /minMs 10 and maxMs 5/],
    ['a negative backoff', { backoff: { minMs: -1, maxMs: 5 } }, /minMs -1/],
    ['an endless backoff', { backoff: { minMs: 1, maxMs: Infinity } }, /maxMs Infinity/],
    ['too much jitter', { backoff: { minMs: 1, maxMs: 5, jitter: 2 } }, /jitter 2/],
    ['a negative quiet time', { backoff: { minMs: 1, maxMs: 5, resetAfterMs: -1 } }, /resetAfterMs -1/],
    ['a bad intensity', { intensity: { restarts: -1, withinMs: 5 } }, /intensity.restarts/],
  ]

  test.each(refused)('given %s, then it is refused and says why', (_, options, text) => {
    const make = (): unknown => child(worker, untyped(options))
    expect(make).toThrow(expect.objectContaining({ code: 'CHILD_SPEC_INVALID' }))
    expect(make).toThrow(text)
  })

  test.each([
    ['two children of one id', [worker, worker], 'the id comes twice'],
    ['what is no child', [{ name: 'worker' }], 'neither a definition nor made by child()'],
    ['nothing', [undefined], 'neither a definition nor made by child()'],
    [
      'a significant child that nobody heeds',
      [child(worker, { restart: 'transient', significant: true })],
      'autoShutdown',
    ],
    ['an input that the schema refuses', [child(needy, { input: { n: 0.5 } })], 'input of needy'],
    ['no input where one is needed', [needy], 'input of needy'],
  ])('given %s, then its supervisor is refused', (_, children, text) => {
    const make = (): unknown => supervisor('tree', { children: children as readonly ChildInput[] })
    expect(make).toThrow(expect.objectContaining({ code: 'CHILD_SPEC_INVALID' }))
    expect(make).toThrow(text)
  })

  test.each([
    [{ maxChildren: 0 }, 'DEFINITION_INVALID'],
    [{ maxChildren: 1.5 }, 'DEFINITION_INVALID'],
    [{ autoShutdown: 'some' }, 'DEFINITION_INVALID'],
    [{ child: child(worker, { restart: 'transient', significant: true }) }, 'CHILD_SPEC_INVALID'],
    [{ child: 'worker' }, 'CHILD_SPEC_INVALID'],
  ])('given a dynamic supervisor with %o, then it is refused', (options, code) => {
    // What untyped code may give.
    expect(() => dynamicSupervisor('dynamic', { child: worker, ...(options as object) })).toThrow(
      expect.objectContaining({ code }),
    )
  })

  test.each([[{ strategy: 'all' }], [{ autoShutdown: 'some' }]])(
    'given a supervisor with %o, then it is refused',
    (options) => {
      expect(() => supervisor('tree', { children: [], ...(options as object) })).toThrow(
        expect.objectContaining({ code: 'DEFINITION_INVALID' }),
      )
    },
  )

  test('given a name that is no path segment, then a supervisor is refused', () => {
    expect(() => supervisor('a b', { children: [] })).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
  })
})

describe('the restart decision of OTP', () => {
  const ends: readonly (readonly [string, ExitReason, boolean])[] = [
    ['normal', exits.normal, true],
    ['shutdown', exits.shutdown(), true],
    ['{shutdown, X}', exits.shutdown('x'), true],
    ['a crash', exits.crash(new Error('x')), false],
    ['a kill', exits.killed, false],
  ]
  const table = (['permanent', 'transient', 'temporary'] satisfies RestartType[]).flatMap((restart) =>
    ends.map(([name, exit, isClean]) => ({
      restart,
      name,
      exit,
      again: restart === 'permanent' || (restart === 'transient' && !isClean),
    })),
  )

  test.each(table)(
    'given a $restart child, when it ends by $name, then it is started again: $again',
    ({ restart, exit, again }) => {
      expect(shouldRestart[restart](exit)).toBe(again)
    },
  )
})
