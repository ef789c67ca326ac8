import type { Disk } from '../disk.ts'
import type { Concern } from './concern.ts'
import { examineDuplicates } from './duplicates.ts'
import type { Assignment, Examination } from './examination.ts'
import { examineInstallScripts } from './install-scripts.ts'
import { examineLicence } from './licences.ts'
import { examineMaintenance } from './maintenance.ts'

const examiners: Readonly<Record<Concern, (disk: Disk, assignment: Assignment) => Promise<Examination>>> = {
  licences: examineLicence,
  'install-scripts': examineInstallScripts,
  'maintenance-and-size': examineMaintenance,
  'duplicate-versions': examineDuplicates,
}

/** One examination: reads the disk, changes nothing, and gives the same answer for the same bytes. */
export function examine(disk: Disk, concern: Concern, assignment: Assignment): Promise<Examination> {
  return examiners[concern](disk, assignment)
}
