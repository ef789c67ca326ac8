/** One process of a campaign: runs the slice that it is sent, tells how far it is, and sends what came of it. */
import { laws } from '../laws/all.ts'
import { runSlice, type Slice } from './slice.ts'

export interface Job {
  readonly slice: Slice
  /** Names of the laws; all when there are none. */
  readonly only: readonly string[]
}

const progressEveryRounds = 5

process.once('message', (given) => {
  // Only `processes.ts` starts this program, and it sends a job.
  void run(given as Job)
})

async function run({ slice, only }: Job): Promise<void> {
  const chosen = only.length === 0 ? laws : laws.filter(({ scenario: { name } }) => only.includes(name))
  let rounds = 0
  const tally = await runSlice(chosen, slice, ({ worlds, findings }) => {
    rounds += 1
    if (rounds % progressEveryRounds === 0) process.send?.({ kind: 'progress', worlds, findings: findings.length })
  })
  process.send?.({ kind: 'done', tally }, () => {
    process.disconnect()
  })
}
