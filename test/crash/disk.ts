/**
 * Makes every system call on a journal fail, one run for each: `npm run crash:disk`. `docs/testing-durability.md` says
 * how.
 */
import { parseArgs } from 'node:util'
import { diskCampaign, diskGoals, diskTable } from './disk/campaign.ts'
import { temporaryFolder, tidyOnSignals } from './support/folder.ts'
import { report } from './support/goals.ts'
import { strace, straceMissing } from './support/strace.ts'

const { values } = parseArgs({
  options: {
    sample: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '2' },
  },
})
tidyOnSignals()
if (strace.installed) {
  using folder = temporaryFolder()
  const which = values.sample ? 'sample' : 'all'
  const result = await diskCampaign(folder, { lanes: Number(values.lanes), which, seed: values.seed })
  const calls = Array.from(result.calls, ([call, count]) => `${count} ${call}`).join(', ')
  process.stdout.write(`The workload makes ${calls}; ${result.points} points in ${result.seconds.toFixed(0)} s\n`)
  process.stdout.write(`${diskTable(result)}\n`)
  process.exitCode = report(diskGoals(result, !values.sample), result.problems)
} else {
  process.stdout.write(`NOT RUN: ${straceMissing}\n`)
}
