import { examine } from '../../../examples/dependency-review/examine/examine.ts'
import { Disk } from '../../../examples/dependency-review/disk.ts'
import { readInventory } from '../../../examples/dependency-review/inventory/inventory.ts'
import { planReview } from '../../../examples/dependency-review/plan.ts'
import { buildReport, type ReviewReport } from '../../../examples/dependency-review/report/report.ts'

/** The whole analysis without the team: one examination after the other. What the team reports must equal this. */
export async function reviewQuietly(root: string): Promise<ReviewReport> {
  const disk = await Disk.open(root)
  const inventory = await readInventory(disk)
  const done = []
  for (const [concern, planned] of planReview(inventory)) {
    for (const { assignment } of planned) {
      done.push({ path: assignment.entry.path, examination: await examine(disk, concern, assignment) })
    }
  }
  return buildReport(inventory, done)
}

/** `rule package` of each finding, in the report's order. */
export function rulesOf(report: ReviewReport): readonly string[] {
  return report.findings.map((finding) => `${finding.severity} ${finding.rule} ${finding.package}`)
}
