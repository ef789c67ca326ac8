import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { occurrences, plantedVariable, type PlantedBug, type Replacement } from './bug.ts'
import type { Search } from './campaign.ts'
import type { ChildReport } from './child.ts'
import type { ScenarioName } from './scenarios.ts'

export const root = fileURLToPath(new URL('../../..', import.meta.url))
const fileHere = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** What is wrong with the list itself: a text that is not in its file, or is there several times. */
export function staleness({ id, file, find }: PlantedBug): string | undefined {
  const times = occurrences(readFileSync(path.join(root, file), 'utf8'), find)
  return times === 1 ? undefined : `${id}: its text is ${times} times in ${file}: the list of bugs is out of date`
}

/** Searches a scenario in a process of its own, with a bug in it or as it is. Rejects when it cannot be run. */
export async function searchApart(
  scenario: ScenarioName,
  bug: PlantedBug | undefined,
  { seed, schedules }: Search,
): Promise<ChildReport> {
  const url = bug === undefined ? undefined : pathToFileURL(path.join(root, bug.file)).href
  const replacement: Replacement | undefined =
    bug === undefined || url === undefined ? undefined : { url, find: bug.find, replace: bug.replace }
  const output = await runChild([scenario, `${seed}`, `${schedules}`], replacement)
  // The child writes nothing else.
  const report = JSON.parse(output) as ChildReport
  if (report.planted !== url)
    throw new Error(
      `${bug?.id ?? scenario}: ${url ?? 'nothing'} was to be replaced, and ${report.planted ?? 'nothing'} was`,
    )
  return report
}

function runChild(args: readonly string[], replacement: Replacement | undefined): Promise<string> {
  const flags = ['--conditions=echelon-source', '--import', fileHere('preload.ts'), fileHere('child.ts'), ...args]
  const env = {
    ...process.env,
    [plantedVariable]: replacement === undefined ? '' : JSON.stringify(replacement),
    // Stripping types is most of what a short search takes. What is kept is known by its text, planted or not.
    NODE_COMPILE_CACHE: path.join(root, 'node_modules/.cache/planted'),
  }
  const child = spawn(process.execPath, flags, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors]: [string[], string[]] = [[], []]
  child.stdout.on('data', (part: Buffer) => output.push(String(part)))
  child.stderr.on('data', (part: Buffer) => errors.push(String(part)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(output.join(''))
      else reject(new Error(`${args.join(' ')} ended with ${code}:\n${errors.join('').slice(-2000)}`))
    })
  })
}
