import { expect, test } from 'vitest'
import * as z from 'zod'
import { child, createRuntime, defineActor, exits, message, question, supervisor, type Ref } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { fromPromise } from 'xstate'

const log = () => {
  const lines: unknown[] = []
  const sink = defineActor({
    name: 'sink',
    protocol: { 'sink.put': message({ line: z.unknown() }) },
    on: { 'sink.put': ({ message: m }) => void lines.push(m.line) },
  })
  return { lines, sink }
}

const crasher = defineActor({
  name: 'crasher',
  protocol: { 'c.crash': message(), 'c.ok': message(), 'c.ask': question({}, z.null()) },
  on: {
    'c.crash': () => {
      throw new Error('boom')
    },
    'c.ok': () => undefined,
    'c.ask': () => undefined,
  },
})

test('given a listener that tells another actor of a crash, then the message is not taken for an effect of the one that crashed', async () => {
  await using t = await createTestRuntime()
  const { lines, sink } = log()
  const s = t.runtime.spawn(sink)
  const c = t.runtime.spawn(crasher)
  c.watch(({ reason }) => s.tell({ type: 'sink.put', line: reason.kind }))
  c.tell({ type: 'c.crash' })
  await t.settle()
  expect(lines).toEqual(['crash'])
  expect(t.runtime.stats.zombieEffects).toBe(0)
})

test('given a listener that tells another actor of a zombie effect, then the message arrives and starts no loop', async () => {
  await using t = await createTestRuntime()
  const { lines, sink } = log()
  const s = t.runtime.spawn(sink)
  const gate = Promise.withResolvers<void>()
  const slow = defineActor({
    name: 'slow',
    protocol: { 'slow.go': message() },
    on: {
      'slow.go': async () => {
        await gate.promise
        s.tell({ type: 'sink.put', line: 'zombie' })
      },
    },
  })
  const r = t.runtime.spawn(slow)
  t.runtime.on('zombie-effect', (e) => s.tell({ type: 'sink.put', line: e.effect }))
  r.tell({ type: 'slow.go' })
  await t.settle()
  r.kill()
  gate.resolve()
  await t.settle()
  expect(lines).toEqual(['tell'])
})

test('given a child that is watched, when it crashes, then the parent learns of it and goes on', async () => {
  await using t = await createTestRuntime()
  const downs: string[] = []
  const parent = defineActor({
    name: 'parent',
    protocol: { go: message() },
    on: {
      go: ({ spawn, watch }) => {
        const c = spawn(crasher)
        watch(c)
        c.tell({ type: 'c.crash' })
      },
      'actor.down': ({ message: m }) => void downs.push(m.reason.kind),
    },
  })
  const p = t.runtime.spawn(parent)
  p.tell({ type: 'go' })
  await t.settle()
  expect(downs).toEqual(['crash'])
  expect(p.incarnation).toBe(1)
})

test('given ticks that were stashed, when they are unstashed, then each comes once and the period goes on as before', async () => {
  await using t = await createTestRuntime()
  const seen: string[] = []
  const a = defineActor({
    name: 'a',
    protocol: { tick: message(), open: message(), every: message() },
    state: () => ({ open: false }),
    on: {
      'actor.started': ({ timers }) => {
        timers.after('k', 10, { type: 'tick' })
        timers.every('e', 10, { type: 'every' })
      },
      tick: ({ state, stash }) => {
        if (!state.open) stash()
        else seen.push('tick')
      },
      every: ({ state, stash, clock }) => {
        if (!state.open) stash()
        else seen.push('every' + clock.now())
      },
      open: ({ unstashAll }) => {
        unstashAll()
        return { open: true }
      },
    },
  })
  const r = t.runtime.spawn(a)
  await t.advance(10)
  r.tell({ type: 'open' })
  await t.settle()
  expect(seen).toEqual(['tick', 'every10'])
  await t.advance(30)
  expect(seen).toEqual(['tick', 'every10', 'every20', 'every30', 'every40'])
})

