import { describe, expect, test } from 'vitest'
import { assign } from 'xstate'
import * as z from 'zod'
import { child, defineActor, message, question, supervisor, type ChildOptions, type Decider } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, entriesOf, kindsOf, type Disk } from './disk.ts'

/* What becomes of a message at which its actor fails: what the journal says of it is what comes about. */

const stream = '/top/frail'
const never = new Promise<never>(() => undefined)

/** Fails at its work as often as it is told to, before or after an effect. */
function frail(failures: number) {
  const tries: string[] = []
  const runs: string[] = []
  const mayFail = (word: string): void => {
    tries.push(word)
    if (tries.filter((tried) => tried === word).length <= failures) throw new Error(`no ${word}`)
  }
  const definition = defineActor({
    name: 'frail',
    durable: true,
    protocol: {
      work: message({ word: z.string() }),
      call: message({ word: z.string() }),
      answer: question({ word: z.string() }, z.string()),
      note: message({ word: z.string() }),
      hang: message(),
      every: message(),
      tick: message(),
      done: question({}, z.array(z.string())),
    },
    state: (): readonly string[] => [],
    on: {
      work: ({ state, message: { word } }) => {
        mayFail(word)
        return [...state, word]
      },
      call: async ({ state, message: { word }, effect }) => {
        await effect(`before ${word}`, () => runs.push(word))
        const given = await effect(`call ${word}`, () => {
          mayFail(word)
          return word
        })
        return [...state, given]
      },
      answer: async ({ message: { word }, effect, reply }) => {
        await effect(`before ${word}`, () => runs.push(word))
        mayFail(word)
        reply(word)
      },
      note: ({ state, message: { word } }) => [...state, word],
      hang: () => new Promise<undefined>(() => undefined),
      every: ({ timers }) => {
        timers.every('t', 1000, { type: 'tick' })
      },
      tick: ({ state }) => {
        mayFail('tick')
        return [...state, 'tick']
      },
      done: ({ state, reply }) => {
        reply([...state])
      },
    },
  })
  return { definition, tries, runs }
}
type Frail = ReturnType<typeof frail>['definition']
type Terms = ChildOptions<Frail>

const patient: Terms = { keepMailbox: true, poison: { after: 3 }, intensity: { restarts: 10, withinMs: 60_000 } }

async function begin(definition: Frail, terms: Terms, world: Disk = disk(), before?: TestRuntime) {
  const root = supervisor('top', { children: [child(definition, terms)] })
  const clock = before === undefined ? {} : { clock: clockAfter(before.clock) }
  const t = await createTestRuntime({ journal: world.journal, root, ...clock })
  const ref = t.runtime.ref(stream, definition)
  if (ref === undefined) throw new Error(`${stream} is not there`)
  return { t, ref, world, letters: () => t.runtime.deadLetters.recent().map(({ reason }) => reason) }
}

/** What the next life knows, if anything is left for it. */
async function later(definition: Frail, { t, world }: Awaited<ReturnType<typeof begin>>): Promise<readonly string[]> {
  const next = await begin(definition, patient, world, t)
  const done = await next.t.until(next.ref.ask({ type: 'done' }))
  expect(next.letters()).toEqual([])
  await next.t.until(next.t.runtime.shutdown())
  return done
}

