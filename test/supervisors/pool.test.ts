import {
  child,
  countChildren,
  defineActor,
  errors,
  message,
  pool,
  question,
  startChild,
  terminateChild,
  whichChildren,
  type PoolOptions,
  type Ref,
} from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'

/** Works for as long as it is told to, and says who it is. */
const worker = defineActor({
  name: 'worker',
  protocol: {
    'worker.work': question({ forMs: z.number() }, z.string()),
    'worker.note': message({ id: z.number() }),
    'worker.crash': message(),
    'worker.end': message(),
  },
  state: () => ({ notes: [] as readonly number[] }),
  on: {
    'worker.work': async ({ message: { forMs }, clock, reply, path }) => {
      if (forMs > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, forMs))
      reply(path.split('/').at(-1) ?? '')
    },
    'worker.note': ({ state, message: { id } }) => ({ notes: [...state.notes, id] }),
    'worker.crash': () => {
      throw new Error('crash')
    },
    'worker.end': ({ stop }) => {
      stop()
    },
  },
})

type PoolRef = Ref<typeof workers extends (...args: never) => { readonly protocol: infer P } ? P : never>
const workers = (options: PoolOptions<typeof worker>) => pool('workers', worker, options)

async function start(
  options: PoolOptions<typeof worker>,
): Promise<TestRuntime & { readonly ref: PoolRef; readonly work: (forMs: number) => Promise<string> }> {
  const definition = workers(options)
  const world = await createTestRuntime({ root: definition })
  const ref = world.runtime.lookup(definition)
  return { ...world, ref, work: (forMs) => ref.ask({ type: 'worker.work', forMs }, { timeoutMs: 1e6 }) }
}

