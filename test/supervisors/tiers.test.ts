import type { EchelonError } from 'echelon'
import {
  AuthorityWidenedError,
  child,
  defineActor,
  dynamicSupervisor,
  errors,
  exits,
  message,
  operational,
  pool,
  question,
  startChild,
  startDynamicChild,
  strategic,
  supervisor,
  SupervisorError,
  tactical,
  whichChildren,
  type AnyDefinition,
  type Authority,
  type RuntimeEventOf,
} from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'

const director = defineActor({
  name: 'director',
  protocol: { 'director.where': question({}, z.string()), 'director.crash': message() },
  on: {
    'director.where': ({ reply, path }) => void reply(path),
    'director.crash': () => {
      throw new Error('director lost its mind')
    },
  },
})
const worker = defineActor({
  name: 'worker',
  protocol: { 'worker.crash': message(), 'worker.done': message() },
  on: {
    'worker.crash': () => {
      throw new Error('worker crashed')
    },
    'worker.done': ({ stop }) => {
      stop()
    },
  },
})

describe('a tier', () => {
  test('given an actor, then it is the first child and messages for the tier reach it, also after a crash', async () => {
    const review = strategic('review', { actor: director, authority: {}, children: [worker] })
    await using world = await createTestRuntime({ root: review })
    const ref = world.runtime.lookup(review)
    ref.tell({ type: 'director.crash' })
    await world.settle()

    const answer = ref.ask({ type: 'director.where' })
    const list = whichChildren(ref)
    await world.settle()

    expect(await answer).toBe('/review/director')
    expect((await list).map(({ id, ref: childRef }) => [id, childRef?.incarnation])).toEqual([
      ['director', 2],
      ['worker', 1],
    ])
  })

  test('its ref is typed by its actor', async () => {
    const review = strategic('review', { actor: child(director), authority: {}, children: [worker] })
    await using world = await createTestRuntime({ root: review })
    const ref = world.runtime.lookup(review)
    // @ts-expect-error that is a message of the worker
    void ref.tell({ type: 'worker.crash' })
    const answer: Promise<string> = ref.ask({ type: 'director.where' })
    await world.settle()
    expect(await answer).toBe('/review/director')
    expect(world.runtime.deadLetters.byReason).toEqual(new Map([['unknown-message', 1]]))
  })

  test('given a child spec as its actor, then it is run on those terms', async () => {
    const spec = child(director, { id: 'chief', restart: 'temporary' })
    const review = tactical('review', { actor: spec, authority: {}, children: [] })
    await using world = await createTestRuntime({ root: review })
    const ref = world.runtime.lookup(review)
    const answer = ref.ask({ type: 'director.where' })
    await world.settle()
    expect(await answer).toBe('/review/chief')

    ref.tell({ type: 'director.crash' })
    await world.settle()
    const refused = expect(ref.ask({ type: 'director.where' })).rejects.toMatchObject({ code: 'TARGET_DOWN' })
    ref.tell({ type: 'director.crash' })
    await world.settle()
    await refused
    expect(world.runtime.deadLetters.byReason).toEqual(
      new Map([
        ['crashed', 1],
        ['stopped', 2],
      ]),
    )
  })

  test('given no actor, then it takes administrative questions only', async () => {
    const review = operational('review', { authority: {}, children: [worker] })
    await using world = await createTestRuntime({ root: review })
    world.runtime.ref('/review')?.tell({ type: 'director.crash' } as never)
    await world.settle()
    expect(world.runtime.deadLetters.byReason).toEqual(new Map([['unknown-message', 1]]))
  })

  test('given a tier or a pool as its actor, then its own administration is not forwarded', async () => {
    const inner = operational('inner', { actor: director, authority: {}, children: [] })
    const outer = strategic('outer', { actor: inner, authority: {}, children: [] })
    await using world = await createTestRuntime({ root: outer })
    const answer = world.runtime.lookup(outer).ask({ type: 'director.where' })
    const list = whichChildren(world.runtime.lookup(outer))
    await world.settle()
    expect(await answer).toBe('/outer/inner/director')
    expect((await list).map(({ id }) => id)).toEqual(['inner'])
  })
})

