import { faults } from '../../../src/testing/simulation/faults.ts'
import { codeOf, defineLaw } from './law.ts'
import { notes } from './journal.ts'

const deadlineMs = 5000
/** Steps that take long are no fault of the runtime: three of the longest. */
const stalledMs = 24_000
const phases = ['stop-accepting', 'refuse-asks', 'drain', 'stop-tree', 'close']

/** Codes with which a runtime that closes, or a disk that fails, refuses a message. */
const refusals = new Set([
  'NODE_DOWN',
  'RUNTIME_CLOSED',
  'TARGET_DOWN',
  'JOURNAL_CLOSED',
  'JOURNAL_FAILED',
  'JOURNAL_FULL',
  'MAILBOX_FULL',
])

/** X1, X2, J14: a shutdown under load ends in its time, and what was acknowledged until then is there afterwards. */
export const stoppingLaw = defineLaw({
  scenario: {
    name: 'stopping',
    nodes: { node: [notes] },
    run: async (world) => {
      const node = world.node('node')
      const ref = world.get(notes, 'n')
      const acknowledged: number[] = []
      let isStopping = false
      let last = 0
      const tell = async (): Promise<void> => {
        last += 1
        const n = last
        try {
          await ref.tell({ type: 'notes.add', n }, { durable: true, id: `note-${n}` })
          acknowledged.push(n)
          if (isStopping) world.sometimes('a message was acknowledged during a shutdown')
        } catch (error) {
          world.expect(refusals.has(codeOf(error)), `${n} was refused with ${codeOf(error)}: ${String(error)}`)
          if (isStopping) world.sometimes('a message was refused during a shutdown')
        }
      }
      for (let round = 0; round < 3; round += 1) {
        const telling = Array.from({ length: world.integer(1, 6, 'load') }, tell)
        await world.sleep(world.pick([0, 0.4, 2, 500], 'before'))
        const beganMs = world.nowMs
        const stopped = node.stop(deadlineMs)
        isStopping = true
        telling.push(tell(), tell())
        const report = await stopped.catch(() => undefined)
        const tookMs = world.nowMs - beganMs
        await Promise.all(telling)
        isStopping = false
        if (report !== undefined) {
          world.expect(report.phases.map(({ phase }) => phase).join() === phases.join(), 'a phase is missing')
          const ms = report.phases.reduce((sum, phase) => sum + phase.ms, 0)

          world.expect(tookMs <= deadlineMs + stalledMs, `it took ${tookMs} ms`)
          if (ms > 100) world.sometimes('a shutdown that took a while')
          if (report.killed.length > 0) world.sometimes('an actor was killed at the end of the time')
          world.sometimes('an orderly end')
        } else world.sometimes('a process died during its shutdown')
        node.end()
        await node.start()
        await node.up()
      }
      world.calm()
      await world.sleep(60_000)
      const all = await world.retrying(() => ref.ask({ type: 'notes.all' }))
      world.expect(new Set(all).size === all.length, `handled twice: ${all.join()}`)
      for (const n of acknowledged) world.expect(all.includes(n), `${n} was acknowledged, and it has ${all.join()}`)
    },
    sometimes: [
      'a message was acknowledged during a shutdown',
      'a message was refused during a shutdown',
      'a shutdown that took a while',
      'an orderly end',
      'a process died during its shutdown',
      'an actor was killed at the end of the time',
    ],
  },
  faults: faults.standard({ diskSlow: 0.2, diskFull: 0.05, crash: 0.01, pause: 0, stall: 0.01 }),
})
