import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createActor, createMachine } from 'xstate'
import { VirtualClock } from 'echelon/testing'

/** What a virtual clock should do, as plainly as it can be said. */
class NaiveClock {
  now = 0
  timers: { id: number; dueMs: number }[] = []
  fired: string[] = []

  set(id: number, delayMs: number): void {
    this.timers.push({ id, dueMs: this.now + Math.max(0, delayMs) })
  }

  clear(id: number): void {
    this.timers = this.timers.filter((timer) => timer.id !== id)
  }

  advanceTo(ms: number, onFire: (id: number) => void): void {
    for (;;) {
      // The earliest; the first set of those. Timers are in the order in which they were set.
      const due = this.timers.filter(({ dueMs }) => dueMs <= ms)
      const next = due.find(({ dueMs }) => dueMs === Math.min(...due.map((timer) => timer.dueMs)))
      if (next === undefined) break
      this.timers = this.timers.filter((timer) => timer !== next)
      this.now = Math.max(this.now, next.dueMs)
      this.fired.push(`${next.id} at ${this.now}`)
      onFire(next.id)
    }
    this.now = Math.max(this.now, ms)
  }
}

describe('against a naive model', () => {
  const delay = fc.oneof(fc.integer({ min: -5, max: 60 }), fc.constantFrom(0, 0.5, Infinity, NaN))
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('set' as const),
        delayMs: delay,
        then: fc.option(delay),
        clears: fc.nat(100),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('clear' as const), index: fc.nat(100) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: -3, max: 15 }) }),
    },
  )

  test('any setting, clearing and advancing, also from timers that fire, does the same', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 250, size: 'max' }), (steps) => {
        const clock = new VirtualClock()
        const naive = new NaiveClock()
        const fired: string[] = []
        const handles: object[] = []
        const plans: { then: number | null; clears: number }[] = []
        const ids = { clock: 0, naive: 0 }

        const setOnClock = (delayMs: number): void => {
          const id = ids.clock++
          handles[id] = clock.setTimeout(() => {
            fired.push(`${id} at ${clock.now()}`)
            const plan = plans[id]
            clock.clearTimeout(handles[plan?.clears ?? -1])
            if (plan !== undefined && plan.then !== null) setOnClock(plan.then)
          }, delayMs)
        }
        const setOnNaive = (delayMs: number): void => {
          const id = ids.naive++
          if (Number.isNaN(delayMs)) naive.set(id, 0)
          else if (delayMs < Infinity) naive.set(id, delayMs)
        }
        const naiveFires = (id: number): void => {
          const plan = plans[id]
          naive.clear(plan?.clears ?? -1)
          if (plan !== undefined && plan.then !== null) setOnNaive(plan.then)
        }

        for (const it of steps) {
          if (it.kind === 'set') {
            plans[ids.clock] = { then: it.then, clears: it.clears }
            setOnClock(it.delayMs)
            setOnNaive(it.delayMs)
          } else if (it.kind === 'clear') {
            clock.clearTimeout(handles[it.index])
            naive.clear(it.index)
          } else {
            clock.advanceTo(clock.now() + it.ms)
            naive.advanceTo(naive.now + it.ms, naiveFires)
          }
          expect(fired).toEqual(naive.fired)
          expect(clock.now()).toBe(naive.now)
          expect(clock.pending).toBe(naive.timers.length)
          const due = Math.min(...naive.timers.map(({ dueMs }) => dueMs))
          expect(clock.nextDueMs).toBe(due === Infinity ? undefined : due)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('one by one', () => {
  test('given timers of the same time, then they fire in the order in which they were set', () => {
    const clock = new VirtualClock()
    const fired: number[] = []
    for (let i = 0; i < 50; i += 1) clock.setTimeout(() => fired.push(i), 10)
    clock.advanceBy(10)
    expect(fired).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })

  test('given a timer that is cleared far from the next, then the order of the others is kept', () => {
    const clock = new VirtualClock()
    const fired: number[] = []
    const delaysMs = [8, 39, 42, 10, 2, 35, 44, 24, 40, 33, 16]
    const timers = delaysMs.map((ms) => clock.setTimeout(() => fired.push(ms), ms))
    clock.clearTimeout(timers[2])
    clock.advanceBy(50)
    expect(fired).toEqual([2, 8, 10, 16, 24, 33, 35, 39, 40, 44])
  })

  test('given a timer that sets one for now, then that fires in the same step, and time does not run ahead', () => {
    const clock = new VirtualClock()
    const at: number[] = []
    clock.setTimeout(() => {
      at.push(clock.now())
      clock.setTimeout(() => at.push(clock.now()), 0)
      clock.setTimeout(() => at.push(clock.now()), 5)
    }, 10)
    clock.advanceBy(100)
    expect(at).toEqual([10, 10, 15])
    expect(clock.now()).toBe(100)
  })

  test('given a timer that throws, then the others are still to come, from its time on', () => {
    const clock = new VirtualClock()
    const at: number[] = []
    clock.setTimeout(() => {
      throw new Error('boom')
    }, 5)
    clock.setTimeout(() => at.push(clock.now()), 7)
    expect(() => {
      clock.advanceBy(10)
    }).toThrow('boom')
    expect(clock.now()).toBe(5)
    clock.advanceBy(2)
    expect(at).toEqual([7])
  })

  test('given handles that are not its own, or have fired, then clearing them does nothing', () => {
    const clock = new VirtualClock()
    const other = new VirtualClock()
    let fired = 0
    const count = (): void => {
      fired += 1
    }
    const gone = clock.setTimeout(count, 1)
    clock.advanceBy(1)
    clock.setTimeout(count, 10)
    other.setTimeout(count, 10)
    const foreign = other.setTimeout(count, 20)
    for (const handle of [gone, foreign, {}, undefined]) clock.clearTimeout(handle)
    clock.advanceBy(10)
    other.advanceBy(20)
    expect(fired).toBe(4)
  })

  test('given a time that is no time, then it is refused', () => {
    const clock = new VirtualClock()
    for (const ms of [NaN, Infinity, -Infinity]) expect(() => clock.advanceTo(ms)).toThrow(RangeError)
    clock.advanceTo(5)
    clock.advanceTo(3)
    expect(clock.now()).toBe(5)
  })

  test('given its wall clock, then it begins at its epoch and goes with it', () => {
    const clock = new VirtualClock({ epochMs: 1_000_000 })
    clock.advanceBy(250)
    expect(clock.wallNow()).toBe(1_000_250)
    expect(new Date(new VirtualClock().wallNow()).toISOString()).toBe('2026-01-01T00:00:00.000Z')
  })

  test('given a machine of XState with a delay, then it goes by this clock', () => {
    const clock = new VirtualClock()
    const machine = createMachine({ initial: 'a', states: { a: { after: { 30_000: 'b' } }, b: {} } })
    const actor = createActor(machine, { clock }).start()
    clock.advanceBy(29_999)
    expect(actor.getSnapshot().value).toBe('a')
    clock.advanceBy(1)
    expect(actor.getSnapshot().value).toBe('b')
    actor.stop()
  })
})

test('given 100,000 timers, when half are cleared and the rest fire, then it takes a few hundred thousand comparisons, not billions', () => {
  const clock = new VirtualClock()
  const handles: object[] = []
  let fired = 0
  let lastMs = 0
  let inOrder = true
  for (let i = 0; i < 100_000; i += 1) {
    // Spread over a second, in no order.
    handles.push(
      clock.setTimeout(
        () => {
          fired += 1
          inOrder &&= clock.now() >= lastMs
          lastMs = clock.now()
        },
        (i * 7919) % 100_003,
      ),
    )
  }
  for (let i = 0; i < 100_000; i += 2) clock.clearTimeout(handles[i])
  clock.advanceBy(100_003)
  expect(fired).toBe(50_000)
  expect(inOrder).toBe(true)
  expect(clock.pending).toBe(0)
}, 5000)
