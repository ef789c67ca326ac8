import type { Disk } from '../disk.ts'
import { ReviewError } from '../errors.ts'
import { readInventory } from '../inventory/inventory.ts'
import type { Survey } from './protocols.ts'

/** What there is to review. A folder that is no project is an answer; anything else is a failure. */
export async function surveyOf(disk: Disk): Promise<Survey> {
  try {
    return { kind: 'surveyed', inventory: await readInventory(disk) }
  } catch (error) {
    if (error instanceof ReviewError) return { kind: 'refused', code: error.code, message: error.message }
    throw error
  }
}
