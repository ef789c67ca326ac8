import { compareText } from '../text.ts'
import type { PackageEntry } from './package-entry.ts'

/** Somebody who asks for a package, and the range asked for. `by` is "name@version", or "the project". */
export interface Requester {
  readonly by: string
  readonly range: string
}

export const PROJECT = 'the project'

/**
 * Who gets which copy, by Node's search: from the asking package's folder upward, the nearest `node_modules` that has the
 * name. `projectRequires` is what the project's own `package.json` asks for, `links` leads from a link's path to the path
 * of the entry behind it. The keys of the answer are paths; requesters are sorted.
 */
export function requestersByPath(
  entries: readonly PackageEntry[],
  links: ReadonlyMap<string, string>,
  projectRequires: Readonly<Record<string, string>>,
): ReadonlyMap<string, readonly Requester[]> {
  const places = new Set(entries.map((entry) => entry.path))
  const found = new Map<string, Requester[]>()
  const ask = (from: string, by: string, requires: Readonly<Record<string, string>>): void => {
    for (const [name, range] of Object.entries(requires)) {
      const place = nearest(places, links, from, name)
      if (place === null) continue
      const list = found.get(place)
      if (list === undefined) found.set(place, [{ by, range }])
      else list.push({ by, range })
    }
  }
  ask('', PROJECT, projectRequires)
  for (const { path, name, version, requires } of entries)
    ask(path, version === null ? name : `${name}@${version}`, requires)
  for (const list of found.values()) list.sort((a, b) => compareText(a.by, b.by) || compareText(a.range, b.range))
  return found
}

/** Paths of all packages that `roots` bring in, directly or through others, by the same search. */
export function reachableFrom(
  entries: readonly PackageEntry[],
  links: ReadonlyMap<string, string>,
  roots: Readonly<Record<string, string>>,
): ReadonlySet<string> {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]))
  const places = new Set(byPath.keys())
  const reached = new Set<string>()
  const pending: { readonly from: string; readonly requires: Readonly<Record<string, string>> }[] = [
    { from: '', requires: roots },
  ]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const name of Object.keys(next.requires)) {
      const place = nearest(places, links, next.from, name)
      if (place === null || reached.has(place)) continue
      reached.add(place)
      pending.push({ from: place, requires: byPath.get(place)?.requires ?? {} })
    }
  }
  return reached
}

function nearest(
  places: ReadonlySet<string>,
  links: ReadonlyMap<string, string>,
  from: string,
  name: string,
): string | null {
  let folder = from
  for (;;) {
    const candidate = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    const target = links.get(candidate)
    if (target !== undefined) return target
    if (places.has(candidate)) return candidate
    if (folder === '') return null
    const slash = folder.lastIndexOf('/')
    folder = slash === -1 ? '' : folder.slice(0, slash)
  }
}
