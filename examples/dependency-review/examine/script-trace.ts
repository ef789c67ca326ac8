import { isBuiltin } from 'node:module'
import path from 'node:path'

import type { Disk } from '../disk.ts'
import type { Evidence } from '../finding.ts'
import { quote } from '../text.ts'
import { kindOfProgram, scanCode, scanCommand, stepsOf, type Behaviour } from './script-patterns.ts'

const MAX_FILE_BYTES = 1024 * 1024
const MAX_FILES = 16
/** Names of files that are looked for, found or not. */
const MAX_LOOKUPS = 200

/** What a script was seen to do. */
export interface ScriptTrace {
  /** Behaviours of the command line itself. */
  readonly inCommand: readonly Behaviour[]
  readonly hits: readonly { readonly behaviour: Behaviour; readonly at: Evidence }[]
  /** Files that were read. */
  readonly read: readonly string[]
  /** Files that the command runs and that are not in the package. */
  readonly missing: readonly string[]
  readonly outside: readonly string[]
  /** Programs and modules of other packages; they are reviewed on their own, and not as a part of the script. */
  readonly handedTo: readonly string[]
  readonly unread: readonly string[]
}

/** A file to look at. `named`: by the command line, so that its absence means something. */
interface Lead {
  readonly from: string
  readonly file: string
  readonly named: boolean
}

/** Reads the files of a package that a command runs, and what they load from the package, breadth first and bounded. */
export async function traceScript(disk: Disk, folder: string, command: string): Promise<ScriptTrace> {
  const steps = stepsOf(command)
  const inline = loadsOf(command)
  const hits: { behaviour: Behaviour; at: Evidence }[] = []
  const [read, missing, outside, unread] = [[] as string[], [] as string[], [] as string[], [] as string[]]
  const handedTo = new Set([
    ...steps
      .filter(({ program, file }) => file === null && kindOfProgram(program) === 'foreign')
      .map(({ program }) => program),
    ...inline.packages,
  ])
  const leads: Lead[] = [
    ...steps.flatMap(({ file }) => (file === null ? [] : [{ from: '', file, named: true }])),
    ...inline.files.map((file) => ({ from: '', file, named: false })),
  ]
  const seen = new Set<string>()
  for (const lead of leads) {
    const wanted = path.posix.normalize(path.posix.join(lead.from, lead.file.replaceAll('\\', '/')))
    if (wanted.startsWith('..') || wanted.startsWith('/')) {
      if (lead.named) outside.push(lead.file)
      continue
    }
    const found = await firstFile(disk, folder, wanted)
    if (found === null && lead.named) missing.push(lead.file)
    if (found === null || seen.has(found)) continue
    if (seen.size >= MAX_FILES) {
      unread.push(`its install script loads more than ${MAX_FILES} files; the rest was not read`)
      break
    }
    seen.add(found)
    const file = `${folder}/${found}`
    const text = await readScript(disk, file, found, unread)
    if (text === null) continue
    read.push(file)
    const language = isShell(found, text) ? 'shell' : 'javascript'
    for (const { behaviour, line } of scanCode(text, language)) hits.push({ behaviour, at: { file, line } })
    const loads = loadsOf(text)
    for (const name of loads.packages) handedTo.add(name)
    for (const next of loads.files) {
      if (leads.length < MAX_LOOKUPS) leads.push({ from: path.posix.dirname(found), file: next, named: false })
    }
  }
  return { inCommand: scanCommand(command), hits, read, missing, outside, handedTo: [...handedTo], unread }
}

async function readScript(disk: Disk, file: string, name: string, unread: string[]): Promise<string | null> {
  const read = await disk.readText(file, MAX_FILE_BYTES)
  if (read.kind === 'outside') unread.push(`${quote(name)} leads outside of the project`)
  if (read.kind === 'unreadable') unread.push(`${quote(name)}: ${read.reason}`)
  if (read.kind !== 'text') return null
  if (read.truncated) unread.push(`${quote(name)} is larger than 1 MiB; only its beginning was read`)
  return read.text
}

function isShell(name: string, text: string): boolean {
  return /\.(?:sh|bash|zsh|ps1|cmd|bat)$/.test(name) || /^#!.*\b(?:ba|z|da)?sh\b/.test(text.slice(0, 100))
}

/** What a piece of JavaScript loads: files of its own package, and other packages. Node's own modules do not count. */
function loadsOf(text: string): { readonly files: readonly string[]; readonly packages: readonly string[] } {
  const files = new Set<string>()
  const packages = new Set<string>()
  for (const [, name = ''] of text.matchAll(/(?:require\(|import\(|from|import)\s*['"`]([^'"`\n]{1,300})['"`]/g)) {
    if (/^\.{1,2}\//.test(name)) files.add(name)
    else if (/^(?:@[\w.-]+\/)?[\w.-]+(?:\/|$)/.test(name) && !isBuiltin(name)) packages.add(name)
    if (files.size + packages.size >= MAX_LOOKUPS) break
  }
  return { files: [...files], packages: [...packages] }
}

/** Node's search for a file given without its ending. */
async function firstFile(disk: Disk, folder: string, wanted: string): Promise<string | null> {
  for (const ending of ['', '.js', '.cjs', '.mjs', '.json', '/index.js']) {
    const presence = await disk.presence(`${folder}/${wanted}${ending}`)
    // A file that leads outside is found, and its reading refused: so it is reported.
    if (presence === 'file' || presence === 'outside' || presence === 'other') return wanted + ending
  }
  return null
}
