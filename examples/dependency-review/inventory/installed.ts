/**
 * What lies in `node_modules`, whoever put it there: the whole inventory of a project without an npm lockfile, and the
 * other half of the comparison when there is one (a package on disk that no lockfile promises is a finding).
 */
import type { Disk } from '../disk.ts'
import { asRecord, asString, asStrings, parseJson } from '../values.ts'
import { MAX_PACKAGES, requirementsOf } from './lockfile.ts'
import { blankEntry, nameOfPath, type PackageEntry } from './package-entry.ts'

const MANIFEST_BYTES = 1024 * 1024

/**
 * Paths of all package folders below the `node_modules` of each of `homes` ('' is the project), sorted per folder.
 * Links are listed and not entered: what they lead to inside of the project has a place of its own.
 */
export async function installedPaths(
  disk: Disk,
  homes: readonly string[],
): Promise<{ paths: readonly string[]; truncated: boolean }> {
  const paths: string[] = []
  const pending = homes.map((home) => (home === '' ? 'node_modules' : `${home}/node_modules`))
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const { name, kind } of await disk.list(folder)) {
      if (paths.length >= MAX_PACKAGES) return { paths, truncated: true }
      if (kind === 'file') continue
      const path = `${folder}/${name}`
      if (name === '.pnpm' && kind === 'folder') {
        // pnpm keeps the real folders in a store, as `.pnpm/<name>@<version>/node_modules/<name>`, and links to them.
        for (const slot of await disk.list(path))
          if (slot.kind === 'folder') pending.push(`${path}/${slot.name}/node_modules`)
      } else if (name.startsWith('.')) continue
      else if (name.startsWith('@') && kind === 'folder') {
        for (const scoped of await disk.list(path)) {
          if (scoped.kind === 'file') continue
          paths.push(`${path}/${scoped.name}`)
          if (scoped.kind === 'folder') pending.push(`${path}/${scoped.name}/node_modules`)
        }
      } else {
        paths.push(path)
        if (kind === 'folder') pending.push(`${path}/node_modules`)
      }
    }
  }
  return { paths, truncated: false }
}

/** An entry from the folder's own `package.json`, which may lie: `source` says that no lockfile vouches for it. */
export async function entryFromDisk(disk: Disk, path: string, source: 'extraneous' | 'unknown'): Promise<PackageEntry> {
  const read = await disk.readText(`${path}/package.json`, MANIFEST_BYTES)
  const parsed = read.kind === 'text' ? parseJson(read.text) : { ok: false as const }
  const manifest = (parsed.ok ? asRecord(parsed.value) : null) ?? {}
  const folderName = nameOfPath(path) ?? path
  const name = asString(manifest['name']) ?? folderName
  const real = await disk.realPathOf(path)
  const isLink = real !== path
  return {
    ...blankEntry,
    path,
    name,
    alias: name === folderName ? null : folderName,
    version: asString(manifest['version']),
    source: isLink ? 'link' : source,
    resolved: isLink ? real : null,
    os: asStrings(manifest['os']),
    cpu: asStrings(manifest['cpu']),
    libc: asStrings(manifest['libc']),
    requires: requirementsOf(manifest),
    declaredAt: { file: `${path}/package.json`, line: 1 },
  }
}
