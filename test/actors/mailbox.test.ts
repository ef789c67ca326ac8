import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type AnyRef, type MailboxOptions, type OverflowPolicy } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'

const boxProtocol = {
  'box.put': message({ n: z.int() }),
  'box.ask': question({ n: z.int() }, z.int()),
  'box.wait': message({ gate: z.custom<Promise<void>>() }),
}

/** A box whose mailbox has two messages in it while its handler waits at a gate. */
async function fullBox(test: TestRuntime, mailbox: MailboxOptions) {
  const handled: number[] = []
  const gate = Promise.withResolvers<void>()
  const box = defineActor({
    name: 'box',
    protocol: boxProtocol,
    mailbox: { capacity: 2, ...mailbox },
    on: {
      'box.put': ({ message: { n } }) => {
        handled.push(n)
      },
      'box.ask': ({ message: { n }, reply }) => {
        handled.push(n)
        reply(n)
      },
      'box.wait': async ({ message: { gate: opened } }) => {
        await opened
      },
    },
  })
  const ref = test.runtime.spawn(box)
  ref.tell({ type: 'box.wait', gate: gate.promise })
  await test.settle()
  for (const n of [1, 2]) ref.tell({ type: 'box.put', n })
  const open = async (): Promise<void> => {
    gate.resolve()
    await test.settle()
  }
  return { ref, handled, open }
}

const letters = ({ runtime }: TestRuntime): unknown[] =>
  runtime.deadLetters.recent().map(({ reason, message: letter }) => [reason, (letter as { n: number }).n])

interface Row {
  readonly overflow: OverflowPolicy
  readonly how: 'tell' | 'ask' | 'offer'
  /** What the sender learns: nothing, the end of a promise, or that it still waits. */
  readonly sender: 'nothing' | 'accepted' | 'MAILBOX_FULL' | 'waits'
  readonly handled: readonly number[]
  readonly deadLetters: readonly unknown[]
}

const newIsRefused = { handled: [1, 2] } as const
const oldIsDropped = { handled: [2, 3], deadLetters: [['dropped-oldest', 1]] } as const

const rows: readonly Row[] = [
  { overflow: 'reject', how: 'tell', sender: 'nothing', ...newIsRefused, deadLetters: [['mailbox-full', 3]] },
  { overflow: 'reject', how: 'ask', sender: 'MAILBOX_FULL', ...newIsRefused, deadLetters: [] },
  { overflow: 'reject', how: 'offer', sender: 'MAILBOX_FULL', ...newIsRefused, deadLetters: [] },
  { overflow: 'drop-newest', how: 'tell', sender: 'nothing', ...newIsRefused, deadLetters: [['dropped-newest', 3]] },
  { overflow: 'drop-newest', how: 'ask', sender: 'MAILBOX_FULL', ...newIsRefused, deadLetters: [] },
  { overflow: 'drop-newest', how: 'offer', sender: 'MAILBOX_FULL', ...newIsRefused, deadLetters: [] },
  { overflow: 'drop-oldest', how: 'tell', sender: 'nothing', ...oldIsDropped },
  { overflow: 'drop-oldest', how: 'ask', sender: 'accepted', ...oldIsDropped },
  { overflow: 'drop-oldest', how: 'offer', sender: 'accepted', ...oldIsDropped },
  { overflow: 'park', how: 'tell', sender: 'nothing', ...newIsRefused, deadLetters: [['mailbox-full', 3]] },
  { overflow: 'park', how: 'ask', sender: 'MAILBOX_FULL', ...newIsRefused, deadLetters: [] },
  { overflow: 'park', how: 'offer', sender: 'waits', handled: [1, 2, 3], deadLetters: [] },
]

