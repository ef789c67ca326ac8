import { severities, type Evidence, type Finding, type Severity } from '../finding.ts'
import { formatBytes, plural, quote } from '../text.ts'
import { worstOf, type PackageRow, type ReviewReport } from './report.ts'

/**
 * The report for people. Foreign text stands in code spans only: either it was quoted when its sentence was made, or it
 * is quoted here. Thus nothing that a package says can become a heading, a link, an image or HTML.
 */
export function renderMarkdown(report: ReviewReport): string {
  const { project, unexamined } = report
  const sections = [
    `# Dependency review of ${quote(project.name)}${project.version === null ? '' : ` ${quote(project.version)}`}`,
    ...summary(report),
    '## Findings',
    ...(report.findings.length === 0
      ? ['None.']
      : severities.flatMap((severity) => findingsOf(severity, report.findings))),
    '## Packages',
    report.packages.length === 0 ? 'The project has no packages.' : packageTable(report.packages),
    '## What could not be examined, and why',
    unexamined.length === 0
      ? 'Nothing: every package was examined.'
      : table(
          ['Package', 'Where', 'What', 'Why'],
          unexamined.map(({ package: name, version, path, aspect, reason }) => [
            label(name, version),
            quote(path, 500),
            aspect,
            reason,
          ]),
        ),
    '## What an offline review cannot tell',
    report.unknowable.map((line) => `- ${line}`).join('\n'),
  ]
  return `${sections.join('\n\n')}\n`
}

function summary({ project, summary: sum, unexamined }: ReviewReport): string[] {
  const lockfile =
    project.lockfile === null
      ? 'no npm lockfile; packages as found in node_modules'
      : `${quote(project.lockfile.file)} (version ${project.lockfile.version})`
  const rows = [
    ['Packages', `${sum.packages}, of which ${sum.examined} were examined`],
    ['Findings', severities.map((severity) => `${sum.findings[severity]} ${severity}`).join(', ')],
    ['Code that runs at installation', plural(sum.withInstallScripts, 'package')],
    ['On disk', `${formatBytes(sum.bytes)} in ${plural(sum.files, 'file')}`],
    ['Licence of the project', project.licence === null ? 'none declared' : quote(project.licence)],
    [
      'Licences of packages',
      sum.licences.length === 0
        ? 'none'
        : shortened(
            sum.licences.map(({ licence, packages }) => `${quote(licence)} ${packages}`),
            20,
          ),
    ],
    ['Taken from', lockfile],
    ...(project.workspaces.length === 0
      ? []
      : [
          [
            'Parts of the project itself, not reviewed',
            shortened(
              project.workspaces.map((path) => quote(path)),
              20,
            ),
          ],
        ]),
    ['Not examined', unexamined.length === 0 ? 'nothing' : `${plural(unexamined.length, 'line')} below, with reasons`],
  ]
  return ['## Summary', table(['', ''], rows)]
}

function shortened(items: readonly string[], max: number): string {
  return items.slice(0, max).join(', ') + (items.length > max ? ` and ${items.length - max} more` : '')
}

function findingsOf(severity: Severity, all: readonly Finding[]): string[] {
  const findings = all.filter((finding) => finding.severity === severity)
  if (findings.length === 0) return []
  const title = severity.charAt(0).toUpperCase() + severity.slice(1)
  return [`### ${title} (${findings.length})`, findings.map(findingItem).join('\n')]
}

function findingItem(finding: Finding): string {
  // Of the least ones there are many; a line each keeps the report readable.
  if (finding.severity === 'info') {
    return `- ${finding.title}: ${label(finding.package, finding.version)}. ${finding.detail} (${finding.evidence.map(place).join(', ')})`
  }
  return [
    `- **${finding.title}**: ${label(finding.package, finding.version)} (${quote(finding.rule)})`,
    `  - ${finding.detail}`,
    `  - Evidence: ${finding.evidence.length === 0 ? 'none' : finding.evidence.map(place).join(', ')}`,
    ...(finding.advice === 'No action needed.' ? [] : [`  - ${finding.advice}`]),
  ].join('\n')
}

function packageTable(packages: readonly PackageRow[]): string {
  return table(
    [
      'Package',
      'Version',
      'For',
      'Licence',
      'Install scripts',
      'Size',
      'Files',
      'Entry points',
      'README',
      'Findings',
      'Where',
    ],
    packages.map(({ package: name, version, path, dev, optional, facts, findings, examined }) => [
      quote(name),
      version === null ? '?' : quote(version),
      (dev ? 'development' : 'production') + (optional ? ', optional' : ''),
      facts.licence === undefined ? '?' : facts.licence === null ? 'none' : quote(facts.licence),
      facts.installScripts === undefined
        ? '?'
        : facts.installScripts.length === 0
          ? 'none'
          : facts.installScripts.join(', '),
      facts.bytes === undefined ? '?' : formatBytes(facts.bytes),
      facts.files === undefined ? '?' : String(facts.files),
      facts.entryPoints === undefined
        ? '?'
        : facts.entryPoints.missing === 0
          ? 'ok'
          : `${facts.entryPoints.missing} of ${facts.entryPoints.declared} missing`,
      facts.readme === undefined ? '?' : facts.readme ? 'yes' : 'no',
      examined ? countsOf(findings) : `not examined${worstOf(findings) === null ? '' : `; ${countsOf(findings)}`}`,
      quote(path, 500),
    ]),
  )
}

function countsOf(findings: Readonly<Record<Severity, number>>): string {
  const parts = severities
    .filter((severity) => findings[severity] > 0)
    .map((severity) => `${findings[severity]} ${severity}`)
  return parts.length === 0 ? 'none' : parts.join(', ')
}

function label(name: string, version: string | null): string {
  return quote(version === null ? name : `${name}@${version}`, 260)
}

function place({ file, line }: Evidence): string {
  return quote(line === null ? file : `${file}:${line}`, 520)
}

/** A GFM table. A bar ends a cell even inside of a code span, unless it is escaped. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
