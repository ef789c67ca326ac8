import semver from 'semver'

import type { Disk } from '../disk.ts'
import { unexaminedPart, type Finding, type Severity, type Unexamined } from '../finding.ts'
import { compareText, formatBytes, plural, quote } from '../text.ts'
import type { Assignment, Examination } from './examination.ts'

const MAX_SHOWN_COPIES = 12
const MAX_SHOWN_REQUESTERS = 4

/** Compares the copies of one package: which versions, who asks for each, and what the copies cost. */
export async function examineDuplicates(disk: Disk, { entry, copies }: Assignment): Promise<Examination> {
  const unexamined: Unexamined[] = []
  const sizes: number[] = []
  for (const copy of copies) {
    // Not installed here (an optional one, say): it costs nothing, and its absence is reported by others.
    const listing = (await disk.presence(copy.entry.path)) === 'folder' ? await disk.walk(copy.entry.path) : null
    if (listing?.truncated === true)
      unexamined.push(unexaminedPart(copy.entry, 'size', 'it has too many files; the size is a lower bound'))
    sizes.push(listing?.bytes ?? 0)
  }
  // The largest copy is the one that is needed anyway.
  const lost = sizes.reduce((sum, bytes) => sum + bytes, 0) - Math.max(0, ...sizes)
  const versions = [...new Set(copies.map((copy) => copy.entry.version ?? 'unknown'))].sort(compareVersions)
  const shared = sharedVersion(
    versions,
    copies.flatMap((copy) => copy.requesters.map(({ range }) => range)),
  )
  const inProduction = copies.filter((copy) => !copy.entry.dev).length > 1
  const severity: Severity =
    inProduction && versions.length > 1 && lost > 1024 * 1024
      ? 'medium'
      : inProduction && versions.length > 1
        ? 'low'
        : 'info'
  const lines = copies.slice(0, MAX_SHOWN_COPIES).map(({ entry: copy, requesters }, index) => {
    const who = requesters.slice(0, MAX_SHOWN_REQUESTERS).map(({ by, range }) => `${quote(by)} (${quote(range, 40)})`)
    const more = requesters.length > who.length ? ` and ${requesters.length - who.length} more` : ''
    return `${quote(copy.version ?? 'unknown')} at ${quote(copy.path)}, ${formatBytes(sizes[index] ?? 0)}, for ${who.length === 0 ? 'nobody that could be found' : who.join(', ') + more}`
  })
  const rest =
    copies.length > lines.length ? `; and ${plural(copies.length - lines.length, 'more copy', 'more copies')}` : ''
  const finding: Finding = {
    id: `duplicate.versions:${entry.name}`,
    rule: 'duplicate.versions',
    severity,
    package: entry.name,
    version: null,
    title:
      versions.length > 1
        ? `${plural(versions.length, 'version')} in ${plural(copies.length, 'copy', 'copies')}`
        : `${plural(copies.length, 'copy', 'copies')} of one version`,
    detail: `${lines.join('; ')}${rest}. ${formatBytes(lost)} would be saved with one copy.`,
    evidence: copies.slice(0, MAX_SHOWN_COPIES).map((copy) => copy.entry.declaredAt),
    advice:
      shared === null
        ? 'No version suits everybody who asks: look for newer versions of those that ask for the old ones.'
        : `Everybody who asks accepts ${quote(shared)}: ${quote('npm dedupe')} may merge them.`,
  }
  return { facts: {}, findings: [finding], unexamined }
}

export function compareVersions(a: string, b: string): number {
  return semver.valid(a) !== null && semver.valid(b) !== null ? semver.compareBuild(a, b) : compareText(a, b)
}

/** The highest of the versions present that every range accepts; null when there is none or a range cannot be read. */
function sharedVersion(versions: readonly string[], ranges: readonly string[]): string | null {
  const plain = ranges.map((range) => range.replace(/^npm:.+@/, '').slice(0, 300))
  if (plain.length === 0 || plain.some((range) => semver.validRange(range) === null)) return null
  return versions.filter((version) => plain.every((range) => semver.satisfies(version, range))).at(-1) ?? null
}
