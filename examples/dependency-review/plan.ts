import type { Assignment } from './examine/examination.ts'
import { concerns, type Concern } from './examine/concern.ts'
import type { Inventory } from './inventory/inventory.ts'
import type { PackageEntry } from './inventory/package-entry.ts'

/** One examination to be done. `key` is unique within its concern and the same in every run. */
export interface PlannedExamination {
  readonly key: string
  readonly assignment: Assignment
}

export type Plan = ReadonlyMap<Concern, readonly PlannedExamination[]>

/**
 * Splits the inventory into examinations: each package once for its licence, its install scripts and its upkeep, and each
 * name that is there more than once for its copies.
 */
export function planReview({ entries, project, requesters }: Inventory): Plan {
  const each = entries.map((entry) => ({ key: entry.path, assignment: { project, entry, copies: [] } }))
  const groups = new Map<string, PackageEntry[]>()
  for (const entry of entries) {
    const group = groups.get(entry.name)
    if (group === undefined) groups.set(entry.name, [entry])
    else group.push(entry)
  }
  const repeated = [...groups].flatMap(([name, group]): PlannedExamination[] => {
    const [first] = group
    if (first === undefined || group.length < 2) return []
    const copies = group.map((entry) => ({ entry, requesters: requesters.get(entry.path) ?? [] }))
    return [{ key: name, assignment: { project, entry: first, copies } }]
  })
  return new Map(concerns.map((concern) => [concern, concern === 'duplicate-versions' ? repeated : each]))
}
