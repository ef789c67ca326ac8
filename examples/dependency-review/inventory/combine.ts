import type { PackageEntry } from './package-entry.ts'

/** Every place that is known, sorted out. */
export interface Combined {
  /** To be examined. */
  readonly entries: readonly PackageEntry[]
  /** From the path of a link to the path of the entry (or part of the project) behind it. */
  readonly links: ReadonlyMap<string, string>
  /** Parts of the project itself. */
  readonly own: readonly PackageEntry[]
}

/**
 * Splits a lockfile's entries: what is to be examined, which link leads to which entry, what is the project's own.
 * A link to a folder of the project that is no workspace (`file:vendor/x`) is a dependency like any other.
 */
export function sortOut(locked: readonly PackageEntry[], isWorkspace: (path: string) => boolean): Combined {
  const byPath = new Map(locked.map((entry) => [entry.path, entry]))
  const entries: PackageEntry[] = []
  const links = new Map<string, string>()
  const own = new Map<string, PackageEntry>()
  const vendored = new Set<string>()
  for (const entry of locked) {
    if (entry.source !== 'link' || entry.resolved === null) continue
    const target = byPath.get(entry.resolved)
    if (isWorkspace(entry.resolved)) {
      links.set(entry.path, entry.resolved)
      own.set(entry.resolved, target ?? { ...entry, path: entry.resolved, source: 'workspace' })
      continue
    }
    vendored.add(entry.resolved)
    const { path, resolved, dev, optional } = entry
    entries.push(target === undefined ? entry : { ...target, path, source: 'link', resolved, dev, optional })
  }
  for (const entry of locked) {
    if (entry.source === 'link' && entry.resolved !== null) continue
    if (entry.source !== 'workspace') entries.push(entry)
    else if (!vendored.has(entry.path)) own.set(entry.path, entry)
  }
  return { entries, links, own: [...own.values()] }
}

/**
 * Adds what is on disk and not yet known. A link to a place that is known is a second name, and no second copy; a link to
 * a workspace makes that a part of the project.
 */
export function addInstalled(
  { entries, links, own }: Combined,
  installed: readonly PackageEntry[],
  isWorkspace: (path: string) => boolean,
): Combined {
  const places = new Set(
    [...entries, ...own, ...installed.filter(({ source }) => source !== 'link')].map(({ path }) => path),
  )
  const allLinks = new Map(links)
  const parts = new Map(own.map((entry) => [entry.path, entry]))
  const added: PackageEntry[] = []
  for (const entry of installed) {
    const target = entry.source === 'link' ? entry.resolved : null
    const isPart = target !== null && isWorkspace(target)
    if (target === null || !(isPart || places.has(target))) {
      added.push(entry)
      continue
    }
    allLinks.set(entry.path, target)
    if (isPart && !parts.has(target)) parts.set(target, { ...entry, path: target, source: 'workspace' })
  }
  return { entries: [...entries, ...added], links: allLinks, own: [...parts.values()] }
}

/** The package in whose folder a path lies. */
export function hostOf(byPath: ReadonlyMap<string, PackageEntry>, path: string): PackageEntry | undefined {
  for (let at = path.lastIndexOf('/node_modules/'); at > 0; at = path.lastIndexOf('/node_modules/', at - 1)) {
    const host = byPath.get(path.slice(0, at))
    if (host !== undefined) return host
  }
  return undefined
}
