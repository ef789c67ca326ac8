/**
 * What the stream of runtime events costs per message: nobody listening, a listener on `handled`, and one on an event that
 * does not happen here. Bursts of 1,000 messages to one actor.
 */

import type { Bench } from './frame/bench.ts'
import { nsEach, signal } from './frame/measure.ts'

const burst = 1_000

const echelon = (listenTo: 'handled' | 'escalated' | undefined) => async () => {
  const { createRuntime, defineActor, message } = await import('echelon')
  const z = await import('zod')
  const runtime = await createRuntime()
  let batch = signal()
  let heard = 0
  const counter = runtime.spawn(
    defineActor({
      name: 'counter',
      protocol: { add: message({ by: z.int() }) },
      state: () => 0,
      on: {
        add: ({ state, message }) => {
          if (state + message.by < burst) return state + message.by
          batch.finish()
          return 0
        },
      },
    }),
  )
  if (listenTo !== undefined) runtime.on(listenTo, () => (heard += 1))
  return async (ms: number) => {
    const heardBefore = heard
    const sample = await nsEach(ms, burst, () => {
      batch = signal()
      for (let n = 0; n < burst; n++) counter.tell({ type: 'add', by: 1 })
      return batch.done
    })
    if ((listenTo === 'handled') !== heard > heardBefore) throw new Error(`${heard - heardBefore} events heard`)
    return sample
  }
}

export default {
  name: 'event-stream',
  question: 'What do runtime events cost per message?',
  unit: 'ns/message',
  goals: [{ subject: 'Echelon, a listener on another event', to: 'Echelon, nobody listens', atMost: 1.1 }],
  subjects: {
    'Echelon, nobody listens': echelon(undefined),
    'Echelon, a listener on another event': echelon('escalated'),
    'Echelon, a listener on each message': echelon('handled'),
  },
} satisfies Bench
