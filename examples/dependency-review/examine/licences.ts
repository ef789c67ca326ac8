import spdxCorrect from 'spdx-correct'

import type { Disk } from '../disk.ts'
import { findingAbout, unexaminedPart, type Evidence, type Finding, type Severity } from '../finding.ts'
import { clean, quote, quoteAll } from '../text.ts'
import type { Assignment, Examination } from './examination.ts'
import { asksMore, dutyOf, dutyWords, readExpression, type Duty } from './licence-policy.ts'
import {
  declaredLicence,
  licenceFileNamed,
  readLicenceTexts,
  type DeclaredLicence,
  type LicenceTexts,
} from './licence-sources.ts'
import { readManifest } from './manifest.ts'

/** Each rule's title and advice. */
const rules = {
  'licence.missing': ['No licence', 'Ask the maintainers for a licence, or replace the package.'],
  'licence.field-missing': ['No licence field', 'Ask the maintainers to add the field; tools go by it.'],
  'licence.unlicensed': ['Not licensed for use', 'Use it only if you have an agreement with its owner.'],
  'licence.invalid': ['Licence field is not an SPDX expression', 'Read the licence text, and note what it is.'],
  'licence.old-form': ['Licence field in an outdated form', 'No action needed; some tools will not see the licence.'],
  'licence.file-missing': ['The licence is in a file that does not exist', 'Ask the maintainers for the licence text.'],
  'licence.mismatch': [
    'Licence field and licence text differ',
    'Ask the maintainers which one holds; until then assume the stricter one.',
  ],
  'licence.no-text': ['No licence text in the package', 'Keep a copy of the licence text with your own notices.'],
  'licence.text-unknown': ['Licence text not recognised', 'Read it once.'],
  'licence.obligations': [
    'Licence with obligations',
    'Check with whoever answers for licences before you distribute, or replace the package.',
  ],
} as const

type Report = (rule: keyof typeof rules, severity: Severity, detail: string, evidence: readonly Evidence[]) => void

/** Judges the licence of one package: what its `package.json` claims, what its licence files say, and what the two ask. */
export async function examineLicence(disk: Disk, { entry, project }: Assignment): Promise<Examination> {
  const read = await readManifest(disk, entry, project)
  if (read.kind === 'excused' || read.kind === 'absent') {
    return { facts: {}, findings: [], unexamined: [unexaminedPart(entry, 'licence', read.reason)] }
  }
  const findings: Finding[] = []
  const report: Report = (rule, severity, detail, evidence) => {
    const [title, advice] = rules[rule]
    findings.push(findingAbout(entry, rule, { severity, title, detail, evidence, advice }))
  }
  const declared = read.kind === 'manifest' ? declaredLicence(read.manifest) : null
  const texts = await readLicenceTexts(disk, entry.path, declared?.text ?? '')
  const gaps = texts.gaps.map((reason) => unexaminedPart(entry, 'licence text', reason))
  if (read.kind === 'broken') gaps.unshift(unexaminedPart(entry, 'licence field', read.reason))

  let duty = heaviest(texts.ids)
  let licence = texts.ids.length === 0 ? null : `${texts.ids.join(' AND ')} (text)`
  let evidence = texts.evidence
  if (declared !== null) {
    const judged = judgeField(declared, texts, !entry.dev, report)
    judgeText(declared, judged, texts, !entry.dev, report)
    duty = judged.duty
    licence = clean(declared.text, 60)
    evidence = [declared.evidence]
  } else if (read.kind === 'manifest') {
    judgeAbsence({ file: read.manifest.file, line: 1 }, texts, !entry.dev, report)
  }
  const severity = severityOfDuty(duty, !entry.dev, readExpression(project.licence ?? '')?.duty ?? 'unknown')
  if (severity !== null) {
    const user = project.licence === null ? 'a project without a licence' : `a project under ${quote(project.licence)}`
    report(
      'licence.obligations',
      severity,
      `${quote(licence ?? '')} ${dutyWords[duty]}; here it is used by ${user}.`,
      evidence,
    )
  }
  return { facts: { licence }, findings, unexamined: gaps }
}

/** No field: the text may speak for itself. */
function judgeAbsence(manifest: Evidence, texts: LicenceTexts, inProduction: boolean, report: Report): void {
  if (texts.ids.length > 0) {
    const detail = `The licence text reads as ${quoteAll(texts.ids)}, and package.json does not say so.`
    report('licence.field-missing', 'low', detail, [manifest, ...texts.evidence])
    return
  }
  const { files, mention } = texts
  const text = files.length === 0 ? 'there is no licence file' : `${quoteAll(files)} could not be recognised`
  const readme = mention === null ? '' : ` Its README says: ${quote(mention.text)}.`
  const detail = `package.json has no licence field, and ${text}. Without a licence nobody may use the code.${readme}`
  const evidence = mention === null ? [manifest] : [manifest, mention.at]
  report('licence.missing', inProduction ? 'high' : 'medium', detail, evidence)
}

