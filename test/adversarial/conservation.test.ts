import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type ActorContext, type OverflowPolicy, type Ref } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { rootHost } from '../../src/actors/root-host.ts'

/*
 * Laws of one actor layer under random scripts: messages of every kind from several senders, crashes, stops, kills and
 * restarts at any moment, mailboxes that overflow, are kept or lost.
 *
 * 1. Conservation: what was sent is handled, or a dead letter, or was refused to a sender that asked; exactly one of these.
 * 2. What one sender sends to one actor is handled in its order.
 * 3. No incarnation handles anything after its end, and none handles two messages at a time.
 * 4. Every watch gets exactly one Down, every ask and every offer settles exactly once.
 * 5. Nothing is left: no timer, no actor.
 *
 * They hold whichever host runs the handlers.
 */

const work = { id: z.int(), from: z.int(), how: z.string(), ticks: z.int() }
const protocol = { work: message(work), question: question(work, z.int()) }
type Work = z.infer<z.ZodObject<typeof work>>
type WorkerRef = Ref<typeof protocol>

const ways = [
  'quick',
  'quick',
  'quick',
  'slow',
  'slow',
  'throw',
  'reject',
  'stash',
  'unstash',
  'postpone',
  'change',
  'quit',
  'suicide',
  'silent',
] as const

/** What happened to everything, as the laws need it. */
class Book {
  readonly sent = new Set<number>()
  readonly handled: { readonly id: number; readonly from: number; readonly actor: string; readonly how: string }[] = []
  readonly ended = new Set<string>()
  readonly deferred = new Set<number>()
  /** Handled by a handler that is async, so that its end shows later. */
  readonly async = new Set<number>()
  readonly violations: string[] = []
  readonly open = new Map<string, number>()
  /** Ids that a sender was told of as refused. */
  readonly refused = new Set<number>()
  readonly settled = new Map<number, number>()
  watches = 0
  readonly downs: number[] = []
}

/** Of a handler's context, what the work needs. */
type Doing = Pick<ActorContext, 'path' | 'incarnation' | 'stash' | 'postpone' | 'unstashAll' | 'stop'> & {
  readonly message: Work
  readonly self: Pick<WorkerRef, 'kill'>
}
type Reply = (answer: number) => void
type Change = { readonly changes: number } | undefined

const worker = (book: Book, overflow: OverflowPolicy, capacity: number, reentrant: boolean) => {
  /** Notes that this incarnation begins with a message; the result notes that it is done. */
  const begin = ({ message: { id }, path, incarnation }: Doing): { readonly me: string; done(): void } => {
    const me = `${path}#${incarnation}`
    if (book.ended.has(me)) book.violations.push(`${me} handles ${id} after its end`)
    const open = book.open.get(me) ?? 0
    if (open > 0 && !reentrant) book.violations.push(`${me} handles ${id} while another is handled`)
    book.open.set(me, open + 1)
    return { me, done: () => void book.open.set(me, (book.open.get(me) ?? 0) - 1) }
  }

  const finish = (context: Doing, reply: Reply | undefined): Change => {
    const { id, from, how } = context.message
    if (how === 'unstash') context.unstashAll()
    book.handled.push({ id, from, actor: context.path, how })
    if (how !== 'silent') reply?.(id)
    if (how === 'quit') context.stop()
    if (how === 'suicide') context.self.kill()
    return how === 'change' ? { changes: id } : undefined
  }

  const now = (context: Doing, reply: Reply | undefined): Change => {
    const { done } = begin(context)
    try {
      return finish(context, reply)
    } finally {
      done()
    }
  }

  const later = async (context: Doing, reply: Reply | undefined): Promise<Change> => {
    const { id, how, ticks } = context.message
    const { me, done } = begin(context)
    book.async.add(id)
    try {
      if ((how === 'stash' || how === 'postpone') && !book.deferred.has(id)) {
        book.deferred.add(id)
        context[how]()
        return undefined
      }
      if (how === 'throw') throw new Error(`throw ${id}`)
      if (how === 'slow' || how === 'reject') {
        for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve()
        if (book.ended.has(me)) return { changes: -1 } // a zombie: it must have no effect
        if (how === 'reject') throw new Error(`reject ${id}`)
      }
      return finish(context, reply)
    } finally {
      done()
    }
  }

  // Quick work is done by a plain function, so that both kinds of handler are met.
  const handle = (context: Doing, reply?: Reply): Change | Promise<Change> =>
    isQuick.has(context.message.how) ? now(context, reply) : later(context, reply)

  return defineActor({
    name: 'worker',
    protocol,
    mailbox: { capacity, overflow, parkedCapacity: 3, stashCapacity: 4 },
    reentrant,
    state: () => ({ changes: 0 }),
    on: {
      work: (context) => handle(context),
      question: (context) => handle(context, context.reply),
    },
  })
}

const isQuick = new Set(['quick', 'silent', 'unstash', 'change', 'quit', 'suicide'])

interface Send {
  readonly do: 'send'
  readonly by: 'tell' | 'ask' | 'offer'
  readonly from: number
  readonly to: number
  readonly how: (typeof ways)[number]
  readonly ticks: number
}

type Step =
  | Send
  | { readonly do: 'turns'; readonly count: number }
  | { readonly do: 'settle' }
  | { readonly do: 'advance' }
  | { readonly do: 'kill' | 'stop' | 'watch'; readonly to: number }

