import parseSpdx, { type Info as SpdxNode } from 'spdx-expression-parse'

/**
 * What a licence asks of those who pass the software on, from least to most. `unknown` is not in the order.
 * A family, not legal advice: the report says so.
 */
export const duties = ['permissive', 'weak-copyleft', 'copyleft', 'network-copyleft', 'restricted'] as const
export type Duty = (typeof duties)[number] | 'unknown'

export const dutyWords: Readonly<Record<Duty, string>> = {
  permissive: 'asks for a notice at most',
  'weak-copyleft': 'asks that changes to the package itself stay under its licence',
  copyleft: 'asks that whoever distributes a work with it offers that whole work under its licence',
  'network-copyleft': 'asks for the source of the whole work even when it is only offered as a service',
  restricted: 'limits what the package may be used for',
  unknown: 'is not classified',
}

const dutyTable: readonly (readonly [RegExp, Duty])[] = [
  [/^(?:AGPL)-/, 'network-copyleft'],
  [/^(?:GPL|OSL|EUPL|CECILL)-/, 'copyleft'],
  [/^(?:LGPL|MPL|EPL|CDDL|CPL|IPL|MS-RL|CC-BY-SA)-?/, 'weak-copyleft'],
  [/^(?:SSPL|BUSL|Elastic|PolyForm|Commons-Clause|CC-BY-N[CD])/, 'restricted'],
  [
    /^(?:MIT|ISC|0BSD|BSD|Apache|Unlicense|CC0|CC-BY-\d|CC-PDDC|BlueOak|Python|PSF|WTFPL|Zlib|Artistic-2|BSL|OFL|Unicode)/,
    'permissive',
  ],
  [
    /^(?:AFL|MS-PL|UPL|X11|NCSA|W3C|PostgreSQL|curl|ICU|HPND|JSON|Libpng|libpng|OpenSSL|PHP|Ruby|Vim|TCL|FTL|IJG|zlib)/,
    'permissive',
  ],
]

export function dutyOf(id: string): Duty {
  return dutyTable.find(([pattern]) => pattern.test(id))?.[1] ?? 'unknown'
}

export interface LicenceExpression {
  /** Ids that occur, without `-only`, `-or-later` and `+`, in order, each once: the form that a text can be compared with. */
  readonly families: readonly string[]
  /** Of an `OR` the lightest, since the user may choose; of an `AND` the heaviest. */
  readonly duty: Duty
}

const MAX_EXPRESSION = 1_000 // code units; the parser recurses

/** Parses an SPDX expression; null when it is none. @see https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/ */
export function readExpression(text: string): LicenceExpression | null {
  if (text.length > MAX_EXPRESSION) return null
  try {
    const tree = parseSpdx(text)
    return { families: [...new Set(familiesOf(tree))], duty: dutyOfTree(tree) }
  } catch {
    return null
  }
}

export function familyOf(id: string): string {
  return id.replace(/(?:-only|-or-later|\+)$/, '')
}

function familiesOf(node: SpdxNode): string[] {
  return 'license' in node ? [familyOf(node.license)] : [...familiesOf(node.left), ...familiesOf(node.right)]
}

function dutyOfTree(node: SpdxNode): Duty {
  if ('license' in node) {
    const duty = dutyOf(node.license)
    // Linking exceptions (Classpath, GCC runtime, LLVM …) let the rest of a program keep its licence.
    return node.exception !== undefined && duty === 'copyleft' ? 'weak-copyleft' : duty
  }
  const [a, b] = [dutyOfTree(node.left), dutyOfTree(node.right)]
  if (node.conjunction === 'or') return a === 'unknown' ? b : b === 'unknown' ? a : lighter(a, b)
  return a === 'unknown' || b === 'unknown' ? heavierKnown(a, b) : lighter(a, b) === a ? b : a
}

function lighter(a: Exclude<Duty, 'unknown'>, b: Exclude<Duty, 'unknown'>): Exclude<Duty, 'unknown'> {
  return duties.indexOf(a) <= duties.indexOf(b) ? a : b
}

/** `MIT AND <unknown>` is unknown, but `GPL-3.0 AND <unknown>` is at least copyleft. */
function heavierKnown(a: Duty, b: Duty): Duty {
  const known = a === 'unknown' ? b : a
  return known === 'permissive' ? 'unknown' : known
}

/** Whether `duty` asks more than `other`; the unknown never does. */
export function asksMore(duty: Duty, other: Duty): boolean {
  if (duty === 'unknown' || other === 'unknown') return false
  return duties.indexOf(duty) > duties.indexOf(other)
}
