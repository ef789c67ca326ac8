import { describe, expect, test } from 'vitest'
import { createRuntime, defineActor, question } from 'echelon'
import { createTestRuntime, VirtualClock } from 'echelon/testing'
import * as z from 'zod'
import { constant, poisson, spike, steps } from '../../../src/testing/load/arrival.ts'
import { loadLatencies } from '../../../src/testing/load/latencies.ts'
import { loadTest, type LoadTestOptions } from '../../../src/testing/load/load-test.ts'
import { formatLoadReport } from '../../../src/testing/load/report.ts'
import { ModelServer, virtualLoadTest } from './virtual-time.ts'

describe('latencies of a known server', () => {
  test('given a server faster than the arrivals, when it is measured, then each latency is its service time', async () => {
    const clock = new VirtualClock()
    const server = new ModelServer(clock, 5)
    const result = await virtualLoadTest(
      clock,
      { name: 'fast', request: server.request },
      { arrival: constant(100), duration: 2000, slo: { p50Ms: 5, p99Ms: 5, errorRate: 0, goodput: 1 } },
    )
    expect(result.latency).toEqual({
      count: 200,
      p50Ms: 5,
      p90Ms: 5,
      p99Ms: 5,
      p999Ms: 5,
      maxMs: 5,
      meanMs: expect.closeTo(5, 2) as number,
    })
    expect(result.verdict).toBe('pass')
    expect(result.curve.map(({ offered, good, p99Ms }) => [offered, good, p99Ms])).toEqual([
      [100, 100, 5],
      [100, 100, 5],
    ])
    expect(result.doubts).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('given a server that takes twice as long as the gaps, when it is measured, then latencies grow with the queue', async () => {
    const clock = new VirtualClock()
    const server = new ModelServer(clock, 20)
    const result = await virtualLoadTest(
      clock,
      { name: 'saturated', request: server.request },
      { arrival: constant(100), duration: 1000, slo: { p99Ms: 100 }, pointMs: 500 },
    )
    // The k-th of 100 is due at 10 k and is answered at 20 (k + 1): 10 k + 20 later.
    expect(result.latency.maxMs).toBe(1010)
    expect(result.latency.p50Ms).toBeCloseTo(510, 0)
    expect(result.curve.map(({ good, late, p99Ms }) => [good, late, p99Ms])).toEqual([
      [9, 41, 510],
      [0, 50, 1010],
    ])
    expect(result.clauses).toEqual([
      { clause: 'p99Ms', value: expect.closeTo(1000, -1) as number, bound: 100, holds: false },
    ])
    expect(result.verdict).toBe('fail')
  })

  test('given one stall, when it is measured, then all who arrived meanwhile have waited, not only one', async () => {
    const clock = new VirtualClock()
    // A closed loop would see one request of a second and 99 of a millisecond.
    const server = new ModelServer(clock, (n) => (n === 0 ? 1000 : 1))
    const result = await virtualLoadTest(
      clock,
      { name: 'stall', request: server.request },
      { arrival: constant(100), duration: 1000, slo: { p50Ms: 100 } },
    )
    expect(result.latency.p50Ms).toBeGreaterThan(500)
    expect(result.verdict).toBe('fail')
  })

  test('given random arrivals at half of what a server can do, when they are measured, then the mean is as queueing theory has it', async () => {
    const clock = new VirtualClock()
    const server = new ModelServer(clock, 10)
    const result = await virtualLoadTest(
      clock,
      { name: 'M/D/1', request: server.request },
      { arrival: poisson(50), duration: 60_000, slo: { goodput: 1 }, pointMs: 10_000 },
    )
    // Pollaczek-Khinchine: service + rho * service / (2 (1 - rho)).
    expect(result.latency.meanMs).toBeGreaterThan(14)
    expect(result.latency.meanMs).toBeLessThan(16)
    expect(result.generator.lag.maxMs).toBe(0)
  })
})

describe('what becomes of arrivals', () => {
  const never = (): Promise<never> => new Promise(() => {})
  const options = { arrival: constant(10), duration: 1000, slo: { errorRate: 0 } } satisfies LoadTestOptions

  test('given requests that are never answered, when their deadline comes, then they expire, abort, and count with it', async () => {
    const clock = new VirtualClock()
    const aborted: number[] = []
    const result = await virtualLoadTest(
      clock,
      {
        name: 'silent',
        request: (_context, { n, signal }) => {
          signal.addEventListener('abort', () => aborted.push(n))
          return never()
        },
      },
      { ...options, deadlineMs: 300 },
    )
    expect(result.total).toMatchObject({ offered: 10, expired: 10, good: 0 })
    expect([result.latency.p50Ms, result.latency.count]).toEqual([300, 10])
    expect(aborted).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(result.clauses[0]).toMatchObject({ value: 1, holds: false })
    expect(result.generator).toMatchObject({ abandoned: 10, mostInFlight: 10 })
    expect(result.doubts).toEqual([expect.stringContaining('10 requests had not stopped')])
    expect(clock.now()).toBe(1200)
    expect(clock.pending).toBe(0)
  })

  test('given no room for more in flight, when more arrive, then they are counted as unsent and cast doubt', async () => {
    const clock = new VirtualClock()
    const result = await virtualLoadTest(clock, { name: 'full', request: never }, { ...options, maxInFlight: 3 })
    expect(result.total).toMatchObject({ offered: 10, unsent: 7, expired: 3 })
    expect(result.generator.mostInFlight).toBe(3)
    expect(result.doubts[0]).toContain('7 arrivals were not sent')
  })

  test('given too little time to drain, when it is over, then what runs is unfinished', async () => {
    const clock = new VirtualClock()
    const result = await virtualLoadTest(
      clock,
      { name: 'slow', request: new ModelServer(clock, 400).request },
      { ...options, drainMs: 100 },
    )
    expect(result.total).toMatchObject({ offered: 10, good: 2, unfinished: 8 })
    expect(clock.now()).toBe(1000)
  })

  test('given errors, when they are counted, then overload is refused, timeouts expire, and others fail by their code', async () => {
    const clock = new VirtualClock()
    const errors = [
      Object.assign(new Error('a'), { code: 'MAILBOX_FULL' }),
      Object.assign(new Error('b'), { code: 'ASK_TIMEOUT' }),
      Object.assign(new Error('c'), { code: 'ANSWER_INVALID' }),
      new TypeError('d'),
      'e',
    ]
    const result = await virtualLoadTest(
      clock,
      {
        name: 'errors',
        // Also one that throws before it gives a promise.
        request: (_context, { n }) => {
          if (n < 5) throw errors[n]
          return Promise.resolve()
        },
      },
      options,
    )
    expect(result.total).toEqual({
      offered: 10,
      good: 5,
      late: 0,
      refused: 1,
      expired: 1,
      failed: 3,
      unsent: 0,
      unfinished: 0,
    })
    expect(result.errors.map(({ code }) => code)).toEqual([
      'MAILBOX_FULL',
      'ASK_TIMEOUT',
      'ANSWER_INVALID',
      'TypeError',
      'string',
    ])
    expect(result.clauses[0]).toMatchObject({ value: 0.5 })
  })

  test('given an answer after its deadline, when it comes in the same turn, then it has expired once', async () => {
    const clock = new VirtualClock()
    const result = await virtualLoadTest(
      clock,
      { name: 'tardy', request: new ModelServer(clock, 500).request },
      { arrival: constant(1), duration: 1000, slo: { goodput: 1 }, deadlineMs: 400 },
    )
    expect(result.total).toMatchObject({ offered: 1, expired: 1, good: 0, late: 0 })
    expect(result.generator.abandoned).toBe(1)
  })

  test('given answers after their deadline, when more arrive meanwhile, then each is counted once, as expired', async () => {
    const clock = new VirtualClock()
    const request = (): Promise<void> => new Promise((resolve) => void clock.setTimeout(resolve, 150))
    const result = await virtualLoadTest(clock, { name: 'tardy', request }, { ...options, deadlineMs: 100 })
    expect(result.total).toMatchObject({ offered: 10, expired: 10, good: 0, late: 0 })
    expect(result.latency.count).toBe(10)
    expect(result.generator.mostInFlight).toBe(2)
  })

  test('given a thousand errors that differ, when they are counted, then their number is bounded', async () => {
    const clock = new VirtualClock()
    const result = await virtualLoadTest(
      clock,
      {
        name: 'texts',
        request: (_context, { n }) => Promise.reject(Object.assign(new Error('x'), { code: `TEXT_${n}` })),
      },
      { ...options, arrival: constant(1000) },
    )
    expect(result.errors).toHaveLength(51)
    expect(result.errors[0]).toEqual({ code: 'other', count: 950 })
  })
})

describe('a generator that is late', () => {
  /** A clock on which time passes while no timer fires, as when something blocks the event loop. */
  class BlockingClock extends VirtualClock {
    #blockedMs = 0

    constructor() {
      super()
      const virtualNow = this.now
      this.now = () => virtualNow() + this.#blockedMs
    }

    block(ms: number): void {
      this.#blockedMs += ms
    }
  }

  test('given a request that blocks the thread, when others are due meanwhile, then they are all sent, late, and it says so', async () => {
    const clock = new BlockingClock()
    const result = await virtualLoadTest(
      clock,
      {
        name: 'blocking',
        request: async (_context, { n }) => {
          if (n === 10) clock.block(500)
        },
      },
      { arrival: constant(100), duration: 1000, slo: { p50Ms: 1, withinMs: 1 } },
    )
    expect(result.total).toMatchObject({ offered: 100, good: 50, late: 50 })
    expect(result.generator.behind).toBe(true)
    expect(result.generator.lag.maxMs).toBe(490)
    expect(result.latency.maxMs).toBe(500)
    expect(result.sinceSent.p99Ms).toBeLessThan(1)
    expect(result.doubts[0]).toContain('fell behind')
    expect(formatLoadReport(result)).toContain('DOUBT The generator fell behind')
  })

  test('given arrivals that are sent late, when they are not answered, then their deadline still counts from when they were due', async () => {
    const clock = new BlockingClock()
    const abortedMs: number[] = []
    await virtualLoadTest(
      clock,
      {
        name: 'blocking',
        request: (_context, { n, signal }) => {
          if (n === 0) clock.block(55)
          signal.addEventListener('abort', () => abortedMs.push(Math.round(clock.now())))
          return new Promise(() => {})
        },
      },
      { arrival: constant(100), duration: 80, slo: { goodput: 1 }, deadlineMs: 100 },
    )
    // The first was sent before the clock jumped, its timer goes by what passed after.
    expect(abortedMs.toSorted((a, b) => a - b)).toEqual([110, 120, 130, 140, 150, 155, 160, 170])
  })

  test('given many arrivals that are due at once, when they are sent, then timers of the system run in between', async () => {
    const clock = new BlockingClock()
    let sent = 0
    let sentByThen = 0
    await virtualLoadTest(
      clock,
      {
        name: 'burst',
        request: async () => {
          sent += 1
          if (sent > 1) return
          clock.block(900)
          clock.setTimeout(() => {
            sentByThen = sent
          }, 0)
        },
      },
      { arrival: constant(1000), duration: 1000, slo: { goodput: 1 } },
    )
    expect([sent, sentByThen]).toEqual([1000, 256])
  })

  test('given an arrival past its deadline before it is sent, when the generator comes to it, then it is not sent', async () => {
    const clock = new BlockingClock()
    let sent = 0
    const result = await virtualLoadTest(
      clock,
      {
        name: 'blocking',
        request: async () => {
          sent += 1
          if (sent === 1) clock.block(500)
        },
      },
      { arrival: constant(100), duration: 1000, slo: { goodput: 1 }, deadlineMs: 100 },
    )
    expect(result.total).toMatchObject({ offered: 100, expired: 1, unsent: 40, good: 59 })
    expect(sent).toBe(60)
  })
})

describe('the bounds', () => {
  test('given a spike that fills a bounded queue, when it is over, then goodput and recovery are as the queue drains', async () => {
    const clock = new VirtualClock()
    // 100 a second at most. In the spike 400 come, 200 more than go.
    const server = new ModelServer(clock, 10, 100)
    const result = await virtualLoadTest(
      clock,
      { name: 'spike', request: server.request },
      {
        arrival: spike({ base: 50, peak: 200, atMs: 1000, lastsMs: 2000 }),
        duration: 8000,
        slo: { withinMs: 100, recoverWithinMs: 2000, goodput: 0.3 },
      },
    )
    expect(result.total.offered).toBe(700)
    expect(result.total.refused).toBeGreaterThan(90)
    expect(result.errors).toEqual([{ code: 'MAILBOX_FULL', count: result.total.refused }])
    // A queue of 100 in which 50 a second are gained on needs up to two seconds.
    expect(result.clauses.find(({ clause }) => clause === 'recoverWithinMs')).toEqual({
      clause: 'recoverWithinMs',
      value: 2000,
      bound: 2000,
      holds: true,
    })
    expect(result.verdict).toBe('pass')
  })

  test('given a system that never comes back, when recovery is judged, then there is no value and it fails', async () => {
    const clock = new VirtualClock()
    let isBroken = false
    const result = await virtualLoadTest(
      clock,
      {
        name: 'metastable',
        request: async () => {
          isBroken ||= clock.now() >= 1000
          if (isBroken) throw new Error('down')
        },
      },
      {
        arrival: spike({ base: 10, peak: 20, atMs: 1000, lastsMs: 1000 }),
        duration: 5000,
        slo: { recoverWithinMs: 3000 },
      },
    )
    expect(result.clauses).toEqual([{ clause: 'recoverWithinMs', value: undefined, bound: 3000, holds: false }])
    expect(formatLoadReport(result)).toContain('MISS  recoverWithin  none  (at most 3000 ms)')
  })

  test('given a system that nobody asks after the spike, when recovery is judged, then nothing is known and it fails', async () => {
    const clock = new VirtualClock()
    const result = await virtualLoadTest(
      clock,
      { name: 'unasked', request: () => Promise.resolve() },
      {
        arrival: spike({ base: 0, peak: 20, atMs: 1000, lastsMs: 1000 }),
        duration: 4000,
        slo: { recoverWithinMs: 1000 },
      },
    )
    expect(result.clauses).toMatchObject([{ value: undefined, holds: false }])
    expect(result.curve.map(({ offered }) => offered)).toEqual([0, 20, 0, 0])
  })

  test('given a system that is down for a while, when recovery counts from a time that the test names, then it is found', async () => {
    const clock = new VirtualClock()
    const request = async (): Promise<void> => {
      if (clock.now() >= 1000 && clock.now() < 2500) throw new Error('down')
    }
    const slo = { recoverWithinMs: 500, recoverFromMs: 2000 }
    const result = await virtualLoadTest(
      clock,
      { name: 'outage', request },
      { arrival: constant(100), duration: 5000, slo, pointMs: 100 },
    )
    expect(result.clauses).toMatchObject([{ value: 500, holds: true }])
  })

  test('given steps, when the curve is drawn, then each step is a point', async () => {
    const clock = new VirtualClock()
    const result = await virtualLoadTest(
      clock,
      { name: 'steps', request: new ModelServer(clock, 10).request },
      {
        arrival: steps([
          { perSecond: 50, forMs: 2000 },
          { perSecond: 200, forMs: 500 },
        ]),
        duration: 4000,
        slo: { goodput: 0.5, withinMs: 20 },
      },
    )
    expect(result.curve.map(({ fromMs, toMs, offered, good }) => [fromMs, toMs, offered, good])).toEqual([
      [0, 2000, 100, 100],
      [2000, 4000, 100, 3],
    ])
  })

  test('given fewer requests than a percentile needs, when it is judged, then the doubt is told', async () => {
    const clock = new VirtualClock()
    const result = await virtualLoadTest(
      clock,
      { name: 'few', request: new ModelServer(clock, 1).request },
      { arrival: constant(10), duration: 1000, slo: { p999Ms: 5 } },
    )
    expect(result.verdict).toBe('pass')
    expect(result.doubts).toEqual([expect.stringContaining('p999Ms is of 10 requests only')])
  })
})

describe('around the requests', () => {
  const options = { arrival: constant(10), duration: 500, slo: { goodput: 1 } } satisfies LoadTestOptions

  test('given a context, when the test runs, then it is set up before, given to each, and torn down after', async () => {
    const clock = new VirtualClock()
    const told: string[] = []
    await virtualLoadTest(
      clock,
      {
        name: 'context',
        setup: () => ({ tell: (what: string) => void told.push(what) }),
        request: async ({ tell }, { n }) => {
          tell(`request ${n}`)
        },
        teardown: ({ tell }) => {
          tell('teardown')
        },
      },
      options,
    )
    expect(told).toEqual(['request 0', 'request 1', 'request 2', 'request 3', 'request 4', 'teardown'])
  })

  test('given a setup that fails, when the test runs, then it rejects with that and sends nothing', async () => {
    const broken = new Error('no database')
    const run = loadTest(
      { name: 'broken', setup: () => Promise.reject(broken), request: () => expect.unreachable() },
      options,
    )
    await expect(run).rejects.toBe(broken)
  })

  test.each<[string, Partial<LoadTestOptions>, string]>([
    ['no bound', { slo: {} }, 'has no bound'],
    ['a goodput above 1', { slo: { goodput: 90 } }, 'fraction from 0 to 1'],
    ['a latency of 0', { slo: { p99Ms: 0 } }, 'milliseconds above 0'],
    ['recovery from nothing', { slo: { recoverWithinMs: 5 } }, 'from when'],
    ['recovery from after the end', { slo: { recoverWithinMs: 5, recoverFromMs: 500 } }, 'ends at 500 ms'],
    ['no time', { duration: 0 }, 'duration is 0'],
    ['a deadline without end', { deadlineMs: Infinity }, 'up to 3600000'],
    ['half a request in flight', { maxInFlight: 0.5 }, 'whole number'],
    ['a curve of too many points', { pointMs: 0.1 }, 'raise pointMs'],
  ])('given %s, when the test is asked for, then it is refused before setup', async (_what, wrong, problem) => {
    const run = loadTest(
      { name: 'wrong', setup: () => expect.unreachable(), request: () => expect.unreachable() },
      { ...options, ...wrong },
    )
    await expect(run).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining(problem) as string,
    })
  })

  test('given a seed, when random arrivals run twice, then the results are equal, as plain data', async () => {
    const run = async () => {
      const clock = new VirtualClock()
      const scenario = { name: 'seeded', request: new ModelServer(clock, 7).request }
      return virtualLoadTest(clock, scenario, { ...options, arrival: poisson(100), duration: 2000 })
    }
    const [first, second] = [await run(), await run()]
    expect(second).toEqual(first)
    expect(JSON.parse(JSON.stringify(first))).toEqual(first)
  })

  test('given delays beyond the bounds of a histogram, when they are recorded, then they count as the bounds', async () => {
    const latencies = (await loadLatencies())(10)
    for (const ms of [-1, 1, 20_000]) latencies.record(ms)
    expect(latencies.figures()).toMatchObject({ count: 3, p50Ms: 1, maxMs: 10 })
    expect(latencies.percentileMs(0.1)).toBe(0)
  })

  test('given that the histogram is not installed, when it is loaded, then the error says what to install', async () => {
    const missing = Object.assign(new Error("Cannot find package 'hdr-histogram-js'"), { code: 'ERR_MODULE_NOT_FOUND' })
    await expect(loadLatencies(() => Promise.reject(missing))).rejects.toMatchObject({
      code: 'DEPENDENCY_MISSING',
      message: expect.stringContaining('npm install hdr-histogram-js') as string,
      cause: missing,
    })
    const broken = new SyntaxError('not this time')
    await expect(loadLatencies(() => Promise.reject(broken))).rejects.toBe(broken)
  })
})

