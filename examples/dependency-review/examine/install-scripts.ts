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
import { behaviourWords, kindOfCommand, stepsOf, type Behaviour } from './script-patterns.ts'
import { traceScript, type ScriptTrace } from './script-trace.ts'

/** A script that npm runs by itself. */
interface InstallScript {
  readonly name: string
  readonly command: string
  readonly line: number
  /** npm builds a package with a `binding.gyp` even when no script says so. */
  readonly implied: boolean
}

const MAX_EVIDENCE = 12

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
    const trace = await traceScript(disk, entry.path, script.command)
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

function judge(script: InstallScript, trace: ScriptTrace): { severity: Severity; why: string } {
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
  if (trace.handedTo.length > 0) reasons.push(`hands over to ${quoteAll(trace.handedTo, 4)}, not followed here`)
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
function places({ hits }: ScriptTrace): string {
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
