import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { child, defineActor, exits, message, question, supervisor, type Runtime } from 'echelon'
import { createTestRuntime } from 'echelon/testing'

/** Counts what it handled; each takes `ms` milliseconds. */
const worker = defineActor({
  name: 'worker',
  protocol: {
    work: message({ ms: z.number() }),
    'work.count': question({}, z.number()),
  },
  state: () => 0,
  on: {
    work: async ({ state, message: { ms }, clock }) => {
      if (ms > 0) await new Promise<void>((resolve) => void clock.setTimeout(resolve, ms))
      return state + 1
    },
    'work.count': ({ state, reply }) => {
      reply(state)
    },
  },
})

/** Never ends by itself: neither its handler nor its last words. */
const stubborn = defineActor({
  name: 'stubborn',
  protocol: { hang: message(), wait: question({}, z.number()) },
  state: () => undefined,
  on: { hang: () => new Promise<void>(() => undefined), wait: () => undefined },
})

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => (error as { code?: unknown }).code,
  )

describe('a runtime in use', () => {
  test('given queued and running work, when it shuts down, then all of it is finished first', async () => {
    const test = await createTestRuntime()
    const ref = test.runtime.spawn(worker)
    for (let i = 0; i < 20; i += 1) ref.tell({ type: 'work', ms: 100 })
    const answer = ref.ask({ type: 'work.count' })
    const report = await test.until(test.runtime.shutdown())
    expect(await answer).toBe(20)
    expect(report.killed).toEqual([])
    expect(report.deadLetters).toBe(0)
    expect(report.reason).toEqual(exits.shutdown())
    expect(report.phases.map(({ phase, timedOut }) => [phase, timedOut])).toEqual([
      ['stop-accepting', false],
      ['refuse-asks', false],
      ['drain', false],
      ['stop-tree', false],
      ['close', false],
    ])
    expect(test.clock.now()).toBeGreaterThanOrEqual(2000)
    expect(test.clock.now()).toBeLessThan(2010)
  })

  test('given nothing to do, when it shuts down, then no time passes and no timer is left', async () => {
    const test = await createTestRuntime({ root: supervisor('app', { children: [worker] }) })
    test.runtime.spawn(worker)
    await test.settle()
    const closing = test.runtime.shutdown()
    await test.settle()
    expect((await closing).phases.map(({ ms }) => ms)).toEqual([0, 0, 0, 0, 0])
    expect(test.clock.now()).toBe(0)
    expect(test.clock.pending).toBe(0)
    expect(test.runtime.stats.actors).toBe(0)
  })

  test('given a reentrant actor with handlers under way, when it shuts down, then they are waited for', async () => {
    const done: number[] = []
    const reentrant = defineActor({
      name: 'reentrant',
      reentrant: true,
      protocol: { work: message({ ms: z.number() }) },
      state: () => undefined,
      on: {
        work: async ({ message: { ms }, clock }) => {
          await new Promise<void>((resolve) => void clock.setTimeout(resolve, ms))
          done.push(ms)
        },
      },
    })
    const test = await createTestRuntime()
    const ref = test.runtime.spawn(reentrant)
    for (const ms of [300, 100, 200]) ref.tell({ type: 'work', ms })
    await test.until(test.runtime.shutdown())
    expect(done).toEqual([100, 200, 300])
  })

  test('given work that answers later, when it shuts down, then the open question is waited for', async () => {
    const late = defineActor({
      name: 'late',
      protocol: { get: question({}, z.string()) },
      state: () => undefined,
      on: {
        get: ({ reply, clock }) => {
          clock.setTimeout(() => {
            reply('at last')
          }, 700)
        },
      },
    })
    const test = await createTestRuntime()
    const answer = test.runtime.spawn(late).ask({ type: 'get' })
    const report = await test.until(test.runtime.shutdown())
    expect(await answer).toBe('at last')
    expect(report.phases.find(({ phase }) => phase === 'drain')?.ms).toBeGreaterThanOrEqual(700)
  })

  test('given actors that ask each other, when it shuts down, then they still may, and outsiders may not', async () => {
    const service = defineActor({
      name: 'service',
      protocol: { get: question({}, z.number()) },
      state: () => 0,
      on: {
        get: ({ reply }) => {
          reply(42)
        },
      },
    })
    const test = await createTestRuntime()
    const target = test.runtime.spawn(service)
    const client = defineActor({
      name: 'client',
      protocol: { run: question({}, z.number()) },
      state: () => undefined,
      on: {
        run: async ({ reply, clock }) => {
          await new Promise<void>((resolve) => void clock.setTimeout(resolve, 50))
          reply(await target.ask({ type: 'get' }))
        },
      },
    })
    const other = await createTestRuntime()
    const stranger = other.runtime.spawn(client)
    const answer = test.runtime.spawn(client).ask({ type: 'run' })
    await test.settle()
    const closing = test.runtime.shutdown()
    await test.settle()
    const fromOutside = codeOf(target.ask({ type: 'get' }))
    const fromOtherRuntime = codeOf(stranger.ask({ type: 'run' }))
    await other.advance(50)
    await test.until(closing)
    expect(await answer).toBe(42)
    expect(await fromOutside).toBe('RUNTIME_CLOSED')
    expect(await fromOtherRuntime).toBe('TARGET_DOWN') // its client crashed with RUNTIME_CLOSED
    await other.until(other.runtime.shutdown())
  })

  test('given a tree, when it shuts down, then the last started stops first and says its last words', async () => {
    const said: string[] = []
    const speaker = (name: string): ReturnType<typeof plain> => plain(name)
    const plain = (name: string) =>
      defineActor({
        name,
        protocol: { ping: message() },
        state: () => undefined,
        on: {
          ping: () => undefined,
          'actor.stopping': async ({ clock }) => {
            await new Promise<void>((resolve) => void clock.setTimeout(resolve, 10))
            said.push(name)
          },
        },
      })
    const test = await createTestRuntime({ root: supervisor('app', { children: ['a', 'b', 'c'].map(speaker) }) })
    await test.until(test.runtime.shutdown())
    expect(said).toEqual(['c', 'b', 'a'])
  })
})