describe('a runtime', () => {
  /** Answers after 10 ms, one after the other. */
  const clerk = defineActor({
    name: 'clerk',
    protocol: { 'clerk.serve': question({}, z.int()) },
    mailbox: { capacity: 20 },
    state: () => 0,
    on: {
      'clerk.serve': async ({ state, reply, clock }) => {
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, 10))
        reply(state)
        return state + 1
      },
    },
  })

  test('given an actor with a bounded mailbox, when twice of what it can do arrives, then half is answered and half refused', async () => {
    await using world = await createTestRuntime()
    await loadLatencies() // so that nothing but time is waited for below
    const ref = world.runtime.spawn(clerk)
    const run = loadTest(
      { name: 'clerk', request: () => ref.ask({ type: 'clerk.serve' }) },
      { arrival: constant(200), duration: 5000, slo: { p99Ms: 250, goodput: 0.45 }, seed: 1, clock: world.clock },
    )
    const result = await world.until(run)
    expect(result.total.failed + result.total.expired).toBe(0)
    expect(result.total.good / 500).toBeCloseTo(1.04, 1)
    expect(result.verdict).toBe('pass')
    expect(result.errors).toEqual([{ code: 'MAILBOX_FULL', count: result.total.refused }])
  })

  test('given a real runtime in real time, when it is asked 500 times a second, then all are answered and the report says so', async () => {
    const echo = defineActor({
      name: 'echo',
      protocol: { 'echo.say': question({ n: z.int() }, z.int()) },
      state: () => 0,
      on: {
        'echo.say': ({ message, reply }) => {
          reply(message.n)
        },
      },
    })
    const result = await loadTest(
      {
        name: 'echo',
        setup: async () => {
          const runtime = await createRuntime({ node: 'load' })
          return { runtime, ref: runtime.spawn(echo) }
        },
        request: ({ ref }, { n, signal }) => ref.ask({ type: 'echo.say', n }, { signal }),
        teardown: ({ runtime }) => runtime.shutdown(),
      },
      { arrival: poisson(500), duration: 400, slo: { p50Ms: 5000, goodput: 1 }, seed: 4 },
    )
    expect(result.verdict).toBe('pass')
    expect(result.total.good).toBe(result.total.offered)
    expect(result.total.offered).toBeGreaterThan(150)
    expect(result.generator.lag.count).toBe(result.total.offered)
    expect(result.latency.p50Ms).toBeGreaterThanOrEqual(result.sinceSent.p50Ms)
    expect(formatLoadReport(result)).toMatch(/^PASS {2}echo: poisson\(500\/s\) for 400 ms, seed 4\n/)
  })
})