describe('a pool', () => {
  test('has as many workers as its size, named after it', async () => {
    await using world = await start({ size: 3 })
    const list = whichChildren(world.ref)
    const counts = countChildren(world.ref)
    await world.settle()
    expect((await list).map(({ id, ref }) => [id, ref?.path])).toEqual(
      [1, 2, 3].map((n) => [`workers-${n}`, `/workers/workers-${n}`]),
    )
    expect(await counts).toEqual({ specs: 3, active: 3, supervisors: 0, workers: 3 })
  })

  test('gives everybody a turn when nobody has more to do than the others', async () => {
    await using world = await start({ size: 3 })
    const answers: string[] = []
    for (let i = 0; i < 7; i += 1) {
      const answer = world.work(0)
      await world.settle()
      answers.push(await answer)
    }
    expect(answers).toEqual([1, 2, 3, 1, 2, 3, 1].map((n) => `workers-${n}`))
  })

  test('given workers that are busy, then the others get the messages', async () => {
    await using world = await start({ size: 3 })
    const busy = [world.work(100), world.work(100)]
    await world.settle()
    const answers: Promise<string>[] = []
    for (let i = 0; i < 3; i += 1) answers.push(world.work(10))
    // Two are at 100 ms of work, so of three messages the first goes to the third worker, and the others go round.
    await world.advance(300)
    expect(await Promise.all(busy)).toEqual(['workers-1', 'workers-2'])
    expect(await Promise.all(answers)).toEqual(['workers-3', 'workers-1', 'workers-2'])
  })

  test('always picks a worker that has as little to do as any', async () => {
    const step = fc.oneof(
      fc.record({ forMs: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ passMs: fc.integer({ min: 1, max: 30 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 40 }), async (size, steps) => {
        await using world = await start({ size })
        const sent: { by?: string; answeredAt?: number; readonly sentAt: number }[] = []
        let now = 0
        for (const next of steps) {
          now += 1
          if ('forMs' in next) {
            const one: (typeof sent)[number] = { sentAt: now }
            sent.push(one)
            void world.work(next.forMs).then((by) => Object.assign(one, { by, answeredAt: now }))
            await world.settle()
          } else {
            await world.advance(next.passMs)
          }
        }
        now += 1
        await world.advance(10_000)

        for (const { by = '', sentAt } of sent) {
          const open = sent.filter((other) => other.sentAt < sentAt && (other.answeredAt ?? Infinity) >= sentAt)
          const loads = Array.from(
            { length: size },
            (_, n) => open.filter((other) => other.by === `workers-${n + 1}`).length,
          )
          expect(loads[Number(by.split('-')[1]) - 1]).toBe(Math.min(...loads))
        }
      }),
      { numRuns: 50 },
    )
  })

  test('given reentrant workers, then the messages that they are at count too', async () => {
    const eager = defineActor({
      name: 'eager',
      protocol: { 'eager.work': question({ forMs: z.number() }, z.string()) },
      reentrant: true,
      on: {
        'eager.work': async ({ message: { forMs }, clock, reply, path }) => {
          await new Promise<void>((resolve) => clock.setTimeout(resolve, forMs))
          reply(path)
        },
      },
    })
    const definition = pool('eager', eager, { size: 2 })
    await using world = await createTestRuntime({ root: definition })
    const work = async (forMs: number): Promise<Promise<string>[]> => {
      const answer = world.runtime.lookup(definition).ask({ type: 'eager.work', forMs })
      await world.settle()
      return [answer]
    }
    const [long] = await work(1000)
    const [short] = await work(10)
    await world.advance(20)
    const [next] = await work(10)
    const [last] = await work(10)
    await world.advance(1000)
    expect(await Promise.all([long, short, next, last])).toEqual([1, 2, 2, 1].map((n) => `/eager/eager-${n}`))
  })

  test('given a message that no worker knows, then it is a dead letter of the pool', async () => {
    await using world = await start({ size: 1 })
    world.runtime.ref('/workers')?.tell({ type: 'worker.unknown' } as never)
    await world.settle()
    expect(world.runtime.deadLetters.recent()).toMatchObject([{ to: '/workers', reason: 'unknown-message' }])
  })

  test('given one worker more that is added, then it works too; another child does not', async () => {
    await using world = await start({ size: 1 })
    const other = defineActor({ name: 'other', protocol: {}, on: {} })
    const added = [startChild(world.ref, child(worker, { id: 'helper' })), startChild(world.ref, other)]
    await world.settle()
    await Promise.all(added)
    const answers = [world.work(5), world.work(5), world.work(5), world.work(5)]
    await world.advance(100)
    expect(await Promise.all(answers)).toEqual(['workers-1', 'helper', 'workers-1', 'helper'])
  })

  test.each([0, -1, 1.5, NaN, Infinity])('given size %d, then it cannot be defined', (size) => {
    expect(() => workers({ size })).toThrow(errors.DefinitionInvalidError)
  })

  test('given terms that a child spec refuses, then it cannot be defined', () => {
    expect(() => workers({ size: 2, poison: { after: 2 } })).toThrow('poison needs keepMailbox')
  })
})

describe('what if workers', () => {
  test('crash as often as the pool bears: by default once each within five seconds', async () => {
    await using world = await start({ size: 3 })
    let closed = false
    void world.runtime.closed.then(() => (closed = true))
    for (let i = 0; i < 3; i += 1) world.ref.tell({ type: 'worker.crash' })
    await world.settle()
    expect(world.ref.isRunning).toBe(true)
    world.ref.tell({ type: 'worker.crash' })
    await world.advance(1000)
    expect(closed).toBe(true)
  })

  test('are down while another is up: that one gets everything', async () => {
    await using world = await start({ size: 3, backoff: { minMs: 1000, maxMs: 1000, jitter: 0 } })
    world.ref.tell({ type: 'worker.crash' })
    world.ref.tell({ type: 'worker.crash' })
    await world.settle()
    const answers = [world.work(1), world.work(1), world.work(1)]
    await world.advance(100)
    expect(await Promise.all(answers)).toEqual(['workers-3', 'workers-3', 'workers-3'])
    await world.advance(1000)
    const later = world.work(1)
    await world.advance(10)
    expect(await later).toBe('workers-1')
  })

  test('are all down: messages wait, in their order, until one is up again', async () => {
    await using world = await start({ size: 1, backoff: { minMs: 1000, maxMs: 1000, jitter: 0 } })
    world.ref.tell({ type: 'worker.crash' })
    await world.settle()
    for (let id = 1; id <= 5; id += 1) world.ref.tell({ type: 'worker.note', id })
    const answer = world.work(0)
    await world.advance(900)
    world.ref.tell({ type: 'worker.note', id: 6 })
    expect(world.runtime.deadLetters.byReason.get('stopped') ?? 0).toBe(0)
    await world.advance(200)
    expect(await answer).toBe('workers-1')
    expect(world.runtime.ref('/workers/workers-1')?.snapshot).toMatchObject({ context: { notes: [1, 2, 3, 4, 5, 6] } })
  })

  test('are all down and more messages come than may wait: those are refused, and the pool goes on', async () => {
    await using world = await start({ size: 1, backoff: { minMs: 1000, maxMs: 1000, jitter: 0 } })
    world.ref.tell({ type: 'worker.crash' })
    await world.settle()
    for (let id = 0; id < 1024; id += 1) world.ref.tell({ type: 'worker.note', id })
    await world.settle()
    world.ref.tell({ type: 'worker.note', id: -1 })
    const refused = expect(world.work(0)).rejects.toMatchObject({ code: 'MAILBOX_FULL', retryable: true })
    await world.settle()
    await refused
    expect(world.runtime.deadLetters.byReason.get('mailbox-full')).toBe(2)
    await world.advance(1000)
    expect(world.runtime.ref('/workers/workers-1')?.snapshot).toMatchObject({
      context: { notes: Array.from({ length: 1024 }, (_, id) => id) },
    })
  })

  test('have all ended for good: messages are refused at once', async () => {
    await using world = await start({ size: 2, restart: 'transient' })
    world.ref.tell({ type: 'worker.end' })
    world.ref.tell({ type: 'worker.end' })
    await world.settle()
    const refused = expect(world.work(0)).rejects.toMatchObject({ code: 'TARGET_DOWN' })
    world.ref.tell({ type: 'worker.note', id: 1 })
    await world.settle()
    await refused
    expect(world.runtime.deadLetters.recent()).toMatchObject([
      { to: '/workers', reason: 'stopped' },
      { to: '/workers', reason: 'stopped' },
    ])
  })

  test('are killed while a message is on its way: it waits for what becomes of them, and is refused when they stay down', async () => {
    for (const restart of ['permanent', 'temporary'] as const) {
      await using world = await start({ size: 1, restart })
      const answer = world.work(0)
      const outcome = answer.catch((error: unknown) => error)
      world.runtime.ref('/workers/workers-1')?.kill()
      await world.settle()
      expect(await outcome).toEqual(
        restart === 'permanent' ? 'workers-1' : expect.objectContaining({ code: 'TARGET_DOWN' }),
      )
    }
  })

  test('are terminated while messages wait for them: those are refused', async () => {
    await using world = await start({ size: 1, backoff: { minMs: 1000, maxMs: 1000, jitter: 0 } })
    world.ref.tell({ type: 'worker.crash' })
    await world.settle()
    const refused = expect(world.work(0)).rejects.toMatchObject({ code: 'TARGET_DOWN' })
    await world.settle()
    const terminated = terminateChild(world.ref, 'workers-1')
    await world.settle()
    await terminated
    await refused
  })

  test('are terminated one by one: the rest goes on', async () => {
    await using world = await start({ size: 2 })
    const terminated = terminateChild(world.ref, 'workers-1')
    await world.settle()
    await terminated
    const answers = [world.work(1), world.work(1)]
    await world.advance(10)
    expect(await Promise.all(answers)).toEqual(['workers-2', 'workers-2'])
  })

  test('crash with messages in their mailbox: with keepMailbox all are handled, without it they are dead letters', async () => {
    for (const keepMailbox of [true, false]) {
      await using world = await start({ size: 2, keepMailbox })
      world.ref.tell({ type: 'worker.crash' })
      world.ref.tell({ type: 'worker.crash' })
      for (let id = 1; id <= 4; id += 1) world.ref.tell({ type: 'worker.note', id })
      await world.settle()
      const notes = [1, 2].flatMap(
        (n) => (world.runtime.ref(`/workers/workers-${n}`)?.snapshot as { context: { notes: number[] } }).context.notes,
      )
      expect(notes.toSorted()).toEqual(keepMailbox ? [1, 2, 3, 4] : [])
      expect(world.runtime.deadLetters.byReason.get('stopped') ?? 0).toBe(keepMailbox ? 0 : 4)
    }
  })
})