describe('a shutdown that meets resistance', () => {
  test.each([0, 1, 100, 10_000])(
    'given stubborn actors, when it shuts down, then it ends within %d ms and names them',
    async (deadlineMs) => {
      const root = supervisor('app', {
        children: [
          child(stubborn, { id: 'patient', shutdown: 'infinity' }),
          supervisor('team', { children: [child(stubborn, { id: 'member', shutdown: 'infinity' })] }),
          child(worker, { id: 'good' }),
        ],
      })
      const test = await createTestRuntime({ root, shutdownMs: deadlineMs })
      const hang = (path: string): void => {
        ;(test.runtime.ref(path) as { tell(message: object): void } | undefined)?.tell({ type: 'hang' })
      }
      hang('/app/patient')
      hang('/app/team/member')
      await test.settle()
      const pending = codeOf(
        (test.runtime.ref('/app/patient') as { ask(q: object, o: object): Promise<unknown> }).ask(
          { type: 'wait' },
          { timeoutMs: 1e6 },
        ),
      )
      const exited = test.runtime.ref('/app/patient')?.exited
      const report = await test.until(test.runtime.shutdown())
      expect(test.clock.now()).toBeLessThanOrEqual(deadlineMs)
      expect(report.killed).toContain('/app/patient')
      expect(report.killed.indexOf('/app/team/member' as never)).toBeLessThan(
        report.killed.indexOf('/app/team' as never),
      )
      expect(report.killed).toEqual(['/app/team/member', '/app/team', '/app/patient', '/app', '/user'])
      expect(report.phases.filter(({ timedOut }) => timedOut).map(({ phase }) => phase)).toContain('stop-tree')
      expect(await pending).toBe('TARGET_DOWN')
      expect(await exited).toEqual(exits.killed)
      expect(test.runtime.stats.actors).toBe(0)
      expect(test.clock.pending).toBe(0)
    },
  )

  test('given actors that keep each other busy for ever, when it shuts down, then they are stopped when their share is used up', async () => {
    const player = defineActor({
      name: 'player',
      protocol: { ball: message({ from: z.custom<{ tell(m: object): void }>() }) },
      state: () => undefined,
      on: {
        ball: async ({ message: { from }, self, clock }) => {
          await new Promise<void>((resolve) => void clock.setTimeout(resolve, 1))
          from.tell({ type: 'ball', from: self })
        },
      },
    })
    const test = await createTestRuntime()
    const a = test.runtime.spawn(player)
    a.tell({ type: 'ball', from: test.runtime.spawn(player) })
    const report = await test.until(test.runtime.shutdown({ deadlineMs: 1000 }))
    expect(report.phases.find(({ phase }) => phase === 'drain')).toMatchObject({ ms: 600, timedOut: true })
    expect(report.killed).toEqual([])
    expect(test.clock.now()).toBeLessThan(610)
  })

  test('given an actor that waits for a restart with its mailbox kept, when it shuts down, then what it holds is settled', async () => {
    const fragile = defineActor({
      name: 'fragile',
      protocol: { crash: message(), get: question({}, z.number()) },
      state: () => undefined,
      on: {
        crash: () => {
          throw new Error('boom')
        },
        get: ({ reply }) => {
          reply(1)
        },
      },
    })
    const root = supervisor('app', {
      children: [child(fragile, { keepMailbox: true, backoff: { minMs: 3_600_000, maxMs: 3_600_000 } })],
    })
    const test = await createTestRuntime({ root })
    const ref = test.runtime.ref('/app/fragile') as unknown as {
      tell(m: object): void
      ask(q: object, o: object): Promise<unknown>
      watch(listener: (down: { reason: unknown }) => void): void
    }
    ref.tell({ type: 'crash' })
    await test.settle()
    const asked = codeOf(ref.ask({ type: 'get' }, { timeoutMs: 1e7 }))
    const downs: unknown[] = []
    ref.watch(({ reason }) => downs.push(reason))
    const report = await test.until(test.runtime.shutdown())
    await test.settle()
    expect(await asked).toBe('TARGET_DOWN')
    expect(downs).toHaveLength(1)
    expect(report.deadLetters).toBe(1)
    expect(test.clock.now()).toBeLessThanOrEqual(10_000)
    expect(test.clock.pending).toBe(0)
  })

  test('given a killed actor whose children take their time, when it shuts down, then they are gone too', async () => {
    const parent = defineActor({
      name: 'parent',
      protocol: { grow: message() },
      state: () => undefined,
      on: {
        grow: ({ spawn }) => {
          spawn(stubborn, { name: 'kid' }).tell({ type: 'hang' })
        },
      },
    })
    const test = await createTestRuntime()
    const ref = test.runtime.spawn(parent, { name: 'parent', restart: 'temporary' })
    ref.tell({ type: 'grow' })
    await test.settle()
    const kid = test.runtime.ref('/user/parent/kid')
    ref.kill()
    await test.settle()
    await test.until(test.runtime.shutdown({ deadlineMs: 100 }))
    expect(kid?.isRunning).toBe(false)
    expect(test.clock.pending).toBe(0)
    expect(await kid?.exited).toMatchObject({ kind: 'killed' })
  })
})

