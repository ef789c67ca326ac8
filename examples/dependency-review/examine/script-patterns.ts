/**
 * What a piece of code does that an installation seldom needs, by tell-tale expressions. Reading, not running: code that
 * hides its intent well is not seen, and what is seen may be harmless. Hence the line with each hit.
 */

export type Behaviour = 'network' | 'child-process' | 'eval' | 'decode' | 'credentials' | 'environment' | 'obfuscation'

export const behaviourWords: Readonly<Record<Behaviour, string>> = {
  network: 'uses the network',
  'child-process': 'starts other programs',
  eval: 'runs code that is made at run time',
  decode: 'decodes hidden text',
  credentials: 'touches files where secrets are kept',
  environment: 'reads the whole environment',
  obfuscation: 'is obfuscated',
}

const module = (names: string): RegExp =>
  new RegExp(String.raw`(?:require\(|import\(|from|import)\s*['"\`](?:node:)?(?:${names})['"\`/]`)

const codePatterns: readonly (readonly [Behaviour, RegExp])[] = [
  ['network', module('https?|http2|net|tls|dgram|dns|node-fetch|undici|axios|got|request|superagent|needle|ws')],
  ['network', /\bfetch\s*\(|\bXMLHttpRequest\b|\bnew WebSocket\b|\bnavigator\.sendBeacon\b/],
  ['child-process', module('child_process|execa|cross-spawn|shelljs')],
  ['child-process', /\b(?:exec|execFile|spawn|fork)(?:Sync)?\s*\(\s*['"`]/],
  [
    'eval',
    /\beval\s*\(|\bnew\s+Function\s*\(|\bFunction\s*\(\s*['"`]|\bvm\.(?:runIn|Script|compileFunction)|\bmodule\._compile\b/,
  ],
  [
    'decode',
    /\batob\s*\(|,\s*['"`](?:base64(?:url)?|hex)['"`]\s*\)|\bString\.fromCharCode\s*\(\s*(?:(?:0x)?[0-9a-f]+\s*,\s*){4,}|['"`][A-Za-z0-9+/]{256,}={0,2}['"`]/,
  ],
  [
    'credentials',
    /\.npmrc\b|\.ssh\b|\bid_(?:rsa|ed25519)\b|\.aws\b|\.netrc\b|\.git-credentials\b|\/etc\/(?:passwd|shadow)\b|\bNPM_TOKEN\b|\bGITHUB_TOKEN\b|\bAWS_SECRET/,
  ],
  ['environment', /\b(?:JSON\.stringify|Object\.(?:entries|keys|values|assign))\s*\(\s*process\.env\s*[,)]/],
  ['obfuscation', /\b_0x[0-9a-f]{4,}\b|(?:\\x[0-9a-f]{2}){16,}|(?:\\u00[0-9a-f]{2}){16,}/i],
]

const shellPatterns: readonly (readonly [Behaviour, RegExp])[] = [
  ['network', /\b(?:curl|wget|nc|ncat|Invoke-WebRequest|iwr|scp|ssh|ftp)\b|\bhttps?:\/\//i],
  ['eval', /(?<!\|)\|\s*(?:(?:ba|z|da)?sh|node|python3?|perl|ruby)(?![\w-])|\beval\b|\biex\b/i],
  ['decode', /\bbase64\s+(?:-d|-D|--decode)\b|\bxxd\s+-r\b|-enc(?:odedcommand)?\s/i],
  ['credentials', /\.npmrc\b|\.ssh\b|\.aws\b|\.netrc\b|\/etc\/(?:passwd|shadow)\b|\$\{?(?:NPM|GITHUB|AWS)_/],
  ['child-process', /\bpowershell\b|\bcmd(?:\.exe)?\s+\/c\b/i],
]

export interface Hit {
  readonly behaviour: Behaviour
  /** From 1; in a shell command always 1. */
  readonly line: number
}

/** Longest line that is searched whole. A longer one is packed code; that is a hit by itself. */
const MAX_LINE = 10_000
const MAX_HITS_PER_BEHAVIOUR = 5

/** Hits in the source of a script, at most five of each behaviour, by line. Comments that fill a line are skipped. */
export function scanCode(source: string, language: 'javascript' | 'shell'): readonly Hit[] {
  const patterns = language === 'shell' ? [...shellPatterns, ...codePatterns] : codePatterns
  const counts = new Map<Behaviour, number>()
  const hits: Hit[] = []
  const add = (behaviour: Behaviour, line: number): void => {
    const count = counts.get(behaviour) ?? 0
    if (count >= MAX_HITS_PER_BEHAVIOUR || hits.some((hit) => hit.behaviour === behaviour && hit.line === line)) return
    counts.set(behaviour, count + 1)
    hits.push({ behaviour, line })
  }
  const comment = language === 'shell' ? /^\s*#(?!!)/ : /^\s*(?:\/\/|\*|\/\*(?!.*\*\/\s*\S))/
  for (const [index, line] of source.split(/\r\n|[\n\r]/).entries()) {
    if (comment.test(line)) continue
    if (line.length > MAX_LINE && language === 'javascript') add('obfuscation', index + 1)
    // Pieces overlap, so that a pattern on a border is seen.
    for (let at = 0; at < line.length; at += MAX_LINE - 400) {
      const piece = line.slice(at, at + MAX_LINE)
      for (const [behaviour, pattern] of patterns) if (pattern.test(piece)) add(behaviour, index + 1)
    }
  }
  return hits
}

/** Hits in a command line of `scripts`. */
export function scanCommand(command: string): readonly Behaviour[] {
  if (kindOfCommand(stepsOf(command)) === 'nothing') return [] // an address in an `echo` is no use of the network
  const text = command.slice(0, MAX_LINE)
  const found = [...shellPatterns, ...codePatterns]
    .filter(([, pattern]) => pattern.test(text))
    .map(([behaviour]) => behaviour)
  return [...new Set(found)]
}

/** One command of a command line: the program, and the file of the package that it runs, if that can be told. */
export interface Step {
  readonly program: string
  readonly file: string | null
}

const interpreters = /^(?:node|nodejs|bun|deno|tsx|ts-node|sh|bash|zsh|dash|python3?|perl|ruby|powershell|pwsh)$/i

const flagsWithValue = new Set(['-r', '--require', '--import', '--loader'])

/** Splits `a && node b.js || true` into its steps. Separators inside of quotes separate nothing. */
export function stepsOf(command: string): readonly Step[] {
  const steps: string[][] = [[]]
  for (const [token] of command.slice(0, MAX_LINE).matchAll(/"[^"]*"|'[^']*'|[;|&\n]+|[^\s"';|&]+/g)) {
    if (/^[;|&\n]/.test(token)) steps.push([])
    else steps.at(-1)?.push(token.replace(/^["']|["']$/g, ''))
  }
  return steps.flatMap((words) => {
    while (words[0] !== undefined && /^(?:\w+=.*|cross-env|npx|exec|call|@?echo_off)$/.test(words[0])) words.shift()
    const program = words[0]
    if (program === undefined) return []
    if (!interpreters.test(program)) {
      return [{ program, file: /^\.{0,2}\/|\.(?:c|m)?js$|\.sh$/.test(program) ? program : null }]
    }
    const inline = words.some((word) => /^(?:-e|-p|-pe|-c|--eval|--print)$/.test(word))
    let at = 1
    while (words[at]?.startsWith('-') === true) at += flagsWithValue.has(words[at] ?? '') ? 2 : 1
    return [{ program, file: inline ? null : (words[at] ?? null) }]
  })
}

/** Programs that build or fetch a native add-on and do nothing else. */
const builders =
  /^(?:node-gyp|node-gyp-build|node-gyp-build-optional-packages|prebuild-install|node-pre-gyp|cmake-js|prebuildify|napi-postinstall|node-waf)$/

/** What a program is: one that changes nothing, a known builder, an interpreter, or something of another package. */
export function kindOfProgram(program: string): 'nothing' | 'builder' | 'interpreter' | 'foreign' {
  if (/^(?:echo|exit|true|:|cd)$/.test(program)) return 'nothing'
  if (builders.test(program)) return 'builder'
  return interpreters.test(program) ? 'interpreter' : 'foreign'
}

/** Whether a command line as a whole does nothing, only builds native code, or runs something. */
export function kindOfCommand(steps: readonly Step[]): 'nothing' | 'builder' | 'program' {
  const real = steps.map(({ program }) => kindOfProgram(program)).filter((kind) => kind !== 'nothing')
  if (real.length === 0) return 'nothing'
  return real.every((kind) => kind === 'builder') ? 'builder' : 'program'
}
