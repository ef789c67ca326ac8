import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { child, defineActor, message, question, supervisor, type Directive, type Failure } from 'echelon'
import { createTestRuntime, VirtualClock, type TestRuntime } from 'echelon/testing'
import type { Append, Snapshot } from '../../../src/core/journal.ts'
import { clockAfter, disk, observed, type Disk } from '../../actors/durable/disk.ts'

const never = new Promise<never>(() => undefined)

/** An actor whose code has changed: its handler now waits for what is no effect. */
const sleeper = (waits?: Promise<unknown>) =>
  defineActor({
    name: 'sleeper',
    durable: { passivateAfterMs: 1000 },
    protocol: { note: message(), set: message(), ring: message(), total: question({}, z.int()) },
    state: () => 0,
    on: {
      note: async ({ state, timers }) => {
        timers.after('t', 100_000, { type: 'ring' })
        if (waits !== undefined) await waits
        return state + 1
      },
      set: ({ timers }) => {
        timers.after('t', 200_000, { type: 'ring' })
      },
      ring: ({ state }) => state + 100,
      total: ({ state, reply }) => {
        reply(state)
      },
    },
  })

/** A process that ended with a message of each actor to go through again, and a timer of the others that is due later. */
async function before(hanging: readonly string[], others: readonly string[]): Promise<{ world: Disk; t: TestRuntime }> {
  const world = disk()
  const t = await createTestRuntime({ journal: world.journal })
  const definition = sleeper()
  for (const key of hanging) t.runtime.get(definition, key).tell({ type: 'note' })
  for (const key of others) t.runtime.get(definition, key).tell({ type: 'set' })
  await t.settle()
  // Its snapshots are never written: it is gone without a word.
  world.endProcess()
  return { world, t }
}

describe('a recovery that hangs', () => {
  test('given one, then the others are woken all the same', async () => {
    const { world, t: first } = await before(['hanging'], ['fine'])
    const definition = sleeper(never)
    const clock = clockAfter(first.clock)
    await using t = await createTestRuntime({ journal: world.journal, definitions: [definition], clock })
    await t.advance(210_000)
    expect(await t.until(t.runtime.get(definition, 'fine').ask({ type: 'total' }))).toBe(100)
  })

  test('given more of them than are brought back at once, then others are not held up for ever', async () => {
    const hanging = Array.from({ length: 50 }, (_, i) => `h${i}`)
    const { world, t: first } = await before(hanging, [])
    const definition = sleeper(never)
    await using t = await createTestRuntime({ journal: world.journal, clock: clockAfter(first.clock) })
    for (const key of hanging) t.runtime.get(definition, key).tell({ type: 'set' })
    await t.settle()
    expect(await t.until(t.runtime.get(definition, 'fine').ask({ type: 'total' }, { timeoutMs: 60_000 }))).toBe(0)
  })

  test('given they are stopped, then that is at once, their places are free, and whoever waits learns it', async () => {
    const hanging = Array.from({ length: 50 }, (_, i) => `h${i}`)
    const { world, t: first } = await before(hanging, [])
    const definition = sleeper(never)
    await using t = await createTestRuntime({ journal: world.journal, clock: clockAfter(first.clock) })
    const refs = hanging.map((key) => t.runtime.get(definition, key))
    const told = refs.map((ref) => ref.tell({ type: 'set' }, { durable: true }).catch((error: unknown) => error))
    await t.settle()
    const startMs = t.clock.now()
    const ended = await t.until(Promise.all(refs.map((ref) => ref.stop())))
    expect(new Set(ended.map(({ kind }) => kind))).toEqual(new Set(['shutdown']))
    for (const one of told) expect(await t.until(one)).toMatchObject({ code: 'TARGET_DOWN' })
    expect(await t.until(t.runtime.get(definition, 'fine').ask({ type: 'total' }))).toBe(0)
    expect(t.clock.now()).toBe(startMs)
  })
})

describe('an actor that ends before it is up', () => {
  test('given a limit of its time, then that ends it, though it hangs', async () => {
    const world = disk()
    const { source, hold } = observed(world.journal)
    hold('load')
    const definition = sleeper()
    const root = supervisor('app', {
      children: [child(definition, { id: 'a', budget: { wallMs: 1000 }, decide: () => 'stop' })],
    })
    await using t = await createTestRuntime({ journal: source, root })
    expect(await t.until(t.runtime.ref('/app/a', definition)?.exited ?? never)).toMatchObject({
      kind: 'crash',
      error: { code: 'BUDGET_EXCEEDED' },
    })
    expect(t.clock.now()).toBe(1000)
  })

  test.each(['stopped', 'damaged'])(
    'given one that is %s, then it says no last words: it has no state',
    async (how) => {
      const words: unknown[] = []
      const speaker = defineActor({
        name: 'speaker',
        durable: true,
        protocol: { note: message() },
        state: () => 0,
        on: { note: ({ state }) => state + 1, 'actor.stopping': ({ state }) => void words.push(state) },
      })
      const world = disk()
      const first = await createTestRuntime({ journal: world.journal })
      first.runtime.get(speaker, 'a').tell({ type: 'note' })
      await first.settle()
      world.endProcess()
      const { source, hold, fail } = observed(world.journal)
      if (how === 'damaged') fail('load', new Error('unreadable'))
      else hold('load')
      await using t = await createTestRuntime({ journal: source, clock: clockAfter(first.clock) })
      const ref = t.runtime.get(speaker, 'a')
      ref.tell({ type: 'note' })
      await t.settle()
      await t.until(ref.stop())
      expect(words).toEqual([])
    },
  )
})

describe('an actor that fails after it was brought back', () => {
  test('given a timer that nobody can read any more, then that is the failure of the actor', async () => {
    const timer = {
      dueMs: Date.UTC(2100, 0, 1),
      message: { type: 'ring' },
      recurrence: { kind: 'cron', pattern: 'every other day', timezone: 'UTC', missed: 'one' },
    }
    const body = JSON.stringify({
      ...{ definition: 'sleeper', state: 7, turns: 1, timers: [['t', timer]] },
      ...{ outcomes: [], seen: [], pending: [], intents: [] },
    })
    const snapshot: Snapshot = { seq: 1, version: 1, atMs: 0, body, blobs: [] }
    const append: Append = {
      stream: '/app/a',
      expectedSeq: 0,
      entries: [{ kind: 'created', version: 1, atMs: 0, body: '{"definition":"sleeper"}' }],
      snapshot,
      wakeAtMs: null,
    }
    const world = disk()
    const journal = await world.journal.open({ node: 'before', clock: new VirtualClock() })
    await journal.append([append])
    await journal.close()
    const errors: unknown[] = []
    const decide = ({ error }: Failure): Directive => {
      errors.push(error)
      return 'stop'
    }
    const definition = sleeper()
    const root = supervisor('app', { children: [child(definition, { id: 'a', decide })] })
    await using t = await createTestRuntime({ journal: world.journal, root })
    await t.settle()
    expect(errors).toHaveLength(1)
    expect(t.runtime.ref('/app/a', definition)?.isRunning).toBe(false)
  })
})
