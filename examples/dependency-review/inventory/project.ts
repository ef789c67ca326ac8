import type { Disk, ReadResult } from '../disk.ts'
import { JsonLines } from '../json-lines.ts'
import { asRecord, asStrings, parseJson, type JsonRecord } from '../values.ts'
import { readLockfile, type Lockfile } from './lockfile.ts'

/** Facts about the project that the judgement of a package depends on. */
export interface Project {
  readonly name: string
  readonly version: string | null
  /** The `license` field as written; null when there is none. */
  readonly licence: string | null
  /** `engines.node` as written; null when there is none. */
  readonly enginesNode: string | null
  /** False when there is no `node_modules` folder: then no package is missing by itself. */
  readonly installed: boolean
}

const LOCKFILES = ['npm-shrinkwrap.json', 'package-lock.json'] as const // npm's own order of precedence
const MIB = 1024 * 1024
const MAX_LOCKFILE_MIB = 128
const MAX_MANIFEST_MIB = 1

export type ProjectManifest =
  | { readonly kind: 'read'; readonly record: JsonRecord; readonly lines: JsonLines }
  | { readonly kind: 'missing' }
  | { readonly kind: 'broken'; readonly reason: string }

export async function readProjectManifest(disk: Disk): Promise<ProjectManifest> {
  const read = await disk.readText('package.json', MAX_MANIFEST_MIB * MIB)
  if (read.kind === 'missing') return { kind: 'missing' }
  const unusable = whyUnusable(read, MAX_MANIFEST_MIB)
  if (read.kind !== 'text' || unusable !== null) return { kind: 'broken', reason: unusable ?? 'it cannot be read' }
  const parsed = parseJson(read.text)
  const record = parsed.ok ? asRecord(parsed.value) : null
  if (record === null) return { kind: 'broken', reason: parsed.ok ? 'it is not a JSON object' : 'it is not valid JSON' }
  return { kind: 'read', record, lines: new JsonLines(read.text) }
}

export type ProjectLockfile =
  | { readonly kind: 'lockfile'; readonly lockfile: Lockfile }
  | { readonly kind: 'malformed'; readonly file: string; readonly reason: string }
  | { readonly kind: 'missing' }

/** The lockfile that npm would go by. */
export async function readProjectLockfile(disk: Disk): Promise<ProjectLockfile> {
  for (const file of LOCKFILES) {
    const read = await disk.readText(file, MAX_LOCKFILE_MIB * MIB)
    if (read.kind === 'missing') continue
    const unusable = whyUnusable(read, MAX_LOCKFILE_MIB)
    if (read.kind !== 'text' || unusable !== null)
      return { kind: 'malformed', file, reason: unusable ?? 'it cannot be read' }
    const result = readLockfile(file, read.text)
    return result.kind === 'lockfile' ? result : { ...result, file }
  }
  return { kind: 'missing' }
}

function whyUnusable(read: ReadResult, maxMib: number): string | null {
  if (read.kind === 'outside') return 'it is a symbolic link that leads outside of the project'
  if (read.kind === 'unreadable') return read.reason
  return read.kind === 'text' && read.truncated ? `it is larger than ${maxMib} MiB` : null
}

/** npm's `workspaces`: globs of folders; `!` takes away. */
export function workspaceMatcher(manifest: JsonRecord): (path: string) => boolean {
  const field = manifest['workspaces']
  const globs = asStrings(asRecord(field)?.['packages'] ?? field)
    .filter((glob) => glob.length <= 500)
    .slice(0, 200)
  const rules = globs.map((glob) => {
    const body = glob
      .slice(0, 500)
      .replace(/^!/, '')
      .replace(/^\.?\//, '')
    return { keeps: !glob.startsWith('!'), segments: body.split('/').filter((segment) => segment !== '') }
  })
  return (path) => {
    const segments = path.split('/')
    return rules.reduce((is, rule) => (matches(rule.segments, segments, '**', inSegment) ? rule.keeps : is), false)
  }
}

const inSegment = (pattern: string, segment: string): boolean =>
  matches(Array.from(pattern), Array.from(segment), '*', (a, b) => a === b)

/**
 * Whether `items` fit `pattern`, in which `any` stands for any number of items. It goes back to the last `any` only, so the
 * time is bounded by the product of the lengths; a regular expression of many stars can take for ever.
 */
function matches(
  pattern: readonly string[],
  items: readonly string[],
  any: string,
  fits: (pattern: string, item: string) => boolean,
): boolean {
  let [at, star, mark] = [0, -1, 0]
  for (let item = 0; item < items.length;) {
    const wanted = pattern[at]
    if (wanted === any) {
      star = at
      mark = item
      at += 1
    } else if (wanted !== undefined && fits(wanted, items[item] ?? '')) {
      at += 1
      item += 1
    } else if (star !== -1) {
      at = star + 1
      mark += 1
      item = mark
    } else return false
  }
  return pattern.slice(at).every((rest) => rest === any)
}
