import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, defineTopic, message, question, type ActorContext } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { disk, kindsOf } from './disk.ts'
import { killed } from './lives.ts'

/* What code does that its handler did not wait for, and what signals say: outside of every message that a journal knows. */

const stream = '/durable/hasty/a'
const news = defineTopic('news', z.string())
const protocol = { go: message(), add: message(), ask: question({}, z.string()), total: question({}, z.int()) }
type Context = ActorContext<typeof protocol> & { readonly reply?: unknown }

const sink = defineActor({
  name: 'sink',
  durable: true,
  protocol: { put: message({ word: z.string() }) },
  state: (): readonly string[] => [],
  on: { put: ({ state, message: { word } }) => [...state, word] },
})

/** Its handler of `go` ends at once, and what it is given goes on 20 ms later. */
const hasty = (late: (context: Context) => unknown, said: unknown[] = []) =>
  defineActor({
    name: 'hasty',
    durable: true,
    protocol,
    state: () => 0,
    on: {
      go: async (context) => {
        await Promise.resolve()
        void (async () => {
          await pause(context)
          try {
            await late(context)
          } catch (error) {
            said.push(error)
          }
        })()
        return context.state + 1
      },
      add: ({ state }) => state + 1,
      ask: (context) => {
        void pause(context).then(() => {
          context.reply('late')
        })
      },
      total: ({ state, reply }) => {
        reply(state)
      },
    },
  })

const pause = ({ clock }: Pick<Context, 'clock'>): Promise<void> =>
  new Promise((resolve) => {
    clock.setTimeout(resolve, 20)
  })

const notReplayable = expect.objectContaining({
  code: 'NOT_REPLAYABLE',
  message: expect.stringContaining('after the end') as unknown,
}) as unknown

describe('what a handler does after its end', () => {
  test.each<[string, (context: Context) => unknown]>([
    ['a durable tell', ({ get }) => get(sink, 's').tell({ type: 'put', word: 'x' }, { durable: true })],
    ['an effect', ({ effect }) => effect('e', () => 1)],
    [
      'a timer',
      ({ timers }) => {
        timers.after('t', 1, { type: 'add' })
      },
    ],
    ['a timer that is cancelled', ({ timers }) => timers.cancel('t')],
    [
      'stash()',
      ({ stash }) => {
        stash()
      },
    ],
  ])('given %s, then it is refused, and its message is handled once', async (_, late) => {
    const said: unknown[] = []
    const definition = hasty(late, said)
    const world = disk()
    const clock = await killed(world, async (t) => {
      await t.until(t.runtime.get(definition, 'a').tell({ type: 'go' }, { durable: true }))
      await t.advance(100)
    })
    expect(said).toEqual([notReplayable])
    await using next = await createTestRuntime({ journal: world.journal, clock, definitions: [definition] })
    await next.advance(100)
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'total' }))).toBe(1)
    expect(await kindsOf(world.journal, stream)).toEqual(['created', 'received', 'handled'])
  })

  test.each<[string, (context: Context) => unknown]>([
    [
      'a tell',
      ({ get }) => {
        get(sink, 's').tell({ type: 'put', word: 'x' })
      },
    ],
    [
      'a publication',
      ({ publish }) => {
        publish(news, 'x')
      },
    ],
  ])('given %s, then it is let out when all before it is on disk, and not again in a replay', async (_, late) => {
    const definition = hasty(late)
    const world = disk()
    let published = 0
    const heard = (t: Awaited<ReturnType<typeof createTestRuntime>>): number => {
      const { isRunning, snapshot } = t.runtime.get(sink, 's')
      return published + (isRunning ? snapshot.context.length : 0)
    }
    const clock = await killed(world, async (t) => {
      t.runtime.subscribe(news, () => (published += 1))
      t.runtime.get(definition, 'a').tell({ type: 'go' })
      await t.settle()
      world.hold()
      t.runtime.get(definition, 'a').tell({ type: 'add' })
      await t.advance(100)
      expect(heard(t)).toBe(0)
      world.letGo()
      await t.settle()
      expect(heard(t)).toBe(1)
    })
    await using next = await createTestRuntime({ journal: world.journal, clock })
    next.runtime.subscribe(news, () => (published += 1))
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'total' }))).toBe(2)
    await next.advance(100)
    next.runtime.get(sink, 's').tell({ type: 'put', word: 'last' })
    await next.settle()
    expect(heard(next)).toBe(2)
  })

  test('given an answer, then it is given, as by any actor', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    expect(
      await t.until(
        t.runtime
          .get(
            hasty(() => undefined),
            'a',
          )
          .ask({ type: 'ask' }),
      ),
    ).toBe('late')
  })
})

describe('the last words of an actor', () => {
  const parting = (tells: boolean) =>
    defineActor({
      name: 'hasty',
      durable: true,
      protocol,
      state: () => 0,
      on: {
        go: () => undefined,
        add: ({ state }) => state + 1,
        ask: () => undefined,
        total: () => undefined,
        'actor.stopping': async ({ state, get, publish }) => {
          if (!tells) publish(news, `${state}`)
          else get(sink, 's').tell({ type: 'put', word: `${state}` })
          await Promise.resolve()
        },
      },
    })

  test.each([true, false])(
    'given what follows from a state that is not on disk (told: %s), then it is let out when that is, and not before',
    async (tells) => {
      const definition = parting(tells)
      const heard: unknown[] = []
      const world = disk()
      await using t = await createTestRuntime({ journal: world.journal })
      t.runtime.subscribe(news, (word) => heard.push(word))
      const ref = t.runtime.get(definition, 'a')
      ref.tell({ type: 'add' })
      await t.settle()
      world.hold()
      ref.tell({ type: 'add' })
      await t.settle()
      const stopped = ref.stop()
      await t.settle()
      const all = (): unknown[] => {
        const { isRunning, snapshot } = t.runtime.get(sink, 's')
        return [...heard, ...(isRunning ? snapshot.context : [])]
      }
      expect(all()).toEqual([])
      world.letGo()
      await t.until(stopped)
      await t.settle()
      expect(all()).toEqual(['2'])
    },
  )
})
