import type { PlantedBug } from './bug.ts'
import { journalBugs } from './bugs/journal.ts'

/** All of them. */
export const bugs: readonly PlantedBug[] = [...journalBugs]
