import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type DurableOptions } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { disk, kindsOf, loaded, type Disk } from '../../actors/durable/disk.ts'

const plain = defineActor({ name: 'plain', protocol: { note: message() }, on: { note: () => undefined } })

/** Busy in every way that there is. */
const busybody = (durable: DurableOptions = { passivateAfterMs: 1000 }) => {
  const gates: (() => void)[] = []
  const gate = (): Promise<void> =>
    new Promise((resolve) => {
      gates.push(resolve)
    })
  const definition = defineActor({
    name: 'busybody',
    durable,
    protocol: {
      add: message(),
      wait: message(),
      effect: message(),
      race: message(),
      ring: message(),
      parent: message(),
      aside: message(),
      open: question({}, z.int()),
    },
    state: () => 0,
    on: {
      add: ({ state }) => state + 1,
      wait: async () => {
        await gate()
      },
      effect: async ({ effect }) => {
        await effect('e', gate)
      },
      race: async ({ effect }) => {
        await Promise.race([effect('quick', () => 1), effect('slow', gate)])
      },
      ring: ({ timers }) => {
        timers.after('k', 60_000, { type: 'add' })
      },
      parent: async ({ effect, spawn }) => {
        await effect('p', () => {
          spawn(plain, { name: 'child' })
        })
      },
      aside: ({ state, stash }) => {
        if (state === 0) stash()
      },
      open: () => undefined,
    },
  })
  return {
    definition,
    release: () =>
      gates.splice(0).forEach((open) => {
        open()
      }),
  }
}

async function begin(world: Disk = disk()) {
  const t = await createTestRuntime({ journal: world.journal })
  const { definition, release } = busybody()
  const ref = t.runtime.get(definition, 'a')
  const gone: number[] = []
  t.runtime.on('passivated', ({ idleMs }) => gone.push(idleMs))
  ref.tell({ type: 'add' })
  await t.settle()
  return { t, world, definition, ref, release, gone }
}

test('given an actor with nothing to do, when it was so for a while, then it leaves memory, with a snapshot, and comes back', async () => {
  const { t, world, ref, gone } = await begin()
  const actors = t.runtime.stats.actors
  await t.advance(999)
  expect(ref.isRunning).toBe(true)
  await t.advance(1001)
  expect(ref.isRunning).toBe(false)
  expect(t.runtime.stats.actors).toBe(actors - 1)
  expect(gone).toHaveLength(1)
  expect(gone[0]).toBeGreaterThanOrEqual(1000)
  const { snapshot, lastSeq } = await loaded(world.journal, '/durable/busybody/a')
  expect(snapshot?.seq).toBe(lastSeq)
  ref.tell({ type: 'add' })
  await t.settle()
  expect(ref.snapshot.context).toBe(2)
  // Its incarnations count what is in memory.
  expect(ref.incarnation).toBe(1)
  await t.until(t.runtime.shutdown())
})

describe('busy', () => {
  type World = Awaited<ReturnType<typeof begin>>
  const ways: readonly (readonly [string, (world: World) => unknown, (world: World) => unknown])[] = [
    [
      'a handler at work',
      ({ ref }) => {
        ref.tell({ type: 'wait' })
      },
      ({ release }) => {
        release()
      },
    ],
    [
      'an effect',
      ({ ref }) => {
        ref.tell({ type: 'effect' })
      },
      ({ release }) => {
        release()
      },
    ],
    [
      'an effect that its handler does not wait for',
      ({ ref }) => {
        ref.tell({ type: 'race' })
      },
      ({ release }) => {
        release()
      },
    ],
    [
      'a question that is open',
      ({ ref }) => {
        ref.ask({ type: 'open' }, { timeoutMs: 20_000 }).catch(() => undefined)
      },
      ({ t }) => t.advance(10_000),
    ],
    [
      'a timer',
      ({ ref }) => {
        ref.tell({ type: 'ring' })
      },
      ({ t }) => t.advance(60_000),
    ],
    [
      'a child',
      ({ ref }) => {
        ref.tell({ type: 'parent' })
      },
      ({ t }) => t.runtime.ref('/durable/busybody/a/child')?.kill(),
    ],
    [
      'something on its way to the disk',
      ({ ref, world }) => {
        world.hold()
        ref.tell({ type: 'add' })
      },
      ({ world }) => {
        world.letGo()
      },
    ],
  ]

  test.each(ways)('given %s, then it stays until that is over', async (_, begins, ends) => {
    const world = await begin()
    await begins(world)
    await world.t.advance(10_000)
    expect(world.ref.isRunning).toBe(true)
    expect(world.gone).toEqual([])
    await ends(world)
    await world.t.advance(5000)
    expect(world.ref.isRunning).toBe(false)
    expect(world.gone).toHaveLength(1)
    await world.t.until(world.t.runtime.shutdown())
  })

  test('given messages that are set aside, then it stays', async () => {
    const t = await createTestRuntime({ journal: disk().journal })
    const { definition } = busybody()
    const ref = t.runtime.get(definition, 'a')
    ref.tell({ type: 'aside' })
    await t.advance(10_000)
    expect(ref.isRunning).toBe(true)
    await t.until(t.runtime.shutdown())
  })

  test('given messages now and then, then it stays as long as they come', async () => {
    const { t, ref, gone } = await begin()
    for (let i = 0; i < 20; i += 1) {
      await t.advance(900)
      ref.tell({ type: 'add' })
    }
    expect(gone).toEqual([])
    expect(ref.incarnation).toBe(1)
    await t.advance(2000)
    expect(gone).toHaveLength(1)
    await t.until(t.runtime.shutdown())
  })
})

