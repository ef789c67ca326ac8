/** Promises R, S and K of `docs/semantics.md`: restarts, supervision beyond OTP, stop and kill. */
import { child, defineActor, exits, message, question, supervisor, type ChildOptions, type RuntimeEvent } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'

/** Counts; crashes when it is told to; can be held at a message. */
const counter = defineActor({
  name: 'counter',
  protocol: {
    'c.add': message({ by: z.int() }),
    'c.crash': message({ with: z.string().default('boom') }),
    'c.hold': message({ ms: z.int() }),
    'c.total': question({}, z.int()),
  },
  state: () => 0,
  on: {
    'c.add': ({ state, message }) => state + message.by,
    'c.crash': ({ message }) => {
      throw new Error(message.with)
    },
    'c.hold': ({ message, clock }) => new Promise<void>((resolve) => clock.setTimeout(resolve, message.ms)),
    'c.total': ({ state, reply }) => reply(state),
  },
})

type Terms = Omit<ChildOptions<typeof counter>, 'id' | 'input' | 'significant'>
const outcome = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    (answer) => answer,
    (error: unknown) => (error as { code?: string }).code,
  )

/** Adds 2, crashes, adds 40 and asks for the total; with what became of it all. */
async function crashInTheMiddle(terms: Terms) {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(counter, { name: 'counter', ...terms })
  let downs = 0
  ref.watch(() => (downs += 1))
  ref.tell({ type: 'c.add', by: 2 })
  ref.tell({ type: 'c.crash' })
  ref.tell({ type: 'c.add', by: 40 })
  const asked = outcome(ref.ask({ type: 'c.total' }))
  await world.settle()
  const after = outcome(ref.ask({ type: 'c.total' }))
  await world.settle()
  const letters = world.runtime.deadLetters.recent().map(({ reason }) => reason)
  return { downs, letters, answers: [await asked, await after], incarnation: ref.incarnation, path: String(ref.path) }
}

test('R1: given a crash, when the supervisor restarts the child, then the same ref reaches the next incarnation', async () => {
  expect(await crashInTheMiddle({})).toMatchObject({ path: '/user/counter', incarnation: 2 })
})

test('R2: given a crash on the default terms, then mailbox and state are lost and watchers are told, as in OTP', async () => {
  const { downs, letters, answers } = await crashInTheMiddle({})
  expect({ downs, letters, answers }).toEqual({
    downs: 1,
    letters: ['crashed', 'stopped', 'stopped'],
    answers: ['TARGET_DOWN', 0],
  })
})

test('R3: given keepMailbox, then what waits and who watches outlive the crash, and the state is fresh', async () => {
  const { downs, letters, answers } = await crashInTheMiddle({ keepMailbox: true })
  expect({ downs, letters, answers }).toEqual({ downs: 0, letters: ['crashed'], answers: [40, 40] })
})

test('R4: given stateOnRestart snapshot, then the next incarnation has the state before the failure', async () => {
  const { answers } = await crashInTheMiddle({ keepMailbox: true, stateOnRestart: 'snapshot' })
  expect(answers).toEqual([42, 42])
})

test('R5: given poison after 3, then the failing message is tried three times and becomes a dead letter', async () => {
  const terms: Terms = { keepMailbox: true, poison: { after: 3 }, intensity: { restarts: 5, withinMs: 1000 } }
  expect(await crashInTheMiddle(terms)).toMatchObject({ letters: ['poison'], answers: [40, 40], incarnation: 4 })
})

test('R6: given a handler of an incarnation that has ended, when it goes on, then it has no effect and is counted', async () => {
  await using world = await createTestRuntime()
  const other = world.runtime.spawn(counter)
  const codes: unknown[] = []
  const late = defineActor({
    name: 'late',
    protocol: { 'late.work': question({}, z.string()) },
    state: () => 'fresh',
    on: {
      'late.work': async ({ clock, reply, self, spawn }) => {
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 10))
        other.tell({ type: 'c.add', by: 1 })
        self.tell({ type: 'late.work' } as never)
        reply('too late')
        codes.push(await outcome(other.ask({ type: 'c.total' })))
        try {
          spawn(counter)
        } catch (error) {
          codes.push((error as { code?: string }).code)
        }
        return 'old'
      },
    },
  })
  const ref = world.runtime.spawn(late)
  const asked = outcome(ref.ask({ type: 'late.work' }))
  await world.settle()
  ref.kill()
  await world.advance(20)
  const total = other.ask({ type: 'c.total' })
  await world.settle()

  expect([await asked, codes, await total]).toEqual(['TARGET_DOWN', ['FENCED', 'FENCED'], 0])
  expect(ref.snapshot).toMatchObject({ status: 'active', context: 'fresh' })
  expect(world.runtime.stats.zombieEffects).toBe(6)
})

