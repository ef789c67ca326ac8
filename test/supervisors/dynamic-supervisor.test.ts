import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  child,
  countChildren,
  defineActor,
  deleteChild,
  dynamicSupervisor,
  exits,
  message,
  question,
  restartChild,
  startDynamicChild,
  terminateChild,
  whichChildren,
  type ChildOptions,
  type Ref,
  type RefOf,
} from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'

const workerProtocol = { crash: message(), quit: message(), input: question({}, z.int()) }
const worker = defineActor({
  name: 'worker',
  protocol: workerProtocol,
  input: z.int().default(0),
  on: {
    crash: () => {
      throw new Error('boom')
    },
    quit: ({ stop }) => {
      stop()
    },
    input: ({ input, reply }) => {
      reply(input)
    },
  },
})
type Worker = Ref<typeof workerProtocol>
type Top = RefOf<ReturnType<typeof dynamicSupervisor>>

function open(
  t: TestRuntime,
  options: Omit<Parameters<typeof dynamicSupervisor>[1], 'child'> = {},
  terms: ChildOptions<typeof worker> = {},
) {
  const top = t.runtime.spawn(dynamicSupervisor('dynamic', { child: child(worker, terms), ...options }), {
    restart: 'temporary',
  })
  /** Settles while it waits. */
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined)
    await t.settle()
    return promise
  }
  const start = async (given: { id?: string; input?: unknown } = {}): Promise<Worker> => {
    const { ref } = await settled(startDynamicChild(top, given))
    // All children are workers.
    return ref as unknown as Worker
  }
  return { top, settled, start }
}

