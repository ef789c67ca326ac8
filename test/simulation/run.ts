/**
 * The campaign of all laws: `npm run sim -- --worlds N --seed S`.
 *
 * --worlds N        worlds altogether, round robin over the laws (default 50000)
 * --seed S          the first seed (default 1); the same seed gives the same worlds
 * --only NAME       only this law; may come several times
 * --procs N         processes (default 2)
 * --twice           runs each world twice: both have to go the same way
 * --digest          prints one number for all traces, to compare with another run
 * --node-flags "…"  flags for the processes: --jitless, --hash-seed=12345
 * --json            the result as JSON on standard output
 * --list            the laws and what each has to come by
 * --replay FILE     runs the world of a case again, and shows its last steps
 *
 * Exits with 1 when something broke or a goal is missed, with 2 when it is called wrongly. What is found is shrunk and
 * written to `simcases/`.
 */
import { parseArgs } from 'node:util'
import { traceText } from '../../src/testing/simulation/report.ts'
import { readCase } from '../../src/testing/simulation/simcase.ts'
import { replay } from '../../src/testing/simulation/replay.ts'
import { goalsOf, lineOf, missing } from './campaign/goals.ts'
import { runProcesses } from './campaign/processes.ts'
import type { Tally } from './campaign/slice.ts'
import { laws } from './laws/all.ts'

// A value that begins with a dash has to be joined to its option.
const args = process.argv.slice(2)
const flagsAt = args.indexOf('--node-flags')
if (flagsAt >= 0) args.splice(flagsAt, 2, `--node-flags=${args[flagsAt + 1] ?? ''}`)

const { values } = parseArgs({
  args,
  options: {
    worlds: { type: 'string', default: '50000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [] },
    procs: { type: 'string', default: '2' },
    twice: { type: 'boolean', default: false },
    digest: { type: 'boolean', default: false },
    'node-flags': { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    replay: { type: 'string' },
  },
})
const [worlds, seed, procs] = [Number(values.worlds), Number(values.seed), Number(values.procs)]
const chosen = laws.filter(({ scenario: { name } }) => values.only.length === 0 || values.only.includes(name))
const say = (line: string): void => void process.stderr.write(`${line}\n`)

if (values.list) {
  for (const { scenario } of laws) process.stdout.write(`${scenario.name}: ${scenario.sometimes.join('; ')}\n`)
} else if (values.replay !== undefined) {
  await replayCase(values.replay)
} else if (!(worlds > 0 && procs > 0 && Number.isSafeInteger(seed)) || chosen.length === 0) {
  say(
    `--worlds, --seed and --procs take numbers; the laws are ${laws.map(({ scenario: { name } }) => name).join(', ')}`,
  )
  process.exitCode = 2
} else {
  await campaign()
}

async function replayCase(file: string): Promise<void> {
  const found = readCase(file)
  const law = laws.find(({ scenario: { name } }) => name === found.scenario)
  if (law === undefined) throw new Error(`there is no law '${found.scenario}'`)
  const { result, isSame, isExact } = await replay(law.scenario, found)
  process.stdout.write(`${traceText(result)}\n`)
  say(isSame ? `the same failure${isExact ? '' : ', another way'}` : 'it does not come again')
  process.exitCode = isSame ? 1 : 0
}

async function campaign(): Promise<void> {
  const nodeFlags = values['node-flags'].split(' ').filter((flag) => flag !== '')
  const rounds = Math.ceil(worlds / chosen.length)
  const beganMs = performance.now()
  let lastSaidMs = beganMs
  const tally = await runProcesses(chosen, {
    ...{ rounds, seed, procs, nodeFlags },
    twice: values.twice,
    folder: 'simcases',
    onProgress: (done, findings) => {
      if (performance.now() - lastSaidMs < 5000) return
      lastSaidMs = performance.now()
      say(`${done} worlds, ${findings} findings`)
    },
  })
  report(tally, performance.now() - beganMs, nodeFlags)
}

function report(tally: Tally, wallMs: number, nodeFlags: readonly string[]): void {
  const goals = goalsOf(tally, worlds, wallMs, !values.twice && nodeFlags.length === 0 && procs === 2)
  for (const finding of tally.findings.slice(0, 10)) say(`${finding.law}, seed ${finding.seed}: ${finding.report}\n`)
  for (const name of missing(tally)) say(`never came by ${name}`)
  if (values.json) process.stdout.write(`${JSON.stringify({ ...tally, wallMs, goals })}\n`)
  else {
    for (const goal of goals) process.stdout.write(`${lineOf(goal)}\n`)
    const seconds = (wallMs / 1000).toFixed(1)
    const days = (tally.virtualMs / 86_400_000).toFixed(1)
    process.stdout.write(
      `${seconds} s of wall time, ${days} days of the worlds, ${tally.steps} steps, ${tally.delivered} messages\n`,
    )
  }
  if (values.digest) process.stdout.write(`digest ${tally.digest}\n`)
  if (goals.some(({ isMet }) => !isMet)) process.exitCode = 1
}
