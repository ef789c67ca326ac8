import { seededRandom } from 'echelon'
import { expect, test } from 'vitest'
import type { SimulationKernel } from '../../../src/testing/simulation/kernel.ts'
import { Zone } from '../../../src/testing/simulation/zone.ts'

test('given a clock that drifts, when what is left of a time is waited for, then it has passed', () => {
  const random = seededRandom(1)
  const time = {
    nowMs: 0,
    /** Time passes until a timer is due. */
    timer: (_zone: Zone, _label: string, delayMs: number) => {
      time.nowMs += delayMs
    },
  }
  // It asks for nothing but the time and timers.
  const zone = new Zone(time as unknown as SimulationKernel, 'node', 1, random)
  let most = 0

  for (let round = 0; round < 10_000; round += 1) {
    time.nowMs += random.next() * 1000
    zone.drift([0.9, 1, 1.1][random.int(3)] ?? 1)
    const deadlineMs = zone.now() + random.int(5000) + random.next()
    let waits = 0
    for (; zone.now() < deadlineMs && waits < 10; waits += 1) zone.setTimeout(() => undefined, deadlineMs - zone.now())
    most = Math.max(most, waits)
  }

  expect(most).toBeLessThanOrEqual(2)
})