describe('given poison after 3', () => {
  test.each(['work', 'call'] as const)(
    'when a durable message fails twice (%s), then it is handled at its third try, in its place, once',
    async (type) => {
      const { definition, tries, runs } = frail(2)
      const life = await begin(definition, patient)
      const { t, ref } = life
      await t.until(
        Promise.all([
          ref.tell({ type, word: 'x' }, { durable: true, id: 'x' }),
          ref.tell({ type: 'note', word: 'y' }, { durable: true }),
        ]),
      )
      await t.advance(10)
      expect(tries).toEqual(['x', 'x', 'x'])
      expect(await t.until(ref.ask({ type: 'done' }))).toEqual(['x', 'y'])
      expect(life.letters()).toEqual([])
      // An effect that succeeded is not run again for it.
      expect(runs).toEqual(type === 'call' ? ['x'] : [])
      await t.until(ref.tell({ type, word: 'x' }, { durable: true, id: 'x' }))
      expect(await later(definition, life)).toEqual(['x', 'y'])
    },
  )

  test('when a durable message fails three times, then it is given up, and a dead letter', async () => {
    const { definition, tries } = frail(Infinity)
    const life = await begin(definition, patient)
    await life.t.until(life.ref.tell({ type: 'work', word: 'x' }, { durable: true }))
    await life.t.advance(10)
    expect(tries).toEqual(['x', 'x', 'x'])
    expect(life.letters()).toEqual(['poison'])
    expect(await later(definition, life)).toEqual([])
    expect(tries).toHaveLength(3)
  })

  test('when the process ends between two tries, then it is tried by the next one', async () => {
    const { definition, tries } = frail(1)
    const world = disk()
    const life = await begin(definition, { ...patient, intensity: { restarts: 0, withinMs: 1 } }, world)
    await life.t.until(life.ref.tell({ type: 'work', word: 'x' }, { durable: true }))
    await life.t.advance(10)
    expect(tries).toEqual(['x'])
    expect(await later(definition, life)).toEqual(['x'])
  })

  test('when a plain message with an effect fails, then it is tried again once, not twice', async () => {
    const { definition, tries, runs } = frail(1)
    const life = await begin(definition, patient)
    life.ref.tell({ type: 'call', word: 'x' })
    await life.t.advance(10)
    expect(tries).toEqual(['x', 'x'])
    expect(runs).toEqual(['x'])
    expect(await later(definition, life)).toEqual(['x'])
  })

  test('when a plain message without an effect fails, then the journal has it once, as handled', async () => {
    const { definition } = frail(2)
    const life = await begin(definition, patient)
    life.ref.tell({ type: 'work', word: 'x' })
    await life.t.advance(10)
    expect(await kindsOf(life.world.journal, stream)).toEqual(['created', 'handled'])
    expect(await later(definition, life)).toEqual(['x'])
  })

  test('when a question with an effect fails, then its asker learns so, and it is tried again', async () => {
    const { definition, tries } = frail(1)
    const { t, ref } = await begin(definition, patient)
    const asked = t.until(ref.ask({ type: 'answer', word: 'x' }).catch((error: unknown) => error))
    expect(await asked).toMatchObject({ code: 'TARGET_DOWN' })
    await t.advance(10)
    expect(tries).toEqual(['x', 'x'])
    await t.until(t.runtime.shutdown())
  })

  test('when a tick fails, then it is given up, and its timer goes on', async () => {
    const { definition, tries } = frail(1)
    const { t, ref, letters } = await begin(definition, patient)
    ref.tell({ type: 'every' })
    await t.advance(3500)
    expect(tries).toEqual(['tick', 'tick', 'tick'])
    expect(letters()).toEqual(['crashed'])
    expect(ref.snapshot.context).toEqual(['tick', 'tick'])
    await t.until(t.runtime.shutdown())
  })
})

describe('given a chart and poison after 3', () => {
  const chart = (failures: number) => {
    let tries = 0
    const definition = defineActor({
      name: 'frail',
      durable: true,
      protocol: { work: message(), set: message() },
      machine: ({ setup, stash }) =>
        setup({ types: { context: {} as { readonly done: number } } }).createMachine({
          context: { done: 0 },
          initial: 'on',
          states: {
            on: {
              on: {
                work: {
                  actions: assign(({ context }) => {
                    tries += 1
                    if (tries <= failures) throw new Error('no')
                    return { done: context.done + 1 }
                  }),
                },
                set: { target: 'off', actions: stash },
              },
            },
            off: {},
          },
        }),
    })
    return { definition, tries: () => tries }
  }

  test.each([true, false])('when a message fails twice (durably: %s), then it is handled once', async (isDurable) => {
    const { definition, tries } = chart(2)
    const world = disk()
    const root = supervisor('top', { children: [child(definition, { ...patient, input: undefined })] })
    const t = await createTestRuntime({ journal: world.journal, root })
    const ref = t.runtime.ref(stream, definition)
    if (isDurable) await t.until(ref?.tell({ type: 'work' }, { durable: true }) ?? never)
    else ref?.tell({ type: 'work' })
    await t.advance(10)
    expect(tries()).toBe(3)
    expect(ref?.snapshot.context.done).toBe(1)
    expect(t.runtime.deadLetters.count).toBe(0)
    await t.until(t.runtime.shutdown())
  })

  test('when one sets a message aside and goes to another state, then that is refused, and the message is given up', async () => {
    const { definition } = chart(0)
    const world = disk()
    const root = supervisor('top', { children: [child(definition, { keepMailbox: true })] })
    const t = await createTestRuntime({ journal: world.journal, root })
    const ref = t.runtime.ref(stream, definition)
    await t.until(ref?.tell({ type: 'set' }, { durable: true }) ?? never)
    await t.advance(10)
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', error: { code: 'NOT_REPLAYABLE' } }])
    expect(await kindsOf(world.journal, stream)).toEqual(['created', 'received', 'failed'])
    expect(ref?.snapshot.value).toBe('on')
    await t.until(t.runtime.shutdown())
  })
})