describe('a full mailbox', () => {
  test.each(rows)('given $overflow, when one more comes by $how, then its sender learns: $sender', async (row) => {
    await using t = await createTestRuntime()
    const { ref, handled, open } = await fullBox(t, { overflow: row.overflow })
    let learned: unknown = 'waits'
    if (row.how === 'tell') {
      ref.tell({ type: 'box.put', n: 3 })
      learned = 'nothing'
    } else {
      const sent = row.how === 'ask' ? ref.ask({ type: 'box.ask', n: 3 }) : ref.offer({ type: 'box.put', n: 3 })
      sent.then(
        () => (learned = 'accepted'),
        (error: unknown) => (learned = (error as { readonly code: string }).code),
      )
    }
    await t.settle()
    if (row.how === 'ask' && row.sender === 'accepted')
      expect(learned).toBe('waits') // taken, not answered yet
    else expect(learned).toBe(row.sender)
    await open()
    if (row.sender === 'waits' || row.sender === 'accepted') expect(learned).toBe('accepted')
    expect(handled).toEqual(row.handled)
    expect(letters(t)).toEqual(row.deadLetters)
  })

  test('given drop-oldest and an ask as the oldest, then its asker learns that it was dropped', async () => {
    await using t = await createTestRuntime()
    const { ref, open } = await fullBox(t, { overflow: 'drop-oldest' })
    ref.tell({ type: 'box.put', n: 3 })
    const asked = ref.ask({ type: 'box.ask', n: 4 })
    const refused = expect(asked).rejects.toMatchObject({ code: 'MAILBOX_FULL', undelivered: { n: 4 } })
    for (const n of [5, 6]) ref.tell({ type: 'box.put', n })
    await refused
    await open()
  })

  test('given an error for a full mailbox, then it carries the message and may be tried again', async () => {
    await using t = await createTestRuntime()
    const { ref, open } = await fullBox(t, {})
    await expect(ref.offer({ type: 'box.put', n: 3 })).rejects.toMatchObject({
      retryable: true,
      undelivered: { type: 'box.put', n: 3 },
      message: 'Mailbox of /user/box-1 is full (2 messages): slow the sender or raise mailbox.capacity',
    })
    await open()
  })

  test('given half of the capacity, then pressure is said once, and once that it is over', async () => {
    await using t = await createTestRuntime()
    const said: unknown[] = []
    t.runtime.on('mailbox-pressure', ({ depth, capacity, rising }) => said.push([depth, capacity, rising]))
    const { open } = await fullBox(t, {})
    expect(said).toEqual([[2, 2, true]])
    await open()
    expect(said).toEqual([
      [2, 2, true],
      [0, 2, false],
    ])
  })
})

describe('senders that wait for room', () => {
  test('given several, then they are let in one by one, in their order', async () => {
    await using t = await createTestRuntime()
    const { ref, handled, open } = await fullBox(t, { overflow: 'park' })
    const order: number[] = []
    for (const n of [3, 4, 5]) void ref.offer({ type: 'box.put', n }).then(() => order.push(n))
    await t.settle()
    expect(order).toEqual([])
    await open()
    expect(order).toEqual([3, 4, 5])
    expect(handled).toEqual([1, 2, 3, 4, 5])
  })

  test('given more than may wait, then the next is refused', async () => {
    await using t = await createTestRuntime()
    const { ref, open } = await fullBox(t, { overflow: 'park', parkedCapacity: 1 })
    const first = ref.offer({ type: 'box.put', n: 3 })
    await expect(ref.offer({ type: 'box.put', n: 4 })).rejects.toMatchObject({ code: 'MAILBOX_FULL' })
    await open()
    await first
  })

  test('given a signal, when it aborts, then its sender waits no longer and its message is not delivered', async () => {
    await using t = await createTestRuntime()
    const { ref, handled, open } = await fullBox(t, { overflow: 'park' })
    const giveUp = new AbortController()
    const waiting = ref.offer({ type: 'box.put', n: 3 }, { signal: giveUp.signal })
    const other = ref.offer({ type: 'box.put', n: 4 })
    const problem = new Error('enough')
    const refused = expect(waiting).rejects.toBe(problem)
    giveUp.abort(problem)
    await refused
    await open()
    await other
    expect(handled).toEqual([1, 2, 4])
  })

  test.each(['enough', { code: 7 }])(
    'given a signal, when it aborts for %o, which is no error, then that is what its sender gets',
    async (reason) => {
      await using t = await createTestRuntime()
      const { ref } = await fullBox(t, { overflow: 'park' })
      const giveUp = new AbortController()
      const refused = expect(ref.offer({ type: 'box.put', n: 3 }, { signal: giveUp.signal })).rejects.toBe(reason)
      giveUp.abort(reason)
      await refused
    },
  )

  test('given an abort after it was let in, then the message stays delivered', async () => {
    await using t = await createTestRuntime()
    const { ref, handled, open } = await fullBox(t, { overflow: 'park' })
    const giveUp = new AbortController()
    const waiting = ref.offer({ type: 'box.put', n: 3 }, { signal: giveUp.signal })
    await open()
    giveUp.abort()
    await waiting
    expect(handled).toEqual([1, 2, 3])
  })

  test('given a signal that is aborted before, then nothing is offered', async () => {
    await using t = await createTestRuntime()
    const { ref, handled, open } = await fullBox(t, { overflow: 'park' })
    const problem = new Error('never')
    await expect(ref.offer({ type: 'box.put', n: 3 }, { signal: AbortSignal.abort(problem) })).rejects.toBe(problem)
    await open()
    expect(handled).toEqual([1, 2])
  })

  test('given an actor that is killed, then those that wait learn why, and their messages are no dead letters', async () => {
    await using t = await createTestRuntime()
    const { ref } = await fullBox(t, { overflow: 'park' })
    const refused = expect(ref.offer({ type: 'box.put', n: 3 })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      reason: { kind: 'killed' },
    })
    ref.kill()
    await t.settle()
    await refused
    expect(letters(t)).toEqual([
      ['stopped', undefined], // the one that it was at
      ['stopped', 1],
      ['stopped', 2],
    ])
  })

  test('given keepMailbox, then those that wait are let in by the next incarnation', async () => {
    await using t = await createTestRuntime()
    const handled: number[] = []
    const fragile = defineActor({
      name: 'fragile',
      protocol: { crash: message(), put: message({ n: z.int() }) },
      mailbox: { capacity: 1, overflow: 'park' },
      on: {
        crash: () => {
          throw new Error('boom')
        },
        put: ({ message: { n }, incarnation }) => {
          handled.push(n * 10 + incarnation)
        },
      },
    })
    const ref = t.runtime.spawn(fragile, { keepMailbox: true })
    ref.tell({ type: 'crash' })
    const offers = [ref.offer({ type: 'put', n: 1 }), ref.offer({ type: 'put', n: 2 })]
    await t.settle()
    await Promise.all(offers)
    expect(handled).toEqual([12, 22])
  })

  test('given an offer to an actor that has ended, then it is refused at once', async () => {
    await using t = await createTestRuntime()
    const { ref, open } = await fullBox(t, {})
    await open()
    void ref.stop()
    await t.settle()
    await expect(ref.offer({ type: 'box.put', n: 9 })).rejects.toMatchObject({
      code: 'TARGET_DOWN',
      reason: { kind: 'shutdown' },
    })
  })
})

