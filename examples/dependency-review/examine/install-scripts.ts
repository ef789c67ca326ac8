import { isBuiltin } from 'node:module'
import path from 'node:path'

import type { Disk } from '../disk.ts'
import {
  findingAbout,
  unexaminedPart,
  worse,
  type Evidence,
  type Finding,
  type Severity,
  type Unexamined,
} from '../finding.ts'
import { quote, quoteAll } from '../text.ts'
import { asRecord, asString } from '../values.ts'
import type { Assignment, Examination } from './examination.ts'
import { readManifest, type Manifest } from './manifest.ts'
import { behaviourWords, kindOfCommand, scanCode, scanCommand, stepsOf, type Behaviour } from './script-patterns.ts'

const MAX_SCRIPT_BYTES = 1024 * 1024
const MAX_SCRIPT_FILES = 16
const MAX_EVIDENCE = 12

interface InstallScript {
  readonly name: string
  readonly command: string
  readonly line: number
  /** npm builds a package with a `binding.gyp` even when no script says so. */
  readonly implied: boolean
}

/** Looks at the code of one package that runs by itself when it is installed. */
export async function examineInstallScripts(disk: Disk, { entry, project }: Assignment): Promise<Examination> {
  const read = await readManifest(disk, entry, project)
  if (read.kind !== 'manifest')
    return { facts: {}, findings: [], unexamined: [unexaminedPart(entry, 'install scripts', read.reason)] }
  const { manifest } = read
  const hasGyp = (await disk.presence(`${entry.path}/binding.gyp`)) === 'file'
  const scripts = installScripts(manifest, hasGyp, entry.source === 'git')
  const findings: Finding[] = []
  const unexamined: Unexamined[] = []
  for (const script of scripts) {
    const trace = await follow(disk, entry.path, script)
    const { severity, why } = judge(script, trace)
    const evidence: Evidence[] = [
      { file: script.implied ? `${entry.path}/binding.gyp` : manifest.file, line: script.line },
      ...(trace.hits.length === 0 ? trace.read.map((file) => ({ file, line: 1 })) : trace.hits.map(({ at }) => at)),
    ]
    findings.push(
      findingAbout(entry, `install-script.${script.name}`, {
        severity,
        title: `Runs ${script.implied ? 'a native build' : quote(script.name)} at installation`,
        detail: `${quote(script.command)}${script.implied ? ' (implied by binding.gyp)' : ''} ${why}.${places(trace)}`,
        evidence: evidence.slice(0, MAX_EVIDENCE),
        advice: adviceFor(severity),
      }),
    )
    unexamined.push(...trace.unread.map((reason) => unexaminedPart(entry, 'install scripts', reason)))
  }
  if (entry.promisedInstallScript === false && !entry.bundled && scripts.length > 0 && entry.source === 'registry') {
    findings.push(
      findingAbout(entry, 'install-script.not-promised', {
        severity: 'medium',
        title: 'Runs code at installation, and the lockfile denies it',
        detail: `The lockfile has no ${quote('hasInstallScript')} for this package, and on disk it has ${quoteAll(scripts.map(({ name }) => name))}. The lockfile or the package was changed by hand.`,
        evidence: [entry.declaredAt, { file: manifest.file, line: scripts[0]?.line ?? 1 }],
        advice: `Run ${quote('npm ci --ignore-scripts')} for a fresh copy, and compare.`,
      }),
    )
  }
  return { facts: { installScripts: scripts.map(({ name }) => name) }, findings, unexamined }
}

function installScripts({ record, lineOf }: Manifest, hasGyp: boolean, fromGit: boolean): readonly InstallScript[] {
  const fields = asRecord(record['scripts']) ?? {}
  const names = ['preinstall', 'install', 'postinstall', ...(fromGit ? ['prepare'] : [])]
  const scripts: InstallScript[] = names.flatMap((name) => {
    const command = Object.hasOwn(fields, name) ? asString(fields[name]) : null
    return command === null ? [] : [{ name, command, line: lineOf('scripts', name), implied: false }]
  })
  const builds =
    hasGyp && record['gypfile'] !== false && !scripts.some(({ name }) => name === 'install' || name === 'preinstall')
  return builds ? [...scripts, { name: 'install', command: 'node-gyp rebuild', line: 1, implied: true }] : scripts
}

interface Trace {
  /** Behaviours of the command line itself. */
  readonly inCommand: readonly Behaviour[]
  readonly hits: readonly { readonly behaviour: Behaviour; readonly at: Evidence }[]
  /** Files that were read. */
  readonly read: readonly string[]
  /** Files that the command runs and that are not in the package. */
  readonly missing: readonly string[]
  readonly outside: readonly string[]
  /** Other packages that the script loads; they are reviewed on their own, and not as a part of the script. */
  readonly packages: readonly string[]
  readonly unread: readonly string[]
}

