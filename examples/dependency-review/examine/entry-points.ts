import path from 'node:path'

import type { Severity } from '../finding.ts'
import { asRecord, asStrings, type JsonRecord } from '../values.ts'

/** A path that `package.json` promises, and what became of it. */
export interface EntryPoint {
  /** Where in `package.json` it stands, such as `['exports', '.', 'import']`. */
  readonly at: readonly string[]
  readonly target: string
  readonly state: 'ok' | 'missing' | 'outside'
  /** How bad it is when it is not `ok`. */
  readonly severity: Severity
}

const MAX_TARGETS = 2_000 // of one package; the largest `exports` in use have some hundreds

/** The files of a package, and the points found so far. */
class Points {
  readonly found: EntryPoint[] = []
  readonly files: readonly string[]
  readonly known: ReadonlySet<string>

  constructor(files: readonly string[]) {
    this.files = files
    this.known = new Set(files)
  }

  /** Looks a target up. `exists` is given the plain path. */
  add(at: readonly string[], target: unknown, severity: Severity, exists: (plain: string) => boolean): void {
    if (this.found.length >= MAX_TARGETS || typeof target !== 'string' || target.trim() === '') return
    const plain = path.posix.normalize(target.replaceAll('\\', '/')).replace(/^\.\//, '')
    const outside = plain.startsWith('..') || plain.startsWith('/')
    const state = outside ? 'outside' : exists(plain) ? 'ok' : 'missing'
    this.found.push({ at, target, state, severity: outside ? 'high' : severity })
  }

  readonly loadable = (plain: string): boolean => loads(this.known, plain)
}

/**
 * All entry points of a package, looked up among `files` (relative, posix) the way Node does it.
 * @see https://nodejs.org/api/modules.html#all-together and https://nodejs.org/api/packages.html#package-entry-points
 */
export function entryPoints(manifest: JsonRecord, files: readonly string[]): readonly EntryPoint[] {
  const points = new Points(files)
  const { loadable, known } = points
  const hasExports = manifest['exports'] !== undefined && manifest['exports'] !== null
  // With `exports` Node does not look at `main`; without, it falls back to index.js and warns (DEP0128). Who offers
  // programs may have nothing to load.
  const mainSeverity = hasExports || manifest['bin'] !== undefined || loadable('.') ? 'low' : 'medium'
  points.add(['main'], manifest['main'], mainSeverity, (plain) => loadable(plain) || isTypesOnly(manifest, known))
  for (const field of ['module', 'browser']) points.add([field], manifest[field], 'low', loadable)
  for (const field of ['types', 'typings'])
    points.add([field], manifest[field], 'low', (plain) => hasTypes(known, plain))
  const bin = manifest['bin']
  points.add(['bin'], bin, 'medium', loadable)
  for (const [name, target] of Object.entries(asRecord(bin) ?? {}))
    points.add(['bin', name], target, 'medium', loadable)
  for (const { at, target } of exportTargets(manifest['exports'])) addExport(points, at, target)
  return points.found
}

/** Only these conditions hold in plain Node. Others (types, sources, bundlers, other platforms) a program may never meet. */
const plainNode = /^(?:\.|\d+$|import$|require$|node$|node-addons$|default$|module-sync$)/

function addExport(points: Points, at: readonly string[], target: string): void {
  const aside = at.slice(1).some((key) => !plainNode.test(key))
  if (!target.startsWith('./')) {
    // Node refuses such a target when it is used.
    const state = /^\.?\.?\//.test(target) ? 'outside' : 'missing'
    points.found.push({ at, target, state, severity: aside ? 'low' : 'medium' })
    return
  }
  const isFolder = target.endsWith('/') // the pattern of before Node 17
  const isPattern = isFolder || target.includes('*')
  points.add(at, target, aside || isPattern ? 'low' : 'medium', (plain) =>
    isPattern ? matchesAny(points.files, isFolder ? `${plain}*` : plain) : points.known.has(plain),
  )
}

/** `LOAD_AS_FILE`, then `LOAD_AS_DIRECTORY`. */
function loads(known: ReadonlySet<string>, target: string): boolean {
  const base = target.replace(/\/$/, '')
  const folder = base === '.' || base === '' ? '' : `${base}/`
  const asFile = folder === '' ? [] : [base, `${base}.js`, `${base}.json`, `${base}.node`, `${base}.cjs`, `${base}.mjs`]
  return [...asFile, `${folder}index.js`, `${folder}index.json`, `${folder}index.node`, `${folder}package.json`].some(
    (file) => file !== 'package.json' && known.has(file),
  )
}

function hasTypes(known: ReadonlySet<string>, target: string): boolean {
  const base = target.replace(/\/$/, '')
  return [base, `${base}.d.ts`, `${base}.ts`, `${base}/index.d.ts`].some((file) => known.has(file))
}

/** Packages of declarations name a `main` out of habit. */
function isTypesOnly(manifest: JsonRecord, known: ReadonlySet<string>): boolean {
  const types = asStrings(manifest['types'] ?? manifest['typings'])[0]
  return (
    types !== undefined &&
    hasTypes(known, path.posix.normalize(types)) &&
    !Array.from(known).some((file) => /\.[cm]?js$/.test(file))
  )
}

/** Whether `*` in `pattern` can stand for something. */
function matchesAny(files: readonly string[], pattern: string): boolean {
  const [before = '', ...rest] = pattern.replace(/^\.\//, '').split('*')
  const after = rest.at(-1) ?? ''
  return files.some(
    (file) => file.length > before.length + after.length && file.startsWith(before) && file.endsWith(after),
  )
}

/**
 * The targets in `exports`, at any depth of conditions, without recursion (depth is untrusted). Of a fallback list the
 * first valid target counts, and `null` closes a path on purpose.
 */
function exportTargets(field: unknown): readonly { readonly at: readonly string[]; readonly target: string }[] {
  const targets: { at: readonly string[]; target: string }[] = []
  const pending: { readonly at: readonly string[]; readonly value: unknown }[] = [{ at: ['exports'], value: field }]
  for (let next = pending.pop(); next !== undefined && targets.length < MAX_TARGETS; next = pending.pop()) {
    const { at, value } = next
    if (at.length > 32) continue
    if (typeof value === 'string') targets.push({ at, target: value })
    else if (Array.isArray(value)) {
      const first = value.findIndex((item) => typeof item !== 'string' || item.startsWith('./'))
      if (first !== -1) pending.push({ at: [...at, String(first)], value: value[first] })
    } else {
      // Reversed, because the end of the list is taken first: targets come in the order of the file.
      for (const [key, item] of Object.entries(asRecord(value) ?? {}).reverse())
        pending.push({ at: [...at, key], value: item })
    }
  }
  return targets
}
