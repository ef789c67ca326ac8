import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, type DoubtRule, type InDoubt } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, type Disk } from '../../actors/durable/disk.ts'

const never = new Promise<never>(() => undefined)

const payer = defineActor({
  name: 'payer',
  durable: true,
  protocol: { pay: message() },
  state: (): unknown => 'unpaid',
  on: {
    pay: ({ effect }) => effect('pay', () => never).catch(String),
  },
})

/** A disk on which so many actors were paying when their process was gone. */
async function paying(count = 1): Promise<{ readonly world: Disk; readonly t: TestRuntime }> {
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal })
  for (let i = 0; i < count; i += 1) void t.runtime.get(payer, `p${i}`).tell({ type: 'pay' }, { durable: true })
  await t.settle()
  return { world, t }
}

async function next(onInDoubt: DoubtRule, count = 1) {
  const { world, t } = await paying(count)
  return createTestRuntime({ journal: world.journal, clock: clockAfter(t.clock), definitions: [payer], onInDoubt })
}

const stateOf = (t: TestRuntime, key = 'p0'): unknown => t.runtime.get(payer, key).snapshot.context

describe('a rule', () => {
  test('given one, then it is told what is known', async () => {
    const asked: InDoubt[] = []
    await using t = await next((doubt) => {
      asked.push(doubt)
      return { kind: 'value', value: 'by rule' }
    })
    await t.settle()
    expect(stateOf(t)).toBe('by rule')
    expect(asked).toEqual([
      {
        stream: '/durable/payer/p0',
        key: 'pay',
        idempotencyKey: expect.any(String) as string,
        beganAtMs: t.clock.wallNow(),
      },
    ])
  })

  test('given one that looks it up, then it is waited for', async () => {
    await using t = await next(async () => {
      await Promise.resolve()
      return { kind: 'failed', error: new RangeError('declined') }
    })
    await t.settle()
    expect(stateOf(t)).toContain('RangeError: declined')
  })

  test.each<[string, DoubtRule]>([
    [
      'throws',
      () => {
        throw new Error('a bad rule')
      },
    ],
    ['rejects', () => Promise.reject(new Error('a bad rule'))],
  ])('given one that %s, then that is told, and a person is asked', async (_, rule) => {
    const { world, t: first } = await paying()
    const problems: unknown[] = []
    await using t = await createTestRuntime({ journal: world.journal, clock: clockAfter(first.clock), onInDoubt: rule })
    t.runtime.on('observer-failed', ({ observer, error }) => problems.push([observer, String(error)]))
    t.runtime.get(payer, 'p0').subscribe(() => undefined)
    await t.settle()
    expect(problems).toEqual([['onInDoubt', 'Error: a bad rule']])
    expect(t.runtime.inDoubt.map(({ key }) => key)).toEqual(['pay'])
    t.runtime.inDoubt[0]?.settle({ kind: 'value', value: 'by hand' })
    await t.settle()
    expect(stateOf(t)).toBe('by hand')
  })

  test('given one that never answers, then neither a stop nor a shutdown waits for it', async () => {
    const t = await next(() => never)
    await t.settle()
    expect(t.runtime.inDoubt).toEqual([])
    const stopped = t.runtime.get(payer, 'p0').stop()
    expect(await t.until(stopped)).toEqual({ kind: 'shutdown' })
    const { phases } = await t.until(t.runtime.shutdown())
    expect(phases.every(({ timedOut }) => !timedOut)).toBe(true)
  })
})

