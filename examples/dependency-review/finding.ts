import type { PackageEntry } from './inventory/package-entry.ts'
import { compareText } from './text.ts'

/** From worst to least; the order is the order of the report. */
export const severities = ['critical', 'high', 'medium', 'low', 'info'] as const
export type Severity = (typeof severities)[number]

/** Where a claim can be checked. `file` is posix and relative to the project; `line` counts from 1, null for a folder. */
export interface Evidence {
  readonly file: string
  readonly line: number | null
}

export interface Finding {
  /** Unique and stable between runs: the rule and what it is about. */
  readonly id: string
  /** The kind of finding, such as `licence.missing`. */
  readonly rule: string
  readonly severity: Severity
  readonly package: string
  readonly version: string | null
  readonly title: string
  readonly detail: string
  readonly evidence: readonly Evidence[]
  readonly advice: string
}

/** What could not be looked at, and why. It says nothing about the package being good or bad. */
export interface Unexamined {
  readonly package: string
  readonly version: string | null
  readonly path: string
  readonly aspect: string
  readonly reason: string
}

export type FindingParts = Pick<Finding, 'severity' | 'title' | 'detail' | 'evidence' | 'advice'>

/** A finding about one installed copy of a package. */
export function findingAbout(entry: PackageEntry, rule: string, parts: FindingParts): Finding {
  return { id: `${rule}:${entry.path}`, rule, package: entry.name, version: entry.version, ...parts }
}

export function unexaminedPart(entry: PackageEntry, aspect: string, reason: string): Unexamined {
  return { package: entry.name, version: entry.version, path: entry.path, aspect, reason }
}

/** The worse of two severities. */
export function worse(a: Severity, b: Severity): Severity {
  return severities.indexOf(a) <= severities.indexOf(b) ? a : b
}

/** A total order: worst first, then rule, package, version and id. Findings that compare equal are the same finding. */
export function compareFindings(a: Finding, b: Finding): number {
  return (
    severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
    compareText(a.rule, b.rule) ||
    compareText(a.package, b.package) ||
    compareText(a.version ?? '', b.version ?? '') ||
    compareText(a.id, b.id)
  )
}
