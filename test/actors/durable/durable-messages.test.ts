import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type RefOf } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { clockAfter, disk, kindsOf, observed, type Disk } from './disk.ts'
import { atEveryCommit } from './lives.ts'

/** Keeps the words that it is told, in their order. Waits in its handler when it is told to. */
function listener(durable: { readonly window?: number; readonly passivateAfterMs?: number } = {}, capacity = 10_000) {
  const gates: (() => void)[] = []
  const definition = defineActor({
    name: 'listener',
    durable,
    mailbox: { capacity },
    protocol: {
      hear: message({ word: z.string() }),
      wait: message({ word: z.string() }),
      crash: message(),
      heard: question({}, z.array(z.string())),
    },
    state: (): readonly string[] => [],
    on: {
      hear: ({ state, message: { word } }) => [...state, word],
      wait: async ({ state, message: { word }, effect }) => {
        const wait = (): Promise<void> =>
          new Promise((resolve) => {
            gates.push(resolve)
          })
        await effect(`wait for ${word}`, wait, { idempotent: true })
        return [...state, word]
      },
      crash: () => {
        throw new Error('boom')
      },
      heard: ({ state, reply }) => {
        reply([...state])
      },
    },
  })
  const open = (): void => {
    for (const gate of gates.splice(0)) gate()
  }
  return { definition, open }
}
type Listener = ReturnType<typeof listener>['definition']

const heard = (t: TestRuntime, definition: Listener): Promise<string[]> =>
  t.until(t.runtime.get(definition, 'a').ask({ type: 'heard' }))

const after = (t: TestRuntime, { journal }: Disk, definition?: Listener): Promise<TestRuntime> =>
  createTestRuntime({
    journal,
    clock: clockAfter(t.clock),
    definitions: definition === undefined ? [] : [definition],
  })

const durably = (ref: RefOf<Listener>, word: string, id?: string, type: 'hear' | 'wait' = 'hear'): Promise<void> =>
  ref.tell({ type, word }, id === undefined ? { durable: true } : { durable: true, id })

describe('one id, one message', () => {
  test('given one that is told again, whenever that is, then it is handled once and acknowledged each time', async () => {
    const world = disk()
    const { definition, open } = listener()
    const first = await createTestRuntime({ journal: world.journal })
    const ref = first.runtime.get(definition, 'a')
    // While it is brought back, all at once.
    await first.until(
      Promise.all([durably(ref, 'a', '1', 'wait'), durably(ref, 'a', '1', 'wait'), durably(ref, 'b', '2')]),
    )
    // While it is handled, and while it waits.
    await first.until(Promise.all([durably(ref, 'a', '1', 'wait'), durably(ref, 'b', '2')]))
    open()
    await first.settle()
    await first.until(durably(ref, 'a', '1'))
    expect(await heard(first, definition)).toEqual(['a', 'b'])
    // After a crash, and after the process.
    ref.tell({ type: 'crash' })
    await first.settle()
    await first.until(durably(ref, 'a', '1'))
    const next = await after(first, world)
    await next.until(
      Promise.all([
        durably(next.runtime.get(definition, 'a'), 'b', '2'),
        durably(next.runtime.get(definition, 'a'), 'c', '3'),
      ]),
    )
    expect(await heard(next, definition)).toEqual(['a', 'b', 'c'])
    // After a clean end, from a snapshot.
    await next.until(next.runtime.shutdown())
    await using last = await after(next, world)
    await last.until(durably(last.runtime.get(definition, 'a'), 'c', '3'))
    expect(await heard(last, definition)).toEqual(['a', 'b', 'c'])
  })

  test('given messages without an id, then each is one of its own', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    const { definition } = listener()
    const ref = t.runtime.get(definition, 'a')
    await t.until(Promise.all([durably(ref, 'x'), durably(ref, 'x')]))
    expect(await heard(t, definition)).toEqual(['x', 'x'])
  })

  test('given more ids than the window has, then the oldest are forgotten, the same in the next life', async () => {
    const world = disk()
    const { definition } = listener({ window: 2 })
    const first = await createTestRuntime({ journal: world.journal })
    const ref = first.runtime.get(definition, 'a')
    for (const id of ['1', '2', '3']) await first.until(durably(ref, id, id))
    const next = await after(first, world)
    const again = next.runtime.get(definition, 'a')
    for (const id of ['2', '3', '1']) await next.until(durably(again, id, id))
    expect(await heard(next, definition)).toEqual(['1', '2', '3', '1'])
  })

  test('given one that was given up, then it is not tried again when it comes again', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    const { definition } = listener()
    const ref = t.runtime.get(definition, 'a')
    const failures: unknown[] = []
    t.runtime.on('failed', ({ messageType }) => failures.push(messageType))
    for (let i = 0; i < 3; i += 1) {
      await t.until(ref.tell({ type: 'crash' }, { durable: true, id: 'once' }))
      await t.settle()
    }
    expect(failures).toEqual(['crash'])
  })
})

