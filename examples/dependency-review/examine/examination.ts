import type { Finding, Unexamined } from '../finding.ts'
import type { PackageEntry } from '../inventory/package-entry.ts'
import type { Project } from '../inventory/project.ts'
import type { Requester } from '../inventory/requesters.ts'

/** What one examination is told. `copies` has more than one entry only where copies of a package are compared. */
export interface Assignment {
  readonly project: Project
  readonly entry: PackageEntry
  readonly copies: readonly { readonly entry: PackageEntry; readonly requesters: readonly Requester[] }[]
}

/** What is known of a package; each concern fills its own part. Text in it is clean (see `text.ts`). */
export interface Facts {
  /** The licence as declared, or as read from the text, or null. */
  readonly licence?: string | null
  /** Names of the scripts that run at installation. */
  readonly installScripts?: readonly string[]
  readonly bytes?: number
  readonly files?: number
  readonly readme?: boolean
  /** Declared entry points, and how many of them lead nowhere. */
  readonly entryPoints?: { readonly declared: number; readonly missing: number }
  readonly deprecated?: boolean
}

/** The outcome of one examination: plain data, the same for the same bytes on disk. */
export interface Examination {
  readonly facts: Facts
  readonly findings: readonly Finding[]
  readonly unexamined: readonly Unexamined[]
}
