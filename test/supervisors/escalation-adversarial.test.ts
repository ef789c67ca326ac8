import {
  defineActor,
  message,
  operational,
  question,
  strategic,
  type EscalationOutcome,
  type RefOf,
  type RuntimeEventOf,
} from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { buy, threeTiers, w1, type Outcome, type World } from './three-tiers.ts'

/** A tier that decides when the test says so. */
function slowTier() {
  const calls: { signal: AbortSignal; answer: (choice: string | undefined) => void; fail: (error: Error) => void }[] =
    []
  const decide = ({ signal }: { signal: AbortSignal }): Promise<string | undefined> =>
    new Promise((answer, fail) => {
      calls.push({ signal, answer, fail })
    })
  return { calls, level: { authority: { spendUsd: 5 }, decide } }
}
const poor = { authority: { spendUsd: 0 } }

/** Whether the top's purse of 5 dollars is untouched. */
async function purseIsFull(world: World): Promise<boolean> {
  const outcome = world.ask(buy, '/top/asker')
  await world.advance(1000)
  return (await outcome).by === '/top/asker'
}

const reports = (world: World): RuntimeEventOf<'observer-failed'>[] => {
  const seen: RuntimeEventOf<'observer-failed'>[] = []
  world.runtime.on('observer-failed', (event) => seen.push(event))
  return seen
}

describe('what if the tier answers', () => {
  test('after the deadline: the default stands and the money is free again', async () => {
    const { calls, level } = slowTier()
    await using world = await threeTiers(level, {}, poor)
    const outcome = world.ask(buy)
    await world.advance(1000)
    expect(calls[0]?.signal.aborted).toBe(true)
    calls[0]?.answer('buy')
    await world.settle()
    expect(await outcome).toMatchObject({ choice: 'skip', by: 'default' })
    expect(world.hops()).toEqual([`${w1} -> /top`])
    expect(await purseIsFull(world)).toBe(true)
  })

  test('never: the default is taken at the deadline, and only one tier was asked', async () => {
    const { level } = slowTier()
    await using world = await threeTiers(level, {}, poor)
    const outcome = world.ask(buy)
    await world.advance(1000)
    expect(await outcome).toMatchObject({ choice: 'skip', by: 'default' })
    expect(world.runtime.escalations).toEqual([])
  })

  test('after a person has: the person stands, and no tier pays', async () => {
    const { calls, level } = slowTier()
    await using world = await threeTiers(level, {}, poor)
    const outcome = world.ask(buy)
    await world.settle()
    expect(world.seen[0]?.resolve('buy')).toBe(true)
    calls[0]?.answer('skip')
    await world.settle()
    expect(await outcome).toMatchObject({ choice: 'buy', by: 'person' })
    expect(await purseIsFull(world)).toBe(true)
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('no idea')
      },
      'no idea',
    ],
    ['rejects', () => Promise.reject(new Error('no idea')), 'no idea'],
    ['chooses what is no option', () => 'sell', "/top chose 'sell', which is none of buy, skip"],
    ['chooses what is no option, with a reason', () => Promise.resolve({ choice: 'sell', reason: '' }), "chose 'sell'"],
  ])('and %s: it is reported, and a person is asked', async (_, decide, text) => {
    await using world = await threeTiers({ authority: { spendUsd: 5 }, decide }, {}, poor)
    const seen = reports(world)
    const outcome = world.ask(buy)
    await world.settle()
    expect(world.hops()).toEqual([`${w1} -> /top`, `${w1} -> person`])
    expect(seen).toMatchObject([
      { observer: 'decide of /top', error: { message: expect.stringContaining(text) as unknown } },
    ])
    await world.advance(1000)
    expect(await outcome).toMatchObject({ by: 'default' })
    expect(await purseIsFull(world)).toBe(true)
  })

  test('with an error after the deadline: nobody is bothered with it', async () => {
    const { calls, level } = slowTier()
    await using world = await threeTiers(level, {}, poor)
    const seen = reports(world)
    const outcome = world.ask(buy)
    await world.advance(1000)
    calls[0]?.fail(new Error('aborted'))
    await world.settle()
    expect(await outcome).toMatchObject({ by: 'default' })
    expect(seen).toEqual([])
  })
})

