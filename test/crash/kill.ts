/**
 * Kills processes that run durable actors under load, at any moment, and compares what they acknowledged with what their
 * journals have: `npm run crash:kill -- --kills N --seed S`. `docs/testing-durability.md` says how.
 */
import { parseArgs } from 'node:util'
import { campaign, goalsOf } from './kill/campaign.ts'
import { tidyOnSignals } from './support/folder.ts'
import { report } from './support/goals.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '4' },
    lanes: { type: 'string', default: '3' },
    keep: { type: 'string' },
  },
})
tidyOnSignals()
const kills = Number(values.kills)
const result = await campaign({
  ...{ kills, seed: values.seed, lanes: Number(values.lanes), killsPerJournal: 40, keep: values.keep },
})
process.stdout.write(
  `${result.kills} kills in ${result.seconds.toFixed(1)} s over ${result.journals} journals, seed ${values.seed}: ` +
    `${result.acknowledgements} acknowledgements, ${result.runs} effects run\n`,
)
const goals = goalsOf(result, { kills, minutes: Number(values.minutes), isWhole: kills >= 500 })
process.exitCode = report(
  goals,
  result.problems.map(({ offence, text }) => `${offence}: ${text}`),
)
