import { defineActor, defineKey, message, type Runtime } from 'echelon'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import type { World } from '../../../src/testing/simulation/world.ts'
import { codeOf, defineLaw, onNode } from './law.ts'

/** Offers itself under a key as soon as it starts. */
export const server = defineActor({
  name: 'server',
  protocol: { 'server.work': message(), 'server.crash': message() },
  on: {
    'server.work': () => undefined,
    'server.crash': () => {
      throw new Error('on purpose')
    },
    'actor.started': ({ register }) => {
      register(servers)
    },
  },
})

const servers = defineKey('servers', server.protocol)
const actors = ['server-a', 'server-b', 'server-c'] as const
const names = ['primary', 'backup'] as const

/** Who holds each name, by the actor and its incarnation; a process that dies takes all of them with it. */
const holders = perWorld(() => new Map<string, { readonly path: string; readonly incarnation: number }>())

/** After every step: nobody is found who is not there, and everybody who is there is found. */
const looking: Invariant = {
  kind: 'invariant',
  name: 'N1, N2 names and keys lead to those who are there',
  begin: (world) => ({
    event: (event) => {
      if (event.type !== 'stopped') return
      for (const [name, { path, incarnation }] of holders.current)
        if (path === event.path && incarnation === event.incarnation) {
          holders.current.delete(name)
          world.sometimes('a name was released by the end of its holder')
        }
    },
    died: () => {
      holders.current.clear()
    },
    step: () => {
      const { runtime } = world.node('node')
      return runtime === undefined ? undefined : problemIn(runtime)
    },
  }),
}

function problemIn(runtime: Runtime): string | undefined {
  for (const name of names) {
    const [ref, holder] = [runtime.whereis(name), holders.current.get(name)]
    if (ref?.path !== holder?.path)
      return `${name} is ${ref?.path ?? 'nobody'} and should be ${holder?.path ?? 'nobody'}`
    if (ref?.isRunning === false) return `${name} is ${ref.path}, which has ended`
  }
  const found = runtime.find(servers)
  if (new Set(found).size !== found.length) return 'an actor is found twice'
  for (const ref of found) if (!ref.isRunning) return `${ref.path} is found and has ended`
  return undefined
}

async function takeName(world: World): Promise<void> {
  const [name, actor] = [world.pick(names, 'name'), world.pick(actors, 'actor')]
  await onNode(world.node('node'), (runtime) => {
    const ref = runtime.ref(`/user/${actor}`, server)
    if (ref?.isRunning !== true) return
    const holder = holders.current.get(name)
    try {
      runtime.register(name, ref)
      world.expect(holder === undefined, `${name} was taken from ${holder?.path ?? ''}`)
      holders.current.set(name, { path: ref.path, incarnation: ref.incarnation })
      world.sometimes('a name was taken')
    } catch (error) {
      world.expect(codeOf(error) === 'NAME_TAKEN' && holder !== undefined, `${name} is refused: ${String(error)}`)
      world.sometimes('a name was refused')
    }
  })
}

/** N1, N2: names and keys, while actors and processes come and go. */
export const registryLaw = defineLaw({
  scenario: {
    name: 'registry',
    nodes: {
      node: {
        journal: false,
        setup: (runtime) => {
          for (const name of actors)
            runtime.spawn(server, { name, intensity: { restarts: 2, withinMs: 500 }, restart: 'permanent' })
        },
      },
    },
    run: async (world) => {
      const node = world.node('node')
      const tell = (type: 'server.crash' | 'server.work') => async (): Promise<void> => {
        const actor = world.pick(actors, 'told')
        await onNode(node, (runtime) => runtime.ref(`/user/${actor}`, server)?.tell({ type }))
      }
      await world.repeat(18, {
        'take a name': () => takeName(world),
        'take another name': () => takeName(world),
        crash: tell('server.crash'),
        work: tell('server.work'),
        kill: async () => {
          const actor = world.pick(actors, 'killed')
          await onNode(node, (runtime) => runtime.ref(`/user/${actor}`)?.kill())
        },
        wait: () => world.sleep(world.pick([0, 1, 900], 'wait')),
      })
      world.calm()
      await world.sleep(60_000)
      await onNode(node, (runtime) => {
        const there = actors.filter((name) => runtime.ref(`/user/${name}`)?.isRunning === true)
        const found = runtime.find(servers).map(({ path }) => path)
        world.expect(
          there.every((name) => found.includes(`/user/${name}` as (typeof found)[number])) &&
            found.length === there.length,
          `${there.join()} are there, and ${found.join()} are found`,
        )
        if (there.length < actors.length) world.sometimes('an actor stays down')
      })
    },
    always: [looking],
    sometimes: [
      'a name was taken',
      'a name was refused',
      'a name was released by the end of its holder',
      'an actor stays down',
    ],
  },
  faults: faults.only({ crash: 0.02, stall: 0.2, pause: 0.01, swarm: true }),
})
