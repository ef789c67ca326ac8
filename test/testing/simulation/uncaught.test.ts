/* eslint-disable no-restricted-globals -- what goes on outside of worlds meanwhile is what is tested */
import { expect, test } from 'vitest'
import { defineScenario, faults, simulate, type World } from 'echelon/testing'

const campaign = (run: (world: World) => Promise<void>) =>
  simulate(defineScenario({ name: 'uncaught', nodes: {}, run }), { seeds: 1, faults: faults.none(), folder: false })

/** Runs `code` with `listener` as the only one of the process, as if nothing else had an interest in it. */
async function listening(
  name: 'unhandledRejection' | 'uncaughtException',
  code: () => Promise<unknown>,
): Promise<{ readonly caught: readonly unknown[]; readonly result: unknown }> {
  const caught: unknown[] = []
  const others = process.rawListeners(name)
  process.removeAllListeners(name)
  const listener = (error: unknown) => void caught.push(error)
  process.on(name, listener)
  const result = await code().catch((error: unknown) => error)
  process.off(name, listener)
  // They were listeners before.
  for (const other of others) process.on(name, other as () => void)
  return { caught, result }
}

test.each([
  ['queueMicrotask', queueMicrotask],
  [
    'process.nextTick',
    (fn: () => void) => {
      process.nextTick(fn)
    },
  ],
])('given a throw in %s in a world, then the world fails, and nobody else learns of it', async (_name, later) => {
  const { caught, result } = await listening('uncaughtException', () =>
    campaign(async (world) => {
      later(() => {
        throw new Error('in a microtask')
      })
      await world.sleep(10)
    }),
  )

  expect(result).toMatchObject({ code: 'SIMULATION_FAILED', invariant: 'uncaught' })
  expect(String(result)).toContain('in a microtask')
  expect(caught).toEqual([])
})

test('given a rejection in a world that nobody handles, then the world fails, and nobody else learns of it', async () => {
  const { caught, result } = await listening('unhandledRejection', () =>
    campaign(async (world) => {
      void Promise.reject(new Error('lost'))
      await world.sleep(10)
    }),
  )

  expect(result).toMatchObject({ code: 'SIMULATION_FAILED', invariant: 'uncaught' })
  expect(String(result)).toContain('lost')
  expect(caught).toEqual([])
})

/** A scenario that lasts until something real has happened. */
const meanwhile = (real: () => void) =>
  campaign((world) =>
    world.external('waits for it', async () => {
      real()
      await new Promise((resolve) => setTimeout(resolve, 1))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }),
  )

test('given a rejection of something else while a world is open, then the world is not blamed, and others learn of it', async () => {
  const { caught, result } = await listening('unhandledRejection', () =>
    meanwhile(() => setTimeout(() => void Promise.reject(new Error('of another test')), 0)),
  )

  expect(result).toMatchObject({ worlds: 1 })
  expect(caught).toMatchObject([{ message: 'of another test' }])
})

test('given a throw of something else while a world is open, then the world is not blamed, and others learn of it', async () => {
  const { caught, result } = await listening('uncaughtException', () =>
    meanwhile(() =>
      setTimeout(() => {
        throw new Error('of another test')
      }, 0),
    ),
  )

  expect(result).toMatchObject({ worlds: 1 })
  expect(caught).toMatchObject([{ message: 'of another test' }])
})

test('given a world that is over, then the listeners of the process are those from before', async () => {
  const before = [process.rawListeners('unhandledRejection'), process.rawListeners('uncaughtException')]
  await campaign((world) => world.sleep(10))

  expect([process.rawListeners('unhandledRejection'), process.rawListeners('uncaughtException')]).toEqual(before)
  expect(process.hasUncaughtExceptionCaptureCallback()).toBe(false)
})
