import type { Disk } from '../disk.ts'
import type { Evidence } from '../finding.ts'
import { quote } from '../text.ts'
import { asRecord, asString } from '../values.ts'
import { isLicenceFile, recogniseLicences } from './licence-text.ts'
import type { Manifest } from './manifest.ts'

const MAX_LICENCE_FILES = 8
const MAX_LICENCE_BYTES = 512 * 1024

/** What `package.json` says of the licence. */
export interface DeclaredLicence {
  /** As written. */
  readonly text: string
  readonly evidence: Evidence
  /** Written in a form that npm gave up: a `licenses` list, or an object with `type`. */
  readonly oldForm: boolean
}

export function declaredLicence({ record, file, lineOf }: Manifest): DeclaredLicence | null {
  const nameOf = (value: unknown): string | null => asString(value) ?? asString(asRecord(value)?.['type'])
  const single = nameOf(record['license'])
  if (single !== null) {
    const oldForm = typeof record['license'] === 'object'
    return { text: single, evidence: { file, line: lineOf('license') }, oldForm }
  }
  const field = record['licenses']
  const names = (Array.isArray(field) ? field.slice(0, 20) : [field]).map(nameOf).filter((name) => name !== null)
  if (names.length === 0) return null
  const text = names.length === 1 ? names.join('') : `(${names.join(' OR ')})` // the list always meant "any of these"
  return { text, evidence: { file, line: lineOf('licenses') }, oldForm: true }
}

/** The file that `SEE LICENSE IN <file>` names; null for anything else, and for addresses. */
export function licenceFileNamed(text: string): string | null {
  const name = /^SEE LICEN[CS]E IN (.+)$/i.exec(text)?.[1]?.trim() ?? null
  return name === null || name.includes('://') ? null : name.replace(/^\.\//, '').slice(0, 300)
}

/** What the licence files of a package say. */
export interface LicenceTexts {
  readonly files: readonly string[]
  /** SPDX ids of the texts that were recognised, each once. */
  readonly ids: readonly string[]
  readonly evidence: readonly Evidence[]
  /** What the README says below its heading "licence", when there is no licence file. */
  readonly mention: { readonly text: string; readonly at: Evidence } | null
  /** Why a file could not be read, or not wholly. */
  readonly gaps: readonly string[]
}

/** Reads the files in a package's folder whose names speak of a licence, and the one that `package.json` names. */
export async function readLicenceTexts(disk: Disk, folder: string, declared: string): Promise<LicenceTexts> {
  const named = licenceFileNamed(declared)
  const entries = await disk.list(folder)
  const listed = entries.filter(({ name, kind }) => kind !== 'folder' && isLicenceFile(name)).map(({ name }) => name)
  const names = [...new Set([...(named === null ? [] : [named]), ...listed])].slice(0, MAX_LICENCE_FILES)
  const files: string[] = []
  const gaps: string[] = []
  const recognised: { readonly id: string; readonly at: Evidence }[] = []
  for (const name of names) {
    const file = `${folder}/${name}`
    const read = await disk.readText(file, MAX_LICENCE_BYTES)
    if (read.kind === 'outside') gaps.push(`${quote(name)} leads outside of the project`)
    if (read.kind === 'unreadable') gaps.push(`${quote(name)}: ${read.reason}`)
    if (read.kind !== 'text') continue
    if (read.truncated) gaps.push(`${quote(name)} is larger than 512 KiB; only its beginning was read`)
    files.push(file)
    for (const { id, line } of recogniseLicences(read.text)) recognised.push({ id, at: { file, line } })
  }
  const readme = entries.find(({ name, kind }) => kind === 'file' && /^readme(?:\.|$)/i.test(name))?.name
  const said = names.length > 0 || readme === undefined ? null : await readReadme(disk, `${folder}/${readme}`)
  if (said !== null && said.recognised.length > 0) {
    files.push(said.file) // old packages have the whole text there, and no other file
    recognised.push(...said.recognised)
  }
  const ids = [...new Set(recognised.map(({ id }) => id))]
  return { files, ids, evidence: recognised.slice(0, 5).map(({ at }) => at), mention: said?.mention ?? null, gaps }
}

async function readReadme(disk: Disk, file: string) {
  const read = await disk.readText(file, MAX_LICENCE_BYTES)
  if (read.kind !== 'text') return null
  const recognised = recogniseLicences(read.text).map(({ id, line }) => ({ id, at: { file, line } }))
  const heading = /^(?:#{1,6}[ \t]*)?licen[cs]e[ \t]*#*[ \t]*\r?\n(?:[ \t=-]*\r?\n){0,3}([^\r\n]{1,80})/im.exec(
    read.text,
  )
  const [, text] = heading ?? []
  const line = read.text.slice(0, heading?.index ?? 0).split('\n').length
  return { file, recognised, mention: text === undefined ? null : { text, at: { file, line } } }
}