describe('a dynamic supervisor', () => {
  test('given children on demand, then each has a name and an input of its own', async () => {
    await using t = await createTestRuntime()
    const { top, settled, start } = open(t)
    const [one, two] = [await start({ id: 'one', input: 1 }), await start({ input: 2 })]
    expect([one.path, two.path]).toEqual(['/user/dynamic-1/one', '/user/dynamic-1/worker-2'])
    expect(await settled(Promise.all([one.ask({ type: 'input' }), two.ask({ type: 'input' })]))).toEqual([1, 2])
    expect(await settled(countChildren(top))).toEqual({ specs: 1, active: 2, supervisors: 0, workers: 2 })
    expect((await settled(whichChildren(top))).map(({ id, status, type }) => [id, status, type])).toEqual([
      ['one', 'running', 'worker'],
      ['worker-2', 'running', 'worker'],
    ])
  })

  test('given a child that crashes, then it comes back with its input; the others are not touched', async () => {
    await using t = await createTestRuntime()
    const { settled, start } = open(t)
    const [one, two] = [await start({ input: 1 }), await start({ input: 2 })]
    one.tell({ type: 'crash' })
    await t.settle()
    expect([one.incarnation, two.incarnation]).toEqual([2, 1])
    expect(await settled(one.ask({ type: 'input' }))).toBe(1)
  })

  test.each([
    ['permanent', 'quit', true],
    ['permanent', 'crash', true],
    ['transient', 'quit', false],
    ['transient', 'crash', true],
    ['temporary', 'quit', false],
    ['temporary', 'crash', false],
  ] as const)(
    'given a %s child that ends by %s, then it comes back: %s; otherwise it is forgotten',
    async (restart, type, again) => {
      await using t = await createTestRuntime()
      const { top, settled, start } = open(t, {}, { restart })
      const ref = await start({ id: 'one' })
      ref.tell({ type })
      await t.settle()
      expect(ref.isRunning).toBe(again)
      expect(await settled(whichChildren(top))).toHaveLength(again ? 1 : 0)
      if (!again) expect((await start({ id: 'one' })).isRunning).toBe(true) // its name is free
    },
  )

  test('given maxChildren, then one more is refused until one is gone', async () => {
    await using t = await createTestRuntime()
    const { settled, top, start } = open(t, { maxChildren: 1 })
    await start({ id: 'one' })
    await expect(start({ id: 'two' })).rejects.toMatchObject({ code: 'MAX_CHILDREN' })
    await settled(terminateChild(top, 'one'))
    expect((await start({ id: 'two' })).isRunning).toBe(true)
  })

  test('given maxChildren and a child that waits for its restart, then that one counts', async () => {
    await using t = await createTestRuntime()
    const { start } = open(t, { maxChildren: 1 }, { backoff: { minMs: 1000, maxMs: 1000 } })
    const ref = await start({ id: 'one' })
    ref.tell({ type: 'crash' })
    await t.settle()
    await expect(start({ id: 'two' })).rejects.toMatchObject({ code: 'MAX_CHILDREN' })
  })

  test.each([
    ['CHILD_ALREADY_STARTED', (top: Top) => startDynamicChild(top, { id: 'one' })],
    ['CHILD_NOT_FOUND', (top: Top) => terminateChild(top, 'nobody')],
    ['CHILD_SPEC_INVALID', (top: Top) => startDynamicChild(top, { id: 'a/b' })],
    ['CHILD_START_FAILED', (top: Top) => startDynamicChild(top, { input: 'no number' })],
    ['DYNAMIC_SUPERVISOR', (top: Top) => restartChild(top, 'one')],
    ['DYNAMIC_SUPERVISOR', (top: Top) => deleteChild(top, 'one')],
  ] as const)('refuses with %s', async (code, call) => {
    await using t = await createTestRuntime()
    const { top, settled, start } = open(t)
    await start({ id: 'one' })
    await expect(settled(call(top))).rejects.toMatchObject({ code })
    expect(await settled(countChildren(top))).toMatchObject({ active: 1 })
  })

  test('given more restarts than are bearable, then it ends, and all its children', async () => {
    await using t = await createTestRuntime()
    const { top, start } = open(t)
    const refs = [await start(), await start(), await start()]
    for (const ref of refs.slice(0, 2)) {
      ref.tell({ type: 'crash' })
      await t.settle()
    }
    expect(await top.exited).toEqual(exits.shutdown())
    expect(refs.map(({ isRunning }) => isRunning)).toEqual([false, false, false])
  })

  test('sup_stop_timeout_dynamic: children stop all at once, each within its own time', async () => {
    await using t = await createTestRuntime()
    const slow = defineActor({
      name: 'slow',
      protocol: {},
      on: { 'actor.stopping': () => new Promise<void>(() => undefined) },
    })
    const top = t.runtime.spawn(dynamicSupervisor('dynamic', { child: child(slow, { shutdown: 1000 }) }))
    for (let i = 0; i < 5; i += 1) void startDynamicChild(top)
    await t.settle()
    const stopped = top.stop()
    await t.advance(1000)
    expect(await stopped).toEqual(exits.shutdown())
    expect(t.clock.now()).toBe(1000)
    expect(t.clock.pending).toBe(0)
  })

  test('given any_significant, then the end of one ends all; given all_significant, then that of the last', async () => {
    await using t = await createTestRuntime()
    for (const [autoShutdown, ends] of [
      ['any_significant', 1],
      ['all_significant', 2],
    ] as const) {
      const { top, start } = open(t, { autoShutdown }, { restart: 'transient', significant: true })
      const refs = [await start(), await start()]
      for (const [index, ref] of refs.entries()) {
        expect(top.isRunning).toBe(index < ends)
        ref.tell({ type: 'quit' })
        await t.settle()
      }
      expect(top.isRunning).toBe(false)
    }
  })

  test('given a restart whose start says ignore, then the child is forgotten and the supervisor goes on', async () => {
    await using t = await createTestRuntime()
    let ignore = false
    const shy = defineActor({
      name: 'shy',
      protocol: { crash: message() },
      start: () => (ignore ? 'ignore' : undefined),
      on: {
        crash: () => {
          throw new Error('boom')
        },
      },
    })
    const top = t.runtime.spawn(dynamicSupervisor('dynamic', { child: shy }))
    const started = startDynamicChild(top)
    await t.settle()
    const { ref } = await started
    ignore = true
    ;(ref as unknown as Ref<typeof shy.protocol>).tell({ type: 'crash' })
    await t.settle()
    expect(top.isRunning).toBe(true)
    expect(top.snapshot.context.children).toEqual([])
  })
})
