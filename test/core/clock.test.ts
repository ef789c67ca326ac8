import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from 'echelon'

const longestNodeDelayMs = 2 ** 31 - 1

describe('the system clock over a fake setTimeout, which like that of Node fires at once beyond 31 bits', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  const fires = (delayMs: number): { count: number } => {
    const seen = { count: 0 }
    systemClock.setTimeout(() => (seen.count += 1), delayMs)
    return seen
  }

  test.each([
    1,
    1000,
    longestNodeDelayMs - 1,
    longestNodeDelayMs,
    longestNodeDelayMs + 1,
    2 * longestNodeDelayMs,
    2 * longestNodeDelayMs + 1,
    5 * longestNodeDelayMs + 12_345,
  ])('given a delay of %d ms, then it fires then, not before, and once', (delayMs) => {
    const seen = fires(delayMs)
    vi.advanceTimersByTime(delayMs - 1)
    expect(seen.count).toBe(0)
    vi.advanceTimersByTime(1)
    expect(seen.count).toBe(1)
    vi.advanceTimersByTime(3 * longestNodeDelayMs)
    expect(seen.count).toBe(1)
  })

  test.each([0, -5, NaN])(
    'given a delay of %d ms, then it fires as soon as timers run, never on the spot',
    (delayMs) => {
      const seen = fires(delayMs)
      expect(seen.count).toBe(0)
      vi.advanceTimersByTime(1)
      expect(seen.count).toBe(1)
    },
  )

  test('given a delay that never ends, then it does not fire', () => {
    const seen = fires(Infinity)
    vi.advanceTimersByTime(4 * longestNodeDelayMs)
    expect(seen.count).toBe(0)
  })

  test.each([0, 1, 2])(
    'given a long delay, when it is cleared after %d steps, then it does not fire and nothing is left',
    (steps) => {
      let fired = false
      const timer = systemClock.setTimeout(() => {
        fired = true
      }, 3 * longestNodeDelayMs)
      vi.advanceTimersByTime(steps * longestNodeDelayMs)
      systemClock.clearTimeout(timer)
      expect(vi.getTimerCount()).toBe(0)
      vi.advanceTimersByTime(4 * longestNodeDelayMs)
      expect(fired).toBe(false)
    },
  )

  test('given handles that are none, or have fired, then clearing them does nothing', () => {
    let fired = 0
    const timer = systemClock.setTimeout(() => (fired += 1), 1)
    vi.advanceTimersByTime(1)
    for (const handle of [timer, undefined, {}]) systemClock.clearTimeout(handle)
    expect(fired).toBe(1)
  })
})

test('given two looks at the time, then it has not gone back, and the wall clock is that of Date', () => {
  const [first, second] = [systemClock.now(), systemClock.now()]
  expect(second).toBeGreaterThanOrEqual(first)
  const before = Date.now()
  const wall = systemClock.wallNow()
  expect(wall).toBeGreaterThanOrEqual(before)
  expect(wall).toBeLessThanOrEqual(Date.now())
})
