import type { PlantedBug } from './bug.ts'
import type { Caught, Search, SearchReport } from './campaign.ts'
import { searchApart } from './run.ts'
import type { ScenarioName } from './scenarios.ts'

/** A scenario with no bug in it: nothing may be caught. */
export interface CalmReport extends SearchReport {
  readonly scenario: ScenarioName
}

export interface BugReport extends SearchReport {
  readonly bug: PlantedBug
  /** It was found, by one of the invariants that say what is wrong. */
  readonly isCaught: boolean
}

export interface CheckReport {
  readonly calm: readonly CalmReport[]
  readonly bugs: readonly BugReport[]
}

interface Listener {
  readonly calm: (report: CalmReport) => void
  readonly bug: (report: BugReport) => void
}

/** Worlds without a bug in which a scenario has to hold before one is looked for. */
export const calmSchedules = 500
/** Processes at the same time. */
const atOnce = 2

/** Runs each scenario without a bug, and then with each of its bugs. */
export async function checkAll(
  bugs: readonly PlantedBug[],
  search: Search,
  { calm, bug: tell }: Listener,
): Promise<CheckReport> {
  const names = [...new Set(bugs.map(({ scenario }) => scenario))]
  const schedules = Math.min(calmSchedules, search.schedules)
  const calmReports = await twoAtATime(names, async (scenario) => {
    const report = { ...(await searchApart(scenario, undefined, { ...search, schedules })), scenario }
    calm(report)
    return report
  })
  const reports = await twoAtATime(bugs, async (bug) => {
    const found = await searchApart(bug.scenario, bug, search)
    const report = { ...found, bug, isCaught: isMeant(bug, found.caught) }
    tell(report)
    return report
  })
  return { calm: calmReports, bugs: reports }
}

/** Whether what broke is what the bug is about: another one may be chance. */
export const isMeant = ({ breaks }: PlantedBug, caught: Caught | undefined): boolean =>
  caught !== undefined &&
  breaks.some((name) => name === caught.invariant || promisesOf(caught.invariant).includes(name))

/** The numbers that the name of an invariant begins with: `I9` and `I10` of `I9, I10 what comes back is what was there`. */
export const promisesOf = (invariant: string): readonly string[] =>
  /^I\d+(?:, I\d+)*/.exec(invariant)?.[0].split(', ') ?? []

async function twoAtATime<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  const left = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of left) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results
}