describe('given no poison', () => {
  test.each([true, false])(
    'when a durable message fails (keepMailbox: %s), then it is given up at once',
    async (keepMailbox) => {
      const { definition, tries } = frail(1)
      const life = await begin(definition, { keepMailbox })
      await life.t.until(life.ref.tell({ type: 'work', word: 'x' }, { durable: true }))
      await life.t.advance(10)
      expect(tries).toEqual(['x'])
      expect(life.letters()).toEqual(['crashed'])
      expect(await kindsOf(life.world.journal, stream)).toEqual(['created', 'received', 'failed'])
      expect(await later(definition, life)).toEqual([])
    },
  )

  test('when a decider says resume, then what failed is given up, and a timer whose tick that was goes on', async () => {
    const decide: Decider = () => 'resume'
    const { definition, tries } = frail(1)
    const { t, ref } = await begin(definition, { decide })
    ref.tell({ type: 'every' })
    await t.advance(3500)
    expect(tries).toEqual(['tick', 'tick', 'tick'])
    expect(ref.incarnation).toBe(1)
    await t.until(t.runtime.shutdown())
  })
})

describe('given a limit', () => {
  test('when a durable message makes no progress, then it is given up, and the next is handled', async () => {
    const { definition } = frail(0)
    const life = await begin(definition, { progress: { withinMs: 100 }, intensity: { restarts: 3, withinMs: 60_000 } })
    const { t, ref, world } = life
    await t.until(ref.tell({ type: 'hang' }, { durable: true }))
    await t.until(ref.tell({ type: 'note', word: 'y' }, { durable: true }))
    await t.advance(10_000)
    expect(life.letters()).toEqual(['crashed'])
    expect(await t.until(ref.ask({ type: 'done' }))).toEqual(['y'])
    expect(ref.incarnation).toBe(2)
    const failed = (await entriesOf(world.journal, stream)).find(({ kind }) => kind === 'failed')
    expect(JSON.parse(failed?.body ?? '')).toMatchObject({ error: { code: 'STUCK' } })
    await t.until(t.runtime.shutdown())
  })

  test.each(['restart', 'resume'] as const)(
    'when a budget is used up before a durable message is begun (%s), then the next incarnation handles it',
    async (decision) => {
      const { definition } = frail(0)
      const decide: Decider = () => decision
      const life = await begin(definition, {
        decide,
        budget: { messages: 2 },
        intensity: { restarts: 9, withinMs: 9999 },
      })
      const words = ['a', 'b', 'c', 'd', 'e']
      await life.t.until(Promise.all(words.map((word) => life.ref.tell({ type: 'note', word }, { durable: true }))))
      await life.t.advance(10)
      expect(life.letters()).toEqual([])
      expect(life.ref.incarnation).toBe(3)
      expect(life.ref.snapshot.context).toEqual(words)
      await life.t.until(life.t.runtime.shutdown())
    },
  )
})

test('given a durable message that fails as its actor is stopped, then it is no dead letter, and the next life handles it', async () => {
  let isCutOff = true
  const definition = defineActor({
    name: 'frail',
    durable: true,
    protocol: { work: message(), done: question({}, z.int()) },
    state: () => 0,
    on: {
      work: async ({ state, signal }) => {
        if (isCutOff) await new Promise((_, reject) => signal.addEventListener('abort', reject))
        return state + 1
      },
      done: ({ state, reply }) => {
        reply(state)
      },
    },
  })
  const { journal } = disk()
  const first = await createTestRuntime({ journal })
  await first.until(first.runtime.get(definition, 'a').tell({ type: 'work' }, { durable: true }))
  await first.settle()
  await first.until(first.runtime.shutdown())
  expect(first.runtime.deadLetters.count).toBe(0)
  isCutOff = false
  await using next = await createTestRuntime({ journal, clock: clockAfter(first.clock) })
  expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'done' }))).toBe(1)
})
