import { defineActor, message, type AnyRef } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../../src/testing/simulation/invariant.ts'
import type { PlantedWorld } from '../planted-world.ts'
import { after } from './after.ts'

/** Who is watched, and how each ended. */
class Model {
  readonly refs = new Map<string, AnyRef>()
  /** By path, how it ended. */
  readonly ends = new Map<string, string>()
  /** By path, for each watch that has no answer yet: whether its target was there. */
  readonly open = new Map<string, boolean[]>()
  problem: string | undefined

  watch(ref: AnyRef): void {
    this.open.set(ref.path, [...(this.open.get(ref.path) ?? []), !this.ends.has(ref.path)])
  }

  unwatch(ref: AnyRef): void {
    this.open.delete(ref.path)
  }

  down(path: string, reason: string): void {
    const open = this.open.get(path) ?? []
    if (open.length === 0) this.problem ??= `the end of ${path} is told, and nobody watches it any more`
    const possible = open.map((wasThere) => (wasThere ? this.ends.get(path) : 'noproc'))
    if (open.length > 0 && !possible.includes(reason))
      this.problem ??= `${path} ended ${possible.join(' or ')}, and the watcher is told ${reason}`
    this.open.set(path, open.slice(1))
  }
}

const model = perWorld(() => new Model())

const watcher = defineActor({
  name: 'watcher',
  protocol: { 'watcher.watch': message({ name: z.string() }), 'watcher.unwatch': message({ name: z.string() }) },
  state: () => undefined,
  on: {
    'watcher.watch': ({ message: { name }, watch }) => {
      const ref = model.current.refs.get(name)
      if (ref === undefined) return
      watch(ref)
      model.current.watch(ref)
    },
    'watcher.unwatch': ({ message: { name }, unwatch }) => {
      const ref = model.current.refs.get(name)
      if (ref === undefined) return
      unwatch(ref)
      model.current.unwatch(ref)
    },
    'actor.down': ({ message: { ref, reason } }) => {
      model.current.down(ref.path, reason.kind)
    },
  },
})

const target = defineActor({
  name: 'target',
  protocol: { 'target.crash': message({}), 'target.finish': message({}) },
  state: () => undefined,
  on: {
    'target.crash': () => {
      throw new Error('it was told to')
    },
    'target.finish': ({ stop }) => {
      stop()
    },
    // Its last words take a while.
    'actor.stopping': ({ clock, message: { reason } }) => (reason.kind === 'shutdown' ? after(clock, 100) : undefined),
  },
})

const watching: Invariant = {
  kind: 'invariant',
  name: 'watching',
  begin: () => ({
    event: (event) => {
      if (event.type === 'stopped') model.current.ends.set(event.path, event.reason.kind)
    },
  }),
}

/** An actor watches others and stops to watch them while they crash, end, or are stopped, some of them too slowly. */
export const watchWorld: PlantedWorld = {
  scenario: {
    name: 'watch',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const node = world.node('node')
      const { current } = model
      const from = node.spawn(watcher, { name: 'watcher' })
      for (const name of ['t', 'u'])
        current.refs.set(
          name,
          node.run((runtime) => runtime.spawn(target, { name, restart: 'temporary' })),
        )
      for (let round = 1; round <= 7; round += 1) {
        const what = world.choose(8, `round ${round}`)
        const name = world.pick(['t', 'u'], `target ${round}`)
        const to = node.at(`/user/${name}`, target)
        if (what === 1 || what === 2) from.tell({ type: 'watcher.watch', name })
        if (what === 3) from.tell({ type: 'watcher.unwatch', name })
        if (node.runtime?.ref(`/user/${name}`)?.isRunning === true) {
          if (what === 4) to.tell({ type: 'target.crash' })
          if (what === 5) to.tell({ type: 'target.finish' })
          if (what === 6) void node.run(() => current.refs.get(name)?.stop({ timeoutMs: 50 }))
          if (what === 7) node.run(() => current.refs.get(name)?.kill())
        }
        if (world.choose(2, `wait ${round}`) === 1) await world.sleep(30)
      }
      await world.sleep(1000)
      for (const [path, open] of current.open)
        if (current.ends.has(path) && open.length > 0)
          current.problem ??= `${path} has ended, and its watcher is not told`
    },
    always: [
      watching,
      function eachWatchIsAnsweredOnce() {
        return model.current.problem
      },
    ],
  },
  faults: faults.none(),
}