describe('the order of tiers', () => {
  const make = { strategic, tactical, operational }
  type Kind = keyof typeof make
  test.each([
    ['strategic', 'tactical', true],
    ['strategic', 'operational', true],
    ['tactical', 'operational', true],
    ['strategic', 'strategic', false],
    ['tactical', 'strategic', false],
    ['tactical', 'tactical', false],
    ['operational', 'strategic', false],
    ['operational', 'tactical', false],
    ['operational', 'operational', false],
  ] as const)('%s around %s: %s', (above: Kind, below: Kind, allowed) => {
    const inner = make[below]('inner', { authority: {}, children: [] })
    const around: AnyDefinition[] = [
      inner,
      supervisor('plain', { children: [inner] }),
      dynamicSupervisor('many', { child: inner }),
      pool('few', inner, { size: 1 }),
    ]
    for (const between of around) {
      const define = (): unknown => make[above]('outer', { authority: {}, children: [worker, between] })
      if (allowed) expect(define).not.toThrow()
      else expect(define).toThrow(errors.DefinitionInvalidError)
    }
  })

  test('the error says where, and what may be there', () => {
    const inner = tactical('inner', { authority: {}, children: [] })
    expect(() => operational('outer', { authority: {}, children: [inner] })).toThrow(
      'outer/inner: a tactical tier cannot be inside an operational one, which may hold plain supervisors, pools and actors',
    )
    expect(() => tactical('outer', { authority: {}, children: [child(inner, { id: 'other' })] })).toThrow(
      'outer/other: a tactical tier cannot be inside a tactical one, which may hold operational tiers',
    )
  })

  test('given a tier that is added at run time where it does not fit, then it does not start', async () => {
    const holder = strategic('holder', { authority: {}, children: [] })
    await using world = await createTestRuntime({ root: holder })
    const added = startChild(world.runtime.lookup(holder), strategic('second', { authority: {}, children: [] }))
    const refused = expect(added).rejects.toMatchObject({
      code: 'CHILD_START_FAILED',
      message: expect.stringContaining('/holder/second: a strategic tier') as unknown,
    })
    await world.settle()
    await refused
  })
})

describe('the authority of tiers', () => {
  const below = (authority: Authority): AnyDefinition => operational('inner', { authority, children: [] })

  test.each([
    ['more money', { spendUsd: 1 }, { spendUsd: 2 }, 'spendUsd'],
    ['money where the top has none', {}, { spendUsd: 2 }, 'spendUsd'],
    ['risk where the top has none', {}, { risk: 'low' }, 'risk'],
    ['a tool where the top has none', {}, { tools: ['shell'] }, 'tools'],
    ['an action that is not among those above', { actions: ['read'] }, { actions: ['write'] }, 'actions'],
  ] as const)('given %s than the tier above, then the tree cannot be defined', (_, above, claimed, field) => {
    const define = (): unknown =>
      strategic('outer', { authority: above, children: [supervisor('plain', { children: [below(claimed)] })] })
    const refused = catchError(define)
    expect(refused).toBeInstanceOf(AuthorityWidenedError)
    expect(refused).toMatchObject({ code: 'AUTHORITY_WIDENED', tier: 'outer/plain/inner', field })
  })

  test('given a tier between that leaves a field out, then the one below is measured against the one above', () => {
    const middle = tactical('middle', { authority: { risk: 'low' }, children: [below({ spendUsd: 5 })] })
    expect(() => strategic('outer', { authority: { spendUsd: 5, risk: 'low' }, children: [middle] })).not.toThrow()
    expect(() => strategic('outer', { authority: { spendUsd: 4, risk: 'low' }, children: [middle] })).toThrow(
      'Authority of outer/middle/inner: spendUsd 5 is wider than the 4',
    )
  })

  test('given a wider tier that is added at run time, then it does not start', async () => {
    const outer = strategic('outer', { authority: { spendUsd: 1 }, children: [] })
    await using world = await createTestRuntime({ root: outer })
    const added = startChild(world.runtime.lookup(outer), below({ spendUsd: 2 }))
    added.catch(() => undefined)
    await world.settle()
    const refused: unknown = await added.catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(SupervisorError)
    expect((refused as SupervisorError).cause).toMatchObject({ code: 'AUTHORITY_WIDENED', tier: '/outer/inner' })
  })

  test('given a tree whose top has less than it seemed, then the runtime does not start', async () => {
    const top = tactical('top', { authority: {}, children: [below({ spendUsd: 2 })] })
    await expect(createTestRuntime({ root: top })).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('/top/inner') as unknown,
    })
  })

  test('given an authority that is none, then the tier cannot be defined', () => {
    expect(() => strategic('outer', { authority: { spendUsd: -1 }, children: [] })).toThrow(
      'outer.authority.spendUsd: -1 is not 0 or more',
    )
  })
})

