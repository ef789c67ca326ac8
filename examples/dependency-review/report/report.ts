import type { Examination, Facts } from '../examine/examination.ts'
import { compareFindings, severities, type Finding, type Severity, type Unexamined } from '../finding.ts'
import type { Inventory } from '../inventory/inventory.ts'
import type { PackageSource } from '../inventory/package-entry.ts'
import { clean, compareText } from '../text.ts'

/** One row of the table of packages: one installed copy. */
export interface PackageRow {
  readonly package: string
  readonly version: string | null
  readonly path: string
  readonly source: PackageSource
  readonly dev: boolean
  readonly optional: boolean
  readonly facts: Facts
  /** How many findings name this copy, by severity. */
  readonly findings: Readonly<Record<Severity, number>>
  readonly examined: boolean
}

/** The report as data: `dependency-review.json`. Nothing in it depends on when, where or in which order it was made. */
export interface ReviewReport {
  readonly schema: 'dependency-review/1'
  readonly project: {
    readonly name: string
    readonly version: string | null
    readonly licence: string | null
    readonly lockfile: { readonly file: string; readonly version: number } | null
    readonly workspaces: readonly string[]
  }
  readonly summary: {
    readonly packages: number
    readonly examined: number
    readonly findings: Readonly<Record<Severity, number>>
    readonly withInstallScripts: number
    readonly bytes: number
    readonly files: number
    readonly licences: readonly { readonly licence: string; readonly packages: number }[]
  }
  readonly findings: readonly Finding[]
  readonly packages: readonly PackageRow[]
  readonly unexamined: readonly Unexamined[]
  readonly unknowable: readonly string[]
}

/** What the disk alone cannot tell; said in each report, so that its silence is not taken for an all-clear. */
const unknowable = [
  'Known vulnerabilities: the review asks no advisory database (`npm audit` does).',
  'Whether what is installed equals what the registry serves: hashes are of the tarball, which is no longer there (`npm ci` checks them).',
  'When a package was last released, how many maintain it, how much it is used, and whether it was deprecated after the lockfile was written.',
  'What the code does when it is used: only code that runs at installation is read, and only for tell-tale expressions.',
  'Legal advice: licences are sorted into families by their names.',
] as const

const noFindings = (): Record<Severity, number> => ({ critical: 0, high: 0, medium: 0, low: 0, info: 0 })

/** Puts the parts together. The order of `examinations` does not matter: everything is sorted by what it is about. */
export function buildReport(
  inventory: Inventory,
  examinations: readonly { readonly path: string; readonly examination: Examination }[],
): ReviewReport {
  const parts = [inventory, ...examinations.map(({ examination }) => examination)]
  const findings = parts.flatMap((part) => part.findings).sort(compareFindings)
  const unexamined = mergeUnexamined(parts.flatMap((part) => part.unexamined))
  const packages = packageRows(inventory, examinations, findings, unexamined)
  const { project, lockfile, own } = inventory
  const total = noFindings()
  for (const { severity } of findings) total[severity] += 1
  return {
    schema: 'dependency-review/1',
    project: {
      name: clean(project.name),
      version: cleanVersion(project.version),
      licence: project.licence === null ? null : clean(project.licence, 60),
      lockfile,
      workspaces: own.map((path) => clean(path, 500)),
    },
    summary: {
      packages: packages.length,
      examined: packages.filter(({ examined }) => examined).length,
      findings: total,
      withInstallScripts: packages.filter(({ facts }) => (facts.installScripts?.length ?? 0) > 0).length,
      bytes: packages.reduce((sum, { facts }) => sum + (facts.bytes ?? 0), 0),
      files: packages.reduce((sum, { facts }) => sum + (facts.files ?? 0), 0),
      licences: countLicences(packages),
    },
    findings: findings.map(cleanFinding),
    packages,
    unexamined: unexamined.map(cleanUnexamined),
    unknowable,
  }
}

