import type { PackageEntry } from '../inventory/package-entry.ts'
import type { Project } from '../inventory/project.ts'
import { quote } from '../text.ts'

/** Why a package that is promised is not there although nothing is wrong; null when it should be there. */
export function excusedAbsence(entry: PackageEntry, project: Project): string | null {
  if (entry.source === 'link' && entry.resolved !== null) {
    return `it is a link to ${quote(entry.resolved)}, which is not a folder of the project`
  }
  if (!project.installed) return 'nothing is installed: the project has no node_modules folder'
  const limits = (['os', 'cpu', 'libc'] as const).flatMap((kind) => {
    const values = entry[kind].slice(0, 10).map((value) => quote(value, 20))
    return values.length === 0 ? [] : [`${kind} ${values.join(', ')}`]
  })
  if (limits.length > 0) return `it is for ${limits.join(', ')} only, and not installed here`
  return entry.optional ? 'it is optional, and not installed here' : null
}
