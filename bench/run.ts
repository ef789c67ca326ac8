/**
 * `npm run bench` runs all benches, `npm run bench -- NAME …` some of them.
 *
 * --json          one JSON line per result on standard output
 * --strict        exit with 1 when a goal is missed
 * --only TEXT     only subjects whose name contains TEXT
 * --runs N, --ms N   how many runs count, and how long each takes
 * --list          the names of the benches, and what each asks
 *
 * Exits with 1 when a subject fails, with 2 when it is called wrongly.
 */

import { parseArgs } from 'node:util'
import { benchNames, loadBench } from './frame/load.ts'
import { summarize, table } from './frame/report.ts'
import { Rounds } from './frame/rounds.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    only: { type: 'string' },
    runs: { type: 'string' },
    ms: { type: 'string', default: '400' },
  },
})
const known = benchNames()
const unknown = positionals.filter((name) => !known.includes(name))
const [runs, ms] = [values.runs === undefined ? undefined : Number(values.runs), Number(values.ms)]
const say = (line: string) => void process.stderr.write(`${line}\n`)

if (unknown.length > 0 || !(ms > 0) || (runs !== undefined && !(Number.isInteger(runs) && runs > 0))) {
  say(
    unknown.length > 0
      ? `No bench ${unknown.join(', ')}. There are: ${known.join(', ')}`
      : '--runs and --ms take numbers above 0',
  )
  process.exitCode = 2
} else if (values.list) {
  for (const name of known) process.stdout.write(`${name}: ${(await loadBench(name)).question}\n`)
} else {
  await runAll(positionals.length > 0 ? positionals : known)
}

async function runAll(names: readonly string[]): Promise<void> {
  using rounds = new Rounds({ ms, runs, only: values.only, say })
  const goals = { met: 0, missed: 0, 'not compared': 0 }
  let failed = 0
  for (const name of names) {
    const bench = await loadBench(name)
    const outcome = await rounds.measure(bench)
    const lines = summarize(bench, outcome.samples)
    failed += outcome.failed.length
    for (const { goal, ok } of lines) {
      if (goal !== undefined) goals[ok === undefined ? 'not compared' : ok ? 'met' : 'missed'] += 1
    }
    if (values.json) for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`)
    else if (lines.length > 0) process.stdout.write(`${table(bench, lines)}\n`)
  }
  const counts = Object.entries({ ...goals, 'subjects failed': failed }).filter(([, count]) => count > 0)
  say(`Goals: ${counts.map(([what, count]) => `${count} ${what}`).join(', ') || 'none here'}.`)
  if (failed > 0 || (values.strict && goals.missed > 0)) process.exitCode = 1
}