test('R7: given a handler for actor.started, then it runs before any message, in every incarnation', async () => {
  await using world = await createTestRuntime()
  const seen: string[] = []
  const starter = defineActor({
    name: 'starter',
    protocol: { 's.go': message(), 's.crash': message() },
    on: {
      'actor.started': async ({ incarnation }) => {
        await Promise.resolve()
        seen.push(`started ${incarnation}`)
      },
      's.go': () => void seen.push('go'),
      's.crash': () => {
        throw new Error('boom')
      },
    },
  })
  const ref = world.runtime.spawn(starter)
  for (const type of ['s.go', 's.crash'] as const) ref.tell({ type })
  await world.settle()
  ref.tell({ type: 's.go' })
  await world.settle()

  expect(seen).toEqual(['started 1', 'go', 'started 2', 'go'])
})

test('S2: given a spawned actor that keeps crashing, then it alone stays down after three restarts, and a person is told', async () => {
  await using world = await createTestRuntime()
  const escalated: RuntimeEvent[] = []
  world.runtime.on('escalated', (event) => escalated.push(event))
  const [bad, good] = [world.runtime.spawn(counter), world.runtime.spawn(counter)]
  for (let i = 0; i < 5; i += 1) {
    bad.tell({ type: 'c.crash' })
    await world.settle()
  }

  expect([bad.isRunning, bad.incarnation, good.isRunning]).toEqual([false, 4, true])
  expect(escalated).toMatchObject([{ to: 'person', reason: { kind: 'failure', exit: { kind: 'crash' } } }])
})

test('S3: given a child of a plain actor, when it crashes, then its parent crashes too unless it watches the child', async () => {
  await using world = await createTestRuntime()
  const parentOf = (watches: boolean) =>
    defineActor({
      name: watches ? 'watching' : 'plain',
      protocol: { 'p.break': message() },
      on: {
        'p.break': ({ spawn, watch }) => {
          const ref = spawn(counter)
          if (watches) watch(ref)
          ref.tell({ type: 'c.crash' })
        },
        'actor.down': () => undefined,
      },
    })
  const [plain, watching] = [false, true].map((watches) =>
    world.runtime.spawn(parentOf(watches), { restart: 'temporary' }),
  )
  const exited = plain?.exited
  plain?.tell({ type: 'p.break' })
  watching?.tell({ type: 'p.break' })
  await world.settle()

  expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'DEATH_PACT' } })
  expect(watching?.isRunning).toBe(true)
})

test('S4: given a backoff, when a child crashes again and again, then each restart waits twice as long, up to the bound', async () => {
  await using world = await createTestRuntime()
  const backoff = { minMs: 100, maxMs: 300, jitter: 0, resetAfterMs: 10_000 }
  const ref = world.runtime.spawn(counter, { backoff, intensity: { restarts: 10, withinMs: 1000 } })
  const restartedMs: number[] = []
  world.runtime.on('restarted', () => restartedMs.push(world.clock.now()))
  for (let i = 0; i < 4; i += 1) {
    ref.tell({ type: 'c.crash' })
    await world.advance(300)
  }

  expect(restartedMs).toEqual([100, 500, 900, 1200])
})

test('S5: given a decider, then resume keeps the state, stop stays down, and escalate takes the supervisor along', async () => {
  await using world = await createTestRuntime()
  const decide: Terms['decide'] = ({ error }) => (error as Error).message as 'resume' | 'stop' | 'escalate'
  const ref = world.runtime.spawn(counter, { decide })
  ref.tell({ type: 'c.add', by: 1 })
  ref.tell({ type: 'c.crash', with: 'resume' })
  const total = ref.ask({ type: 'c.total' })
  await world.settle()
  expect([await total, ref.incarnation]).toEqual([1, 1])

  ref.tell({ type: 'c.crash', with: 'stop' })
  await world.settle()
  expect([ref.isRunning, ref.incarnation]).toEqual([false, 1])

  await using tree = await createTestRuntime({ root: supervisor('tree', { children: [child(counter, { decide })] }) })
  tree.runtime.ref('/tree/counter')?.tell({ type: 'c.crash', with: 'escalate' } as never)
  await tree.settle()
  expect(tree.runtime.ref('/tree/counter')).toBeUndefined()
})

test('S6: given a progress watchdog, when a handler is silent for too long, then it is a failure with STUCK', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(counter, { progress: { withinMs: 50 } })
  const { exited } = ref
  ref.tell({ type: 'c.hold', ms: 10_000 })
  await world.advance(50)

  expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'STUCK' } })
  expect([ref.incarnation, ref.isRunning]).toEqual([2, true])
})

test('S7: given a budget of three messages, when a fourth is handled, then it is a failure with BUDGET_EXCEEDED', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(counter, { budget: { messages: 3 }, restart: 'temporary' })
  const { exited } = ref
  for (let i = 0; i < 4; i += 1) ref.tell({ type: 'c.add', by: 1 })
  await world.settle()

  expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'BUDGET_EXCEEDED', resource: 'messages' } })
})

