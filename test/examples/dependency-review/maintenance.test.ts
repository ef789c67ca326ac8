import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'

import { entryPoints } from '../../../examples/dependency-review/examine/entry-points.ts'
import { lockfileOf, ProjectFolder, soundPackage, type Content } from './project-folder.ts'
import { reviewQuietly } from './review-quietly.ts'

const files = [
  'index.js',
  'lib/main.js',
  'lib/index.js',
  'data.json',
  'bin/run',
  'dist/a.mjs',
  'dist/b.mjs',
  'types/index.d.ts',
  'native.node',
]

test.each<[string, object, readonly string[]]>([
  ['main with ending', { main: 'lib/main.js' }, []],
  ['main without ending', { main: './lib/main' }, []],
  ['main is a folder', { main: 'lib' }, []],
  ['main is a folder with a slash', { main: './lib/' }, []],
  ['main is the package', { main: '.' }, []],
  ['main is JSON or native', { main: 'data' }, []],
  ['main is empty', { main: '' }, []],
  ['main is missing, index.js saves it', { main: 'gone.js' }, ['low main missing']],
  ['main leads outside', { main: '../../x.js' }, ['high main outside']],
  ['main is absolute', { main: '/etc/passwd' }, ['high main outside']],
  ['main is a number', { main: 3 }, []],
  ['bin exists', { bin: { run: './bin/run' } }, []],
  ['bin is missing', { bin: 'bin/gone' }, ['medium bin missing']],
  ['types by folder', { types: './types' }, []],
  ['types are missing', { types: 'x.d.ts' }, ['low types missing']],
  ['exports is a path', { exports: './index.js' }, []],
  ['exports needs the ending', { exports: './index' }, ['medium exports missing']],
  ['exports needs the dot', { exports: 'index.js' }, ['medium exports missing']],
  ['exports leads outside', { exports: { './x': './../../x.js' } }, ['high exports../x outside']],
  [
    'conditions',
    { exports: { '.': { import: './dist/a.mjs', require: './gone.cjs', types: './gone.d.ts' } } },
    ['medium exports...require missing', 'low exports...types missing'],
  ],
  [
    'a condition of some bundler',
    { exports: { '.': { svelte: './src/x.svelte', default: './index.js' } } },
    ['low exports...svelte missing'],
  ],
  ['a pattern that matches', { exports: { './*': './dist/*.mjs' } }, []],
  ['a pattern that matches nothing', { exports: { './*': './gone/*.js' } }, ['low exports../* missing']],
  ['a folder', { exports: { './': './', './dist/': './dist/', './src/': './src/' } }, ['low exports../src/ missing']],
  [
    'types without the dot',
    { exports: { '.': { types: 'index.d.ts', default: './index.js' } } },
    ['low exports...types missing'],
  ],
  ['a path that is closed', { exports: { './internal/*': null, '.': './index.js' } }, []],
  ['a fallback list', { exports: { '.': ['not:valid', './index.js'] } }, []],
  ['exports of a wrong type', { exports: 7 }, []],
])('given %s, when looked up, then as Node does', (_, manifest, expected) => {
  const points = entryPoints({ ...manifest }, files)
  expect(
    points
      .filter(({ state }) => state !== 'ok')
      .map(({ at, state, severity }) => `${severity} ${at.join('.')} ${state}`),
  ).toEqual(expected)
})

test('given main without any file, when looked up, then it is worse, unless the package offers programs', () => {
  expect(entryPoints({ main: 'x.js' }, ['a.txt'])[0]).toMatchObject({ state: 'missing', severity: 'medium' })
  expect(entryPoints({ main: 'x.js', bin: 'cli.js' }, ['cli.js'])[0]).toMatchObject({
    state: 'missing',
    severity: 'low',
  })
})

test('given a package of declarations, when its main is missing, then that is as intended', () => {
  expect(
    entryPoints({ main: 'index.js', types: 'index.d.ts' }, ['index.d.ts', 'package.json']).map(({ state }) => state),
  ).toEqual(['ok', 'ok'])
})

test('given conditions without end, when looked up, then depth is bounded', () => {
  let exports: unknown = './gone.js'
  for (let depth = 0; depth < 10_000; depth += 1) exports = { import: exports }
  expect(entryPoints({ exports }, files)).toEqual([])
})

/** The review of a project with one package `p`. */
async function reviewOf(
  manifest: object,
  extra: Readonly<Record<string, Content>> = {},
  locked: object = {},
  project: object = {},
) {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT', dependencies: { p: '1' }, ...project },
    'package-lock.json': lockfileOf({ 'node_modules/p': locked }),
    ...soundPackage('node_modules/p', manifest),
    ...extra,
  })
  return await reviewQuietly(folder.root) // awaited here, before the folder goes
}

const shapes = (report: Awaited<ReturnType<typeof reviewOf>>) =>
  report.findings.map(({ severity, rule }) => `${severity} ${rule}`)

test('given a sound package, when reviewed, then nothing is found, and its facts are told', async () => {
  const report = await reviewOf({ main: 'index.js' })
  expect(report.findings).toEqual([])
  expect(report.unexamined).toEqual([])
  expect(report.packages[0]).toMatchObject({
    examined: true,
    facts: { licence: 'MIT', installScripts: [], files: 4, readme: true, entryPoints: { declared: 1, missing: 0 } },
  })
})