/** Reads the files that a script runs, and what they load from their own package, breadth first and bounded. */
async function follow(disk: Disk, folder: string, script: InstallScript): Promise<Trace> {
  const trace = {
    inCommand: scanCommand(script.command),
    hits: [] as { behaviour: Behaviour; at: Evidence }[],
    read: [] as string[],
    missing: [] as string[],
    outside: [] as string[],
    packages: [] as string[],
    unread: [] as string[],
  }
  const pending = stepsOf(script.command).flatMap(({ file }) =>
    file === null ? [] : [{ from: '', file, named: true }],
  )
  const seen = new Set<string>()
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const wanted = path.posix.normalize(path.posix.join(next.from, next.file.replaceAll('\\', '/')))
    if (wanted.startsWith('..') || wanted.startsWith('/')) {
      if (next.named) trace.outside.push(next.file)
      continue
    }
    const found = await firstFile(disk, folder, wanted)
    if (found === null) {
      if (next.named) trace.missing.push(next.file)
      continue
    }
    if (seen.has(found)) continue
    if (seen.size >= MAX_SCRIPT_FILES) {
      trace.unread.push(`its install script loads more than ${MAX_SCRIPT_FILES} files; the rest was not read`)
      break
    }
    seen.add(found)
    const file = `${folder}/${found}`
    const read = await disk.readText(file, MAX_SCRIPT_BYTES)
    if (read.kind === 'outside') trace.unread.push(`${quote(found)} leads outside of the project`)
    if (read.kind === 'unreadable') trace.unread.push(`${quote(found)}: ${read.reason}`)
    if (read.kind !== 'text') continue
    trace.read.push(file)
    if (read.truncated) trace.unread.push(`${quote(found)} is larger than 1 MiB; only its beginning was read`)
    const shell =
      /\.(?:sh|bash|zsh|ps1|cmd|bat)$/.test(found) || /^#!.*\b(?:ba|z|da)?sh\b/.test(read.text.slice(0, 100))
    for (const { behaviour, line } of scanCode(read.text, shell ? 'shell' : 'javascript'))
      trace.hits.push({ behaviour, at: { file, line } })
    for (const [, loaded] of read.text.matchAll(/(?:require\(|import\(|from|import)\s*['"`]([^'"`\n]{1,300})['"`]/g)) {
      if (loaded === undefined || isBuiltin(loaded)) continue
      if (/^\.{1,2}\//.test(loaded)) pending.push({ from: path.posix.dirname(found), file: loaded, named: false })
      else if (/^(?:@[\w.-]+\/)?[\w.-]+(?:\/|$)/.test(loaded) && !trace.packages.includes(loaded))
        trace.packages.push(loaded)
    }
  }
  return trace
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

function judge(script: InstallScript, trace: Trace): { severity: Severity; why: string } {
  const all = new Set<Behaviour>([...trace.inCommand, ...trace.hits.map(({ behaviour }) => behaviour)])
  const kind = kindOfCommand(stepsOf(script.command))
  const reasons = [...all].map((behaviour) => behaviourWords[behaviour]).sort()
  let severity: Severity = kind === 'nothing' ? 'info' : kind === 'builder' ? 'low' : 'medium'
  const raise = (to: Severity): void => void (severity = worse(severity, to))
  const has = (...behaviours: readonly Behaviour[]): boolean => behaviours.every((behaviour) => all.has(behaviour))
  // What a piece of malware needs: to hide or to fetch, and then to run or to send.
  if (trace.inCommand.includes('network') && trace.inCommand.includes('eval')) raise('critical')
  if (
    has('network', 'credentials') ||
    has('network', 'environment') ||
    has('decode', 'eval') ||
    has('network', 'obfuscation')
  )
    raise('critical')
  if (has('network', 'eval') || has('network', 'child-process') || has('obfuscation') || has('credentials'))
    raise('high')
  if (has('eval') || has('network') || has('child-process')) raise('medium')
  if (trace.outside.length > 0) {
    raise('high')
    reasons.push(`runs ${quoteAll(trace.outside)}, which is outside of the package`)
  }
  if (trace.missing.length > 0) reasons.push(`runs ${quoteAll(trace.missing)}, which is not in the package`)
  if (trace.packages.length > 0) reasons.push(`hands over to ${quoteAll(trace.packages)}, which was not followed`)
  if (reasons.length > 0) return { severity, why: reasons.join(', ') }
  return {
    severity,
    why:
      kind === 'nothing'
        ? 'does nothing'
        : kind === 'builder'
          ? 'builds or fetches a native add-on'
          : 'shows none of the tell-tale signs',
  }
}

/** " See network at `install.js` lines 3, 17; …": which line shows what. */
function places({ hits }: Trace): string {
  if (hits.length === 0) return ''
  const groups = new Map<string, number[]>()
  for (const { behaviour, at } of hits) {
    const key = `${behaviour} in ${quote(at.file.slice(at.file.lastIndexOf('node_modules/') + 'node_modules/'.length))}`
    groups.set(key, [...(groups.get(key) ?? []), at.line ?? 1])
  }
  const shown = [...groups].slice(0, 12).map(([key, lines]) => `${key} line ${lines.join(', ')}`)
  return ` Seen: ${shown.join('; ')}${groups.size > shown.length ? '; and more' : ''}.`
}

function adviceFor(severity: Severity): string {
  if (severity === 'critical')
    return `Do not install it. Read the lines named here; if you ran it already, treat the machine's secrets as lost.`
  if (severity === 'info' || severity === 'low') return 'No action needed.'
  return `Read the lines named here. ${quote('npm ci --ignore-scripts')} installs without running them; allow single packages after reading.`
}