describe('what if somebody resolves', () => {
  test('twice, or something else: only the first valid choice counts', async () => {
    await using world = await threeTiers()
    const outcome = world.ask(buy)
    await world.settle()
    const [event] = world.seen
    expect([
      event?.resolve('sell'),
      event?.resolve('skip', 'first'),
      event?.resolve('buy', 'second'),
      event?.resolve('skip'),
    ]).toEqual([false, true, false, false])
    await world.settle()
    expect(await outcome).toEqual({ choice: 'skip', by: 'person', reason: 'first' })
  })

  test('after the deadline: it is too late', async () => {
    await using world = await threeTiers()
    const outcome = world.ask(buy)
    await world.advance(1000)
    expect(world.seen[0]?.resolve('buy')).toBe(false)
    expect(await outcome).toMatchObject({ by: 'default' })
  })

  test('the event of an earlier hop: it is the same decision', async () => {
    await using world = await threeTiers({ authority: { spendUsd: 5 }, decide: () => undefined }, {}, poor)
    const outcome = world.ask(buy)
    await world.settle()
    const [hop, person] = world.seen
    expect([hop?.resolve('buy'), person?.resolve('skip')]).toEqual([true, false])
    await world.settle()
    expect(await outcome).toMatchObject({ choice: 'buy', by: 'person' })
  })
})

describe('what if the one who asks', () => {
  test('is killed: the decision is withdrawn, the money is free, and nothing can be resolved', async () => {
    const { calls, level } = slowTier()
    await using world = await threeTiers(level, {}, poor)
    const outcome = world.ask(buy)
    const down = expect(outcome).rejects.toMatchObject({ code: 'TARGET_DOWN' })
    await world.settle()
    const pending = world.clock.pending
    world.runtime.ref(w1)?.kill()
    await world.settle()
    await down
    expect(world.runtime.escalations).toEqual([])
    expect(world.clock.pending).toBeLessThan(pending)
    expect(calls[0]?.signal.aborted).toBe(true)
    expect(world.seen[0]?.resolve('buy')).toBe(false)
    calls[0]?.answer('buy')
    await world.settle()
    expect(world.runtime.stats.zombieEffects).toBe(0)
    expect(await purseIsFull(world)).toBe(true)
  })

  test('is told to stop: it gets the default and can finish what it is at', async () => {
    await using world = await threeTiers()
    const outcome = world.ask(buy)
    await world.settle()
    const stopped = world.runtime.ref(w1)?.stop()
    await world.settle()
    expect(await stopped).toEqual({ kind: 'shutdown' })
    expect(await outcome).toEqual({ choice: 'skip', by: 'default', reason: `${w1} is stopping` })
    expect(world.seen[0]?.resolve('buy')).toBe(false)
  })

  test('asks with its last words: it gets the default at once', async () => {
    const outcomes: EscalationOutcome<string>[] = []
    const leaver = defineActor({
      name: 'leaver',
      protocol: {},
      on: {
        'actor.stopping': async ({ escalate }) => {
          outcomes.push(await escalate(buy))
        },
      },
    })
    await using world = await createTestRuntime()
    const stopped = world.runtime.spawn(leaver).stop()
    await world.settle()
    await stopped
    expect(outcomes).toEqual([{ choice: 'skip', by: 'default', reason: '/user/leaver-1 is stopping' }])
  })

  test('does not wait for the answer and ends: nothing is left over', async () => {
    const careless = defineActor({
      name: 'careless',
      protocol: { go: message() },
      on: {
        go: ({ escalate, stop }) => {
          void escalate(buy)
          stop()
        },
      },
    })
    await using world = await createTestRuntime({
      root: strategic('top', {
        authority: {},
        children: [operational('squad', { actor: careless, authority: {}, children: [] })],
      }),
    })
    world.runtime.ref('/top/squad')?.tell({ type: 'go' } as never)
    await world.settle()
    expect(world.runtime.escalations).toEqual([])
    expect(world.clock.pending).toBe(0)
  })
})

