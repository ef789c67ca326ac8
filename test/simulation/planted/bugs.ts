import type { PlantedBug } from './bug.ts'
import { actorBugs } from './bugs/actors.ts'
import { effectBugs } from './bugs/effects.ts'
import { journalBugs } from './bugs/journal.ts'
import { runtimeBugs } from './bugs/runtime.ts'
import { supervisionBugs } from './bugs/supervision.ts'
import { timerBugs } from './bugs/timers.ts'

/** All of them. */
export const bugs: readonly PlantedBug[] = [
  ...journalBugs,
  ...effectBugs,
  ...timerBugs,
  ...supervisionBugs,
  ...actorBugs,
  ...runtimeBugs,
]