describe('terms', () => {
  test('given a definition that never leaves, then it never does', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    const { definition } = busybody({ passivateAfterMs: Infinity })
    t.runtime.get(definition, 'a').tell({ type: 'add' })
    await t.advance(1e9)
    expect(t.runtime.get(definition, 'a').isRunning).toBe(true)
    expect(t.clock.pending).toBe(0)
  })

  test('given one that is a child of a supervisor, then it stays: somebody wants it there', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    const { definition } = busybody()
    const ref = t.runtime.spawn(definition, { name: 'a' })
    ref.tell({ type: 'add' })
    await t.advance(1e6)
    expect(ref.isRunning).toBe(true)
  })

  test('given definitions with different patience, then each leaves in its own time', async () => {
    await using t = await createTestRuntime({ journal: disk().journal })
    const left: string[] = []
    t.runtime.on('passivated', ({ path, atMs }) => left.push(`${path} ${Math.round((atMs - startMs) / 1000)}`))
    const startMs = t.clock.wallNow()
    for (const [name, passivateAfterMs] of [
      ['slow', 100_000],
      ['quick', 1000],
      ['usual', undefined],
    ] as const) {
      const { definition } = busybody(passivateAfterMs === undefined ? {} : { passivateAfterMs })
      t.runtime.get({ ...definition, name }, 'a').tell({ type: 'add' })
    }
    await t.advance(200_000)
    expect(left.map((line) => line.split(' ')[0])).toEqual(['/durable/quick/a', '/durable/usual/a', '/durable/slow/a'])
    const [quick = 0, usual = 0, slow = 0] = left.map((line) => Number(line.split(' ')[1]))
    expect(quick).toBeLessThanOrEqual(2)
    expect(usual).toBeLessThanOrEqual(90)
    expect(slow).toBeLessThanOrEqual(130)
    // With nobody left nothing is looked after.
    expect(t.clock.pending).toBe(0)
  })

  test('given last words that take time, then what comes meanwhile waits for the next one, and none is lost', async () => {
    const world = disk()
    const t = await createTestRuntime({ journal: world.journal })
    const words = defineActor({
      name: 'words',
      durable: { passivateAfterMs: 1000 },
      protocol: { add: message(), total: question({}, z.int()) },
      state: () => 0,
      on: {
        add: ({ state }) => state + 1,
        total: ({ state, reply }) => {
          reply(state)
        },
        'actor.stopping': () =>
          new Promise<void>((resolve) => {
            t.clock.setTimeout(resolve, 500)
          }),
      },
    })
    const ref = t.runtime.get(words, 'a')
    ref.tell({ type: 'add' })
    await t.settle()
    let isLeaving = false
    t.runtime.on('passivated', () => {
      isLeaving = true
    })
    while (!isLeaving) await t.advance(10)
    ref.tell({ type: 'add' })
    const told = ref.tell({ type: 'add' }, { durable: true })
    const answer = ref.ask({ type: 'total' })
    await t.until(told)
    expect(await t.until(answer)).toBe(3)
    expect(t.runtime.deadLetters.count).toBe(0)
    await t.until(t.runtime.shutdown())
    expect((await kindsOf(world.journal, '/durable/words/a')).filter((kind) => kind === 'handled')).toHaveLength(3)
  })
})

test('given a passivated actor with nothing on its disk, then nothing is written for it', async () => {
  const world = disk()
  await using t = await createTestRuntime({ journal: world.journal })
  const { definition } = busybody()
  t.runtime.get(definition, 'a').subscribe(() => undefined)
  await t.advance(10_000)
  expect(world.commits).toBe(0)
  expect(t.runtime.get(definition, 'a').isRunning).toBe(false)
})
