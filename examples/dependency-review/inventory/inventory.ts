import type { Disk } from '../disk.ts'
import { ReviewError } from '../errors.ts'
import type { Finding, Unexamined } from '../finding.ts'
import type { JsonLines } from '../json-lines.ts'
import { compareText } from '../text.ts'
import { asRecord, asString, type JsonRecord } from '../values.ts'
import { addInstalled, hostOf, sortOut, type Combined } from './combine.ts'
import { entryFromDisk, installedPaths } from './installed.ts'
import { MAX_PACKAGES, requirementsOf, type Lockfile } from './lockfile.ts'
import type { PackageEntry } from './package-entry.ts'
import { ProjectNotes } from './project-notes.ts'
import { readProjectLockfile, readProjectManifest, workspaceMatcher, type Project } from './project.ts'
import { reachableFrom, requestersByPath, type Requester } from './requesters.ts'

export interface Inventory {
  readonly project: Project
  readonly lockfile: { readonly file: string; readonly version: number } | null
  /** The packages to examine, sorted by path. */
  readonly entries: readonly PackageEntry[]
  /** Folders that are parts of the project itself (workspaces): they ask for packages and are not reviewed. Sorted. */
  readonly own: readonly string[]
  readonly requesters: ReadonlyMap<string, readonly Requester[]>
  /** What is wrong with the project as a whole. */
  readonly findings: readonly Finding[]
  readonly unexamined: readonly Unexamined[]
}

const READS_AT_ONCE = 32 // each holds a file open, and a process may have only so many
const FOREIGN_LOCKFILES = ['bun.lock', 'bun.lockb', 'pnpm-lock.yaml', 'yarn.lock'] as const

/**
 * All packages of the project in `disk`, from the lockfile and from what is installed.
 * @throws {ReviewError} `INPUT_NOT_A_PROJECT` when the folder has neither a `package.json`, nor a lockfile, nor packages.
 */
export async function readInventory(disk: Disk): Promise<Inventory> {
  const manifest = await readProjectManifest(disk)
  const locked = await readProjectLockfile(disk)
  const modules = await disk.presence('node_modules')
  if (manifest.kind === 'missing' && locked.kind === 'missing' && modules === 'missing') {
    throw new ReviewError('INPUT_NOT_A_PROJECT', 'it has no package.json, no package-lock.json and no node_modules')
  }
  const record = manifest.kind === 'read' ? manifest.record : {}
  const lines = manifest.kind === 'read' ? manifest.lines : null
  const lockfile = locked.kind === 'lockfile' ? locked.lockfile : null
  const project = projectFacts(record, modules === 'folder')
  const notes = new ProjectNotes(project)
  if (manifest.kind === 'broken') notes.manifestBroken(manifest.reason)
  if (locked.kind === 'malformed') notes.lockfileMalformed(locked.file, locked.reason)

  const source = lockfile === null ? 'unknown' : 'extraneous'
  const isWorkspace = workspaceMatcher(record)
  const discovery = await discover(disk, sortOut(lockfile?.entries ?? [], isWorkspace), source, isWorkspace)
  if (discovery.truncated || lockfile?.truncated === true) notes.truncated(MAX_PACKAGES)
  const combined = withDevFlags(discovery.combined, record)
  const wanted = wantedByProject(record)
  if (lockfile !== null) notePromises(lockfile, combined, wanted, lines, notes)
  else noteInstalled(combined, wanted, lines, locked.kind === 'missing', notes)
  if (combined.entries.length > 0 && !project.installed) notes.nothingInstalled(modules, lockfile)
  for (const file of FOREIGN_LOCKFILES) if ((await disk.presence(file)) === 'file') notes.foreignLockfile(file)
  const { entries, links, own } = combined
  return {
    project,
    lockfile: lockfile === null ? null : { file: lockfile.file, version: lockfile.lockfileVersion },
    entries,
    own: own.map(({ path }) => path).sort(compareText),
    requesters: requestersByPath([...entries, ...own], links, requirementsOf(record, true)),
    findings: notes.findings,
    unexamined: notes.unexamined,
  }
}

