import { defineActor, message, type DownSignal, type Runtime } from 'echelon'
import * as z from 'zod'
import type { AnyRef } from '../../../src/actors/ref.ts'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import type { SimulatedNode } from '../../../src/testing/simulation/node.ts'
import { defineLaw, onNode } from './law.ts'

/** Ends in whatever way it is told to. */
export const mortal = defineActor({
  name: 'mortal',
  protocol: { 'mortal.end': message({ how: z.enum(['normal', 'crash', 'shutdown']) }), 'mortal.work': message() },
  on: {
    'mortal.end': ({ message: { how }, stop }) => {
      if (how === 'crash') throw new Error('on purpose')
      stop(how === 'normal' ? undefined : { kind: 'shutdown' })
    },
    'mortal.work': () => undefined,
  },
})

/** One watch: whom it is about, and what it was told. */
interface Watch {
  readonly path: string
  /** Of the incarnation that was there; undefined when none was. */
  readonly incarnation: number | undefined
  readonly reasons: string[]
  isOver: boolean
}

class Book {
  readonly watches: Watch[] = []
  /** How each incarnation ended, by `path incarnation`. */
  readonly ends = new Map<string, string>()
}
const book = perWorld(() => new Book())

/** Watches others by messages, as actors do. */
export const watcher = defineActor({
  name: 'watcher',
  protocol: {
    'watcher.watch': message({ ref: z.custom<AnyRef>() }),
    'watcher.unwatch': message({ ref: z.custom<AnyRef>() }),
  },
  on: {
    'watcher.watch': ({ message: { ref }, watch }) => {
      const incarnation = ref.isRunning ? ref.incarnation : undefined
      book.current.watches.push({ path: ref.path, incarnation, reasons: [], isOver: false })
      watch(ref)
    },
    'watcher.unwatch': ({ message: { ref }, unwatch }) => {
      unwatch(ref)
      for (const one of book.current.watches) if (one.path === ref.path && one.reasons.length === 0) one.isOver = true
    },
    'actor.down': ({ message }: { readonly message: DownSignal }) => {
      const open = book.current.watches.filter(({ path, isOver }) => path === message.ref.path && !isOver)
      const one = open.find(({ reasons }) => reasons.length === 0) ?? open[0]
      one?.reasons.push(message.reason.kind)
    },
  },
})

const noting: Invariant = {
  kind: 'invariant',
  name: 'what watches come by',
  begin: (world) => ({
    event: (event) => {
      if (event.type === 'stopped') book.current.ends.set(`${event.path} ${event.incarnation}`, event.reason.kind)
      if (event.type === 'restarted' && event.path.includes('mortal')) world.sometimes('a watched actor was restarted')
    },
    // Whatever was watched in a process ends with it.
    died: () => {
      book.current.watches.length = 0
      book.current.ends.clear()
    },
  }),
}

const names = ['mortal-a', 'mortal-b'] as const

/** W1 to W3: each watch of an incarnation answers once, with the reason of its end; one of nobody answers noproc. */
export const watchingLaw = defineLaw({
  scenario: {
    name: 'watching',
    nodes: {
      node: {
        journal: false,
        setup: (runtime) => {
          runtime.spawn(watcher, { name: 'watcher' })
          // They are started again for as long as the world goes on.
          const intensity = { restarts: 100, withinMs: 1000 }
          for (const name of names) runtime.spawn(mortal, { name, intensity })
        },
      },
    },
    run: async (world) => {
      const node: SimulatedNode = world.node('node')
      const known = new Map<string, AnyRef>()
      /** Whom an address leads to, also when nobody is there any more. */
      const refOf = (runtime: Runtime, name: string): AnyRef => {
        const key = `${node.incarnation} ${name}`
        const ref = runtime.ref(`/user/${name}`, mortal) ?? known.get(key)
        if (ref === undefined) throw new Error('nobody has ever been there')
        known.set(key, ref)
        return ref
      }
      const withOne = async (use: (runtime: Runtime, ref: AnyRef) => void): Promise<void> => {
        const name = world.pick(names, 'who')
        await onNode(node, (runtime) => {
          for (const one of names) refOf(runtime, one)
          use(runtime, refOf(runtime, name))
        })
      }
      const watch = (): Promise<void> =>
        withOne((runtime, ref) => {
          runtime.ref('/user/watcher', watcher)?.tell({ type: 'watcher.watch', ref })
        })
      await world.repeat(16, {
        watch,
        'watch again': watch,
        unwatch: () =>
          withOne((runtime, ref) => {
            runtime.ref('/user/watcher', watcher)?.tell({ type: 'watcher.unwatch', ref })
          }),
        end: async () => {
          const how = world.pick(['normal', 'crash', 'shutdown'] as const, 'how')
          await withOne((runtime, { path }) => {
            runtime.ref(path, mortal)?.tell({ type: 'mortal.end', how })
          })
        },
        kill: () =>
          withOne((_, ref) => {
            ref.kill()
          }),
        wait: () => world.sleep(world.pick([0, 1, 6000], 'wait')),
      })
      world.calm()
      // As long as the longest pause, and until a process that died is back.
      await world.sleep(60_000)
      for (const { path, incarnation, reasons, isOver } of book.current.watches) {
        const how = incarnation === undefined ? 'noproc' : book.current.ends.get(`${path} ${incarnation}`)
        const wanted = isOver || how === undefined ? [] : [how]
        world.expect(
          reasons.join() === wanted.join(),
          `the watch of ${path} (${incarnation}) was told ${reasons.join() || 'nothing'} and should have been ${wanted.join() || 'nothing'}`,
        )
        for (const reason of reasons) world.sometimes(`a watch was told ${reason}`)
        if (isOver) world.sometimes('a watch was taken back')
      }
    },
    always: [noting],
    sometimes: [
      ...['normal', 'shutdown', 'crash', 'killed', 'noproc'].map((reason) => `a watch was told ${reason}`),
      'a watch was taken back',
      'a watched actor was restarted',
    ],
  },
  faults: faults.only({ crash: 0.01, stall: 0.2, pause: 0.03, swarm: true }),
})
