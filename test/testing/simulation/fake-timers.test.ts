/* eslint-disable no-restricted-globals -- what becomes of them in a world is what is tested */
import { expect, test, vi } from 'vitest'
import { defineScenario, faults, simulate } from 'echelon/testing'

const seen: unknown[] = []
const scenario = defineScenario({
  name: 'fake timers',
  nodes: {},
  run: async (world) => {
    seen.push(new Date().getUTCFullYear(), setTimeout(() => undefined, 1).constructor.name)
    await world.sleep(1)
  },
})
const campaign = () => simulate(scenario, { seeds: 1, faults: faults.none(), folder: false })

test('given fake timers that were on when the first world began, when they are off again, then later worlds have time of their own', async () => {
  vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  await campaign()
  vi.useRealTimers()
  await campaign()

  expect(seen).toEqual([2026, 'VirtualTimeout', 2026, 'VirtualTimeout'])
  expect(Date.now()).toBeGreaterThan(0)
  expect(new Date().constructor).toBe(Date)
})
