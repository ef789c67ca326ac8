/** One installed (or promised) copy of a package: a place in a `node_modules` folder. The unit of the review. */
export interface PackageEntry {
  /** Posix, relative to the project, such as `node_modules/a/node_modules/b`. Unique, and the order of the report. */
  readonly path: string
  /** The package's own name. Differs from the folder's name for an alias (`"b": "npm:a@1"`). */
  readonly name: string
  /** The folder's name when it is an alias, else null. */
  readonly alias: string | null
  /** As promised by the lockfile, or as found on disk when there is none. */
  readonly version: string | null
  readonly source: PackageSource
  /** What the lockfile says of where it comes from: a URL, a git address, a path. */
  readonly resolved: string | null
  readonly integrity: string | null
  /** Needed only for development, only optionally, or shipped inside of another package. */
  readonly dev: boolean
  readonly optional: boolean
  readonly bundled: boolean
  /** Platforms that it is limited to; empty means any. */
  readonly os: readonly string[]
  readonly cpu: readonly string[]
  readonly libc: readonly string[]
  /** The maintainers' notice, when the lockfile has one. */
  readonly deprecated: string | null
  /** Whether the lockfile says that it runs code at installation; null when the lockfile does not tell. */
  readonly promisedInstallScript: boolean | null
  /** Name to range. */
  readonly requires: Readonly<Record<string, string>>
  /** Where the promise stands: the lockfile, or its own `package.json` when there is no lockfile. */
  readonly declaredAt: { readonly file: string; readonly line: number }
}

/**
 * `registry`: a tarball from a registry. `extraneous`: on disk, but no lockfile promises it. `link`: a symbolic link to a
 * folder (`resolved` has the path). `workspace`: a part of the project itself. `unknown`: no lockfile, so nobody tells.
 */
export type PackageSource = 'registry' | 'git' | 'url' | 'file' | 'link' | 'workspace' | 'extraneous' | 'unknown'

export const blankEntry = {
  alias: null,
  version: null,
  source: 'unknown',
  resolved: null,
  integrity: null,
  dev: false,
  optional: false,
  bundled: false,
  os: [],
  cpu: [],
  libc: [],
  deprecated: null,
  promisedInstallScript: null,
  requires: {},
} as const satisfies Partial<PackageEntry>

/** The package name that a path ends with: after the last `node_modules/`; null when there is none. */
export function nameOfPath(path: string): string | null {
  const marker = 'node_modules/'
  const at = path.lastIndexOf(marker)
  if (at === -1 || (at > 0 && path[at - 1] !== '/')) return null
  const name = path.slice(at + marker.length)
  return name === '' ? null : name
}

/** What kind of place a `resolved` or version field points at. */
export function sourceOf(resolved: string | null): PackageSource {
  if (resolved === null) return 'registry'
  if (/^(?:git(?:\+|:)|github:|gitlab:|bitbucket:|ssh:)/i.test(resolved)) return 'git'
  if (/^(?:file:|\.{0,2}\/)/i.test(resolved)) return 'file'
  if (!/^https?:/i.test(resolved)) return 'registry'
  // A registry keeps its tarballs at `<package>/-/<file>.tgz`; any other address is a download from somewhere.
  return /\/-\/[^/]+\.tgz(?:[?#].*)?$/i.test(resolved) || /\/download\//i.test(resolved) ? 'registry' : 'url'
}