describe('tasks', () => {
  test('given tasks in all phases, when it shuts down, then they run in the order of the phases, and together within one', async () => {
    const test = await createTestRuntime()
    const log: string[] = []
    const task = (name: string, ms: number) => async (): Promise<void> => {
      log.push(`${name} begins`)
      await new Promise<void>((resolve) => void test.clock.setTimeout(resolve, ms))
      log.push(`${name} ends`)
    }
    test.runtime.onShutdown('close', 'x', task('x', 1))
    test.runtime.onShutdown('stop-accepting', 'a', task('a', 20))
    test.runtime.onShutdown('stop-accepting', 'b', task('b', 10))
    const off = test.runtime.onShutdown('stop-accepting', 'c', task('c', 10))
    off()
    await test.until(test.runtime.shutdown())
    expect(log).toEqual(['a begins', 'b begins', 'b ends', 'a ends', 'x begins', 'x ends'])
  })

  test('given a task that throws and one that rejects, then both are reported and the shutdown goes on', async () => {
    const test = await createTestRuntime()
    const thrown = new Error('thrown')
    const rejected = new Error('rejected')
    let closed = false
    test.runtime.onShutdown('stop-accepting', 'throws', () => {
      throw thrown
    })
    test.runtime.onShutdown('drain', 'rejects', () => Promise.reject(rejected))
    test.runtime.onShutdown('close', 'closes', () => {
      closed = true
    })
    const { phases } = await test.until(test.runtime.shutdown())
    expect(phases.flatMap(({ failures }) => failures)).toEqual([
      { task: 'throws', error: thrown },
      { task: 'rejects', error: rejected },
    ])
    expect(closed).toBe(true)
  })

  test('given tasks that hang in every phase, then each is told, reported, and all ends within the deadline', async () => {
    const test = await createTestRuntime()
    const told: string[] = []
    for (const phase of ['stop-accepting', 'refuse-asks', 'drain', 'stop-tree', 'close'] as const) {
      test.runtime.onShutdown(phase, phase, (signal) => {
        signal.addEventListener('abort', () => told.push(`${phase} at ${test.clock.now()}`))
        return new Promise(() => undefined)
      })
    }
    const { phases } = await test.until(test.runtime.shutdown({ deadlineMs: 1000 }))
    expect(told).toEqual([
      'stop-accepting at 150',
      'refuse-asks at 300',
      'drain at 600',
      'stop-tree at 900',
      'close at 1000',
    ])
    expect(
      phases.map(({ failures }) => failures.map(({ task, error }) => [task, (error as { code: string }).code])),
    ).toEqual(phases.map(({ phase }) => [[phase, 'SHUTDOWN_TIMEOUT']]))
    expect(test.clock.now()).toBe(1000)
    expect(test.clock.pending).toBe(0)
  })

  test('given a task that rejects after its time was up, then its report stays as it is', async () => {
    const test = await createTestRuntime()
    test.runtime.onShutdown('stop-accepting', 'late', () => {
      return new Promise((_resolve, reject) => {
        test.clock.setTimeout(() => {
          reject(new Error('late'))
        }, 500)
      })
    })
    test.runtime.onShutdown(
      'close',
      'waits',
      () => new Promise<void>((resolve) => void test.clock.setTimeout(resolve, 400)),
    )
    const { phases } = await test.until(test.runtime.shutdown({ deadlineMs: 1000 }))
    expect(phases[0]?.failures).toHaveLength(1)
    expect(phases[0]?.failures[0]?.error).toMatchObject({ code: 'SHUTDOWN_TIMEOUT' })
  })

  test('given a phase that has begun, when a task comes for it, then it is refused, and for a later phase it runs', async () => {
    const test = await createTestRuntime()
    let ran = false
    test.runtime.onShutdown('drain', 'adds', () => {
      test.runtime.onShutdown('close', 'in time', () => {
        ran = true
      })
      test.runtime.onShutdown('drain', 'too late', () => undefined)
    })
    const { phases } = await test.until(test.runtime.shutdown())
    expect(ran).toBe(true)
    expect(phases[2]?.failures).toMatchObject([{ task: 'adds', error: { code: 'RUNTIME_CLOSED' } }])
    expect(() => test.runtime.onShutdown('close', 'after all', () => undefined)).toThrow(/too late/)
    expect(() => test.runtime.onShutdown('nonsense' as 'close', 'x', () => undefined)).toThrow(/no phase/)
  })
})