describe('what if a tier', () => {
  test('above is killed while it decides: those below it stop too, with the default, and it decides no more', async () => {
    const { calls, level } = slowTier()
    await using world = await threeTiers({ authority: { spendUsd: 5 } }, level, poor)
    const outcome = world.ask(buy)
    await world.settle()
    world.runtime.ref('/top/middle')?.kill()
    calls[0]?.answer('buy')
    await world.settle()
    expect(await outcome).toMatchObject({ choice: 'skip', by: 'default' })
    await world.settle()
    expect(world.runtime.escalations).toEqual([])
    const again = world.ask(buy)
    await world.settle()
    calls[1]?.answer('skip')
    await world.settle()
    expect(await again).toMatchObject({ choice: 'skip', by: '/top/middle' })
    expect(await purseIsFull(world)).toBe(true)
  })

  test('has its actor killed while that decides: it counts as undecided, and a person is asked', async () => {
    const ask = ({ actor }: { actor: unknown }): Promise<string> =>
      (actor as { ask: (question: object, options: object) => Promise<string> }).ask(
        { type: 'asker.escalate', request: { ...buy, choice: undefined } },
        { timeoutMs: 1e6 },
      )
    await using world = await threeTiers({ authority: { spendUsd: 5 }, decide: ask }, {}, poor)
    const seen = reports(world)
    const outcome = world.ask(buy)
    await world.settle()
    world.runtime.ref('/top/asker')?.kill()
    await world.settle()
    expect(world.hops()).toEqual([`${w1} -> /top`, '/top/asker -> person', `${w1} -> person`])
    expect(seen).toMatchObject([{ observer: 'decide of /top', error: { code: 'TARGET_DOWN' } }])
    expect(world.seen[2]?.resolve('buy')).toBe(true)
    await world.settle()
    expect(await outcome).toMatchObject({ by: 'person' })
  })

  test('asks the very actor that waits for it: the cycle is found at once, and a person is asked', async () => {
    const waiting = defineActor({
      name: 'waiting',
      protocol: { 'waiting.go': message(), 'waiting.why': question({}, z.string()) },
      on: {
        'waiting.go': async ({ escalate }) => {
          await escalate(buy)
        },
        'waiting.why': ({ reply }) => {
          reply('because')
        },
      },
    })
    const squad = operational('squad', { actor: waiting, authority: { spendUsd: 0 }, children: [] })
    const decide = async ({ from }: { from: string }): Promise<string> => {
      await (world.runtime.ref(from) as RefOf<typeof waiting> | undefined)?.ask({ type: 'waiting.why' })
      return 'buy'
    }
    const top = strategic('top', { authority: { spendUsd: 5 }, children: [squad], decide })
    await using world = await createTestRuntime({ root: top })
    const errors: unknown[] = []
    world.runtime.on('observer-failed', ({ error }) => errors.push(error))
    const waiter = world.runtime.ref('/top/squad') as RefOf<typeof waiting> | undefined
    waiter?.tell({ type: 'waiting.go' })
    await world.settle()
    expect(errors).toMatchObject([{ code: 'ASK_CYCLE' }])
    expect(world.runtime.escalations).toMatchObject([{ to: 'person' }])
  })
})

describe('what if the runtime shuts down', () => {
  test('then what waits gets its default at once, and nobody holds the shutdown up', async () => {
    const { level } = slowTier()
    const world = await threeTiers(level, {}, poor)
    const outcomes = [world.ask({ ...buy, deadlineMs: 1e9 }), world.ask({ ...buy, deadlineMs: 1e9 })]
    await world.settle()
    const closing = world.runtime.shutdown({ deadlineMs: 5000 })
    await world.settle()
    expect(await Promise.all(outcomes)).toMatchObject([
      { by: 'default', reason: 'the runtime shuts down' },
      { by: 'default' },
    ])
    await world.advance(10)
    expect((await closing).phases.map(({ timedOut }) => timedOut)).not.toContain(true)
    expect(world.seen.map(({ resolve }) => resolve('buy'))).toEqual([false, false])
  })
})

test('whatever comes first, there is one outcome, one resolve that counts, and no money lost', async () => {
  const step = fc.constantFrom(
    'answer buy',
    'answer skip',
    'answer undefined',
    'fail',
    'resolve buy',
    'resolve skip',
    'resolve sell',
    'half the time',
    'stop',
    'kill',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const { calls, level } = slowTier()
      await using world = await threeTiers(level, {}, poor)
      const outcomes: Outcome[] = []
      world.ask(buy).then(
        (outcome) => outcomes.push(outcome),
        () => undefined,
      )
      await world.settle()
      const resolved: string[] = []
      const act: Record<typeof step extends fc.Arbitrary<infer T extends string> ? T : never, () => unknown> = {
        'answer buy': () => calls[0]?.answer('buy'),
        'answer skip': () => calls[0]?.answer('skip'),
        'answer undefined': () => calls[0]?.answer(undefined),
        fail: () => calls[0]?.fail(new Error('failed')),
        'resolve buy': () => world.seen.at(-1)?.resolve('buy') === true && resolved.push('buy'),
        'resolve skip': () => world.seen[0]?.resolve('skip') === true && resolved.push('skip'),
        'resolve sell': () => world.seen[0]?.resolve('sell') === true && resolved.push('sell'),
        'half the time': () => world.advance(500),
        stop: () => void world.runtime.ref(w1)?.stop(),
        kill: () => world.runtime.ref(w1)?.kill(),
      }
      for (const name of steps) await act[name]()
      await world.advance(1000)

      expect(resolved.length).toBeLessThanOrEqual(1)
      expect(outcomes.length).toBeLessThanOrEqual(1)
      const [outcome] = outcomes
      if (resolved.length === 1 && outcome !== undefined)
        expect(outcome).toMatchObject({ by: 'person', choice: resolved[0] })
      if (!steps.includes('kill')) expect(outcome).toBeDefined()
      expect(world.runtime.escalations).toEqual([])
      // One that is killed right after it was granted its wish has used up the money.
      if (outcome === undefined && steps.includes('answer buy')) return
      expect(await purseIsFull(world)).toBe(outcome?.by !== '/top' || outcome.choice === 'skip')
    }),
    { numRuns: 100 },
  )
})
