import { expect, test } from 'vitest'
import { child, defineActor, message, supervisor } from 'echelon'
import { createTestRuntime } from 'echelon/testing'

test.each([
  ['waits for the next try', 300],
  ['cleans up', 210],
])(
  'given a supervisor whose restart failed and that %s, when it is stopped, then it stays down',
  async (_, afterMs) => {
    let starts = 0
    const slow = defineActor({
      name: 'slow',
      protocol: {},
      on: {
        'actor.stopping': async ({ clock }) => {
          await new Promise<void>((resolve) => void clock.setTimeout(resolve, 20))
        },
      },
    })
    const frail = defineActor({
      name: 'frail',
      protocol: { go: message() },
      state: () => {
        starts += 1
        if (starts > 1) throw new Error('cannot start')
      },
      on: { go: () => undefined },
    })
    const inner = supervisor('inner', { children: [slow, frail] })
    const top = supervisor('top', {
      intensity: { restarts: 100, withinMs: 1000 },
      children: [child(inner, { backoff: { minMs: 200, maxMs: 200, jitter: 0 } })],
    })
    await using t = await createTestRuntime({ root: top })
    const ref = t.runtime.ref('/top/inner')
    ref?.kill()
    await t.advance(afterMs) // the first try comes after 200 ms and cleans up for 20
    const before = starts
    expect(before).toBeGreaterThan(1)
    void ref?.stop()
    await t.advance(5000)
    expect(starts).toBe(before)
    expect(t.runtime.ref('/top')?.isRunning).toBe(true)
  },
)
