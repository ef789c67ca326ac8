/**
 * A program under load, for the tests to signal: it says what it took on and what it has done, each on a line. It takes
 * work on until it is told to stop. `hangs` has an actor that never finishes.
 */
import { writeSync } from 'node:fs'
import * as z from 'zod'
import { createRuntime, defineActor, message, systemClock } from 'echelon'

const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}
const wait = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.setTimeout(resolve, ms))

const worker = defineActor({
  name: 'worker',
  protocol: { work: message({ id: z.number() }) },
  state: () => undefined,
  mailbox: { capacity: 16, overflow: 'park' },
  on: {
    work: async ({ message: { id } }) => {
      await wait(2)
      say(`done ${id}`)
    },
  },
})

const stuck = defineActor({
  name: 'stuck',
  protocol: { hang: message() },
  state: () => undefined,
  on: {
    hang: () => {
      say('hanging')
      return new Promise<void>(() => undefined)
    },
  },
})

const runtime = await createRuntime({ signals: true, shutdownMs: 60_000 })
let isOpen = true
runtime.onShutdown('stop-accepting', 'intake', () => {
  isOpen = false
  say('draining')
})
const workers = [1, 2, 3].map(() => runtime.spawn(worker))
if (process.argv[2] === 'hangs') runtime.spawn(stuck, { shutdown: 'infinity' }).tell({ type: 'hang' })
for (let id = 0; isOpen; id += 1) {
  await workers[id % workers.length]?.offer({ type: 'work', id })
  say(`took ${id}`)
}
const { deadLetters, killed } = await runtime.shutdown()
say(`closed: ${deadLetters} dead letters, ${killed.length} killed`)