test('given plain and durable messages of one sender, then they are handled in the order in which they were sent', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ isDurable: fc.boolean(), settles: fc.boolean(), isCold: fc.boolean() }), { maxLength: 20 }),
      fc.boolean(),
      async (sends, isSlow) => {
        const world = disk()
        const { definition } = listener({ passivateAfterMs: 1 })
        const t = await createTestRuntime({ journal: world.journal })
        if (isSlow) world.hold()
        const ref = t.runtime.get(definition, 'a')
        for (const [i, { isDurable, settles, isCold }] of sends.entries()) {
          if (isDurable) void durably(ref, `${i}`)
          else ref.tell({ type: 'hear', word: `${i}` })
          if (isSlow) world.letGo(1)
          if (settles) await t.settle()
          // Long enough to leave memory.
          if (isCold) await t.advance(100)
        }
        world.letGo()
        await t.settle()
        expect(await heard(t, definition)).toEqual(sends.map((_, i) => `${i}`))
        expect(t.runtime.deadLetters.count).toBe(0)
        await t.until(t.runtime.shutdown())
      },
    ),
    { numRuns: 100 },
  )
})

test('given a message that was begun before another came to the disk, when the process ends, then it still is first', async () => {
  const world = disk()
  const { definition, open } = listener()
  const first = await createTestRuntime({ journal: world.journal })
  const ref = first.runtime.get(definition, 'a')
  await heard(first, definition)
  // A plain message has an entry once it has an effect, and by then the other one has its own.
  ref.tell({ type: 'wait', word: 'first' })
  void durably(ref, 'second')
  await first.settle()
  const next = await after(first, world, definition)
  await next.settle()
  open()
  await next.settle()
  expect(await heard(next, definition)).toEqual(['first', 'second'])
  const last = await after(next, world)
  expect(await heard(last, definition)).toEqual(['first', 'second'])
})

test('given a process that ends at any commit, then all that was acknowledged is handled once, in order, without being asked', async () => {
  const words = ['a', 'b', 'c', 'd']
  let acknowledged: string[] = []
  const { definition } = listener()
  const counts = new Set<number>()
  await atEveryCommit({
    begin: () => {
      acknowledged = []
    },
    act: async (t) => {
      const ref = t.runtime.get(definition, 'a')
      for (const word of words) {
        void durably(ref, word, word).then(() => acknowledged.push(word))
        await t.settle()
      }
    },
    definitions: [definition],
    check: async (t, { disk: { journal } }) => {
      // Nobody has asked for it yet.
      const kinds = await kindsOf(journal, '/durable/listener/a')
      const count = (kind: string): number => kinds.filter((other) => other === kind).length
      expect(count('handled')).toBe(count('received'))
      const had = await heard(t, definition)
      expect(had.slice(0, acknowledged.length)).toEqual(acknowledged)
      expect(words.join()).toContain(had.join())
      counts.add(acknowledged.length)
      // Its sender tells it again, to be sure.
      for (const word of words) await t.until(durably(t.runtime.get(definition, 'a'), word, word))
      expect(await heard(t, definition)).toEqual(words)
    },
  })
  expect(counts.size).toBe(words.length + 1)
})

