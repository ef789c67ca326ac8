import type { EchelonError } from 'echelon'
import type { RuntimeEventOf } from 'echelon'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asker, buy, threeTiers, w1, type Outcome, type Request } from './three-tiers.ts'

const yes = () => 'buy'

describe('who decides', () => {
  test('given enough authority, then the actor takes its own choice alone and nobody is told', async () => {
    await using world = await threeTiers({ authority: { spendUsd: 10 } })
    const outcome = world.ask(buy)
    await world.settle()
    expect(await outcome).toEqual({ choice: 'buy', by: w1, reason: 'within the authority of /top/middle/bottom' })
    expect(world.seen).toEqual([])
  })

  test('given the default as its choice, then it needs no authority', async () => {
    await using world = await threeTiers()
    const outcome = world.ask({ ...buy, choice: 'skip' })
    await world.settle()
    expect(await outcome).toEqual({ choice: 'skip', by: w1, reason: 'the default needs no authority' })
  })

  test('given a decision that needs nothing, then an actor in no tier decides alone too', async () => {
    await using world = await threeTiers()
    world.runtime.spawn(asker, { name: 'loner' })
    const alone = world.ask(
      { action: 'rest', options: ['buy', 'skip'], defaultChoice: 'skip', choice: 'buy', deadlineMs: 1 },
      '/user/loner',
    )
    const beyond = world.ask(buy, '/user/loner')
    await world.settle()
    expect(await alone).toMatchObject({ choice: 'buy', by: '/user/loner' })
    expect(world.hops()).toEqual(['/user/loner -> person'])
    world.seen[0]?.resolve('buy')
    await world.settle()
    expect(await beyond).toMatchObject({ by: 'person' })
  })

  test('given too little authority, then the first tier above that has enough and can decide does', async () => {
    const asked: unknown[] = []
    await using world = await threeTiers(
      {
        authority: { spendUsd: 10 },
        decide: ({ signal, ...matter }) => (
          asked.push(matter, signal.aborted),
          { choice: 'buy', reason: 'we need it' }
        ),
      },
      { authority: { spendUsd: 1 }, decide: () => expect.unreachable('it may not decide') },
      { decide: () => expect.unreachable('it may not decide') },
    )
    const outcome = world.ask(buy)
    await world.settle()
    expect(await outcome).toEqual({ choice: 'buy', by: '/top', reason: 'we need it' })
    expect(world.hops()).toEqual([`${w1} -> /top`])
    expect(asked).toEqual([{ request: buy, from: w1, tier: '/top', actor: world.runtime.ref('/top/asker') }, false])
  })

  test('given a tier that cannot decide, then the next one is asked, and past the top a person', async () => {
    await using world = await threeTiers(
      { authority: { risk: 'high' }, decide: () => Promise.resolve(undefined) },
      { decide: () => undefined },
      { authority: { risk: 'low' } },
    )
    const request: Request = {
      action: 'delete',
      risk: 'medium',
      tool: undefined,
      options: ['yes', 'no'],
      defaultChoice: 'no',
      deadlineMs: 10,
      detail: { file: 'a' },
    } as never
    const outcome = world.ask(request)
    await world.settle()
    expect(world.hops()).toEqual([`${w1} -> /top/middle`, `${w1} -> /top`, `${w1} -> person`])
    const [first, , last] = world.seen
    expect(last).toMatchObject({
      path: w1,
      reason: {
        kind: 'decision',
        id: 'decision-1',
        action: 'delete',
        detail: { file: 'a' },
        needs: { action: 'delete', risk: 'medium' },
        lacks: [{ field: 'risk', needs: 'medium', has: 'low' }],
      },
      options: ['yes', 'no'],
      defaultChoice: 'no',
      deadlineMs: world.clock.wallNow() + 10,
    })
    expect(first?.reason).toEqual(last?.reason)
    expect(last?.resolve('yes', 'looked at it')).toBe(true)
    await world.settle()
    expect(await outcome).toEqual({ choice: 'yes', by: 'person', reason: 'looked at it' })
  })

  test('given no choice of its own, then its own tier decides first, even within its authority', async () => {
    await using world = await threeTiers({ authority: { spendUsd: 10 } }, {}, { decide: yes })
    const { choice, ...open } = buy
    const outcome = world.ask(open)
    await world.settle()
    expect(await outcome).toMatchObject({ choice, by: '/top/middle/bottom', reason: '/top/middle/bottom decided' })
    expect(world.seen[0]?.reason).toMatchObject({ lacks: [] })
  })

  test('given the actor of a tier as the one who asks, then its own tier is not asked', async () => {
    await using world = await threeTiers(
      { authority: { spendUsd: 10 }, decide: yes },
      { decide: () => expect.unreachable('it would ask itself') },
    )
    const { choice, ...open } = buy
    const outcome = world.ask(open, '/top/middle/asker')
    await world.settle()
    expect(await outcome).toMatchObject({ choice, by: '/top' })
  })

  test('given a decide that asks the tier’s own actor, then that actor decides', async () => {
    await using world = await threeTiers(
      {
        authority: { spendUsd: 10 },
        // The actor of every tier here is an `asker`, which escalates further: to a person.
        decide: async ({ request, actor }) => {
          const { choice, ...open } = request
          const answer = await (actor as { ask: (question: object) => Promise<{ choice: string }> }).ask({
            type: 'asker.escalate',
            request: open,
          })
          return answer.choice === choice ? choice : undefined
        },
      },
      {},
      { authority: { spendUsd: 0 } },
    )
    const outcome = world.ask(buy)
    await world.settle()
    expect(world.hops()).toEqual([`${w1} -> /top`, '/top/asker -> person'])
    world.seen[1]?.resolve('buy')
    await world.settle()
    expect(await outcome).toMatchObject({ choice: 'buy', by: '/top' })
  })
})