describe('signals of the runtime', () => {
  test.each<OverflowPolicy>(['reject', 'drop-newest', 'drop-oldest', 'park'])(
    'given %s and a full mailbox, then ends of watched actors, ticks and stops come through',
    async (overflow) => {
      await using t = await createTestRuntime()
      const seen: string[] = []
      const gate = Promise.withResolvers<void>()
      const target = t.runtime.spawn(defineActor({ name: 'target', protocol: {}, on: {} }))
      const busy = defineActor({
        name: 'busy',
        protocol: { wait: message(), fill: message(), tick: message() },
        mailbox: { capacity: 1, overflow },
        on: {
          wait: async ({ watch, timers }) => {
            watch(target)
            timers.after('tick', 5, { type: 'tick' })
            await gate.promise
          },
          fill: () => {
            seen.push('fill')
          },
          tick: () => {
            seen.push('tick')
          },
          'actor.down': ({ message: { reason } }) => {
            seen.push(`down ${reason.kind}`)
          },
          'actor.stopping': () => {
            seen.push('stopping')
          },
        },
      })
      const ref = t.runtime.spawn(busy)
      ref.tell({ type: 'wait' })
      await t.settle()
      ref.tell({ type: 'fill' })
      target.kill()
      await t.advance(5)
      for (let i = 0; i < 5; i += 1) ref.tell({ type: 'fill' })
      gate.resolve()
      await t.settle()
      expect(seen.filter((entry) => entry !== 'fill')).toEqual(['down killed', 'tick'])
      expect(seen.filter((entry) => entry === 'fill')).toHaveLength(1)
      void ref.stop()
      await t.settle()
      expect(seen.at(-1)).toBe('stopping')
    },
  )

  test('given messages of an actor that then ends, then its actor.down comes after them', async () => {
    await using t = await createTestRuntime()
    const seen: string[] = []
    const listener = defineActor({
      name: 'listener',
      protocol: { say: message({ text: z.string() }), watch: message({ ref: z.custom<AnyRef>() }) },
      on: {
        say: ({ message: { text } }) => {
          seen.push(text)
        },
        watch: ({ message: { ref }, watch }) => {
          watch(ref)
        },
        'actor.down': ({ message: { reason } }) => {
          seen.push(`down ${reason.kind}`)
        },
      },
    })
    const to = t.runtime.spawn(listener)
    const dying = t.runtime.spawn(
      defineActor({
        name: 'dying',
        protocol: { die: message() },
        on: {
          die: () => {
            for (const text of ['first', 'second']) to.tell({ type: 'say', text })
            throw new Error('boom')
          },
        },
      }),
    )
    to.tell({ type: 'watch', ref: dying })
    await t.settle()
    dying.tell({ type: 'die' })
    await t.settle()
    expect(seen).toEqual(['first', 'second', 'down crash'])
  })
})
