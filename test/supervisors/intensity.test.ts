import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { child, defineActor, message, supervisor, type Ref } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { RestartWindow } from '../../src/supervisors/restart-intensity.ts'

/** OTP's add_restart, with milliseconds: keeps what is in the window, adds this one, counts. */
class ListedWindow {
  #pastMs: number[] = []
  readonly #restarts: number
  readonly #withinMs: number

  constructor(restarts: number, withinMs: number) {
    this.#restarts = restarts
    this.#withinMs = withinMs
  }

  exceeds(nowMs: number): boolean {
    this.#pastMs = [nowMs, ...this.#pastMs.filter((pastMs) => pastMs >= nowMs - this.#withinMs)]
    return this.#pastMs.length > this.#restarts
  }
}

describe('the window of restarts', () => {
  test('says what OTP’s list says, for any moments', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 8 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }),
        (restarts, withinMs, gaps) => {
          const [window, listed] = [new RestartWindow({ restarts, withinMs }), new ListedWindow(restarts, withinMs)]
          let nowMs = 0
          for (const gap of gaps) {
            nowMs += gap
            const exceeded = listed.exceeds(nowMs)
            expect(window.exceeds(nowMs)).toBe(exceeded)
            if (exceeded) return // the supervisor is over
          }
        },
      ),
      { seed: 20260105, numRuns: 2000 },
    )
  })

  test.each([
    [5000, true],
    [5001, false],
  ])(
    'given one restart in 5,000 ms, when the second comes after %d ms, then that is too many: %s',
    (gapMs, exceeded) => {
      const window = new RestartWindow({ restarts: 1, withinMs: 5000 })
      expect([window.exceeds(0), window.exceeds(gapMs)]).toEqual([false, exceeded])
    },
  )

  test('slides: it does not begin anew with the first failure, as a fixed window would', () => {
    const window = new RestartWindow({ restarts: 2, withinMs: 1000 })
    // A window that opened at 0 would have closed at 1,000 and let the next two pass.
    expect([0, 900, 1100, 1200].map((ms) => window.exceeds(ms))).toEqual([false, false, false, true])
  })
})

describe('a supervisor’s intensity', () => {
  const fragile = (name: string) =>
    defineActor({
      name,
      protocol: { crash: message() },
      on: {
        crash: () => {
          throw new Error('boom')
        },
      },
    })
  type Fragile = Ref<ReturnType<typeof fragile>['protocol']>

  test('actor-ts #917: the budget is the supervisor’s, children share it', async () => {
    await using t = await createTestRuntime()
    const top = t.runtime.spawn(
      supervisor('tree', { intensity: { restarts: 2, withinMs: 5000 }, children: ['a', 'b', 'c'].map(fragile) }),
      { restart: 'temporary' },
    )
    const refs = ['a', 'b', 'c'].map((name) => t.runtime.ref(`${top.path}/${name}`) as unknown as Fragile)
    for (const ref of refs) {
      ref.tell({ type: 'crash' })
      await t.settle()
    }
    expect(await top.exited).toEqual({ kind: 'shutdown' })
  })

  test('per child: a child with its own intensity uses up its own, stays down alone, and that is escalated', async () => {
    await using t = await createTestRuntime()
    const escalated: unknown[] = []
    t.runtime.on('escalated', ({ from, to, reason }) => escalated.push([from, to, reason.kind]))
    const own = { intensity: { restarts: 1, withinMs: 5000 } }
    const top = t.runtime.spawn(
      supervisor('tree', {
        intensity: { restarts: 1, withinMs: 5000 },
        children: [child(fragile('a'), own), fragile('b')],
      }),
    )
    const [a, b] = ['a', 'b'].map((name) => t.runtime.ref(`${top.path}/${name}`) as unknown as Fragile)
    for (let i = 0; i < 2; i += 1) {
      a?.tell({ type: 'crash' })
      await t.settle()
    }
    expect(top.isRunning).toBe(true)
    expect(a?.isRunning).toBe(false)
    expect(escalated).toEqual([[top.path, '/user', 'failure']])
    b?.tell({ type: 'crash' })
    await t.settle()
    // Of the supervisor's own budget nothing was used by a.
    expect([b?.isRunning, top.incarnation]).toEqual([true, 1])
  })

  test('SupervisionSpec: stop when restart limit is hit', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(fragile('target'), { intensity: { restarts: 2, withinMs: 500 } })
    for (const expected of [true, true, false]) {
      ref.tell({ type: 'crash' })
      await t.settle()
      expect(ref.isRunning).toBe(expected)
    }
  })

  test('SupervisionSpec: reset fixed limit after timeout; here the window slides', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(fragile('target'), { intensity: { restarts: 2, withinMs: 500 } })
    for (let i = 0; i < 2; i += 1) {
      ref.tell({ type: 'crash' })
      await t.settle()
    }
    await t.advance(501)
    ref.tell({ type: 'crash' })
    await t.settle()
    expect([ref.isRunning, ref.incarnation]).toEqual([true, 4])
  })

  test('SupervisionSpec: stop at first exception when restart retries limit is 0', async () => {
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(fragile('target'), { intensity: { restarts: 0, withinMs: 500 } })
    ref.tell({ type: 'crash' })
    await t.settle()
    expect([ref.isRunning, ref.incarnation]).toEqual([false, 1])
  })

  test.each([
    [{ restarts: -1, withinMs: 1 }, 'restarts'],
    [{ restarts: 0.5, withinMs: 1 }, 'restarts'],
    [{ restarts: 1, withinMs: 0 }, 'withinMs'],
    [{ restarts: 1, withinMs: Infinity }, 'withinMs'],
    [{ restarts: 1, withinMs: NaN }, 'withinMs'],
  ])('given %o, then it is refused by name', (intensity, where) => {
    expect(() => supervisor('tree', { intensity, children: [] })).toThrow(
      expect.objectContaining({ code: 'DEFINITION_INVALID', where: `tree.intensity.${where}` }),
    )
    expect(() => child(fragile('a'), { intensity })).toThrow(expect.objectContaining({ code: 'CHILD_SPEC_INVALID' }))
  })
})