/** Adds what is on disk and was not promised: in the project, and in its workspaces, which links lead to. */
async function discover(
  disk: Disk,
  promised: Combined,
  source: 'unknown' | 'extraneous',
  isWorkspace: (path: string) => boolean,
): Promise<{ readonly combined: Combined; readonly truncated: boolean }> {
  const known = new Set([...promised.entries.map(({ path }) => path), ...promised.links.keys()])
  const found: PackageEntry[] = []
  let truncated = false
  const search = async (homes: readonly string[]): Promise<void> => {
    const installed = await installedPaths(disk, homes)
    truncated ||= installed.truncated
    const unknown = installed.paths.filter((path) => !known.has(path))
    for (let at = 0; at < unknown.length; at += READS_AT_ONCE) {
      const some = unknown.slice(at, at + READS_AT_ONCE)
      found.push(...(await Promise.all(some.map((path) => entryFromDisk(disk, path, source)))))
    }
  }
  await search(['', ...promised.own.map(({ path }) => path)])
  const workspaces = found.flatMap(({ source: kind, resolved }) =>
    kind === 'link' && resolved !== null && isWorkspace(resolved) ? [resolved] : [],
  )
  await search(workspaces.filter((path) => !promised.own.some((part) => part.path === path)))
  return { combined: addInstalled(promised, found, isWorkspace), truncated }
}

function notePromises(
  lockfile: Lockfile,
  { entries }: Combined,
  wanted: readonly string[],
  lines: JsonLines | null,
  notes: ProjectNotes,
): void {
  for (const { path, line } of lockfile.refused) notes.pathRefused(lockfile.file, path, line)
  if (lines !== null) notes.outOfDate(lockfile, wanted, lines)
  const byPath = new Map(entries.map((entry) => [entry.path, entry]))
  for (const entry of entries) {
    if (entry.source !== 'extraneous') continue
    const host = hostOf(byPath, entry.path)
    notes.extraneous(entry, host?.promisedInstallScript === true ? host : undefined)
  }
}

function noteInstalled(
  { entries, links }: Combined,
  wanted: readonly string[],
  lines: JsonLines | null,
  isMissing: boolean,
  notes: ProjectNotes,
): void {
  if (isMissing && entries.length + wanted.length > 0) notes.lockfileMissing()
  const present = new Set([...entries.map(({ path }) => path), ...links.keys()])
  for (const name of wanted) if (!present.has(`node_modules/${name}`)) notes.notInstalled(name, lines)
}

function projectFacts(record: JsonRecord, installed: boolean): Project {
  return {
    name: asString(record['name']) ?? 'unnamed project',
    version: asString(record['version']),
    licence: asString(record['license']),
    enginesNode: asString(asRecord(record['engines'])?.['node']),
    installed,
  }
}

/** What the project cannot do without, sorted: a peer that it calls optional need not be there. */
function wantedByProject(record: JsonRecord): readonly string[] {
  const optionalPeers = new Set(Object.keys(asRecord(record['peerDependenciesMeta']) ?? {}))
  const others = new Set(Object.keys(requirementsOf({ ...record, peerDependencies: {} }, true)))
  return Object.keys(requirementsOf(record, true))
    .filter((name) => others.has(name) || !optionalPeers.has(name))
    .sort(compareText)
}

/**
 * Sorts the entries, and finds out what the lockfile does not say: which ones only development asks for. What nobody asks
 * for counts as production, to be safe; what lies in a package shares that package's lot.
 */
function withDevFlags({ entries, links, own }: Combined, record: JsonRecord): Combined {
  const all = [...entries, ...own]
  const byPath = new Map(all.map((entry) => [entry.path, entry]))
  const roots = Object.fromEntries(
    [requirementsOf(record), ...own.map(({ requires }) => requires)].flatMap((names) => Object.entries(names)),
  )
  const inProduction = reachableFrom(all, links, roots)
  const inAny = reachableFrom(all, links, requirementsOf(record, true))
  const isDev = (entry: PackageEntry): boolean => {
    if (entry.source === 'extraneous') return hostOf(byPath, entry.path)?.dev === true
    return entry.dev || (entry.source === 'unknown' && inAny.has(entry.path) && !inProduction.has(entry.path))
  }
  const flagged = entries.map((entry) => (isDev(entry) === entry.dev ? entry : { ...entry, dev: isDev(entry) }))
  return { entries: flagged.sort((a, b) => compareText(a.path, b.path)), links, own }
}
