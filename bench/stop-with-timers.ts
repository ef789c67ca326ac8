/**
 * Stopping 2,000 actors at once, alone and while another actor of the same system has 10,000 timers pending. Only the
 * stops are timed. XState scans all timers of a system at each stop, so it stops 200 then.
 */

import { type Bench, erlang } from './frame/bench.ts'

const size = 2_000
const timers = 10_000
const hourMs = 3_600_000

/** Nanoseconds of each stop; starting happens off the clock. */
async function nsEachStop(ms: number, count: number, start: () => unknown, stop: () => unknown) {
  const endMs = performance.now() + ms
  let [stopMs, stopped] = [0, 0]
  while (performance.now() < endMs) {
    await start()
    const beforeMs = performance.now()
    await stop()
    stopMs += performance.now() - beforeMs
    stopped += count
  }
  return { value: (stopMs / stopped) * 1e6 }
}

const xstate = (pending: number, count: number) => async () => {
  const { createActor, enqueueActions, fromTransition, raise, setup } = await import('xstate')
  const child = fromTransition((total: number, { by }: { type: 'add'; by: number }) => total + by, 0)
  const owner = setup({}).createMachine({
    entry: enqueueActions(({ enqueue }) => {
      for (let n = 0; n < pending; n++) enqueue(raise({ type: 'due' }, { delay: hourMs, id: `timer-${n}` }))
    }),
  })
  const start = () => fromChildren(count)
  const fromChildren = (wanted: number) => void root.send({ type: 'start', wanted })
  const root = createActor(
    fromTransition(
      (children: ReturnType<typeof createActor<typeof child>>[], event: { type: string; wanted?: number }, scope) => {
        if (event.type === 'own') createActor(owner, { parent: scope.self }).start()
        if (event.type === 'start')
          return Array.from({ length: event.wanted ?? 0 }, () => createActor(child, { parent: scope.self }).start())
        if (event.type === 'stop') for (const one of children) scope.stopChild(one)
        return event.type === 'stop' ? [] : children
      },
      [],
    ),
  ).start()
  root.send({ type: 'own' })
  return (ms: number) => nsEachStop(ms, count, start, () => root.send({ type: 'stop' }))
}

const echelon = (pending: number) => async () => {
  const { createRuntime, defineActor, message } = await import('echelon')
  const z = await import('zod')
  const runtime = await createRuntime()
  const idle = defineActor({
    name: 'idle',
    protocol: { add: message({ by: z.int() }) },
    state: () => 0,
    on: { add: ({ state, message }) => state + message.by },
  })
  const owner = defineActor({
    name: 'owner',
    protocol: { due: message() },
    on: {
      'actor.started': ({ timers }) => {
        for (let n = 0; n < pending; n++) timers.after(`timer-${n}`, hourMs, { type: 'due' })
      },
      due: () => undefined,
    },
  })
  runtime.spawn(owner)
  let refs: { stop(): Promise<unknown> }[] = []
  const start = () => {
    refs = Array.from({ length: size }, () => runtime.spawn(idle))
    return new Promise((resolve) => setImmediate(resolve)) // they start on the clock of nobody
  }
  return (ms: number) => nsEachStop(ms, size, start, () => Promise.all(refs.map((ref) => ref.stop())))
}

export default {
  name: 'stop-with-timers',
  question: `Does a stop cost more with ${timers.toLocaleString('en-GB')} timers pending?`,
  unit: 'ns/stop',
  goals: [{ subject: 'Echelon, timers pending', to: 'Echelon', atMost: 1.2 }],
  subjects: {
    'XState custom logic': xstate(0, size),
    'XState custom logic, timers pending': xstate(timers, size / 10),
    'Erlang processes': erlang('timers', 'none'),
    'Erlang processes, timers pending': erlang('timers', 'pending'),
    Echelon: echelon(0),
    'Echelon, timers pending': echelon(timers),
  },
} satisfies Bench