describe('money', () => {
  test('given a purse, then what was granted is gone, for the tier and for those above it', async () => {
    await using world = await threeTiers({ authority: { spendUsd: 12 } }, { authority: { spendUsd: 10 } })
    const outcomes = [
      world.ask(buy),
      world.ask(buy),
      world.ask(buy),
      world.ask({ ...buy, spendUsd: 2 }, '/top/asker'),
      world.ask({ ...buy, spendUsd: 0.01 }, '/top/asker'),
    ]
    await world.advance(1000)
    expect((await Promise.all(outcomes)).map(({ by }) => by)).toEqual([w1, w1, 'default', '/top/asker', 'default'])
    expect(world.seen[0]?.reason).toMatchObject({ lacks: [{ field: 'spendUsd', needs: 5, has: 0 }] })
  })

  test('given a restart of the tier, then its purse is not full again', async () => {
    await using world = await threeTiers({ authority: { spendUsd: 5 } })
    const before = world.ask(buy)
    await world.settle()
    world.runtime.ref('/top/middle')?.kill()
    await world.settle()
    expect(world.runtime.ref('/top/middle')).toMatchObject({ incarnation: 2, isRunning: true })
    const after = world.ask(buy)
    await world.advance(1000)
    expect([(await before).by, (await after).by]).toEqual([w1, 'default'])
  })

  test('given a decision that is open, then its money is held; if it is refused, it is free again', async () => {
    let answer: (choice: string) => void = () => undefined
    const decide = (): Promise<string> => new Promise((resolve) => (answer = resolve))
    await using world = await threeTiers({ authority: { spendUsd: 5 }, decide }, {}, { authority: { spendUsd: 0 } })
    const first = world.ask(buy)
    await world.settle()
    const second = world.ask(buy)
    await world.settle()
    expect(world.hops()).toEqual([`${w1} -> /top`, `${w1} -> person`])
    answer('skip')
    await world.advance(1000)
    expect([(await first).by, (await second).by]).toEqual(['/top', 'default'])
    const third = world.ask(buy)
    await world.settle()
    answer('buy')
    await world.settle()
    expect(await third).toMatchObject({ choice: 'buy', by: '/top' })
  })

  test('given a tier that does not decide, then the next one has that money too', async () => {
    await using world = await threeTiers(
      { authority: { spendUsd: 5 }, decide: yes },
      { decide: () => Promise.resolve(undefined) },
      { authority: { spendUsd: 0 } },
    )
    const outcome = world.ask(buy)
    await world.settle()
    expect(world.hops()).toEqual([`${w1} -> /top/middle`, `${w1} -> /top`])
    expect(await outcome).toMatchObject({ choice: 'buy', by: '/top' })
  })

  test('given a person who grants it, then no tier pays', async () => {
    await using world = await threeTiers({ authority: { spendUsd: 5 } }, {}, { authority: { spendUsd: 0 } })
    const granted = world.ask(buy)
    await world.settle()
    world.seen[0]?.resolve('buy')
    const own = world.ask(buy, '/top/asker')
    await world.settle()
    expect([(await granted).by, (await own).by]).toEqual(['person', '/top/asker'])
  })

  test('whatever is asked for by whom, the grants of tiers never exceed any budget above them', async () => {
    const paths = ['/top/asker', '/top/middle/asker', w1, '/top/middle/bottom/w2']
    const one = fc.record({
      path: fc.constantFrom(...paths),
      spendUsd: fc.constantFrom(0.5, 1, 2, 4),
      alone: fc.boolean(),
      wait: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 5, maxLength: 25 }), async (requests) => {
        const decide = ({ request }: { request: Request }) => Promise.resolve(request.options[0])
        await using world = await threeTiers(
          { authority: { spendUsd: 10 }, decide },
          { authority: { spendUsd: 6 }, decide },
          { authority: { spendUsd: 3 }, decide },
        )
        const { choice = 'buy', ...open } = buy
        const outcomes: Promise<Outcome & { readonly spendUsd: number }>[] = []
        for (const { path, spendUsd, alone, wait } of requests) {
          const outcome = world.ask(alone ? { ...open, choice, spendUsd } : { ...open, spendUsd }, path)
          outcomes.push(outcome.then((given) => ({ ...given, spendUsd })))
          if (wait) await world.settle()
        }
        await world.advance(1000)
        const granted = (await Promise.all(outcomes)).filter((outcome) => outcome.choice === 'buy')
        const within = (tier: string): number =>
          granted
            .filter(({ by }) => by.startsWith(`${tier}/`) || by === tier)
            .reduce((sum, { spendUsd }) => sum + spendUsd, 0)
        expect(within('/top')).toBeLessThanOrEqual(10)
        expect(within('/top/middle')).toBeLessThanOrEqual(6)
        expect(within('/top/middle/bottom')).toBeLessThanOrEqual(3)
        expect(granted.length).toBeGreaterThan(0)
      }),
      { numRuns: 40 },
    )
  })
})