describe('lookup', () => {
  const squad = operational('squad', { authority: {}, children: [child(worker, { id: 'far' })] })
  const found = (definition: typeof worker | typeof director | typeof squad, name?: string) =>
    defineActor({
      name: 'finder',
      protocol: { 'finder.find': question({}, z.string()) },
      on: {
        'finder.find': ({ lookup, reply, refuse }) => {
          try {
            reply(lookup(definition, name).path)
          } catch (error) {
            refuse(error as Error)
          }
        },
      },
    })

  test.each([
    ['a sibling', worker, undefined, '/top/near'],
    ['a sibling by name', worker, 'second', '/top/second'],
    ['a tier beside it', squad, undefined, '/top/squad'],
    ['an actor above', director, undefined, '/user/director-1'],
  ])('finds %s', async (_, definition, name, path) => {
    const finder = found(definition, name)
    const top = strategic('top', {
      actor: finder,
      authority: {},
      children: [child(worker, { id: 'near' }), child(worker, { id: 'second' }), squad],
    })
    await using world = await createTestRuntime({ root: top })
    world.runtime.spawn(director)
    const user = world.runtime.spawn(finder)
    const answer = path.startsWith('/user')
      ? user.ask({ type: 'finder.find' })
      : world.runtime.lookup(top).ask({ type: 'finder.find' })
    await world.settle()
    expect(await answer).toBe(path)
  })

  test('given nobody, then it says so', async () => {
    const finder = found(worker, 'nobody')
    await using world = await createTestRuntime({ root: finder })
    const answer = world.runtime.lookup(finder).ask({ type: 'finder.find' })
    const refused = expect(answer).rejects.toThrow("/finder finds no 'worker' called 'nobody'")
    await world.settle()
    await refused
    expect(catchError(() => world.runtime.lookup(worker))).toMatchObject({
      code: 'ACTOR_NOT_FOUND',
    } satisfies Partial<EchelonError>)
  })
})

describe('failures that a tier cannot mend', () => {
  test('climb from tier to tier, and past the top they end the runtime', async () => {
    const terms = { intensity: { restarts: 1, withinMs: 1000 }, authority: {} }
    const squad = operational('squad', { ...terms, children: [worker] })
    const branch = tactical('branch', { ...terms, children: [squad] })
    const top = strategic('top', { ...terms, children: [branch, child(worker, { id: 'bystander' })] })
    await using world = await createTestRuntime({ root: top })
    const seen: RuntimeEventOf<'escalated'>[] = []
    world.runtime.on('escalated', (event) => seen.push(event))
    let closed: unknown
    void world.runtime.closed.then((reason) => (closed = reason))

    // Each tier bears one restart: two crashes are one too many for the squad, four for the branch, eight for the top.
    for (let crashes = 1; crashes <= 8; crashes += 1) {
      world.runtime.ref('/top/branch/squad/worker')?.tell({ type: 'worker.crash' } as never)
      await world.settle()
      if (crashes < 8) expect(world.runtime.ref('/top/bystander')?.incarnation, `after ${crashes}`).toBe(1)
    }

    await world.advance(10_000)
    const squadGivesUp = ['/top/branch/squad', '/top/branch']
    const branchGivesUp = ['/top/branch', '/top']
    expect(seen.map(({ from, to }) => [from, to])).toEqual([
      squadGivesUp,
      squadGivesUp,
      branchGivesUp,
      squadGivesUp,
      squadGivesUp,
      branchGivesUp,
      ['/top', 'person'],
    ])
    expect(seen[0]?.reason).toMatchObject({ kind: 'failure', exit: { kind: 'crash' } })
    expect(seen[0]?.resolve('anything')).toBe(false)
    expect(closed).toEqual(exits.shutdown())
  })

  test('given a tier of a dynamic supervisor, when it is added, then its authority counts too', async () => {
    const many = dynamicSupervisor('many', {
      child: operational('squad', { authority: { risk: 'high' }, children: [] }),
    })
    expect(() => strategic('top', { authority: { risk: 'low' }, children: [many] })).toThrow(
      'Authority of top/many/squad',
    )
    const top = strategic('top', { authority: { risk: 'high' }, children: [many] })
    await using world = await createTestRuntime({ root: top })
    const ref = world.runtime.ref('/top/many')
    // The ref of a dynamic supervisor.
    const added = startDynamicChild(ref as unknown as Parameters<typeof startDynamicChild>[0], { id: 'one' })
    await world.settle()
    expect((await added).ref?.path).toBe('/top/many/one')
  })
})

function catchError(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
