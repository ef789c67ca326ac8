/**
 * A process that has 100,000 durable actors on its disk starts, and answers its first question to one of them: nobody else
 * is brought back. Then every one of 2,000 of them is asked, which brings each back with its ten entries.
 */

import type { Bench } from './frame/bench.ts'
import { temporaryFolder } from './frame/at-end.ts'

const actors = 100_000
const asked = 2_000
const entriesEach = 10

async function echelon() {
  const { createRuntime, defineActor, message, question, systemClock } = await import('echelon')
  const { sqliteJournal } = await import('echelon/journal')
  const z = await import('zod')
  const counter = defineActor({
    name: 'counter',
    durable: true,
    protocol: { add: message({ by: z.int() }), total: question({}, z.int()) },
    state: () => ({ total: 0 }),
    on: {
      add: ({ state, message }) => ({ total: state.total + message.by }),
      total: ({ state, reply }) => {
        reply(state.total)
      },
    },
  })
  const source = sqliteJournal(`${temporaryFolder()}/journal.db`)
  const journal = await source.open({ node: 'bench', clock: systemClock })
  const atMs = 1_700_000_000_000
  const created = { kind: 'created', version: 1, atMs, body: JSON.stringify({ definition: 'counter' }) } as const
  const added = {
    kind: 'handled',
    version: 1,
    atMs,
    body: JSON.stringify({ message: { type: 'add', by: 1 } }),
  } as const
  const entries = [created, ...Array.from({ length: entriesEach - 1 }, () => added)]
  for (let n = 0; n < actors; n += 1_000) {
    await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        journal.append([{ stream: `/durable/counter/c${n + i}`, expectedSeq: 0, entries, wakeAtMs: null }]),
      ),
    )
  }
  await journal.close()
  let from = 0
  return { createRuntime, counter, source, next: () => (from = (from + asked) % actors) }
}

const firstMessage = async () => {
  const { createRuntime, counter, source, next } = await echelon()
  return async () => {
    const startMs = performance.now()
    const runtime = await createRuntime({ journal: source, definitions: [counter] })
    const total = await runtime.get(counter, `c${next()}`).ask({ type: 'total' })
    const value = performance.now() - startMs
    await runtime.shutdown()
    if (total !== entriesEach - 1) throw new Error(`it was brought back with ${total}`)
    return { value }
  }
}

const thousands = async () => {
  const { createRuntime, counter, source, next } = await echelon()
  return async () => {
    const runtime = await createRuntime({ journal: source, definitions: [counter] })
    const first = next()
    const startMs = performance.now()
    await Promise.all(
      Array.from({ length: asked }, (_, n) =>
        runtime.get(counter, `c${first + n}`).ask({ type: 'total' }, { timeoutMs: 60_000 }),
      ),
    )
    const value = performance.now() - startMs
    await runtime.shutdown()
    return { value }
  }
}

export default {
  name: 'durable-recovery',
  question: 'How long until an actor answers, of 100,000 that are on disk?',
  unit: 'ms',
  runs: 5,
  goals: [{ subject: 'Echelon, start to first answer', atMost: 2_000 }],
  subjects: {
    'Echelon, start to first answer': firstMessage,
    [`Echelon, ${asked.toLocaleString('en-GB')} actors brought back`]: thousands,
  },
} satisfies Bench
