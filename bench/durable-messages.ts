/**
 * Messages told with `durable: true`, each acknowledged when it is on disk, to 1,000 durable actors which handle them and
 * remember their ids: 1, 64 and 1,000 senders that each wait for the acknowledgement before they send the next.
 */

import type { Bench } from './frame/bench.ts'
import { temporaryFolder } from './frame/at-end.ts'
import { perSecond } from './frame/measure.ts'

const actors = 1_000

const echelon = (senders: number) => async () => {
  const { createRuntime, defineActor, message } = await import('echelon')
  const { sqliteJournal } = await import('echelon/journal')
  const z = await import('zod')
  const counter = defineActor({
    name: 'counter',
    durable: true,
    protocol: { add: message({ by: z.int(), note: z.string() }) },
    state: () => ({ total: 0 }),
    on: { add: ({ state, message }) => ({ total: state.total + message.by }) },
  })
  const runtime = await createRuntime({ journal: sqliteJournal(`${temporaryFolder()}/journal.db`) })
  const refs = Array.from({ length: actors }, (_, n) => runtime.get(counter, `c${n}`))
  const note = 'x'.repeat(100)
  let n = 0
  const perSender = senders === 1 ? 100 : 50
  const send = async (): Promise<void> => {
    for (let i = 0; i < perSender; i++) await refs[n++ % actors]?.tell({ type: 'add', by: 1, note }, { durable: true })
  }
  return (ms: number) => perSecond(ms, senders * perSender, () => Promise.all(Array.from({ length: senders }, send)))
}

export default {
  name: 'durable-messages',
  question: 'How many durable messages are acknowledged?',
  unit: 'messages/s',
  goals: [{ subject: 'Echelon, 1,000 senders', atLeast: 50_000 }],
  subjects: {
    'Echelon, 1 sender': echelon(1),
    'Echelon, 64 senders': echelon(64),
    'Echelon, 1,000 senders': echelon(1_000),
  },
} satisfies Bench
