import semver from 'semver'

import type { Evidence, Severity } from '../finding.ts'
import type { PackageEntry } from '../inventory/package-entry.ts'
import { quote } from '../text.ts'
import { asRecord, asString } from '../values.ts'
import type { Manifest } from './manifest.ts'

/** Takes one finding about the package at hand. */
export type Report = (
  rule: string,
  severity: Severity,
  title: string,
  detail: string,
  evidence: readonly Evidence[],
  advice: string,
) => void

/** Whether it is the package that was promised. */
export function identityFindings({ record, file, lineOf }: Manifest, entry: PackageEntry, report: Report): void {
  const differs = (['name', 'version'] as const).filter((field) => {
    const promised = entry[field]
    return (
      promised !== null &&
      entry.source !== 'link' &&
      record[field] !== undefined &&
      asString(record[field]) !== promised &&
      !sameVersion(field, record[field], promised)
    )
  })
  if (differs.length > 0) {
    const words = differs.map((field) => {
      const found = asString(record[field])
      return `its ${field} is ${found === null ? 'no text' : quote(found)}, and ${quote(entry[field] ?? '')} was promised`
    })
    report(
      'package.mismatch',
      'high',
      'Not the package that the lockfile promises',
      `${capital(words.join('; '))}.`,
      [...differs.map((field) => ({ file, line: lineOf(field) })), entry.declaredAt],
      `Run ${quote('npm ci')} for a fresh copy, and find out who replaced it if it comes back.`,
    )
  }
  const absent = (['name', 'version'] as const).filter((field) => record[field] === undefined)
  if (absent.length > 0)
    report(
      'package.incomplete',
      'low',
      `package.json has no ${absent.join(' and no ')}`,
      'A published package always has both.',
      [{ file, line: 1 }],
      'Find out how it got there.',
    )
}

/** `v1.2.3` and `=1.2.3` are 1.2.3 to npm, and build metadata does not count. */
function sameVersion(field: string, found: unknown, promised: string): boolean {
  if (field !== 'version' || typeof found !== 'string') return false
  const clean = semver.clean(found, { loose: true })
  return clean !== null && clean === semver.clean(promised, { loose: true })
}

const expectedTypes: Readonly<Record<string, readonly string[]>> = {
  name: ['string'],
  version: ['string'],
  description: ['string'],
  main: ['string', 'boolean'], // `false` is a habit of some, and harmless
  module: ['string'],
  types: ['string', 'boolean'],
  bin: ['string', 'object'],
  scripts: ['object'],
  dependencies: ['object', 'array'], // npm itself wrote [] for "none" once
  optionalDependencies: ['object', 'array'],
  peerDependencies: ['object', 'array'],
  engines: ['object', 'array', 'string'], // forms from before npm 1
  license: ['string', 'object', 'array'],
  repository: ['string', 'object', 'array'],
  exports: ['string', 'object', 'array', 'null'],
}

export function typeFindings({ record, file, lineOf }: Manifest, report: Report): void {
  const kindOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)
  const wrong = Object.keys(expectedTypes).filter(
    (field) => record[field] !== undefined && expectedTypes[field]?.includes(kindOf(record[field])) === false,
  )
  const scripts = Object.entries(asRecord(record['scripts']) ?? {}).filter(([, command]) => typeof command !== 'string')
  const words = [
    ...wrong.map((field) => `${quote(field)} is of type ${kindOf(record[field])}`),
    ...scripts.slice(0, 5).map(([name]) => `script ${quote(name)} is no text`),
  ]
  if (words.length === 0) return
  const evidence = [
    ...wrong.map((field) => ({ file, line: lineOf(field) })),
    ...scripts.slice(0, 5).map(([name]) => ({ file, line: lineOf('scripts', name) })),
  ]
  report(
    'package.wrong-types',
    'low',
    'Fields of package.json have the wrong type',
    `${capital(words.join(', '))}.`,
    evidence,
    'Tools may stumble over it; tell the maintainers.',
  )
}

export function careFindings(manifest: Manifest, readme: boolean, report: Report): void {
  const { record, file } = manifest
  const lacks = [
    ...(readme ? [] : ['no README']),
    ...(record['repository'] === undefined ? ['no repository'] : []),
    ...(record['author'] === undefined && record['maintainers'] === undefined && record['contributors'] === undefined
      ? ['no author']
      : []),
  ]
  if (manifest.hasByteOrderMark) lacks.push('a byte order mark before package.json')
  if (lacks.length > 0)
    report(
      'package.care',
      'info',
      `It has ${lacks.join(', ')}`,
      'Small signs of how a package is kept; many good ones lack one or two.',
      [{ file, line: 1 }],
      'No action needed.',
    )
}

export function engineFindings(
  { record, file, lineOf }: Manifest,
  entry: PackageEntry,
  ofProject: string | null,
  report: Report,
): void {
  const wanted = asString(asRecord(record['engines'])?.['node'])
  if (wanted === null || ofProject === null || entry.dev || wanted.length > 300) return
  const [theirs, ours] = [semver.validRange(wanted), semver.validRange(ofProject)]
  if (theirs === null || ours === null || semver.subset(ours, theirs)) return
  const detail = `It asks for Node ${quote(wanted)}, and the project promises to run on ${quote(ofProject)}.`
  report(
    'package.engines',
    entry.optional ? 'info' : 'low',
    'Asks for another Node than the project promises',
    detail,
    [
      { file, line: lineOf('engines', 'node') },
      { file: 'package.json', line: null },
    ],
    "Narrow the project's `engines`, or take a version of the package that fits.",
  )
}

/** The sentence with a capital letter. */
export function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1)
}
