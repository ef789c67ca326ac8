import { child, defineActor, message, supervisor, type Ref } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'

const slow = defineActor({
  name: 'slow',
  protocol: {},
  on: { 'actor.stopping': ({ clock }) => new Promise<void>((resolve) => clock.setTimeout(resolve, 100)) },
})
let isBroken = true
const broken = defineActor({
  name: 'broken',
  protocol: {},
  state: () => {
    if (isBroken) throw new Error('no state')
  },
  on: {},
})
/** Its start fails, and cleaning up after it takes 100 ms. */
const halfway = supervisor('halfway', { children: [slow, broken] })
const startFailed = expect.objectContaining({ code: 'START_FAILED' }) as Error

test('given a supervisor that fails to start slowly, when an actor spawns it, then that throws and leaves nothing', async () => {
  isBroken = true
  const outcomes: unknown[] = []
  const parent = defineActor({
    name: 'parent',
    protocol: { go: message({ out: z.custom<unknown[]>() }) },
    on: {
      go: ({ spawn, message: { out } }) => {
        try {
          out.push(spawn(halfway, { name: 'x' }))
        } catch (error) {
          out.push(error)
        }
      },
    },
  })
  await using t = await createTestRuntime()
  const ref = t.runtime.spawn(parent, { name: 'parent' })
  ref.tell({ type: 'go', out: outcomes })
  await t.settle()
  expect(outcomes).toEqual([startFailed])
  expect((outcomes[0] as Error).message).toContain('no state')
  await t.advance(100)
  expect(t.runtime.ref('/user/parent/x')).toBeUndefined()
  expect(ref.isRunning).toBe(true)
  isBroken = false
  ref.tell({ type: 'go', out: outcomes })
  await t.settle()
  expect((outcomes[1] as Ref).isRunning).toBe(true)
})

test('given a supervisor that fails to start slowly, when the runtime spawns it, then its name is free once it is gone', async () => {
  isBroken = true
  await using t = await createTestRuntime()
  expect(() => t.runtime.spawn(halfway, { name: 'x' })).toThrow(startFailed)
  // It is still there, and cleans up.
  expect(() => t.runtime.spawn(halfway, { name: 'x' })).toThrow(expect.objectContaining({ code: 'NAME_TAKEN' }))
  await t.advance(100)
  expect(t.runtime.ref('/user/x')).toBeUndefined()
  expect(t.runtime.stats.actors).toBe(1)
  isBroken = false
  expect(t.runtime.spawn(halfway, { name: 'x' }).isRunning).toBe(true)
})

test('given a child whose restart fails slowly, when it can start again, then it does, at its address', async () => {
  isBroken = false
  await using t = await createTestRuntime()
  const top = t.runtime.spawn(
    supervisor('top', { intensity: { restarts: 5, withinMs: 1000 }, children: [child(halfway)] }),
  )
  const ref = t.runtime.ref(`${top.path}/halfway`)
  isBroken = true
  ref?.kill()
  await t.advance(150)
  isBroken = false
  await t.advance(300)
  expect(t.runtime.ref(`${top.path}/halfway`)).toBe(ref)
  expect(ref?.isRunning).toBe(true)
})
