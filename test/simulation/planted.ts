/**
 * `npm run sim:planted` plants each bug of `planted/bugs.ts` into a process of its own and lets the simulation look for it:
 * does the harness find what breaks real systems, how soon, and how small is what it shows?
 *
 * `--only ID` one bug, with the steps that lead to it; `--seed N` the first seed; `--schedules N` worlds at most; `--json`.
 * Ends with 1 when a bug was missed, with 2 when the list is out of date.
 */
import { parseArgs } from 'node:util'
import { systemClock } from 'echelon'
import { bugs } from './planted/bugs.ts'
import { staleness } from './planted/run.ts'
import { checkAll } from './planted/check-all.ts'
import { goalLines, rowOf, tableHead, traceOf } from './planted/table.ts'

const usage = 'Usage: npm run sim:planted -- [--only ID] [--seed 1] [--schedules 20000] [--json]'

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      seed: { type: 'string', default: '1' },
      schedules: { type: 'string', default: '20000' },
      json: { type: 'boolean', default: false },
    },
  })
  const search = { seed: Number(values.seed), schedules: Number(values.schedules) }
  const wanted = bugs.filter(({ id }) => values.only === undefined || values.only.includes(id))
  if (!Number.isSafeInteger(search.seed) || !(search.schedules >= 1) || wanted.length === 0) {
    console.error(usage)
    return 2
  }
  const stale = bugs.map(staleness).filter((problem) => problem !== undefined)
  if (stale.length > 0) {
    console.error(stale.join('\n'))
    return 2
  }
  const beganMs = systemClock.now()
  if (!values.json) console.log(tableHead)
  const report = await checkAll(wanted, search, {
    calm: (one) => {
      if (!values.json && one.caught !== undefined) console.log(`${one.scenario}: false alarm\n${one.caught.trace}`)
    },
    bug: (one) => {
      if (values.json) return
      console.log(rowOf(one))
      if (values.only !== undefined) console.log(traceOf(one))
    },
  })
  const goals = goalLines(report)
  const seconds = Math.round((systemClock.now() - beganMs) / 1000)
  if (values.json) console.log(JSON.stringify({ ...report, goals, seconds }, undefined, 2))
  else console.log(`\n${goals.map(({ text }) => text).join('\n')}\n${seconds} s`)
  return goals.every(({ isMet }) => isMet) ? 0 : 1
}

process.exitCode = await main()
