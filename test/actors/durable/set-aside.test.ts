import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { child, defineActor, message, question, supervisor, type ActorContext } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { clockAfter, disk, kindsOf } from './disk.ts'
import { atEveryCommit, killed } from './lives.ts'

/* stash() and postpone() of what the journal has. */

const hows = ['stash', 'postpone'] as const

const protocol = {
  hear: message({ word: z.string() }),
  remind: message({ word: z.string() }),
  open: message(),
  heard: question({}, z.array(z.string())),
}
type Context = ActorContext<typeof protocol>

/** Hears when it is open; before that it sets aside what it is told, after what `first` does. */
const shy = (how: (typeof hows)[number], first: (context: Context) => unknown = () => undefined, capacity = 10) =>
  defineActor({
    name: 'shy',
    durable: true,
    mailbox: { stashCapacity: capacity },
    protocol,
    state: () => ({ isOpen: false, words: [] as readonly string[] }),
    on: {
      hear: async (context) => {
        const { state, message: hears } = context
        if (state.isOpen) return { ...state, words: [...state.words, hears.word] }
        await first(context)
        context[how]()
        return undefined
      },
      remind: ({ timers, message: { word } }) => {
        timers.after('reminder', 100, { type: 'hear', word })
      },
      open: ({ state, unstashAll }) => {
        unstashAll()
        return { ...state, isOpen: true }
      },
      heard: ({ state, reply }) => {
        reply([...state.words])
      },
    },
  })
describe.each(hows)('given %s()', (how) => {
  test('when durable messages are set aside, then each is handled once, in its order, whenever the process ends', async () => {
    const definition = shy(how)
    await atEveryCommit({
      definitions: [definition],
      act: async (t) => {
        const ref = t.runtime.get(definition, 'a')
        for (const word of ['x', 'y']) {
          void ref.tell({ type: 'hear', word }, { durable: true, id: word })
          await t.settle()
        }
        void ref.tell({ type: 'open' }, { durable: true, id: 'open' })
        await t.settle()
      },
      check: async (t, { disk: { journal } }) => {
        const ref = t.runtime.get(definition, 'a')
        // Its sender tells it all again, to be sure.
        for (const word of ['x', 'y']) await t.until(ref.tell({ type: 'hear', word }, { durable: true, id: word }))
        await t.until(ref.tell({ type: 'open' }, { durable: true, id: 'open' }))
        expect(await t.until(ref.ask({ type: 'heard' }))).toEqual(['x', 'y'])
        expect(t.runtime.deadLetters.count).toBe(0)
        const kinds = await kindsOf(journal, '/durable/shy/a')
        expect(kinds.toSorted()).toEqual(['created', ...three('handled'), ...three('received')])
      },
    })
  })

  test('when the tick of a timer is set aside, then it is handled once, and does not ring again meanwhile', async () => {
    const definition = shy(how)
    const world = disk()
    const first = await createTestRuntime({ journal: world.journal })
    const ref = first.runtime.get(definition, 'a')
    for (const word of ['x', 'y']) {
      ref.tell({ type: 'remind', word })
      await first.advance(1000)
    }
    ref.tell({ type: 'open' })
    await first.advance(1000)
    // The same key replaces: the tick that waits is taken back with its timer.
    expect(ref.snapshot.context.words).toEqual(['y'])
    await using next = await createTestRuntime({ journal: world.journal, clock: clockAfter(first.clock) })
    expect(await next.until(next.runtime.get(definition, 'a').ask({ type: 'heard' }))).toEqual(['y'])
  })

  test('when the process ends while a tick is set aside, then it comes again', async () => {
    const definition = shy(how)
    const world = disk()
    const clock = await killed(world, async (t) => {
      t.runtime.get(definition, 'a').tell({ type: 'remind', word: 'x' })
      await t.advance(1000)
    })
    await using next = await createTestRuntime({ journal: world.journal, clock, definitions: [definition] })
    await next.settle()
    const ref = next.runtime.get(definition, 'a')
    ref.tell({ type: 'open' })
    expect(await next.until(ref.ask({ type: 'heard' }))).toEqual(['x'])
  })

  test.each<[string, (context: Context) => unknown]>([
    ['an effect', ({ effect }) => effect('e', () => 1)],
    [
      'a timer',
      ({ timers }) => {
        timers.after('t', 1, { type: 'open' })
      },
    ],
    ['chance', ({ random }) => random.next()],
    ['a durable tell', ({ self }) => self.tell({ type: 'open' }, { durable: true })],
  ])('when %s came before, then that is refused, and the message is given up, once', async (_, deed) => {
    const definition = shy(how, deed)
    await using t = await createTestRuntime({ journal: disk().journal })
    const failures: unknown[] = []
    t.runtime.on('failed', ({ error }) => failures.push(error))
    const ref = t.runtime.get(definition, 'a')
    await t.until(ref.tell({ type: 'hear', word: 'x' }, { durable: true }))
    await t.settle()
    expect(failures).toMatchObject([{ code: 'NOT_REPLAYABLE' }])
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: 'hear' } }])
    ref.tell({ type: 'open' })
    expect(await t.until(ref.ask({ type: 'heard' }))).toEqual([])
  })

  test('when the handler fails after it, then the message is given up, and does not come again', async () => {
    const failing = shy(how, (context) => {
      context[how]()
      throw new Error('changed its mind')
    })
    const world = disk()
    const root = supervisor('top', { children: [child(failing, { keepMailbox: true, decide: () => 'resume' })] })
    const t = await createTestRuntime({ journal: world.journal, root })
    const ref = t.runtime.ref('/top/shy', failing)
    await t.until(ref?.tell({ type: 'hear', word: 'x' }, { durable: true }) ?? Promise.resolve())
    ref?.tell({ type: 'open' })
    await t.settle()
    expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed' }])
    expect(ref?.snapshot.context).toEqual({ isOpen: true, words: [] })
    expect(await kindsOf(world.journal, '/top/shy')).toEqual(['created', 'received', 'failed', 'handled'])
    await t.until(t.runtime.shutdown())
  })

  test('when there is no room for more, then the handler learns so, and may say what becomes of it', async () => {
    const refused: unknown[] = []
    const definition = shy(
      how,
      (context) => {
        try {
          context[how]()
        } catch (error) {
          refused.push(error)
        }
      },
      1,
    )
    await using t = await createTestRuntime({ journal: disk().journal })
    const ref = t.runtime.get(definition, 'a')
    for (const word of ['x', 'y']) await t.until(ref.tell({ type: 'hear', word }, { durable: true }))
    await t.settle()
    expect(refused).toMatchObject([{ code: 'STASH_FULL' }])
  })

  test('when it is told something before, then that is let out', async () => {
    const definition = shy(how, ({ self }) => {
      self.tell({ type: 'open' })
    })
    await using t = await createTestRuntime({ journal: disk().journal })
    const ref = t.runtime.get(definition, 'a')
    await t.until(ref.tell({ type: 'hear', word: 'x' }, { durable: true }))
    expect(await t.until(ref.ask({ type: 'heard' }))).toEqual(['x'])
  })
})

const three = (kind: string): readonly string[] => [kind, kind, kind]
