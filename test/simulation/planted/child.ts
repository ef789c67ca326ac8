/**
 * One search of the mutation check, in a process of its own: `node --import preload.ts child.ts SCENARIO SEED SCHEDULES`.
 * Tells its parent which file was replaced, and what the search came to, as JSON in one line.
 */
import { plantedMark } from './bug.ts'
import { search } from './campaign.ts'
import { scenarios, type ScenarioName } from './scenarios.ts'

/** What the parent reads. */
export interface ChildReport extends Awaited<ReturnType<typeof search>> {
  /** URL of the file whose text was replaced; undefined when none was. */
  readonly planted: string | undefined
}

const [name = '', seed = '1', schedules = '1'] = process.argv.slice(2)
// The parent takes it from the list of bugs, whose type says so.
const world = scenarios[name as ScenarioName]
const report = await search(world, { seed: Number(seed), schedules: Number(schedules) })
// Only the loader sets it, to a URL.
const planted = Reflect.get(globalThis, plantedMark) as string | undefined
process.stdout.write(`${JSON.stringify({ ...report, planted } satisfies ChildReport)}\n`)