describe('after it', () => {
  const shutDown = async (): Promise<{ runtime: Runtime; ref: ReturnType<typeof spawnWorker> }> => {
    const test = await createTestRuntime()
    const ref = spawnWorker(test.runtime)
    await test.until(test.runtime.shutdown())
    return { runtime: test.runtime, ref }
  }
  const spawnWorker = (runtime: Runtime) => runtime.spawn(worker)

  test('a tell is a dead letter, an ask rejects, an offer rejects, a spawn is refused', async () => {
    const { runtime, ref } = await shutDown()
    ref.tell({ type: 'work', ms: 0 })
    expect(runtime.deadLetters.recent()).toMatchObject([{ reason: 'stopped', message: { type: 'work' } }])
    expect(await codeOf(ref.ask({ type: 'work.count' }))).toBe('RUNTIME_CLOSED')
    expect(await codeOf(ref.offer({ type: 'work', ms: 0 }))).toBe('TARGET_DOWN')
    expect(() => runtime.spawn(worker)).toThrow(expect.objectContaining({ code: 'RUNTIME_CLOSED' }))
  })

  test('another shutdown gives the same report', async () => {
    const test = await createTestRuntime()
    const first = test.runtime.shutdown()
    const second = test.runtime.shutdown({ deadlineMs: 1, reason: exits.shutdown('other') })
    await test.settle()
    expect(await first).toBe(await second)
    expect(await first).toBe(await test.runtime.shutdown())
  })

  test('spawning is refused from its first moment on', async () => {
    const test = await createTestRuntime()
    const closing = test.runtime.shutdown()
    expect(() => test.runtime.spawn(worker)).toThrow(expect.objectContaining({ code: 'RUNTIME_CLOSED' }))
    await test.until(closing)
  })

  test.each([-1, NaN, Infinity])('a deadline of %d ms is refused', async (deadlineMs) => {
    await expect(createTestRuntime({ shutdownMs: deadlineMs })).rejects.toThrow(/shutdownMs/)
    await using test = await createTestRuntime()
    expect(() => test.runtime.shutdown({ deadlineMs })).toThrow(/deadlineMs/)
    expect(test.runtime.spawn(worker).isRunning).toBe(true)
  })
})

