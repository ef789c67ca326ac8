import type { Disk } from '../disk.ts'
import type { Project } from '../inventory/project.ts'
import type { PackageEntry } from '../inventory/package-entry.ts'
import { JsonLines } from '../json-lines.ts'
import { asRecord, parseJson, type JsonRecord } from '../values.ts'
import { excusedAbsence } from './absence.ts'

/** A `package.json` as found. `record` is untrusted: any field may have any type. */
export interface Manifest {
  readonly file: string
  readonly record: JsonRecord
  readonly hasByteOrderMark: boolean
  /** The line of a member, or of its nearest known ancestor. */
  readonly lineOf: (...path: readonly string[]) => number
}

export type ManifestResult =
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  /** Not there, and that is no fault: `reason` says why. */
  | { readonly kind: 'excused'; readonly reason: string }
  /** Not there, and it should be. */
  | { readonly kind: 'absent'; readonly reason: string }
  /** There, and unusable. */
  | { readonly kind: 'broken'; readonly reason: string; readonly line: number; readonly outside: boolean }

/** Larger than any honest one: the largest in use have about 100 KiB. */
const MAX_BYTES = 1024 * 1024

export async function readManifest(disk: Disk, entry: PackageEntry, project: Project): Promise<ManifestResult> {
  const file = `${entry.path}/package.json`
  const read = await disk.readText(file, MAX_BYTES)
  if (read.kind === 'unreadable')
    return { kind: 'broken', reason: `its package.json cannot be used: ${read.reason}`, line: 1, outside: false }
  if (read.kind === 'outside') {
    const isLink = (await disk.presence(entry.path)) === 'outside'
    const excuse = isLink && entry.source === 'link' ? excusedAbsence(entry, project) : null
    if (excuse !== null) return { kind: 'excused', reason: excuse }
    const what = isLink ? 'its folder' : 'its package.json'
    return {
      kind: 'broken',
      reason: `${what} is a symbolic link that leads outside of the project`,
      line: 1,
      outside: true,
    }
  }
  if (read.kind === 'missing') {
    if ((await disk.presence(entry.path)) === 'folder')
      return { kind: 'broken', reason: 'its folder has no package.json', line: 1, outside: false }
    const excuse = excusedAbsence(entry, project)
    return excuse === null ? { kind: 'absent', reason: 'it is not installed' } : { kind: 'excused', reason: excuse }
  }
  if (read.truncated)
    return { kind: 'broken', reason: 'its package.json is larger than 1 MiB', line: 1, outside: false }
  const parsed = parseJson(read.text)
  if (!parsed.ok)
    return {
      kind: 'broken',
      reason: 'its package.json is not valid JSON',
      line: firstBadLine(read.text),
      outside: false,
    }
  const record = asRecord(parsed.value)
  if (record === null)
    return { kind: 'broken', reason: 'its package.json is not a JSON object', line: 1, outside: false }
  let lines: JsonLines | null = null // most packages have no finding, and need none
  return {
    kind: 'manifest',
    manifest: {
      file,
      record,
      hasByteOrderMark: read.byteOrderMark,
      lineOf: (...path) => (lines ??= new JsonLines(read.text)).of(...path),
    },
  }
}

const token = /\s*(?:[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y

/** The line where JSON stops being JSON: the engine's message names the place for some faults, the first bad token tells others. */
function firstBadLine(text: string): number {
  const end = text.trimEnd()
  let position = end.length
  try {
    JSON.parse(text)
  } catch (error) {
    const named = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined
    if (named !== undefined) position = Number(named)
    else {
      token.lastIndex = 0
      let last = 0
      while (token.test(text)) last = token.lastIndex
      position = last + (/\S/.exec(text.slice(last))?.index ?? 0)
    }
  }
  return end.slice(0, position).split('\n').length
}
