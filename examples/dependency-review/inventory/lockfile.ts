import { JsonLines } from '../json-lines.ts'
import { asRecord, asString, asStrings, parseJson, stringMembers, type JsonRecord } from '../values.ts'
import { blankEntry, nameOfPath, sourceOf, type PackageEntry } from './package-entry.ts'

/** What an npm lockfile promises. */
export interface Lockfile {
  readonly file: string
  readonly lockfileVersion: number
  /** Sorted by nobody yet; paths are unique. */
  readonly entries: readonly PackageEntry[]
  /** Keys that no package can live at: absolute paths, paths that climb out, paths with a NUL or too long for a disk. */
  readonly refused: readonly { readonly path: string; readonly line: number }[]
  /** True when `MAX_PACKAGES` was reached and the rest is not in `entries`. */
  readonly truncated: boolean
}

/** Most packages of one project: ten times the largest lockfiles that are seen in practice. */
export const MAX_PACKAGES = 50_000

export type LockfileResult =
  { readonly kind: 'lockfile'; readonly lockfile: Lockfile } | { readonly kind: 'malformed'; readonly reason: string }

/**
 * Reads `package-lock.json` or `npm-shrinkwrap.json`, versions 1 (a tree of `dependencies`), 2 (both) and 3 (`packages`).
 * @see https://docs.npmjs.com/cli/configuring-npm/package-lock-json
 */
export function readLockfile(file: string, text: string): LockfileResult {
  const parsed = parseJson(text)
  if (!parsed.ok) return { kind: 'malformed', reason: 'it is not valid JSON' }
  const root = asRecord(parsed.value)
  if (root === null) return { kind: 'malformed', reason: 'it is not a JSON object' }
  const version = root['lockfileVersion']
  const lockfileVersion = typeof version === 'number' ? version : 1
  const packages = asRecord(root['packages'])
  const tree = asRecord(root['dependencies'])
  const lines = new JsonLines(text, packages === null ? 200 : 2)
  if (packages !== null) return { kind: 'lockfile', lockfile: fromPackages(file, lockfileVersion, packages, lines) }
  if (tree !== null || version !== undefined) {
    return { kind: 'lockfile', lockfile: fromTree(file, lockfileVersion, tree ?? {}, lines) }
  }
  return { kind: 'malformed', reason: 'it has neither "packages" nor "dependencies" nor "lockfileVersion"' }
}

/** Longer ones exist on no disk; and nesting without end must not make paths without end. In UTF-16 code units. */
const MAX_PATH = 2_000

function isUsable(path: string): boolean {
  if (path === '' || path.length > MAX_PATH) return false
  return (
    !/[\0\\]|^\/|^[a-z]:/i.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  )
}

function fromPackages(file: string, lockfileVersion: number, packages: JsonRecord, lines: JsonLines): Lockfile {
  const entries: PackageEntry[] = []
  const refused: { path: string; line: number }[] = []
  let truncated = false
  const linkTargets = new Set<string>()
  for (const value of Object.values(packages)) {
    const record = asRecord(value)
    const target = record?.['link'] === true ? asString(record['resolved']) : null
    if (target !== null) linkTargets.add(target)
  }
  for (const [path, value] of Object.entries(packages)) {
    if (path === '') continue // the project itself
    const record = asRecord(value) ?? {}
    const line = lines.of('packages', path)
    const folderName = nameOfPath(path)
    if (!isUsable(path)) {
      // The folder that a link leads to has an entry of its own, and may lie beside the project. The link speaks for it.
      if (!linkTargets.has(path)) refused.push({ path, line })
      continue
    }
    if (entries.length >= MAX_PACKAGES) {
      truncated = true
      break
    }
    const isLink = record['link'] === true
    const resolved = asString(record['resolved'])
    const name = asString(record['name']) ?? folderName ?? path
    entries.push({
      ...blankEntry,
      path,
      name,
      alias: folderName !== null && folderName !== name ? folderName : null,
      version: asString(record['version']),
      source: isLink ? 'link' : folderName === null ? 'workspace' : sourceOf(resolved),
      resolved,
      integrity: asString(record['integrity']),
      dev: record['dev'] === true || record['devOptional'] === true,
      optional: record['optional'] === true || record['devOptional'] === true,
      bundled: record['inBundle'] === true,
      os: asStrings(record['os']),
      cpu: asStrings(record['cpu']),
      libc: asStrings(record['libc']),
      deprecated: asString(record['deprecated']),
      promisedInstallScript: isLink || folderName === null ? null : record['hasInstallScript'] === true,
      requires: requirementsOf(record, folderName === null), // of a part of the project, development counts
      declaredAt: { file, line },
    })
  }
  return { file, lockfileVersion, entries, refused, truncated }
}

/** All that a package asks for by name. Peers count: they are found by the same search. */
export function requirementsOf(record: JsonRecord, withDev = false): Readonly<Record<string, string>> {
  return {
    ...stringMembers(record['peerDependencies']),
    ...(withDev ? stringMembers(record['devDependencies']) : {}),
    ...stringMembers(record['dependencies']),
    ...stringMembers(record['optionalDependencies']),
  }
}

/** Version 1: packages nest as they lie on disk. A list of pending folders instead of recursion: depth is untrusted. */
function fromTree(file: string, lockfileVersion: number, tree: JsonRecord, lines: JsonLines): Lockfile {
  const entries: PackageEntry[] = []
  const refused: { path: string; line: number }[] = []
  let truncated = false
  const pending: { readonly folder: string; readonly keys: readonly string[]; readonly record: JsonRecord }[] = [
    { folder: '', keys: ['dependencies'], record: tree },
  ]
  for (let level = pending.pop(); level !== undefined && !truncated; level = pending.pop()) {
    for (const [folderName, value] of Object.entries(level.record)) {
      const record = asRecord(value) ?? {}
      const path = `${level.folder}node_modules/${folderName}`
      const keys = [...level.keys, folderName]
      const line = lines.of(...keys)
      if (!isUsable(path)) {
        refused.push({ path, line })
        continue
      }
      if (entries.length >= MAX_PACKAGES) {
        truncated = true
        break
      }
      entries.push(treeEntry(path, folderName, record, { file, line }))
      const nested = asRecord(record['dependencies'])
      if (nested !== null) pending.push({ folder: `${path}/`, keys: [...keys, 'dependencies'], record: nested })
    }
  }
  return { file, lockfileVersion, entries, refused, truncated }
}

function treeEntry(
  path: string,
  folderName: string,
  record: JsonRecord,
  declaredAt: PackageEntry['declaredAt'],
): PackageEntry {
  // "version" is a version, or the whole address for anything that did not come from a registry.
  const field = asString(record['version'])
  const alias = field === null ? null : /^npm:(.+)@([^@]+)$/.exec(field)
  const isAddress = field !== null && alias === null && /[:/]/.test(field)
  const name = alias?.[1] ?? folderName
  const folderLink = isAddress && field.startsWith('file:') && !/\.(?:tgz|tar|tar\.gz)$/i.test(field)
  const resolved = folderLink
    ? field.slice('file:'.length)
    : (asString(record['resolved']) ?? (isAddress ? field : null))
  return {
    ...blankEntry,
    path,
    name,
    alias: name === folderName ? null : folderName,
    version: isAddress ? null : (alias?.[2] ?? field),
    source: folderLink ? 'link' : sourceOf(isAddress ? field : resolved),
    resolved,
    integrity: asString(record['integrity']),
    dev: record['dev'] === true,
    optional: record['optional'] === true,
    bundled: record['bundled'] === true,
    requires: stringMembers(record['requires']),
    declaredAt,
  }
}