describe('closed', () => {
  const ender = defineActor({
    name: 'ender',
    protocol: { end: message({ how: z.enum(['normal', 'detail', 'crash', 'kill']) }) },
    state: () => undefined,
    on: {
      end: ({ message: { how }, stop, self }) => {
        if (how === 'crash') throw new Error('boom')
        if (how === 'kill') self.kill()
        else stop(how === 'normal' ? exits.normal : exits.shutdown('done'))
      },
    },
  })

  test.each([
    ['normal', exits.normal],
    ['detail', exits.shutdown('done')],
    ['crash', exits.crash(new Error('boom'))],
    ['kill', exits.killed],
  ] as const)('given a root that ends %s, then the runtime drains, closes and says so', async (how, reason) => {
    const test = await createTestRuntime({ root: ender })
    const other = test.runtime.spawn(worker)
    for (let i = 0; i < 3; i += 1) other.tell({ type: 'work', ms: 100 })
    const count = other.ask({ type: 'work.count' })
    test.runtime.ref('/ender')?.tell({ type: 'end', how } as never)
    expect(await test.until(test.runtime.closed)).toEqual(reason)
    expect(await count).toBe(3)
    expect(test.runtime.stats.actors).toBe(0)
    expect((await test.runtime.shutdown()).reason).toEqual(reason)
  })

  test('given a root that somebody stops, then the runtime closes', async () => {
    const test = await createTestRuntime({ root: supervisor('app', { children: [worker] }) })
    await test.until(test.runtime.ref('/app')?.stop() ?? Promise.reject(new Error('no root')))
    expect(await test.until(test.runtime.closed)).toEqual(exits.shutdown())
  })

  test('given a shutdown with a reason, then closed says it', async () => {
    const test = await createTestRuntime({ root: ender })
    void test.runtime.shutdown({ reason: exits.shutdown('maintenance') })
    expect(await test.until(test.runtime.closed)).toEqual(exits.shutdown('maintenance'))
  })

  test('given a root whose start fails after another child began, then creating rejects once that one has stopped', async () => {
    let stopped = false
    const slow = defineActor({
      name: 'slow',
      protocol: { ping: message() },
      state: () => undefined,
      on: {
        ping: () => undefined,
        'actor.stopping': async ({ clock }) => {
          await new Promise<void>((resolve) => void clock.setTimeout(resolve, 100))
          stopped = true
        },
      },
    })
    const broken = defineActor({
      name: 'broken',
      protocol: { ping: message() },
      state: () => {
        throw new Error('no disk')
      },
      on: { ping: () => undefined },
    })
    const creating = createTestRuntime({ root: supervisor('app', { children: [slow, broken] }) })
    await expect(creating).rejects.toMatchObject({ code: 'START_FAILED' })
    expect(stopped).toBe(true)
  })
})