test.each<[string, object, object, readonly string[]]>([
  ['deprecated', {}, { deprecated: 'use q' }, ['medium package.deprecated']],
  ['deprecated, for development', {}, { deprecated: 'use q', dev: true }, ['low package.deprecated']],
  ['another name', { name: 'q' }, {}, ['high package.mismatch']],
  ['another version', { version: '1.0.1' }, {}, ['high package.mismatch']],
  ['the same version in other words', { version: 'v1.0.0' }, {}, []],
  ['no version', { version: undefined }, {}, ['low package.incomplete']],
  ['a version of a wrong type', { version: 1 }, {}, ['high package.mismatch', 'low package.wrong-types']],
  ['fields of wrong types', { scripts: 'x', exports: 1, description: [] }, {}, ['low package.wrong-types']],
  ['no sign of care', { author: undefined, repository: undefined }, {}, ['info package.care']],
  ['engines that fit', { engines: { node: '>=18' } }, {}, []],
  ['engines that do not', { engines: { node: '>=24' } }, {}, ['low package.engines']],
  ['engines that nobody can read', { engines: { node: 'new' } }, {}, []],
  ['plain http', {}, { resolved: 'http://x.example/p/-/p-1.0.0.tgz' }, ['high source.insecure']],
  [
    'git, pinned',
    {},
    { resolved: 'git+ssh://git@x.example/p.git#0123456789012345678901234567890123456789', integrity: undefined },
    ['low source.git'],
  ],
  ['git, loose', {}, { resolved: 'git+https://x.example/p.git#main', integrity: undefined }, ['medium source.git']],
  ['an address', {}, { resolved: 'https://x.example/p.tgz' }, ['medium source.url']],
  ['no integrity', {}, { integrity: undefined }, ['medium source.no-integrity']],
  ['weak integrity', {}, { integrity: 'sha1-abc' }, ['low source.weak-integrity']],
])('given %s, when reviewed, then it finds %#', async (_, manifest, locked, expected) => {
  expect(shapes(await reviewOf(manifest, {}, locked, { engines: { node: '>=20' } }))).toEqual(expected)
})

test('given secrets in an address, when reported, then they are not', async () => {
  const report = await reviewOf({}, {}, { resolved: 'https://user:pass@x.example/p.tgz?token=abc' })
  expect(JSON.stringify(report)).not.toMatch(/pass|abc/)
})

test('given a wrong version, when reported, then both places are named', async () => {
  const report = await reviewOf({ version: '9.9.9' })
  expect(report.findings[0]?.evidence).toEqual([
    { file: 'node_modules/p/package.json', line: 3 },
    { file: 'package-lock.json', line: 7 },
  ])
})

test('given a large package, when reviewed, then its size is told and judged', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': lockfileOf({ 'node_modules/p': {} }),
    ...soundPackage('node_modules/p'),
  })
  await writeFile(path.join(folder.root, 'node_modules/p/big.bin'), Buffer.alloc(11 * 1024 * 1024))
  const report = await reviewQuietly(folder.root)
  expect(shapes(report)).toEqual(['low package.large'])
  expect(report.summary.bytes).toBeGreaterThan(11 * 1024 * 1024)
})

test.each<[string, Readonly<Record<string, Content>>, string, number]>([
  ['is cut off', { 'node_modules/p/package.json': '{\n  "name": "p",\n' }, 'Its package.json is not valid JSON.', 2],
  [
    'has a bad token',
    { 'node_modules/p/package.json': '{\n  "name": nope\n}' },
    'Its package.json is not valid JSON.',
    2,
  ],
  ['is empty', { 'node_modules/p/package.json': '' }, 'Its package.json is not valid JSON.', 1],
  ['is a list', { 'node_modules/p/package.json': '[]' }, 'Its package.json is not a JSON object.', 1],
  [
    'is huge',
    { 'node_modules/p/package.json': `{"x":"${'x'.repeat(1_100_000)}"}` },
    'Its package.json is larger than 1 MiB.',
    1,
  ],
])(
  'given a package.json that %s, when reviewed, then it is a finding, and the rest is examined',
  async (_, extra, detail, line) => {
    const report = await reviewOf({}, extra)
    const [finding] = report.findings
    expect(finding).toMatchObject({ severity: 'high', rule: 'package.malformed', detail })
    expect(finding?.evidence[0]).toEqual({ file: 'node_modules/p/package.json', line })
    expect(report.packages[0]?.facts).toMatchObject({ files: 4, readme: true })
    expect(report.unexamined.map(({ aspect }) => aspect)).toEqual(['entry points, install scripts, licence field'])
  },
)

test('given a byte order mark, when reviewed, then it is read all the same', async () => {
  const report = await reviewOf(
    {},
    {
      'node_modules/p/package.json': `\ufeff${JSON.stringify({ name: 'p', version: '1.0.0', license: 'MIT', author: 'A', repository: 'x' })}`,
    },
  )
  expect(report.findings.map(({ title }) => title)).toEqual(['It has a byte order mark before package.json'])
})
