import { journalLaw } from './journal.ts'
import { askingLaw } from './asking.ts'
import { chartsLaw } from './charts.ts'
import { disksLaw } from './disks.ts'
import { effectsLaw } from './effects.ts'
import type { Law } from './law.ts'
import { mailboxesLaw } from './mailboxes.ts'
import { registryLaw } from './registry.ts'
import { replacedLaws } from './replaced.ts'
import { secretsLaw } from './secrets.ts'
import { stoppingLaw } from './stopping.ts'
import { supervisingLaw } from './supervising.ts'
import { tiersLaw } from './tiers.ts'
import { timersLaw } from './timers.ts'
import { transfersLaw } from './transfers.ts'
import { watchingLaw } from './watching.ts'

/** All laws, in the order in which a campaign goes through them. */
export const laws: readonly Law[] = [
  journalLaw,
  transfersLaw,
  effectsLaw,
  timersLaw,
  chartsLaw,
  askingLaw,
  watchingLaw,
  mailboxesLaw,
  supervisingLaw,
  registryLaw,
  stoppingLaw,
  tiersLaw,
  secretsLaw,
  disksLaw,
  ...replacedLaws,
]