function packageRows(
  inventory: Inventory,
  examinations: readonly { readonly path: string; readonly examination: Examination }[],
  findings: readonly Finding[],
  unexamined: readonly Unexamined[],
): readonly PackageRow[] {
  const factsByPath = new Map<string, Facts>()
  for (const { path, examination } of examinations) {
    factsByPath.set(path, { ...factsByPath.get(path), ...examination.facts })
  }
  const countsByPath = new Map<string, Record<Severity, number>>()
  for (const { id, rule, severity } of findings) {
    const path = id.slice(rule.length + 1)
    const counts = countsByPath.get(path) ?? noFindings()
    counts[severity] += 1
    countsByPath.set(path, counts)
  }
  const absent = new Set(unexamined.filter(({ aspect }) => aspect === 'package').map(({ path }) => path))
  const rows = inventory.entries.map(({ name, version, path, source, dev, optional }): PackageRow => ({
    package: clean(name),
    version: cleanVersion(version),
    path: clean(path, 500),
    source,
    dev,
    optional,
    facts: inOrder(factsByPath.get(path) ?? {}),
    findings: countsByPath.get(path) ?? noFindings(),
    examined: !absent.has(path),
  }))
  return rows.sort((a, b) => compareText(a.package, b.package) || compareText(a.path, b.path))
}

const cleanVersion = (version: string | null): string | null => (version === null ? null : clean(version, 60))

/** Facts with their keys in one order, whichever concern came first. */
function inOrder({ licence, installScripts, bytes, files, readme, entryPoints, deprecated }: Facts): Facts {
  return {
    ...(licence === undefined ? {} : { licence }),
    ...(installScripts === undefined ? {} : { installScripts }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(files === undefined ? {} : { files }),
    ...(readme === undefined ? {} : { readme }),
    ...(entryPoints === undefined ? {} : { entryPoints }),
    ...(deprecated === undefined ? {} : { deprecated }),
  }
}

function cleanFinding(finding: Finding): Finding {
  return {
    ...finding,
    id: clean(finding.id, 600),
    package: clean(finding.package),
    version: cleanVersion(finding.version),
    evidence: finding.evidence.map(({ file, line }) => ({ file: clean(file, 500), line })),
  }
}

function cleanUnexamined(part: Unexamined): Unexamined {
  return { ...part, package: clean(part.package), version: cleanVersion(part.version), path: clean(part.path, 500) }
}

/** One line for each reason: a package that is not there is unexamined by every concern for the same reason. */
function mergeUnexamined(parts: readonly Unexamined[]): readonly Unexamined[] {
  const merged = new Map<string, { part: Unexamined; aspects: Set<string> }>()
  for (const part of parts) {
    const key = `${part.path}\0${part.reason}`
    const known = merged.get(key)
    if (known === undefined) merged.set(key, { part, aspects: new Set([part.aspect]) })
    else known.aspects.add(part.aspect)
  }
  return [...merged.values()]
    .map(({ part, aspects }) => ({
      ...part,
      aspect: aspects.has('package') ? 'package' : [...aspects].sort(compareText).join(', '),
    }))
    .sort(
      (a, b) =>
        compareText(a.package, b.package) ||
        compareText(a.path, b.path) ||
        compareText(a.aspect, b.aspect) ||
        compareText(a.reason, b.reason),
    )
}

function countLicences(packages: readonly PackageRow[]): ReviewReport['summary']['licences'] {
  const counts = new Map<string, number>()
  for (const { facts, examined } of packages) {
    if (!examined) continue
    const licence = facts.licence ?? 'none'
    counts.set(licence, (counts.get(licence) ?? 0) + 1)
  }
  return [...counts]
    .map(([licence, count]) => ({ licence, packages: count }))
    .sort((a, b) => b.packages - a.packages || compareText(a.licence, b.licence))
}

/** The JSON file's text. */
export function renderJson(report: ReviewReport): string {
  return `${JSON.stringify(report, null, 2)}\n`
}

export function worstOf(counts: Readonly<Record<Severity, number>>): Severity | null {
  return severities.find((severity) => counts[severity] > 0) ?? null
}
