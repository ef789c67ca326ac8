/**
 * The honest case: 24 behaviours over 10,000 actors, each of them told once in a fixed order that looks random, in bursts
 * of 1,000. Call sites see many targets and many shapes, and each actor is cold when its message comes. Each behaviour has
 * a state of its own shape and builds the next one; machines change state and assign.
 */

import { type Bench, erlang, peer } from './frame/bench.ts'
import { nsEach, shuffled, signal } from './frame/measure.ts'

const actors = 10_000
const burst = 1_000

interface Work {
  readonly type: 'work'
  readonly by: number
}

type State = { readonly total: number }

/** One literal each, so that no call site can have seen only one of them. */
const operations: readonly ((total: number, by: number) => number)[] = [
  (total, by) => total + by,
  (total, by) => total - by,
  (total, by) => total * by,
  (total, by) => total ^ by,
  (total, by) => total | by,
  (total, by) => total + 2 * by,
  (total, by) => total - 2 * by,
  (total, by) => by - total,
  (total, by) => total + by * by,
  (total, by) => (total << 1) + by,
  (total, by) => (total >> 1) + by,
  (total, by) => Math.max(total, by),
  (total, by) => Math.min(total, by),
  (total, by) => total * 3 + by,
  (total, by) => total * 5 - by,
  (total, by) => (total + by) ^ 21,
  (total, by) => (total + by) * 2,
  (total) => total + 1,
  (total) => total - 1,
  (total, by) => total + by + 7,
  (total, by) => total * 7 + by,
  (total, by) => (total ^ 63) + by,
  (total, by) => (total & 255) + by,
  (total, by) => (total % 97) + by,
]

/** A first state whose shape no other kind has. */
const firstState = (kind: number): State => ({ [`only${kind}`]: kind, total: 0 })

/** Counts what is handled, so that a burst knows its end. */
class Handled {
  #left = 0
  #burst = signal()

  expect(): Promise<void> {
    this.#left = burst
    this.#burst = signal()
    return this.#burst.done
  }

  readonly one = (): void => {
    if (--this.#left === 0) this.#burst.finish()
  }
}

const behaviours = (handled: Handled) =>
  operations.map((operation) => (state: State, { by }: Work): State => {
    handled.one()
    return { ...state, total: operation(state.total, by) & 0xffff }
  })

/** Makes all actors, kind after kind, and measures bursts to them. `flush` delivers, where sending does not. */
function measure(handled: Handled, make: (kind: number) => { tell(message: Work): void }, flush?: () => void) {
  const all = Array.from({ length: actors }, (_, n) => make(n % operations.length))
  const order = [...shuffled(actors)].flatMap((index) => all[index] ?? [])
  return (ms: number) =>
    nsEach(ms, actors, async () => {
      for (let start = 0; start < actors; start += burst) {
        const done = handled.expect()
        for (let n = start; n < start + burst; n++) order[n]?.tell({ type: 'work', by: 3 })
        flush?.()
        await done
      }
    })
}

/** The item of `list` for `kind`: lists here are as long as `operations`. */
function of<T>(list: readonly T[], kind: number): T {
  const item = list[kind]
  if (item === undefined) throw new RangeError(`no kind ${kind}`)
  return item
}

/** As `behaviours`, as machines of two states. */
async function machines(handled: Handled) {
  const { assign, setup } = await import('xstate')
  return operations.map((operation, kind) =>
    setup({
      types: { context: {} as State, events: {} as Work },
      actions: {
        work: assign({
          total: ({ context, event }) => {
            handled.one()
            return operation(context.total, event.by) & 0xffff
          },
        }),
      },
    }).createMachine({
      context: firstState(kind),
      initial: 'a',
      states: {
        a: { on: { work: { target: 'b', actions: 'work' } } },
        b: { on: { work: { target: 'a', actions: 'work' } } },
      },
    }),
  )
}

export default {
  name: 'megamorphic',
  question: 'What does a message cost among 24 behaviours and 10,000 actors in random order?',
  unit: 'ns/message',
  goals: [],
  subjects: {
    'lean run queue': async () => {
      const { LeanActor, RunQueue } = await import('./limits.ts')
      const queue = new RunQueue()
      const handled = new Handled()
      const kinds = behaviours(handled)
      return measure(
        handled,
        (kind) => new LeanActor<State, Work>(queue, of(kinds, kind), firstState(kind)),
        () => queue.run(),
      )
    },

    'XState custom logic': async () => {
      const { createActor, fromTransition } = await import('xstate')
      const handled = new Handled()
      const kinds = behaviours(handled).map((behaviour, kind) => fromTransition(behaviour, firstState(kind)))
      return measure(handled, (kind) => {
        const actor = createActor(of(kinds, kind)).start()
        return { tell: (message) => actor.send(message) }
      })
    },

    'XState machine': async () => {
      const { createActor } = await import('xstate')
      const handled = new Handled()
      const kinds = await machines(handled)
      return measure(handled, (kind) => {
        const actor = createActor(of(kinds, kind)).start()
        return { tell: (message) => actor.send(message) }
      })
    },

    nact: peer(async () => {
      const { loadNact } = await import('./peers/nact.ts')
      const { dispatch, spawn, start } = await loadNact()
      const system = start()
      const handled = new Handled()
      const kinds = behaviours(handled)
      let spawned = 0 // named by number: its random names collide
      return measure(handled, (kind) => {
        const ref = spawn(system, of(kinds, kind), `actor-${spawned++}`, { initialState: firstState(kind) })
        return { tell: (message) => dispatch(ref, message) }
      })
    }),

    'Erlang processes': erlang('megamorphic', 'raw'),

    'Echelon, handlers': async () => {
      const { createRuntime, defineActor, message } = await import('echelon')
      const z = await import('zod')
      const runtime = await createRuntime()
      const handled = new Handled()
      const kinds = behaviours(handled).map((behaviour, kind) =>
        defineActor({
          name: `kind-${kind}`,
          protocol: { work: message({ by: z.int() }) },
          state: () => firstState(kind),
          on: { work: ({ state, message }) => behaviour(state, message) },
        }),
      )
      return measure(handled, (kind) => runtime.spawn(of(kinds, kind)))
    },

    'Echelon, machines': async () => {
      const { createRuntime, defineActor, message } = await import('echelon')
      const z = await import('zod')
      const runtime = await createRuntime()
      const handled = new Handled()
      const kinds = (await machines(handled)).map((machine, kind) =>
        defineActor({ name: `kind-${kind}`, protocol: { work: message({ by: z.int() }) }, machine: () => machine }),
      )
      return measure(handled, (kind) => runtime.spawn(of(kinds, kind)))
    },
  },
} satisfies Bench
