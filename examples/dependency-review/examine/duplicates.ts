import semver from 'semver'

import type { Disk } from '../disk.ts'
import { unexaminedPart, type Finding, type Severity, type Unexamined } from '../finding.ts'
import { compareText, formatBytes, plural, quote } from '../text.ts'
import type { Assignment, Examination } from './examination.ts'

const MAX_SHOWN_COPIES = 12
const MAX_SHOWN_REQUESTERS = 4
/** What copies may waste before it weighs more. */
const MUCH_BYTES = 1024 * 1024

/** One copy, and what it takes on disk: null when it is not installed here. */
type Measured = Assignment['copies'][number] & { readonly bytes: number | null }

/** Compares the copies of one package: which versions, who asks for each, and what the copies cost. */
export async function examineDuplicates(disk: Disk, { entry, copies }: Assignment): Promise<Examination> {
  const unexamined: Unexamined[] = []
  const measured: Measured[] = []
  for (const copy of copies) {
    const isThere = (await disk.presence(copy.entry.path)) === 'folder'
    const listing = isThere ? await disk.walk(copy.entry.path) : null
    measured.push({ ...copy, bytes: listing?.bytes ?? null })
    if (listing?.truncated === true) {
      unexamined.push(unexaminedPart(copy.entry, 'size', 'it has too many files; the size is a lower bound'))
    }
  }
  const versions = [...new Set(copies.map((copy) => copy.entry.version ?? 'unknown'))].sort(compareVersions)
  const sizes = measured.map(({ bytes }) => bytes ?? 0)
  const lostBytes = sizes.reduce((sum, bytes) => sum + bytes, 0) - Math.max(0, ...sizes) // one copy is needed anyway
  const counted = plural(copies.length, 'copy', 'copies')
  const finding: Finding = {
    id: `duplicate.versions:${entry.name}`,
    rule: 'duplicate.versions',
    severity: severityOf(measured, lostBytes),
    package: entry.name,
    version: null,
    title: versions.length > 1 ? `${plural(versions.length, 'version')} in ${counted}` : `${counted} of one version`,
    detail: `${describe(measured)}. ${formatBytes(lostBytes)} would be saved with one copy.`,
    evidence: copies.slice(0, MAX_SHOWN_COPIES).map((copy) => copy.entry.declaredAt),
    advice: adviceFor(versions, measured),
  }
  return { facts: {}, findings: [finding], unexamined }
}

/** Only what is installed for production weighs, and only when the versions differ. */
function severityOf(copies: readonly Measured[], lostBytes: number): Severity {
  const weighty = copies.filter(({ entry, bytes }) => !entry.dev && bytes !== null)
  if (new Set(weighty.map(({ entry }) => entry.version)).size < 2) return 'info'
  return lostBytes > MUCH_BYTES ? 'medium' : 'low'
}

function describe(copies: readonly Measured[]): string {
  const shown = copies.slice(0, MAX_SHOWN_COPIES).map(({ entry, requesters, bytes }) => {
    const who = requesters.slice(0, MAX_SHOWN_REQUESTERS).map(({ by, range }) => `${quote(by)} (${quote(range, 40)})`)
    const more = requesters.length > who.length ? ` and ${requesters.length - who.length} more` : ''
    const size = bytes === null ? 'not installed here' : formatBytes(bytes)
    const askers = who.length === 0 ? 'nobody that could be found' : who.join(', ') + more
    return `${quote(entry.version ?? 'unknown')} at ${quote(entry.path)}, ${size}, for ${askers}`
  })
  const rest = copies.length - shown.length
  return shown.join('; ') + (rest > 0 ? `; and ${plural(rest, 'more copy', 'more copies')}` : '')
}

function adviceFor(versions: readonly string[], copies: readonly Measured[]): string {
  const shared = sharedVersion(
    versions,
    copies.flatMap(({ requesters }) => requesters.map(({ range }) => range)),
  )
  return shared === null
    ? 'No version suits everybody who asks: look for newer versions of those that ask for the old ones.'
    : `Everybody who asks accepts ${quote(shared)}: ${quote('npm dedupe')} may merge them.`
}

function compareVersions(a: string, b: string): number {
  return semver.valid(a) !== null && semver.valid(b) !== null ? semver.compareBuild(a, b) : compareText(a, b)
}

/** The highest of the versions present that every range accepts; null when there is none or a range cannot be read. */
function sharedVersion(versions: readonly string[], ranges: readonly string[]): string | null {
  const plain = ranges.map((range) => range.replace(/^npm:.+@/, '').slice(0, 300))
  if (plain.length === 0 || plain.some((range) => semver.validRange(range) === null)) return null
  return versions.filter((version) => plain.every((range) => semver.satisfies(version, range))).at(-1) ?? null
}