const actors = 3
const to = fc.integer({ min: 0, max: actors - 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      by: fc.constantFrom('tell' as const, 'tell' as const, 'ask' as const, 'offer' as const),
      from: fc.integer({ min: 0, max: 1 }),
      to,
      how: fc.constantFrom(...ways),
      ticks: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'advance' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('kill' as const, 'stop' as const, 'watch' as const, 'watch' as const),
      to,
    }),
  },
)

const terms = fc.record({
  overflow: fc.constantFrom<OverflowPolicy>('reject', 'drop-newest', 'drop-oldest', 'park'),
  capacity: fc.integer({ min: 1, max: 6 }),
  reentrant: fc.constantFrom(false, false, false, true),
  underXState: fc.constantFrom(false, false, true),
  keepMailbox: fc.boolean(),
  poisoned: fc.boolean(),
  delayed: fc.boolean(),
  restart: fc.constantFrom('permanent' as const, 'transient' as const, 'temporary' as const),
  decision: fc.constantFrom('restart' as const, 'restart' as const, 'resume' as const, 'stop' as const),
})

const refusals = new Set(['MAILBOX_FULL', 'TARGET_DOWN', 'RUNTIME_CLOSED'])

async function play(t: TestRuntime, book: Book, script: readonly Step[], refs: readonly WorkerRef[]): Promise<void> {
  for (const next of script) {
    if (next.do === 'settle' || next.do === 'advance') await (next.do === 'settle' ? t.settle() : t.advance(1000))
    else if (next.do === 'turns') for (let i = 0; i < next.count; i += 1) t.scheduler.runOne()
    else {
      const ref = refs[next.to]
      if (ref === undefined) continue
      if (next.do === 'kill') ref.kill()
      else if (next.do === 'stop') void ref.stop()
      else if (next.do === 'send') send(book, ref, next)
      else {
        const watch = book.watches
        book.watches += 1
        book.downs[watch] = 0
        ref.watch(() => {
          book.downs[watch] = (book.downs[watch] ?? 0) + 1
        })
      }
    }
  }
}

function send(book: Book, ref: WorkerRef, { by, from, how, ticks }: Send): void {
  const id = book.sent.size
  book.sent.add(id)
  const job = { id, from, how, ticks }
  if (by === 'tell') {
    ref.tell({ type: 'work', ...job })
    return
  }
  const settle = (error?: { code?: string }): void => {
    book.settled.set(id, (book.settled.get(id) ?? 0) + 1)
    if (error !== undefined && refusals.has(error.code ?? '')) book.refused.add(id)
  }
  book.settled.set(id, 0)
  const promise: Promise<unknown> =
    by === 'ask' ? ref.ask({ type: 'question', ...job }) : ref.offer({ type: 'work', ...job })
  promise.then(() => {
    settle()
  }, settle)
}

test('the laws of the actor layer hold for random scripts', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(terms, fc.array(step, { maxLength: 40 }), async (options, script) => {
      const book = new Book()
      const t = await createTestRuntime({ deadLettersKept: 10_000 })
      const { overflow, capacity, reentrant, underXState, keepMailbox, poisoned, delayed, restart, decision } = options
      t.runtime.on('stopped', ({ path, incarnation }) => {
        book.ended.add(`${path}#${incarnation}`)
      })
      const lean = worker(book, overflow, capacity, reentrant)
      const definition = underXState ? { ...lean, host: rootHost } : lean
      const refs = Array.from({ length: actors }, () =>
        t.runtime.spawn(definition, {
          restart,
          keepMailbox,
          intensity: { restarts: 6, withinMs: 10_000 },
          decide: () => decision,
          ...(keepMailbox && poisoned ? { poison: { after: 2 } } : {}),
          ...(delayed ? { backoff: { minMs: 100, maxMs: 400 } } : {}),
        }),
      )
      await play(t, book, script, refs)
      await t.settle()
      await t[Symbol.asyncDispose]()
      await t.settle()

      const fates = new Map<number, string[]>()
      const note = (id: number, fate: string): void => void fates.set(id, [...(fates.get(id) ?? []), fate])
      for (const { id } of book.handled) note(id, 'handled')
      for (const { message: letter, reason } of t.runtime.deadLetters.recent()) {
        if (reason !== 'late-answer') note((letter as Work).id, `dead letter: ${reason}`)
      }
      for (const id of book.sent) {
        const known = fates.get(id) ?? []
        if (known.length === 0 && book.refused.has(id)) continue
        // A kill may come between the last step of an async handler and the turn that would have noticed it.
        if (known.length === 2 && known[0] === 'handled' && known[1] === 'dead letter: stopped' && book.async.has(id))
          continue
        expect(known, `fates of message ${id}`).toHaveLength(1)
      }
      const orders = new Map<string, number>()
      for (const { id, from, actor, how } of book.handled) {
        if (reentrant || how === 'stash' || how === 'postpone') continue
        const pair = `${from} -> ${actor}`
        expect(orders.get(pair) ?? -1, `order of ${pair}`).toBeLessThan(id)
        orders.set(pair, id)
      }
      expect(book.violations).toEqual([])
      expect([...book.settled.values()].every((times) => times === 1)).toBe(true)
      expect(book.downs.every((times) => times === 1)).toBe(true)
      expect(t.clock.pending).toBe(0)
      expect(t.runtime.stats.actors).toBe(0)
    }),
    { seed: 20260103, numRuns: 400 },
  )
})
