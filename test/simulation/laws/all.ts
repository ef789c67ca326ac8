import { journalLaw } from './journal.ts'
import type { Law } from './law.ts'

/** All laws, in the order in which a campaign goes through them. */
export const laws: readonly Law[] = [journalLaw]
