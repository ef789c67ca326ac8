/**
 * A supervised actor that crashes at every 1,000th message: memory in use after 1 million and after 10 million messages,
 * everything collected. What a restart leaves behind would show 9,000 times.
 */

import type { Ref } from 'echelon'
import type { Bench } from './frame/bench.ts'
import { bytesInUse, signal } from './frame/measure.ts'

const life = 1_000

const echelon = (messages: number) => async () => {
  const { createRuntime, defineActor, message, supervisor } = await import('echelon')
  const z = await import('zod')
  const protocol = { add: message({ by: z.int() }) }
  let ref: Ref<typeof protocol> | undefined
  let started = signal()
  let restarts = 0
  const worker = defineActor({
    name: 'worker',
    protocol,
    state: () => 0,
    on: {
      'actor.started': ({ self }) => {
        ref = self
        started.finish()
      },
      add: ({ state, message }) => {
        if (state + message.by < life) return state + message.by
        restarts += 1
        throw new Error(`message ${life}`)
      },
    },
  })
  const team = supervisor('team', { intensity: { restarts: 1_000_000, withinMs: 1_000 }, children: [worker] })
  await createRuntime({ root: team })
  await started.done
  return async () => {
    for (let sent = 0; sent < messages; sent += life) {
      started = signal()
      for (let n = 0; n < life; n++) ref?.tell({ type: 'add', by: 1 })
      await started.done
    }
    if (restarts !== messages / life) throw new Error(`${restarts} restarts for ${messages} messages`)
    return { value: (await bytesInUse()) / 1_048_576 }
  }
}

export default {
  name: 'flat-memory',
  question: `How much memory is in use after many messages to an actor that restarts every ${life.toLocaleString('en-GB')}?`,
  unit: 'MiB',
  fresh: true,
  runs: 1,
  goals: [{ subject: 'Echelon, 10 million messages', to: 'Echelon, 1 million messages', atMost: 1.05 }],
  subjects: {
    'Echelon, 1 million messages': echelon(1_000_000),
    'Echelon, 10 million messages': echelon(10_000_000),
  },
} satisfies Bench
