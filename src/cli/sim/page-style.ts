/** The look of the page. Colours of lanes are told apart by people who see few colours, and numbers say them too. */
export const style = `
:root {
  color-scheme: light dark;
  --back: light-dark(#ffffff, #16181d); --text: light-dark(#1b1e24, #e4e6eb); --dim: light-dark(#5b616e, #9aa1ae);
  --line: light-dark(#d5d9e0, #363b46); --panel: light-dark(#f5f6f8, #1e2128); --focus: light-dark(#0b57d0, #8ab4ff);
  --red: light-dark(#b3261e, #ff8a80); --red-back: light-dark(#fdecea, #3a1f1e);
  --amber: light-dark(#8a4b00, #ffb95c); --amber-back: light-dark(#fff4e0, #33270f);
}
.c0 { --lane: light-dark(#0b57d0, #8ab4ff) } .c1 { --lane: light-dark(#a8480a, #ffab70) }
.c2 { --lane: light-dark(#0a7a43, #67d69b) } .c3 { --lane: light-dark(#9c27b0, #e1a3ee) }
.c4 { --lane: light-dark(#00727f, #58d0de) } .c5 { --lane: light-dark(#8a6d00, #e3c44c) }
.c6 { --lane: light-dark(#c2185b, #ff8fb5) } .c7 { --lane: light-dark(#4e5d6c, #b0bec9) }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text); font: 14px/1.45 system-ui, sans-serif }
header, main { padding: 12px 20px }
h1 { margin: 0 0 4px; font-size: 20px }
header p { margin: 4px 0 }
.broke { color: var(--red) }
details ul { margin: 4px 0; padding-left: 20px; font-family: ui-monospace, monospace; font-size: 13px }
.kind { color: var(--dim) }
#controls { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center;
  padding: 8px 20px; background: var(--panel); border-block: 1px solid var(--line) }
#filter { width: 18em; padding: 4px 8px; font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 4px }
.keys, #count { color: var(--dim) }
kbd { padding: 0 5px; font: 12px ui-monospace, monospace; border: 1px solid var(--line); border-radius: 3px }
fieldset { margin: 0 0 12px; padding: 4px 10px; border: 1px solid var(--line); border-radius: 4px }
#lanes { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0; padding: 0; list-style: none }
#lanes span { display: inline-block; min-width: 20px; text-align: center; font-size: 12px; font-weight: 600; color: var(--back); background: var(--lane); border-radius: 3px }
#steps { margin: 0; padding: 0; list-style: none; font-size: 13px; line-height: 18px }
#steps li { display: grid; grid-template-columns: 9.5em max-content 1fr; column-gap: 12px; align-items: start; border-radius: 3px; scroll-margin: 60px }
#steps li[hidden] { display: none }
#steps li:hover { background: var(--panel) }
:focus-visible, #steps li:focus { outline: 2px solid var(--focus); outline-offset: -2px }
#steps time { padding: 4px 0; text-align: right; color: var(--dim); font-variant-numeric: tabular-nums }
#steps svg { display: block; align-self: stretch }
.what { padding: 4px 8px 4px 0; overflow-wrap: anywhere; font-family: ui-monospace, monospace }
.where { color: var(--lane); font-weight: 600 }
.what b { padding: 0 6px; border-radius: 3px; font-size: 12px; color: var(--back); background: var(--amber) }
.fault, .crash { background: var(--amber-back) } .violation { background: var(--red-back) }
.violation b { background: var(--red) }
path.lane { stroke: var(--line); fill: none } path.arrow { stroke: var(--lane); stroke-width: 2; fill: none }
circle { fill: var(--lane) } .fault .dot, .crash .dot { fill: var(--amber) } .violation .dot { fill: var(--red) }
.noise:not(.shown) { display: none !important }
@media (max-width: 700px) { #steps li { grid-template-columns: 6em max-content 1fr } .keys { display: none } }
@media (forced-colors: active) { circle { fill: CanvasText } path { stroke: CanvasText } }
`
