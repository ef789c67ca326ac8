/**
 * From just before a handler throws `new Error` to the moment when the next incarnation runs: the capture of the stack
 * trace, the supervisor's decision and the new start are in it. One crash at a time, as many as fit in a run.
 *
 * Erlang: from just before `exit(boom)` (no stack trace is built) to the first instruction of the new process, a bare
 * spawn_link under a real supervisor. Its supervisor looks through all restarts of the last second, and through all
 * children: "calm" takes a new supervisor every 100 crashes. nact: its actor resets itself; nobody counts.
 * Echelon: to the `actor.started` signal of the new incarnation, with every restart of the last minute in the window.
 */

import type { Ref } from 'echelon'
import { type Bench, erlang, peer } from './frame/bench.ts'
import { latency, signal } from './frame/measure.ts'

/** Crashes one actor over and over: `crash` sets it off, `crashing` and `running` are called from inside it. */
class Crashes {
  #samplesMs: number[] = []
  #crashedMs = 0
  #ran = signal()

  readonly crashing = (): void => {
    this.#crashedMs = performance.now()
  }

  readonly running = (): void => {
    this.#samplesMs.push(performance.now() - this.#crashedMs)
    this.#ran.finish()
  }

  async measure(ms: number, crash: () => void) {
    const startedMs = performance.now()
    this.#samplesMs = []
    while (performance.now() - startedMs < ms) {
      this.#ran = signal()
      crash()
      await this.#ran.done
    }
    return latency(this.#samplesMs)
  }
}

const echelon = (siblings: number, withinMs: number) => async () => {
  const { child, createRuntime, defineActor, message, supervisor } = await import('echelon')
  const crashes = new Crashes()
  const protocol = { crash: message() }
  let ref: Ref<typeof protocol> | undefined
  const worker = defineActor({
    name: 'worker',
    protocol,
    on: {
      'actor.started': ({ self }) => {
        crashes.running()
        ref = self // the same over all restarts
      },
      crash: () => {
        crashes.crashing()
        throw new Error('boom')
      },
    },
  })
  const idle = defineActor({ name: 'idle', protocol: { poke: message() }, on: { poke: () => undefined } })
  const team = supervisor('team', {
    intensity: { restarts: 100_000_000, withinMs },
    children: [...Array.from({ length: siblings }, (_, n) => child(idle, { id: `idle-${n}` })), worker],
  })
  await createRuntime({ root: team })
  return (ms: number) => crashes.measure(ms, () => ref?.tell({ type: 'crash' }))
}

const goal = { atMost: 6, p99AtMost: 20 }

export default {
  name: 'restart',
  question: 'How long is an actor that crashed away?',
  unit: 'us',
  goals: [
    { subject: 'Echelon, few restarts in the window', ...goal },
    { subject: 'Echelon, all restarts in the window', ...goal },
    { subject: 'Echelon, 10,000 siblings', ...goal },
    { subject: 'Echelon, few restarts in the window', to: 'Erlang supervisor, calm', atMost: 3.5 },
  ],
  subjects: {
    'new Error, new lean actor': async () => {
      const { LeanActor, RunQueue } = await import('./limits.ts')
      const crashes = new Crashes()
      const queue = new RunQueue()
      const crash = (): number => {
        crashes.crashing()
        throw new Error('boom')
      }
      const start = () => new LeanActor<number, undefined>(queue, crash, 0)
      let actor = start()
      return (ms) =>
        crashes.measure(ms, () => {
          actor.tell(undefined)
          try {
            queue.run()
          } catch {
            actor = start()
            crashes.running()
          }
        })
    },

    nact: peer(async () => {
      const { loadNact } = await import('./peers/nact.ts')
      const { dispatch, spawn, start } = await loadNact()
      const crashes = new Crashes()
      const actor = spawn(
        start(),
        () => {
          crashes.crashing()
          throw new Error('boom')
        },
        'worker',
        { initialStateFunc: crashes.running, onCrash: (_message, _error, { reset }) => reset },
      )
      return (ms) => crashes.measure(ms, () => dispatch(actor, { type: 'crash' }))
    }),

    'Erlang supervisor, calm': erlang('restart', 'calm'),
    'Erlang supervisor, all restarts in the window': erlang('restart', 'busy'),
    'Erlang supervisor, 10,000 siblings': erlang('restart', 'siblings'),
    'Echelon, few restarts in the window': echelon(0, 1),
    'Echelon, all restarts in the window': echelon(0, 60_000),
    'Echelon, 10,000 siblings': echelon(10_000, 60_000),
  },
} satisfies Bench