interface Judged {
  readonly duty: Duty
  /** What the field names, in the form that a text can be compared with; empty when it names nothing. */
  readonly families: readonly string[]
}

function judgeField(
  { text, evidence, oldForm }: DeclaredLicence,
  { ids, files }: LicenceTexts,
  inProduction: boolean,
  report: Report,
): Judged {
  const says = `package.json says ${quote(text)}`
  if (oldForm) {
    report(
      'licence.old-form',
      'info',
      `The licence is a list or an object, and since npm 2 it is an SPDX expression; read as ${quote(text)}.`,
      [evidence],
    )
  }
  if (/^UNLICENSED$/i.test(text.trim())) {
    const detail = `${says}: all rights are reserved, and nobody is given a licence.`
    report('licence.unlicensed', inProduction ? 'high' : 'medium', detail, [evidence])
    return { duty: 'unknown', families: [] }
  }
  if (/^SEE LICEN[CS]E IN /i.test(text)) {
    const target = licenceFileNamed(text)
    if (target !== null && !files.some((file) => file.endsWith(`/${target}`))) {
      report(
        'licence.file-missing',
        inProduction ? 'high' : 'medium',
        `${says}, and the package does not have that file.`,
        [evidence],
      )
    }
    return { duty: heaviest(ids), families: [] }
  }
  const expression = readExpression(text)
  if (expression !== null) return expression
  const corrected = text.length > 200 ? null : spdxCorrect(text)
  const meant = corrected === null ? null : readExpression(corrected)
  const guess = corrected === null ? '' : `; it seems to mean ${quote(corrected)}`
  report(
    'licence.invalid',
    meant !== null || !inProduction ? 'low' : 'medium',
    `${says}, which is not an SPDX expression${guess}.`,
    [evidence],
  )
  return meant ?? { duty: heaviest(ids), families: [] }
}

function judgeText(
  declared: DeclaredLicence,
  { families, duty }: Judged,
  texts: LicenceTexts,
  inProduction: boolean,
  report: Report,
): void {
  const says = `package.json says ${quote(declared.text)}`
  const { files, ids } = texts
  if (files.length === 0 && families.length > 0) {
    report(
      'licence.no-text',
      'info',
      `${says}, and no licence file is shipped. Most licences ask that their text goes along.`,
      [declared.evidence],
    )
  }
  if (files.length > 0 && ids.length === 0) {
    const evidence = files.slice(0, 3).map((file) => ({ file, line: 1 }))
    report(
      'licence.text-unknown',
      'info',
      `${quoteAll(files)} is not the text of a licence that this review knows.`,
      evidence,
    )
  }
  if (families.length === 0 || ids.length === 0) return
  const both = [declared.evidence, ...texts.evidence]
  const stricter = ids.filter((id) => asksMore(dutyOf(id), duty) && !families.includes(id))
  if (!ids.some((id) => families.includes(id))) {
    const severity = stricter.length === 0 ? 'low' : inProduction ? 'high' : 'medium'
    report('licence.mismatch', severity, `${says}; the licence text reads as ${quoteAll(ids)}.`, both)
  } else if (stricter.length > 0) {
    // Many texts in one place are the notices of bundled code; two or three are a choice, or a contradiction.
    const severity = ids.length > 3 || !inProduction ? 'low' : 'medium'
    report(
      'licence.mismatch',
      severity,
      `${says}; the licence file also holds ${quoteAll(stricter)}, which asks for more.`,
      both,
    )
  }
}

/** What several texts ask together. */
function heaviest(ids: readonly string[]): Duty {
  const heavier = (worst: Duty, duty: Duty): Duty => (worst === 'unknown' || asksMore(duty, worst) ? duty : worst)
  return ids.map(dutyOf).reduce<Duty>(heavier, 'unknown')
}

function severityOfDuty(duty: Duty, inProduction: boolean, ofProject: Duty): Severity | null {
  // A project that asks at least as much of its own users takes on nothing new.
  if (duty === 'permissive' || duty === 'unknown' || (ofProject !== 'unknown' && !asksMore(duty, ofProject)))
    return null
  if (duty === 'weak-copyleft') return inProduction ? 'low' : 'info'
  if (duty === 'copyleft') return inProduction ? 'high' : 'low'
  return inProduction ? 'high' : 'medium'
}
