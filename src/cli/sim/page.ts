import { createHash } from 'node:crypto'
import type { Deviation } from '../../testing/simulation/decisions.ts'
import type { TraceLine } from '../../testing/simulation/trace.ts'
import { counted } from '../format.ts'
import { escapeHtml } from './escape-html.ts'
import { lanesOf, timelineOf } from './lanes.ts'
import { script } from './page-script.ts'
import { style } from './page-style.ts'

/** Lines that a page shows: the last ones, which lead to what broke. More than that nobody reads, and browsers are slow at. */
const mostLines = 5000

export interface PageOf {
  readonly scenario: string
  readonly seed: number | string
  readonly deviations: readonly Deviation[]
  readonly invariant: string
  readonly message: string
  /** What the replay came to. */
  readonly verdict: string
  readonly trace: readonly TraceLine[]
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Nothing is loaded, and nothing runs but what is in the page itself. */
const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; base-uri 'none'; form-action 'none'`

/** A case as one HTML page, which can be read without a script: with one it can be filtered and walked through by keys. */
export function pageOf(given: PageOf): string {
  const shown = given.trace.slice(-mostLines)
  const lanes = lanesOf(shown)
  const title = escapeHtml(`${given.scenario}: ${given.invariant}`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
${headerOf(given, shown.length)}
${controls}
<main>
${legendOf(lanes.names)}
<ol id="steps" aria-label="Steps">
${timelineOf(shown, lanes)}
</ol>
<p id="nothing" hidden>No step has this in it.</p>
</main>
<script>${script}</script>
</body>
</html>
`
}

function headerOf({ scenario, seed, deviations, invariant, message, verdict, trace }: PageOf, shown: number): string {
  const decided = deviations
    .map(
      ({ kind, stream, ordinal, value }) =>
        `<li><span class="kind">${kind}</span> ${escapeHtml(`${stream} #${ordinal}: ${value}`)}</li>`,
    )
    .join('')
  const cut = trace.length === shown ? '' : `<p>The last ${shown} of ${counted(trace.length, 'step')}.</p>`
  return `<header>
<h1>${escapeHtml(scenario)}</h1>
<p class="broke"><strong>${escapeHtml(invariant)}</strong> ${escapeHtml(message)}</p>
<p>Seed ${escapeHtml(String(seed))}. ${escapeHtml(verdict)}</p>
<details${deviations.length <= 8 ? ' open' : ''}><summary>${counted(deviations.length, 'decision that matters', 'decisions that matter')}</summary><ul>${decided}</ul></details>
${cut}</header>`
}

const controls = `<form id="controls" role="search">
<label>Filter <input id="filter" type="search" autocomplete="off" spellcheck="false" aria-keyshortcuts="/"></label>
<label><input id="faults" type="checkbox"> faults only</label>
<label><input id="all" type="checkbox"> commits and starts too</label>
<output id="count" for="filter faults all"></output>
<span class="keys"><kbd>/</kbd> filter <kbd>j</kbd> <kbd>k</kbd> step <kbd>f</kbd> next fault <kbd>e</kbd> what broke</span>
</form>`

function legendOf(names: readonly string[]): string {
  const items = names
    .map(
      (name, lane) =>
        `<li><label><input type="checkbox" class="lane" value="${lane}" checked> <span class="c${lane % 8}">${lane + 1}</span> ${escapeHtml(name)}</label></li>`,
    )
    .join('\n')
  return `<fieldset><legend>Lanes</legend><ol id="lanes">
${items}
</ol></fieldset>`
}
