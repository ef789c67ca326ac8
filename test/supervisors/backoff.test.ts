import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { child, defineActor, message, seededRandom, supervisor, type Backoff, type Ref } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { backoffDelayMs, FailureStreak } from '../../src/supervisors/backoff.ts'

const noJitter = { next: () => 0, int: () => 0, fork: () => noJitter }

describe('the delay', () => {
  test.each([
    [0, 100],
    [1, 200],
    [2, 400],
    [3, 800],
    [4, 1000],
    [50, 1000],
    [5000, 1000],
  ])('given restart %d, then it is min * 2^n up to max: %d ms', (attempt, expected) => {
    expect(backoffDelayMs({ minMs: 100, maxMs: 1000, jitter: 0 }, attempt, seededRandom(1))).toBe(expected)
  })

  test('given jitter, then the delay is that of Pekko’s formula with the seeded number, to the digit', () => {
    const numbers = seededRandom('backoff')
    const expected = [0, 1, 2, 3].map((n) => Math.min(1000, 100 * 2 ** n) * (1 + numbers.next() * 0.5))
    const random = seededRandom('backoff')
    expect([0, 1, 2, 3].map((n) => backoffDelayMs({ minMs: 100, maxMs: 1000, jitter: 0.5 }, n, random))).toEqual(
      expected,
    )
  })

  test('is never less than without jitter, nor more than jitter allows', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 2000 }),
        fc.string(),
        (minMs, more, jitter, attempt, seed) => {
          const backoff: Backoff = { minMs, maxMs: minMs + more, jitter }
          const bare = backoffDelayMs({ ...backoff, jitter: 0 }, attempt, noJitter)
          const delay = backoffDelayMs(backoff, attempt, seededRandom(seed))
          expect(delay).toBeGreaterThanOrEqual(bare)
          expect(delay).toBeLessThanOrEqual(bare * (1 + jitter))
        },
      ),
      { seed: 20260104 },
    )
  })
})

describe('the streak of failures', () => {
  test('grows with failures in a row, and begins again after a quiet time', () => {
    const streak = new FailureStreak({ minMs: 100, maxMs: 300 }) // quiet: (100 + 300) / 2
    expect([streak.next(0, 0), streak.next(10, 5), streak.next(20, 15)]).toEqual([0, 1, 2])
    expect(streak.next(225, 25)).toBe(0) // up for 200 ms
  })

  test('SupervisionSpec: default resetBackoffAfter to average of min and max backoff', () => {
    const streak = new FailureStreak({ minMs: 100, maxMs: 300 })
    streak.next(0, 0)
    expect(streak.next(199, 0)).toBe(1)
    expect(streak.next(399, 199)).toBe(0)
  })

  test('does not count the time of the backoff itself as quiet', () => {
    const streak = new FailureStreak({ minMs: 100, maxMs: 300, resetAfterMs: 50 })
    streak.next(0, 0)
    expect(streak.next(1000, 990)).toBe(1) // it came up at 990 and failed at once
  })
})

