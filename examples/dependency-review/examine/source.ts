import { findingAbout, type Finding, type FindingParts } from '../finding.ts'
import type { PackageEntry } from '../inventory/package-entry.ts'
import { quote } from '../text.ts'

/** What the lockfile tells of where a package comes from, and whether anything vouches for its contents. */
export function sourceFindings(entry: PackageEntry): Finding[] {
  const { resolved, integrity, source } = entry
  const findings: Finding[] = []
  const report = (rule: string, parts: Omit<FindingParts, 'evidence'>): void => {
    findings.push(findingAbout(entry, rule, { ...parts, evidence: [entry.declaredAt] }))
  }
  if (resolved !== null && /^(?:git\+)?http:\/\/(?!(?:localhost|127\.0\.0\.1|\[::1\])[:/])/i.test(resolved)) {
    report('source.insecure', {
      severity: 'high',
      title: 'Downloaded without encryption',
      detail: `It comes from ${quote(withoutSecrets(resolved))}; whoever is between can replace it.`,
      advice: 'Use https.',
    })
  }
  if (source === 'git' && resolved !== null) {
    const pinned = /#[0-9a-f]{40}$/i.test(resolved)
    report('source.git', {
      severity: pinned ? 'low' : 'medium',
      title: pinned ? 'Comes from a git repository' : 'Comes from a git repository, from no fixed commit',
      detail: `It comes from ${quote(withoutSecrets(resolved))}, not from a registry: no published version stands behind it.`,
      advice: pinned ? 'No action needed if you trust the repository.' : 'Pin a full commit id.',
    })
  }
  if (source === 'url' && resolved !== null) {
    report('source.url', {
      severity: 'medium',
      title: 'Comes from an address outside of a registry',
      detail: `It comes from ${quote(withoutSecrets(resolved))}.`,
      advice: 'Prefer a published version.',
    })
  }
  const fromServer = (source === 'registry' && resolved !== null) || source === 'url'
  if (fromServer && integrity === null && !entry.bundled) {
    report('source.no-integrity', {
      severity: 'medium',
      title: 'Nothing vouches for its contents',
      detail: 'The lockfile has no integrity hash for it, so a changed download would not be noticed.',
      advice: `Make the lockfile anew with a current npm.`,
    })
  } else if (fromServer && integrity !== null && !/sha(?:256|384|512)-/.test(integrity)) {
    report('source.weak-integrity', {
      severity: 'low',
      title: 'Vouched for by a broken hash only',
      detail: `The lockfile's integrity is ${quote(integrity, 80)}; SHA-1 can be forged.`,
      advice: `Make the lockfile anew with a current npm.`,
    })
  }
  return findings
}

/** Addresses can carry a user name and a token. */
function withoutSecrets(address: string): string {
  const text = address.slice(0, 2_000) // the patterns are slow on addresses without end
  return text.replace(/\/\/[^/@\s]*@/, '//').replace(/([?&][^=&]*(?:token|key|secret|auth)[^=&]*=)[^&#]*/gi, '$1…')
}
