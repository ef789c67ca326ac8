import type { Presence } from '../disk.ts'
import type { Evidence, Finding, Severity, Unexamined } from '../finding.ts'
import type { JsonLines } from '../json-lines.ts'
import { plural, quote, quoteAll } from '../text.ts'
import type { Project } from './project.ts'
import type { Lockfile } from './lockfile.ts'
import type { PackageEntry } from './package-entry.ts'

/** Collects what is wrong with the project as a whole, or with the promise that its lockfile makes. */
export class ProjectNotes {
  readonly findings: Finding[] = []
  readonly unexamined: Unexamined[] = []
  readonly #project: Project

  constructor(project: Project) {
    this.#project = project
  }

  #add(
    rule: string,
    about: string,
    severity: Severity,
    title: string,
    detail: string,
    evidence: Evidence,
    advice: string,
  ): void {
    const { name, version } = this.#project
    this.findings.push({
      id: `${rule}:${about}`,
      rule,
      severity,
      package: name,
      version,
      title,
      detail,
      evidence: [evidence],
      advice,
    })
  }

  #skip(path: string, aspect: string, reason: string): void {
    this.unexamined.push({ package: this.#project.name, version: this.#project.version, path, aspect, reason })
  }

  manifestBroken(reason: string): void {
    const detail = `${quote('package.json')} cannot be used: ${reason}. The project's own licence, engines and dependencies are unknown.`
    this.#add(
      'project.manifest',
      '.',
      'high',
      "The project's own package.json is unusable",
      detail,
      { file: 'package.json', line: 1 },
      'Repair the file.',
    )
  }

  lockfileMalformed(file: string, reason: string): void {
    const detail = `${quote(file)} cannot be used: ${reason}. The review goes by what is installed instead.`
    this.#add(
      'lockfile.malformed',
      '.',
      'high',
      'The lockfile is unusable',
      detail,
      { file, line: 1 },
      `Restore ${quote(file)} from version control, or make it anew with ${quote('npm install')}.`,
    )
    this.#skip(file, 'lockfile', reason)
  }

  lockfileMissing(): void {
    const detail = 'Nothing fixes the versions, and nothing vouches for the contents of what is installed.'
    this.#add(
      'lockfile.missing',
      '.',
      'medium',
      'The project has no npm lockfile',
      detail,
      { file: 'package.json', line: 1 },
      `Run ${quote('npm install')} and commit ${quote('package-lock.json')}.`,
    )
  }

  pathRefused(file: string, path: string, line: number): void {
    const detail = `The lockfile has an entry for ${quote(path)}, which is not a place inside of the project. It was not looked at.`
    this.#add(
      'lockfile.path',
      path.slice(0, 500),
      'high',
      'The lockfile points outside of the project',
      detail,
      { file, line },
      'Find out who changed the lockfile, and make it anew.',
    )
    this.#skip(path, 'package', 'its path in the lockfile is not a place inside of the project')
  }

  outOfDate(lockfile: Lockfile, names: readonly string[], lines: JsonLines): void {
    const promised = new Set(lockfile.entries.map((entry) => entry.path))
    const absent = names.filter((name) => !promised.has(`node_modules/${name}`))
    const first = absent[0]
    if (first === undefined) return
    const detail = `${quote('package.json')} asks for ${quoteAll(absent)}, which ${quote(lockfile.file)} does not have.`
    this.#add(
      'lockfile.out-of-date',
      '.',
      'medium',
      'The lockfile does not match package.json',
      detail,
      { file: 'package.json', line: lineOfDependency(lines, first) },
      `Run ${quote('npm install')} and commit the lockfile.`,
    )
  }

  notInstalled(name: string, lines: JsonLines | null): void {
    if (!this.#project.installed) return
    const line = lines === null ? 1 : lineOfDependency(lines, name)
    this.#add(
      'package.missing',
      name,
      'medium',
      `${quote(name)} is not installed`,
      `${quote('package.json')} asks for it, and node_modules does not have it.`,
      { file: 'package.json', line },
      `Run ${quote('npm install')}.`,
    )
    this.#skip(`node_modules/${name}`, 'package', 'it is not installed')
  }

  nothingInstalled(modules: Presence, lockfile: Lockfile | null): void {
    const detail =
      modules === 'outside'
        ? 'node_modules is a symbolic link that leads outside of the project, and is not followed. Only the lockfile could be read.'
        : 'There is no node_modules folder, so no package could be examined. Only the lockfile could be read.'
    this.#add(
      'project.not-installed',
      '.',
      'high',
      'No package is installed',
      detail,
      { file: lockfile?.file ?? 'package.json', line: 1 },
      `Run ${quote('npm ci --ignore-scripts')} and review again.`,
    )
  }

  /** `host` is the package that it lies in, when that one runs code at installation. */
  extraneous(entry: PackageEntry, host: PackageEntry | undefined): void {
    const origin =
      host === undefined
        ? 'It may be left over, or put there by something that npm does not know of'
        : `The install script of ${quote(host.name)} may have put it there`
    const detail = `${quote(entry.path)} is on disk, and the lockfile does not promise it. ${origin}.`
    const { name, version } = entry
    const evidence = [{ file: `${entry.path}/package.json`, line: 1 }]
    const advice = `Run ${quote('npm prune')}, or ${quote('npm ci')} for a fresh start; find out where it came from if it comes back.`
    this.findings.push({
      id: `package.extraneous:${entry.path}`,
      rule: 'package.extraneous',
      severity: 'medium',
      package: name,
      version,
      title: 'Installed, but not in the lockfile',
      detail,
      evidence,
      advice,
    })
  }

  truncated(limit: number): void {
    this.#skip('.', 'packages', `the project has more than ${plural(limit, 'package')}; the rest was not looked at`)
  }

  foreignLockfile(file: string): void {
    this.#skip(
      file,
      'lockfile',
      'it is the lockfile of another package manager, and is not read; packages come from the npm lockfile or from node_modules',
    )
  }
}

function lineOfDependency(lines: JsonLines, name: string): number {
  const fields = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
  return Math.max(...fields.map((field) => (lines.has(field, name) ? lines.of(field, name) : 1)))
}