describe('restarts that wait', () => {
  const fragile = defineActor({
    name: 'fragile',
    protocol: { crash: message(), note: message() },
    on: {
      crash: () => {
        throw new Error('boom')
      },
      note: () => undefined,
    },
  })

  test('SupervisionSpec: restart after exponential backoff', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(fragile, {
      backoff: { minMs: 1000, maxMs: 10_000, jitter: 0, resetAfterMs: 10_000 },
      intensity: { restarts: 10, withinMs: 60_000 },
    })
    for (const [round, delayMs] of [1000, 2000, 4000].entries()) {
      ref.tell({ type: 'crash' })
      await t.advance(delayMs - 1)
      expect([ref.isRunning, ref.incarnation]).toEqual([false, round + 1])
      ref.tell({ type: 'note' }) // its mailbox is not kept
      await t.advance(1)
      expect([ref.isRunning, ref.incarnation]).toEqual([true, round + 2])
    }
    expect(t.runtime.deadLetters.byReason.get('stopped')).toBe(3)
  })

  test('given a seed, then the moments of the restarts are the same in every run, and others with another', async () => {
    const moments = async (seed: number): Promise<readonly number[]> => {
      await using t = await createTestRuntime({ seed })
      const at: number[] = []
      t.runtime.on('restarted', () => at.push(t.clock.now()))
      const ref = t.runtime.spawn(fragile, {
        backoff: { minMs: 100, maxMs: 1000, jitter: 1 },
        intensity: { restarts: 10, withinMs: 60_000 },
      })
      for (let i = 0; i < 3; i += 1) {
        ref.tell({ type: 'crash' })
        await t.advance(2000)
      }
      return at
    }
    const first = await moments(7)
    expect(first).toHaveLength(3)
    expect(await moments(7)).toEqual(first)
    expect(await moments(8)).not.toEqual(first)
    for (const moment of first) expect(Number.isInteger(moment)).toBe(false) // there is jitter in it
  })

  test('SupervisionSpec: reset exponential backoff count after reset timeout', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(fragile, {
      backoff: { minMs: 100, maxMs: 10_000, jitter: 0, resetAfterMs: 1000 },
      intensity: { restarts: 10, withinMs: 60_000 },
    })
    for (const delayMs of [100, 200]) {
      ref.tell({ type: 'crash' })
      await t.advance(delayMs)
    }
    await t.advance(1000)
    ref.tell({ type: 'crash' })
    await t.advance(99)
    expect(ref.isRunning).toBe(false)
    await t.advance(1)
    expect(ref.isRunning).toBe(true)
  })

  test('SupervisionSpec: restart with exponential backoff when deferred factory throws', async () => {
    await using t = await createTestRuntime()
    let failures = 0
    const flaky = defineActor({
      name: 'flaky',
      protocol: { crash: message() },
      state: () => {
        if (failures > 0) {
          failures -= 1
          throw new Error('not yet')
        }
      },
      on: {
        crash: () => {
          throw new Error('boom')
        },
      },
    })
    const ref = t.runtime.spawn(flaky, {
      backoff: { minMs: 100, maxMs: 10_000, jitter: 0 },
      intensity: { restarts: 10, withinMs: 60_000 },
    })
    failures = 2
    ref.tell({ type: 'crash' })
    await t.advance(100 + 200 + 399)
    expect(ref.isRunning).toBe(false)
    await t.advance(1)
    expect(ref.isRunning).toBe(true)
  })

  test('SupervisionSpec: fail if reaching maximum number of restarts with backoff', async () => {
    await using t = await createTestRuntime()
    let broken = false
    const escalated: string[] = []
    t.runtime.on('escalated', ({ from }) => escalated.push(from))
    const flaky = defineActor({
      name: 'flaky',
      protocol: { crash: message() },
      state: () => {
        if (broken) throw new Error('failure to restart')
      },
      on: {
        crash: () => {
          throw new Error('boom')
        },
      },
    })
    const ref = t.runtime.spawn(flaky, {
      backoff: { minMs: 200, maxMs: 10_000, jitter: 0 },
      intensity: { restarts: 2, withinMs: 60_000 },
    })
    broken = true
    ref.tell({ type: 'crash' })
    await t.advance(60_000)
    expect(ref.isRunning).toBe(false)
    expect(t.runtime.ref(ref.path)).toBeUndefined()
    expect(escalated).toEqual(['/user'])
    expect(t.clock.pending).toBe(0)
  })

  test.each(['stop', 'supervisor stop', 'shutdown'] as const)(
    'given a %s while it waits, then it does not come back',
    async (how) => {
      const t = await createTestRuntime()
      const tree = supervisor('tree', { children: [child(fragile, { backoff: { minMs: 1000, maxMs: 1000 } })] })
      const top = t.runtime.spawn(tree)
      // The only child is `fragile`.
      const ref = t.runtime.ref(`${top.path}/fragile`) as unknown as Ref<typeof fragile.protocol>
      ref.tell({ type: 'crash' })
      await t.settle()
      const starts: string[] = []
      t.runtime.on('spawned', ({ path }) => starts.push(path))
      if (how === 'stop') void ref.stop()
      else if (how === 'supervisor stop') void top.stop()
      else void t.runtime.shutdown()
      await t.settle()
      await t.advance(5000)
      expect(starts).toEqual([])
      expect(ref.isRunning).toBe(false)
      await t[Symbol.asyncDispose]()
      expect(t.clock.pending).toBe(0)
    },
  )

  test('given a stop while it waits, then its supervisor lists it as stopped at once', async () => {
    await using t = await createTestRuntime()
    const tree = supervisor('tree', { children: [child(fragile, { backoff: { minMs: 1000, maxMs: 1000 } })] })
    const top = t.runtime.spawn(tree)
    const ref = t.runtime.ref(`${top.path}/fragile`) as unknown as Ref<typeof fragile.protocol>
    ref.tell({ type: 'crash' })
    await t.settle()
    expect(top.snapshot.context.children).toMatchObject([{ id: 'fragile', status: 'restarting' }])
    void ref.stop()
    await t.settle()
    expect(top.snapshot.context.children).toMatchObject([{ id: 'fragile', status: 'stopped' }])
  })

  test('given a kill while it waits, then nothing happens: there is nobody to kill', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(fragile, { backoff: { minMs: 1000, maxMs: 1000, jitter: 0 } })
    ref.tell({ type: 'crash' })
    await t.settle()
    ref.kill()
    await t.advance(1000)
    expect([ref.isRunning, ref.incarnation]).toEqual([true, 2])
  })
})