describe('what waits', () => {
  test('is listed until it is decided, and can be decided from there', async () => {
    await using world = await threeTiers()
    const outcome = world.ask(buy)
    await world.settle()
    const [pending] = world.runtime.escalations
    expect(pending).toMatchObject({
      id: 'decision-1',
      from: w1,
      to: 'person',
      request: buy,
      deadlineMs: world.clock.wallNow() + 1000,
    })
    expect(pending?.lacks).toEqual([{ field: 'spendUsd', needs: 5, has: 0 }])
    expect(pending?.resolve('buy')).toBe(true)
    await world.settle()
    expect(world.runtime.escalations).toEqual([])
    expect(await outcome).toMatchObject({ by: 'person', reason: 'a person decided' })
    expect(world.clock.pending).toBe(0)
  })

  test('given 1,000 that wait, then one more is refused, and the others are not harmed', async () => {
    await using world = await threeTiers()
    const outcomes = Array.from({ length: 1000 }, () => world.ask(buy))
    await world.settle()
    const refused = expect(world.ask(buy)).rejects.toMatchObject({
      code: 'ESCALATION_LIMIT',
      retryable: true,
    } satisfies Partial<EchelonError>)
    await world.settle()
    await refused
    expect(world.runtime.escalations).toHaveLength(1000)
    await world.advance(1000)
    expect(new Set((await Promise.all(outcomes)).map(({ by }) => by))).toEqual(new Set(['default']))
  })

  test('given nobody who decides, then the default is taken at the deadline and not before', async () => {
    await using world = await threeTiers()
    let outcome: unknown
    void world.ask(buy).then((given) => (outcome = given))
    await world.advance(999)
    expect(outcome).toBeUndefined()
    await world.advance(1)
    expect(outcome).toEqual({ choice: 'skip', by: 'default', reason: 'nobody decided within 1000 ms' })
  })
})

test.each([
  ['no options', { options: [] }, 'it has no options'],
  ['a default that is none of them', { defaultChoice: 'sell' }, "'sell' is none of its options buy, skip"],
  ['a choice that is none of them', { choice: 'sell' }, "'sell' is none of its options"],
  ['no time', { deadlineMs: 0 }, 'deadlineMs 0 is not above 0'],
  ['negative time', { deadlineMs: -1 }, 'deadlineMs -1'],
  ['endless time', { deadlineMs: Infinity }, 'deadlineMs Infinity'],
  ['no number as time', { deadlineMs: NaN }, 'deadlineMs NaN'],
  ['negative money', { spendUsd: -1 }, 'spendUsd -1 is not 0 or more'],
  ['endless money', { spendUsd: Infinity }, 'spendUsd Infinity'],
  ['an unknown risk', { risk: 'extreme' }, "risk 'extreme' is none of low, medium, high"],
])('given %s, then the request is refused and nothing waits', async (_, wrong, text) => {
  await using world = await threeTiers({ authority: { spendUsd: Infinity, risk: 'high' } })
  // What untyped code may write.
  const refused = expect(world.ask({ ...buy, ...wrong } as Request)).rejects.toMatchObject({
    code: 'ESCALATION_INVALID',
    message: expect.stringContaining(text) as unknown,
  })
  await world.settle()
  await refused
  expect(world.runtime.escalations).toEqual([])
})

test('given a listener that decides while it is told, then nobody further up is told', async () => {
  await using world = await threeTiers(
    { authority: { spendUsd: 9 }, decide: () => expect.unreachable('it is decided') },
    {},
    { authority: { spendUsd: 0 } },
  )
  world.runtime.on('escalated', ({ resolve }: RuntimeEventOf<'escalated'>) => resolve('buy', 'by rule'))
  const outcome = world.ask(buy)
  await world.settle()
  expect(await outcome).toEqual({ choice: 'buy', by: 'person', reason: 'by rule' })
  expect(world.hops()).toEqual([`${w1} -> /top`])
})
