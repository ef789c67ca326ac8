import { MAX_FILES_PER_PACKAGE, type Disk, type FolderListing } from '../disk.ts'
import { findingAbout, unexaminedPart, worse, type Finding, type Severity, type Unexamined } from '../finding.ts'
import type { PackageEntry } from '../inventory/package-entry.ts'
import { formatBytes, plural, quote, quoteAll } from '../text.ts'
import { entryPoints, type EntryPoint } from './entry-points.ts'
import type { Assignment, Examination } from './examination.ts'
import {
  capital,
  careFindings,
  engineFindings,
  identityFindings,
  typeFindings,
  type Report,
} from './manifest-checks.ts'
import { readManifest, type Manifest, type ManifestResult } from './manifest.ts'
import { sourceFindings } from './source.ts'

const MIB = 1024 * 1024
/** Unpacked sizes that are worth a word: the median package has about 30 KiB. */
const LARGE_BYTES = 10 * MIB
const HUGE_BYTES = 50 * MIB

/** Looks at how one package is kept: is it whole, is it what was promised, how large is it, does anybody care for it. */
export async function examineMaintenance(disk: Disk, { entry, project }: Assignment): Promise<Examination> {
  const findings: Finding[] = sourceFindings(entry)
  const report: Report = (rule, severity, title, detail, evidence, advice) => {
    findings.push(findingAbout(entry, rule, { severity, title, detail, evidence, advice }))
  }
  const deprecated = entry.deprecated !== null
  if (deprecated) deprecationFinding(entry, report)
  const read = await readManifest(disk, entry, project)
  if (read.kind === 'absent') absenceFinding(entry, report)
  if (read.kind === 'broken') brokenFinding(read, entry, report)
  if (read.kind === 'excused' || read.kind === 'absent' || (read.kind === 'broken' && read.outside)) {
    return { facts: { deprecated }, findings, unexamined: [unexaminedPart(entry, 'package', read.reason)] }
  }
  const listing = await disk.walk(entry.path)
  sizeFindings(listing, entry, report)
  const readme = listing.files.some((file) => /^readme(?:\.|$)/i.test(file))
  const facts = { deprecated, bytes: listing.bytes, files: listing.files.length, readme }
  const unexamined = walkGaps(listing, entry)
  if (read.kind === 'broken') {
    return { facts, findings, unexamined: [...unexamined, unexaminedPart(entry, 'entry points', read.reason)] }
  }
  const { manifest } = read
  identityFindings(manifest, entry, report)
  typeFindings(manifest, report)
  careFindings(manifest, readme, report)
  engineFindings(manifest, entry, project.enginesNode, report)
  if (listing.truncated) return { facts, findings, unexamined }
  const points = entryPoints(manifest.record, listing.files)
  entryPointFindings(manifest, points, report)
  const missing = points.filter(({ state }) => state !== 'ok').length
  return { facts: { ...facts, entryPoints: { declared: points.length, missing } }, findings, unexamined }
}

function deprecationFinding(entry: PackageEntry, report: Report): void {
  report(
    'package.deprecated',
    entry.dev ? 'low' : 'medium',
    'Deprecated by its maintainers',
    `They say: ${quote(entry.deprecated ?? '')}.`,
    [entry.declaredAt],
    'Move to what they recommend, or to a package that is cared for.',
  )
}

function absenceFinding(entry: PackageEntry, report: Report): void {
  report(
    'package.missing',
    entry.dev ? 'low' : 'medium',
    'Promised by the lockfile, and not installed',
    `${quote(entry.path)} does not exist.`,
    [entry.declaredAt],
    `Run ${quote('npm ci')}.`,
  )
}

function brokenFinding(read: ManifestResult & { readonly kind: 'broken' }, entry: PackageEntry, report: Report): void {
  report(
    'package.malformed',
    'high',
    read.outside ? 'Leads outside of the project' : 'Its package.json is unusable',
    `${capital(read.reason)}.`,
    [{ file: `${entry.path}/package.json`, line: read.line }, entry.declaredAt],
    `Delete ${quote(entry.path)} and run ${quote('npm ci')} for a fresh copy.`,
  )
}

function walkGaps(listing: FolderListing, entry: PackageEntry): Unexamined[] {
  const gaps: Unexamined[] = []
  if (listing.truncated)
    gaps.push(
      unexaminedPart(
        entry,
        'size and entry points',
        `it has more than ${plural(MAX_FILES_PER_PACKAGE, 'file')}; the size is a lower bound`,
      ),
    )
  if (listing.unreadable.length > 0)
    gaps.push(unexaminedPart(entry, 'size', `folders that cannot be listed: ${quoteAll(listing.unreadable)}`))
  return gaps
}

function sizeFindings(
  { bytes, files, linksOutside, truncated }: FolderListing,
  entry: PackageEntry,
  report: Report,
): void {
  const manifestFile = { file: `${entry.path}/package.json`, line: 1 }
  if (bytes > LARGE_BYTES) {
    const severity = bytes > HUGE_BYTES && !entry.dev ? 'medium' : 'low'
    report(
      'package.large',
      entry.dev ? 'info' : severity,
      'Large',
      `${truncated ? 'At least ' : ''}${formatBytes(bytes)} in ${plural(files.length, 'file')} on disk.`,
      [{ file: entry.path, line: null }],
      'Consider a smaller one, if size matters where you deploy.',
    )
  }
  if (linksOutside.length > 0) {
    report(
      'package.link-outside',
      'high',
      'Has symbolic links that lead outside of the project',
      `${quoteAll(linksOutside)}: npm never unpacks such links. They were not followed.`,
      [...linksOutside.slice(0, 5).map((file) => ({ file: `${entry.path}/${file}`, line: null })), manifestFile],
      `Delete ${quote(entry.path)} and run ${quote('npm ci')} for a fresh copy.`,
    )
  }
}

function entryPointFindings({ file, lineOf }: Manifest, points: readonly EntryPoint[], report: Report): void {
  for (const [state, title, advice] of [
    [
      'outside',
      'Entry points that lead outside of the package',
      'Do not use it; a published package has no such paths.',
    ],
    ['missing', 'Entry points that do not exist', 'Whatever loads it by such a name fails; tell the maintainers.'],
  ] as const) {
    const bad = points.filter((point) => point.state === state)
    const first = bad[0]
    if (first === undefined) continue
    const severity = bad.reduce<Severity>((worst, point) => worse(worst, point.severity), first.severity)
    const shown = bad.slice(0, 6).map(({ at, target }) => `${quote(at.join(' › '))} names ${quote(target)}`)
    const more = bad.length > shown.length ? ` and ${bad.length - shown.length} more` : ''
    report(
      `entry-point.${state}`,
      severity,
      title,
      `${shown.join(', ')}${more}.`,
      bad.slice(0, 6).map(({ at }) => ({ file, line: lineOf(...at) })),
      advice,
    )
  }
}
