import { findingAbout, type Finding, type FindingParts } from '../finding.ts'
import type { PackageEntry } from '../inventory/package-entry.ts'
import { quote } from '../text.ts'

type Rule = Omit<FindingParts, 'evidence'> & { readonly rule: string }

/** What the lockfile tells of where a package comes from, and whether anything vouches for its contents. */
export function sourceFindings(entry: PackageEntry): Finding[] {
  return [insecure(entry), unusualSource(entry), integrity(entry)].flatMap((found) => {
    if (found === null) return []
    const { rule, ...parts } = found
    return [findingAbout(entry, rule, { ...parts, evidence: [entry.declaredAt] })]
  })
}

function insecure({ resolved }: PackageEntry): Rule | null {
  const local = /^(?:git\+)?http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])[:/]/i
  if (resolved === null || !/^(?:git\+)?http:\/\//i.test(resolved) || local.test(resolved)) return null
  return {
    rule: 'source.insecure',
    severity: 'high',
    title: 'Downloaded without encryption',
    detail: `It comes from ${quote(withoutSecrets(resolved))}; whoever is between can replace it.`,
    advice: 'Use https.',
  }
}

function unusualSource({ source, resolved }: PackageEntry): Rule | null {
  if (resolved === null) return null
  const from = `It comes from ${quote(withoutSecrets(resolved))}`
  if (source === 'url') {
    const title = 'Comes from an address outside of a registry'
    return { rule: 'source.url', severity: 'medium', title, detail: `${from}.`, advice: 'Prefer a published version.' }
  }
  if (source !== 'git') return null
  const pinned = /#[0-9a-f]{40}$/i.test(resolved)
  return {
    rule: 'source.git',
    severity: pinned ? 'low' : 'medium',
    title: pinned ? 'Comes from a git repository' : 'Comes from a git repository, from no fixed commit',
    detail: `${from}, not from a registry: no published version stands behind it.`,
    advice: pinned ? 'No action needed if you trust the repository.' : 'Pin a full commit id.',
  }
}

function integrity({ source, resolved, integrity: hash, bundled }: PackageEntry): Rule | null {
  const fromServer = (source === 'registry' && resolved !== null) || source === 'url'
  if (!fromServer || bundled || (hash !== null && /sha(?:256|384|512)-/.test(hash))) return null
  const advice = 'Make the lockfile anew with a current npm.'
  if (hash === null) {
    const detail = 'The lockfile has no integrity hash for it, so a changed download would not be noticed.'
    return {
      rule: 'source.no-integrity',
      severity: 'medium',
      title: 'Nothing vouches for its contents',
      detail,
      advice,
    }
  }
  const detail = `The lockfile's integrity is ${quote(hash, 80)}; SHA-1 can be forged.`
  return { rule: 'source.weak-integrity', severity: 'low', title: 'Vouched for by a broken hash only', detail, advice }
}

/** Addresses can carry a user name and a token. */
function withoutSecrets(address: string): string {
  const text = address.slice(0, 2_000) // the patterns are slow on addresses without end
  return text.replace(/\/\/[^/@\s]*@/, '//').replace(/([?&][^=&]*(?:token|key|secret|auth)[^=&]*=)[^&#]*/gi, '$1…')
}