test('K1: given an actor at a message, when it is stopped, then it finishes that one, and what waits becomes dead letters', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(counter)
  ref.tell({ type: 'c.hold', ms: 100 })
  ref.tell({ type: 'c.add', by: 1 })
  await world.settle()
  const stopped = ref.stop()
  await world.advance(99)
  expect(ref.isRunning).toBe(true)
  await world.advance(1)

  expect(await stopped).toEqual(exits.shutdown())
  expect(world.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual(['stopped'])
})

test('K2: given an actor that does not finish, when its stop timeout has passed, then it is killed', async () => {
  await using world = await createTestRuntime()
  const ref = world.runtime.spawn(counter)
  ref.tell({ type: 'c.hold', ms: 60_000 })
  await world.settle()
  const stopped = ref.stop({ timeoutMs: 100 })
  await world.advance(100)

  expect([await stopped, world.clock.now()]).toEqual([exits.killed, 100])
})

test.each([-5, NaN])(
  'K2: given a stop timeout of %d, then the stop is refused, and the actor goes on',
  async (timeoutMs) => {
    await using world = await createTestRuntime()
    const ref = world.runtime.spawn(counter)
    await expect(ref.stop({ timeoutMs })).rejects.toMatchObject({ code: 'DEFINITION_INVALID' })
    expect(ref.isRunning).toBe(true)
  },
)

test('K3: given a stop, then no supervisor starts the actor again, and a kill is a crash to its supervisor', async () => {
  await using world = await createTestRuntime()
  const [stopped, killed] = [1, 2].map(() => world.runtime.spawn(counter, { restart: 'permanent' }))
  void stopped?.stop()
  killed?.kill()
  await world.settle()

  expect([stopped?.isRunning, killed?.isRunning, killed?.incarnation]).toEqual([false, true, 2])
})

test('K4: given an actor with children, when it is stopped, then they stop first, last started first, and say their last words', async () => {
  await using world = await createTestRuntime()
  const seen: string[] = []
  const leaf = defineActor({
    name: 'leaf',
    protocol: {},
    on: {
      'actor.stopping': ({ path, message }) => void seen.push(`${path} ${message.reason.kind}`),
    },
  })
  const parent = defineActor({
    name: 'parent',
    protocol: { 'p.grow': message() },
    on: {
      'p.grow': ({ spawn }) => void spawn(leaf),
      'actor.stopping': ({ path, message }) => void seen.push(`${path} ${message.reason.kind}`),
    },
  })
  const ref = world.runtime.spawn(parent, { name: 'parent' })
  for (let i = 0; i < 2; i += 1) ref.tell({ type: 'p.grow' })
  await world.settle()
  void ref.stop()
  await world.settle()

  expect(seen).toEqual(['/user/parent/leaf-2 shutdown', '/user/parent/leaf-1 shutdown', '/user/parent shutdown'])
})

test('K5: given a child that is attached during a stop, then it finds its signal aborted', async () => {
  await using world = await createTestRuntime()
  const signals: boolean[] = []
  const late = defineActor({
    name: 'late',
    protocol: {},
    on: { 'actor.started': ({ signal }) => void signals.push(signal.aborted) },
  })
  const parent = defineActor({
    name: 'parent',
    protocol: { 'p.attach': message() },
    on: {
      'p.attach': async ({ spawn, clock }) => {
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 10))
        spawn(late)
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 10)) // it has its first turn
      },
    },
  })
  const ref = world.runtime.spawn(parent)
  ref.tell({ type: 'p.attach' })
  await world.settle()
  const stopped = ref.stop()
  await world.advance(20)

  expect([(await stopped).kind, signals]).toEqual(['shutdown', [true]])
})

test('E1: given a listener that throws, then it is reported, the others are told, and nothing else changes', async () => {
  await using world = await createTestRuntime()
  const seen: string[] = []
  world.runtime.on('observer-failed', ({ observer }) => seen.push(observer))
  world.runtime.on('failed', () => {
    throw new Error('listener')
  })
  world.runtime.on('failed', ({ path }) => seen.push(path))
  const ref = world.runtime.spawn(counter, { name: 'counter' })
  ref.tell({ type: 'c.crash' })
  await world.settle()

  expect(seen).toEqual(["listener for 'failed'", '/user/counter'])
  expect(ref.isRunning).toBe(true)
})

test('E2: given the same seed, then actors at the same path draw the same numbers', async () => {
  const draw = async (seed: number): Promise<number> => {
    await using world = await createTestRuntime({ seed })
    const dice = defineActor({
      name: 'dice',
      protocol: { 'dice.roll': question({}, z.number()) },
      on: { 'dice.roll': ({ random, reply }) => reply(random.next()) },
    })
    const asked = world.runtime.spawn(dice).ask({ type: 'dice.roll' })
    await world.settle()
    return await asked
  }

  expect(await draw(7)).toBe(await draw(7))
  expect(await draw(7)).not.toBe(await draw(8))
})
