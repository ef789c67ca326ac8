import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { child, defineActor, message, question, supervisor, type Directive } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { JournalFullError } from '../../../src/core/journal-errors.ts'
import { disk, kindsOf, observed } from './disk.ts'

const never = new Promise<never>(() => undefined)
const full = new JournalFullError('memory')

const counter = defineActor({
  name: 'counter',
  durable: true,
  protocol: { add: message(), total: question({}, z.int()), hang: message() },
  state: () => 0,
  on: {
    add: ({ state }) => state + 1,
    total: ({ state, reply }) => {
      reply(state)
    },
    hang: async ({ effect }) => {
      await effect('hang', () => never)
    },
  },
})

/** With OTP's default: one restart in five seconds. */
const treeOf = (decide?: () => Directive) =>
  supervisor('app', { children: [child(counter, { id: 'a', ...(decide === undefined ? {} : { decide }) })] })

function supervised(t: TestRuntime) {
  const ref = t.runtime.ref('/app/a', counter)
  if (ref === undefined) throw new Error('the tree has it')
  return ref
}

describe('a supervised actor whose journal takes no more', () => {
  test('given no space for long, then senders learn it, reads go on, and it is no crash that its supervisor counts', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal, root: treeOf() })
    const ref = supervised(t)
    const tell = (): Promise<unknown> =>
      t.until(ref.tell({ type: 'add' }, { durable: true }).catch((error: unknown) => error))
    expect(await tell()).toBeUndefined()
    world.fail(full)
    for (let i = 0; i < 10; i += 1) {
      expect(await tell()).toMatchObject({ code: 'JOURNAL_FULL' })
      expect(await t.until(ref.ask({ type: 'total' }))).toBe(1)
    }
    world.mend()
    expect(await tell()).toBeUndefined()
    expect(await t.until(ref.ask({ type: 'total' }))).toBe(2)
  })

  const eager = defineActor({
    name: 'eager',
    durable: true,
    protocol: { add: message() },
    state: () => 0,
    on: {
      'actor.started': ({ self }) => {
        self.tell({ type: 'add' })
      },
      add: ({ state }) => state + 1,
    },
  })
  const parent = defineActor({
    name: 'parent',
    protocol: {},
    on: {
      'actor.started': ({ spawn }) => {
        spawn(eager, { name: 'a' })
      },
    },
  })

  test.each([
    ['under a supervisor', child(eager, { id: 'a' }), '/app/a'],
    ['under an actor', child(parent), '/app/parent/a'],
  ])(
    'given one %s with work of its own each time that it is up, then it tries that until there is space, and not in a loop',
    async (_, spec, path) => {
      const world = disk()
      world.fail(full)
      await using t = await createTestRuntime({ journal: world.journal, root: supervisor('app', { children: [spec] }) })
      await t.advance(60_000)
      expect(world.tried.length).toBeGreaterThan(10)
      expect(world.tried.length).toBeLessThan(60)
      world.mend()
      await t.advance(5000)
      expect(t.runtime.ref(path, eager)?.snapshot.context).toBe(1)
    },
  )

  test.each(['resume', 'restart'] as const)('given a decider that says %s, then it ends all the same', async (said) => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal, root: treeOf(() => said) })
    const ref = supervised(t)
    ref.tell({ type: 'add' })
    await t.settle()
    world.fail(full)
    ref.tell({ type: 'add' })
    await t.settle()
    world.mend()
    expect(ref.incarnation).toBe(2)
    // The one that came to nothing is not in its state.
    ref.tell({ type: 'add' })
    expect(await t.until(ref.ask({ type: 'total' }))).toBe(2)
    expect(await kindsOf(world.journal, '/app/a')).toEqual(['created', 'handled', 'handled'])
  })

  test('given a decider that says stop, then it stays down', async () => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal, root: treeOf(() => 'stop') })
    world.fail(full)
    supervised(t).tell({ type: 'add' })
    await t.advance(60_000)
    expect(supervised(t).isRunning).toBe(false)
  })

  test('given a recovery that fails and a decider that says resume, then it does not go on without its past', async () => {
    const world = disk()
    const { source, fail } = observed(world.journal)
    fail('load', new Error('cannot be read'))
    await using t = await createTestRuntime({ journal: source, root: treeOf(() => 'resume') })
    const reason = t.until(t.runtime.closed)
    expect(await reason).toMatchObject({ kind: 'shutdown' })
  })
})

describe('a handler that does not end when its journal is lost', () => {
  test.each([
    ['that get started', undefined],
    ['under a supervisor', treeOf()],
  ])('given an actor %s, then it is cut off after the time for a stop, and goes on', async (_, root) => {
    const world = disk()
    await using t = await createTestRuntime({ journal: world.journal, ...(root === undefined ? {} : { root }) })
    const ref = root === undefined ? t.runtime.get(counter, 'a') : supervised(t)
    ref.tell({ type: 'hang' })
    await t.settle()
    world.fail(full)
    const lost = ref.tell({ type: 'add' }, { durable: true }).catch((error: unknown) => error)
    await t.settle()
    world.mend()
    expect(await t.until(lost)).toMatchObject({ code: 'JOURNAL_FULL' })
    // One that get started comes back by itself within a minute.
    await t.advance(65_000)
    // It is asked what became of the effect; the others wait for that.
    const [doubt] = t.runtime.inDoubt
    expect(doubt?.key).toBe('hang')
    doubt?.settle({ kind: 'value', value: null })
    await t.until(ref.tell({ type: 'add' }, { durable: true }))
    expect(await t.until(ref.ask({ type: 'total' }))).toBe(1)
  })
})