describe('an actor that does not take it', () => {
  test('given a full mailbox, then it is refused, and what is in the mailbox is not lost', async () => {
    const world = disk()
    const { definition, open } = listener({}, 2)
    await using t = await createTestRuntime({ journal: world.journal })
    const ref = t.runtime.get(definition, 'a')
    await t.until(durably(ref, 'at work', 'w', 'wait'))
    await t.until(Promise.all([durably(ref, '1'), durably(ref, '2')]))
    expect(await t.until(durably(ref, '3').catch((error: unknown) => error))).toMatchObject({ code: 'MAILBOX_FULL' })
    open()
    await t.settle()
    expect(await heard(t, definition)).toEqual(['at work', '1', '2'])
  })

  test('given a mailbox that drops what is old, then it never drops what is on disk', async () => {
    const { definition, open } = listener({}, 3)
    const dropping = { ...definition, mailbox: { ...definition.mailbox, overflow: 'drop-oldest' as const } }
    await using t = await createTestRuntime({ journal: disk().journal })
    const ref = t.runtime.get(dropping, 'a')
    await t.until(durably(ref, 'at work', 'w', 'wait'))
    await t.until(durably(ref, 'kept'))
    for (let i = 0; i < 10; i += 1) ref.tell({ type: 'hear', word: `${i}` })
    open()
    await t.settle()
    expect(await heard(t, dropping)).toEqual(['at work', 'kept', '8', '9'])
  })

  test.each(['stop', 'kill'] as const)(
    'given actors that end in the middle (%s), then nothing that was acknowledged is lost',
    async (how) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom('tell' as const, 'end' as const, 'settle' as const, 'cold' as const), {
            minLength: 3,
            maxLength: 20,
          }),
          async (steps) => {
            const world = disk()
            const { definition } = listener({ passivateAfterMs: 50 })
            const t = await createTestRuntime({ journal: world.journal })
            const ref = t.runtime.get(definition, 'a')
            const acknowledged: string[] = []
            const refused: string[] = []
            for (const [i, step] of steps.entries()) {
              if (step === 'settle') await t.settle()
              else if (step === 'cold') await t.advance(200)
              else if (step === 'tell')
                durably(ref, `${i}`, `${i}`).then(
                  () => acknowledged.push(`${i}`),
                  () => refused.push(`${i}`),
                )
              else if (how === 'stop') void ref.stop()
              else ref.kill()
            }
            await t.advance(10_000)
            const told = steps.flatMap((step, i) => (step === 'tell' ? [`${i}`] : []))
            expect([...acknowledged, ...refused].toSorted()).toEqual(told.toSorted())
            const had = await heard(t, definition)
            expect(had.filter((word) => acknowledged.includes(word))).toEqual(acknowledged)
            expect(new Set(had).size).toBe(had.length)
            await t.until(t.runtime.shutdown())
          },
        ),
        { numRuns: 60 },
      )
    },
  )

  test('given an actor that cannot be brought back, then its sender learns why, and nothing is written', async () => {
    const world = disk()
    const { source, fail } = observed(world.journal)
    const { definition } = listener()
    await using t = await createTestRuntime({ journal: source })
    const mend = fail('load', new Error('unreadable'))
    const told = durably(t.runtime.get(definition, 'a'), 'x').catch((error: unknown) => error)
    expect(await t.until(told)).toMatchObject({ code: 'TARGET_DOWN' })
    mend()
    expect(await kindsOf(world.journal, '/durable/listener/a')).toEqual([])
    await t.until(durably(t.runtime.get(definition, 'a'), 'y'))
    expect(await heard(t, definition)).toEqual(['y'])
  })

  test('given what its protocol does not know, then it is refused, and nothing is written', async () => {
    const world = disk()
    const { definition } = listener()
    await using t = await createTestRuntime({ journal: world.journal })
    const ref = t.runtime.get(definition, 'a')
    const tell = (given: unknown): Promise<unknown> =>
      t.until(ref.tell(given as never, { durable: true })).catch((error: unknown) => error)
    expect(await tell({ type: 'sing' })).toMatchObject({ code: 'MESSAGE_UNKNOWN' })
    expect(await tell({ type: 'hear', word: 5 })).toMatchObject({ code: 'MESSAGE_INVALID' })
    expect(await kindsOf(world.journal, '/durable/listener/a')).toEqual([])
  })
})