test('given a poison message and a handler of actor.started, then the message is still counted to its end', async () => {
  await using t = await createTestRuntime()
  let fails = 0
  const a = defineActor({
    name: 'a',
    protocol: { bad: message() },
    on: {
      'actor.started': () => undefined,
      bad: () => {
        fails += 1
        if (fails > 20) return
        throw new Error('bad')
      },
    },
  })
  const r = t.runtime.spawn(a, { keepMailbox: true, poison: { after: 3 }, intensity: { restarts: 10, withinMs: 1000 } })
  r.tell({ type: 'bad' })
  await t.settle()
  expect(fails).toBe(3)
  expect(t.runtime.deadLetters.byReason.get('poison')).toBe(1)
})

test('given a stop during a backoff, then the actor is not started again', async () => {
  await using t = await createTestRuntime()
  const r = t.runtime.spawn(crasher, { backoff: { minMs: 100, maxMs: 100 } })
  r.tell({ type: 'c.crash' })
  await t.settle()
  void r.stop()
  await t.advance(1000)
  expect(r.isRunning).toBe(false)
})

test('given a supervisor that ends while a child with a kept mailbox waits for its restart, then nobody is left waiting', async () => {
  await using t = await createTestRuntime()
  const tree = supervisor('tree', {
    children: [child(crasher, { backoff: { minMs: 60_000, maxMs: 60_000 }, keepMailbox: true })],
  })
  const top = t.runtime.spawn(tree)
  // The only child is a crasher.
  const ref = t.runtime.ref(`${top.path}/crasher`) as unknown as Ref<typeof crasher.protocol>
  const downs: string[] = []
  ref.watch(({ reason }) => void downs.push(reason.kind))
  ref.tell({ type: 'c.crash' })
  ref.tell({ type: 'c.ok' })
  const refused = expect(ref.ask({ type: 'c.ask' })).rejects.toMatchObject({ code: 'TARGET_DOWN' })
  await t.settle()
  expect(downs).toEqual([])
  void top.stop()
  await t.settle()
  await refused
  expect(downs).toEqual(['crash'])
  expect(t.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual(['crashed', 'stopped', 'stopped'])
  expect(t.clock.pending).toBe(0)
})

test('given drop-oldest and a full mailbox, then signals of the runtime are not what is dropped', async () => {
  await using t = await createTestRuntime()
  const downs: string[] = []
  const seen: number[] = []
  const c = t.runtime.spawn(crasher)
  const a = defineActor({
    name: 'a',
    protocol: { n: message({ n: z.number() }) },
    mailbox: { capacity: 2, overflow: 'drop-oldest' },
    on: {
      'actor.started': ({ watch }) => watch(c),
      'actor.down': ({ message: m }) => void downs.push(m.reason.kind),
      n: ({ message: m }) => void seen.push(m.n),
    },
  })
  const r = t.runtime.spawn(a)
  await t.settle()
  c.kill()
  for (let n = 0; n < 5; n += 1) r.tell({ type: 'n', n })
  await t.settle()
  expect(downs).toEqual(['killed'])
  expect(seen).toEqual([4])
})

test('given a handler that kills its own actor, then the state that it returns is a zombie effect', async () => {
  await using t = await createTestRuntime()
  const a = defineActor({
    name: 'a',
    protocol: { die: message() },
    state: () => 0,
    on: {
      die: ({ self }) => {
        self.kill()
        return 1
      },
    },
  })
  const r = t.runtime.spawn(a, { restart: 'temporary' })
  r.tell({ type: 'die' })
  await t.settle()
  expect(r.snapshot).toMatchObject({ status: 'stopped', context: 0 })
  expect(t.runtime.stats.zombieEffects).toBe(1)
})

test('given a turn that a fenced handler set off, then what starts in it is not fenced with that handler', async () => {
  // The platform's own scheduler: only with it does the turn inherit the async context of the handler.
  await using runtime = await createRuntime()
  const { lines, sink } = log()
  const s = runtime.spawn(sink)
  const gate = Promise.withResolvers<void>()
  const restarted = Promise.withResolvers<void>()
  const phoenix = runtime.spawn(
    defineActor({
      name: 'phoenix',
      protocol: { 'c.crash': message() },
      state: () => {
        s.tell({ type: 'sink.put', line: 'up' })
        return 0
      },
      on: {
        'c.crash': () => {
          throw new Error('boom')
        },
      },
    }),
  )
  runtime.on('restarted', () => {
    restarted.resolve()
  })
  const slow = runtime.spawn(
    defineActor({
      name: 'slow',
      protocol: { 'slow.go': question({}, z.null()) },
      on: {
        'slow.go': async ({ self }) => {
          await gate.promise
          phoenix.tell({ type: 'c.crash' })
          self.kill()
        },
      },
    }),
  )
  const refused = expect(slow.ask({ type: 'slow.go' })).rejects.toMatchObject({ code: 'TARGET_DOWN' })
  gate.resolve()
  await refused
  await restarted.promise
  await new Promise<void>((resolve) => runtime.clock.setTimeout(resolve, 0))
  expect(lines).toEqual(['up', 'up'])
  expect(runtime.stats.zombieEffects).toBe(0)
})

test('given a plain function that returns a promise, when it asks its own actor, then that is a cycle the first time, too', async () => {
  await using t = await createTestRuntime()
  const a = defineActor({
    name: 'a',
    protocol: { go: message(), q: question({}, z.number()) },
    on: {
      go: ({ self }) => self.ask({ type: 'q' }).then(() => undefined),
      q: ({ reply }) => reply(1),
    },
  })
  const r = t.runtime.spawn(a, { restart: 'temporary' })
  r.tell({ type: 'go' })
  await t.settle()
  const exit = await Promise.race([r.exited, Promise.resolve('open')])
  expect(exit).toMatchObject({ kind: 'crash', error: { code: 'ASK_CYCLE' } })
})

test('given a kill while a message is handled, then that message is a dead letter', async () => {
  await using t = await createTestRuntime()
  const slow = defineActor({
    name: 'slow',
    protocol: { 'slow.go': message() },
    on: { 'slow.go': () => new Promise<void>(() => undefined) },
  })
  const r = t.runtime.spawn(slow, { restart: 'temporary' })
  r.tell({ type: 'slow.go' })
  await t.settle()
  r.kill()
  await t.settle()
  expect(t.runtime.deadLetters.count).toBe(1)
})

test('given a crash and last words that do not end, then the restart waits no longer than a stop may take', async () => {
  await using t = await createTestRuntime()
  const a = defineActor({
    name: 'a',
    protocol: { die: message() },
    on: {
      die: () => {
        throw new Error('x')
      },
      'actor.stopping': () => new Promise<void>(() => undefined),
    },
  })
  const r = t.runtime.spawn(a)
  r.tell({ type: 'die' })
  await t.advance(5000)
  expect(r.incarnation).toBe(2)
})

test('given a reentrant actor, when it is stopped, then its handlers and its async last words are waited for', async () => {
  await using t = await createTestRuntime()
  const gate = Promise.withResolvers<void>()
  const done: string[] = []
  const a = defineActor({
    name: 'a',
    protocol: { go: question({}, z.number()) },
    reentrant: true,
    on: {
      go: async ({ reply }) => {
        await gate.promise
        reply(1)
      },
      'actor.stopping': async () => {
        await Promise.resolve()
        done.push('stopping')
      },
    },
  })
  const r = t.runtime.spawn(a)
  const answer = r.ask({ type: 'go' })
  answer.catch(() => undefined)
  await t.settle()
  void r.stop()
  await t.settle()
  gate.resolve()
  expect(await answer).toBe(1)
  await t.settle()
  expect(done).toEqual(['stopping'])
  expect(await r.exited).toEqual(exits.shutdown())
})

test('given a kept mailbox with the end of a child in it, then the next incarnation has nothing to do with that child', async () => {
  await using t = await createTestRuntime()
  const parent = defineActor({
    name: 'parent',
    protocol: { go: message(), die: message() },
    on: {
      go: ({ spawn, self }) => {
        const c = spawn(crasher)
        self.tell({ type: 'die' })
        c.kill()
      },
      die: () => {
        throw new Error('die')
      },
    },
  })
  const p = t.runtime.spawn(parent, { keepMailbox: true })
  p.tell({ type: 'go' })
  await t.settle()
  expect(p.incarnation).toBe(2)
})

test('given a stuck handler and the directive resume, then that handler alone is fenced and the actor goes on', async () => {
  await using t = await createTestRuntime()
  const gates = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
  let n = 0
  const seen: string[] = []
  const a = defineActor({
    name: 'a',
    protocol: { go: message() },
    state: () => 0,
    on: {
      go: async () => {
        const i = n++
        seen.push('in' + i)
        const v = await gates[i]!.promise
        seen.push('out' + i)
        return v
      },
    },
  })
  const r = t.runtime.spawn(a, { progress: { withinMs: 100 }, decide: () => 'resume' })
  r.tell({ type: 'go' })
  r.tell({ type: 'go' })
  await t.advance(100)
  expect(seen).toEqual(['in0', 'in1'])
  gates[0]!.resolve(7)
  await t.settle()
  expect(r.snapshot.context).toBe(0)
  r.tell({ type: 'go' })
  await t.settle()
  expect(n).toBe(2)
  gates[1]!.resolve(8)
  await t.settle()
  expect(r.snapshot.context).toBe(8)
})

test('given a second reply to one question, then it is misuse', async () => {
  await using t = await createTestRuntime()
  const a = defineActor({
    name: 'a',
    protocol: { q: question({}, z.number()) },
    on: {
      q: ({ reply }) => {
        reply(1)
        reply(2)
      },
    },
  })
  const r = t.runtime.spawn(a, { restart: 'temporary' })
  const x = r.ask({ type: 'q' })
  await t.settle()
  expect(await x).toBe(1)
  expect(await Promise.race([r.exited, Promise.resolve('open')])).toMatchObject({ error: { code: 'REPLY_MISUSED' } })
})

test('given a sender that waits for room, when the actor ends, then the offer is refused', async () => {
  await using t = await createTestRuntime()
  const a = defineActor({
    name: 'a',
    protocol: { n: message() },
    mailbox: { capacity: 1, overflow: 'park' },
    on: { n: () => undefined },
  })
  const r = t.runtime.spawn(a, { restart: 'temporary' })
  r.tell({ type: 'n' })
  const o = r.offer({ type: 'n' })
  o.catch(() => undefined)
  r.kill()
  await t.settle()
  await expect(o).rejects.toMatchObject({ code: 'TARGET_DOWN' })
})

test('given a chart whose first state is final, then the actor ends normally at once', async () => {
  await using t = await createTestRuntime()
  const a = defineActor({
    name: 'a',
    protocol: { n: message() },
    machine: ({ setup }) => setup({}).createMachine({ initial: 'x', states: { x: { type: 'final' } } }),
  })
  const r = t.runtime.spawn(a)
  await t.settle()
  expect(r.isRunning).toBe(false)
})

test('given a child that was spawned while a question was answered, then the deadline of that question is not the child’s', async () => {
  await using t = await createTestRuntime()
  const echo = defineActor({
    name: 'echo',
    protocol: { q: question({}, z.number()) },
    on: { q: ({ reply }) => reply(1) },
  })
  const e = t.runtime.spawn(echo)
  const gate = Promise.withResolvers<void>()
  const results: unknown[] = []
  const work = fromPromise(async () => {
    await gate.promise
    results.push(await e.ask({ type: 'q' }).catch((x: unknown) => x))
  })
  const worker = defineActor({ name: 'worker', protocol: {}, logic: work })
  const parent = defineActor({
    name: 'parent',
    protocol: { start: question({}, z.number()) },
    on: {
      start: async ({ spawn, reply }) => {
        await Promise.resolve()
        spawn(worker)
        reply(1)
      },
    },
  })
  const p = t.runtime.spawn(parent)
  const x = p.ask({ type: 'start' })
  await t.settle()
  expect(await x).toBe(1)
  await t.advance(6000)
  gate.resolve()
  await t.settle()
  expect(results).toEqual([1])
})