describe('many', () => {
  test('given as many as may wait, then those beyond fail by name, and come back when there is room and somebody asks', async () => {
    const { world, t: first } = await paying(1003)
    const clock = clockAfter(first.clock)
    await using t = await createTestRuntime({ journal: world.journal, clock })
    const failures: unknown[] = []
    t.runtime.on('failed', ({ error, path }) => failures.push({ error, path }))
    for (let i = 0; i < 1003; i += 1) t.runtime.get(payer, `p${i}`).subscribe(() => undefined)
    await t.settle()
    expect(t.runtime.inDoubt).toHaveLength(1000)
    expect(failures[0]).toMatchObject({ error: { code: 'DOUBT_LIMIT', retryable: true } })
    const down = Array.from({ length: 1003 }, (_, i) => `p${i}`).filter((key) => !t.runtime.get(payer, key).isRunning)
    expect(down).toHaveLength(3)
    for (const { settle } of t.runtime.inDoubt) settle({ kind: 'value', value: 'paid' })
    for (const key of down) t.runtime.get(payer, key).subscribe(() => undefined)
    await t.settle()
    // Nothing was decided for them meanwhile.
    expect(t.runtime.inDoubt.map(({ stream }) => stream)).toEqual(down.map((key) => `/durable/payer/${key}`))
    for (const { settle } of t.runtime.inDoubt) settle({ kind: 'value', value: 'paid' })
    await t.settle()
    for (let i = 0; i < 1003; i += 1) expect(stateOf(t, `p${i}`)).toBe('paid')
  })

  test('given several that wait, then each is settled by itself, in any order', async () => {
    await using t = await next(() => undefined, 3)
    await t.settle()
    const doubts = t.runtime.inDoubt.toReversed()
    for (const { settle, stream } of doubts) {
      settle({ kind: 'value', value: stream })
      await t.settle()
    }
    for (const key of ['p0', 'p1', 'p2']) expect(stateOf(t, key)).toBe(`/durable/payer/${key}`)
  })
})

describe('a shutdown', () => {
  test('given a message that waits for a person, then it is not waited for, and none that comes after is begun before it', async () => {
    const { world, t: first } = await paying()
    const clock = clockAfter(first.clock)
    const t = await createTestRuntime({ journal: world.journal, clock, definitions: [payer] })
    await t.settle()
    expect(t.runtime.inDoubt).toHaveLength(1)
    t.runtime.get(payer, 'p0').tell({ type: 'pay' })
    await t.settle()
    const { phases } = await t.until(t.runtime.shutdown())
    expect(phases.every(({ timedOut }) => !timedOut)).toBe(true)
    expect(t.clock.now()).toBe(0)
    const journal = await world.journal.open({ node: 'looking', clock: t.clock })
    const entries = await journal.read('/durable/payer/p0', 0)
    expect(entries.map(({ kind }) => kind)).toEqual(['created', 'received', 'intent'])
  })
})

describe('an effect that runs on when its actor has failed', () => {
  const charges: PromiseWithResolvers<string>[] = []
  const asked: string[] = []
  const shop = defineActor({
    name: 'shop',
    durable: true,
    protocol: { buy: message({ fails: z.boolean() }) },
    state: (): readonly unknown[] => [],
    on: {
      buy: async ({ state, effect, message: { fails } }) => {
        const charge = effect('charge', () => {
          const run = Promise.withResolvers<string>()
          charges.push(run)
          return run.promise
        })
        if (fails) await effect('fail', () => Promise.reject(new Error('no')))
        return [...state, await charge]
      },
    },
  })

  /** A purchase whose message is given up while its charge is under way, and another with the same key. */
  async function buying(): Promise<TestRuntime> {
    charges.length = asked.length = 0
    const t = await createTestRuntime({
      journal: disk().journal,
      onInDoubt: ({ key }) => {
        asked.push(key)
        return { kind: 'retry' }
      },
    })
    const ref = t.runtime.get(shop, 'a')
    for (const fails of [true, false]) void ref.tell({ type: 'buy', fails }, { durable: true })
    await t.settle()
    return t
  }

  test('given that it succeeds, then that is what became of it: no rule is asked, and it is not run again', async () => {
    await using t = await buying()
    await t.advance(1000)
    expect(asked).toEqual([])
    charges[0]?.resolve('charged')
    await t.settle()
    expect(t.runtime.get(shop, 'a').snapshot.context).toEqual(['charged'])
    expect({ asked, charges: charges.length }).toEqual({ asked: [], charges: 1 })
  })

  test('given that it fails, then nobody can tell how far it came, and the rule is asked', async () => {
    await using t = await buying()
    charges[0]?.reject(new Error('cut off'))
    await t.settle()
    expect({ asked, charges: charges.length }).toEqual({ asked: ['charge'], charges: 2 })
  })

  test('given that it does not end, then a person may decide at once, and after a minute the rule is asked', async () => {
    await using t = await buying()
    expect(t.runtime.inDoubt.map(({ key }) => key)).toEqual(['charge'])
    await t.advance(59_000)
    expect(asked).toEqual([])
    await t.advance(1000)
    expect({ asked, inDoubt: t.runtime.inDoubt }).toEqual({ asked: ['charge'], inDoubt: [] })
  })
})
