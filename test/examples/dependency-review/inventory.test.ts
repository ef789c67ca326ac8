import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'

import { Disk } from '../../../examples/dependency-review/disk.ts'
import { workspaceMatcher } from '../../../examples/dependency-review/inventory/project.ts'
import { readInventory } from '../../../examples/dependency-review/inventory/inventory.ts'
import { lockfileOf, ProjectFolder, soundPackage } from './project-folder.ts'
import { reviewQuietly, rulesOf } from './review-quietly.ts'

const inventoryOf = async (folder: ProjectFolder) => readInventory(await Disk.open(folder.root))

test('given no npm project, when read, then the error has a code', async () => {
  await using folder = await ProjectFolder.make({ 'README.md': 'hello' })
  await expect(inventoryOf(folder)).rejects.toMatchObject({ code: 'INPUT_NOT_A_PROJECT', exitCode: 2 })
})

test('given a project without dependencies, when reviewed, then the report is empty and whole', async () => {
  await using folder = await ProjectFolder.make({ 'package.json': { name: 'demo', license: 'MIT' } })
  const report = await reviewQuietly(folder.root)
  expect(report).toMatchObject({ summary: { packages: 0 }, findings: [], packages: [], unexamined: [] })
})

test('given a shrinkwrap beside a lockfile, when read, then the shrinkwrap counts', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo' },
    'npm-shrinkwrap.json': lockfileOf({ 'node_modules/a': {} }),
    'package-lock.json': lockfileOf({ 'node_modules/b': {} }),
  })
  const { lockfile, entries } = await inventoryOf(folder)
  expect(lockfile?.file).toBe('npm-shrinkwrap.json')
  expect(entries.map(({ path: place }) => place)).toEqual(['node_modules/a'])
})

test('given no lockfile, when read, then packages come from the disk, and who needs them from their own words', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT', dependencies: { a: '^1', gone: '1' }, devDependencies: { d: '*' } },
    ...soundPackage('node_modules/a', { dependencies: { b: '^1' } }),
    ...soundPackage('node_modules/@s/c'),
    ...soundPackage('node_modules/a/node_modules/b'),
    ...soundPackage('node_modules/d', { dependencies: { e: '1', b: '2' } }),
    ...soundPackage('node_modules/e'),
    ...soundPackage('node_modules/b', { version: '2.0.0' }),
    'node_modules/.bin/x': '',
    'node_modules/.package-lock.json': '{}',
  })
  const inventory = await inventoryOf(folder)
  expect(inventory.lockfile).toBeNull()
  expect(inventory.entries.map(({ path: place, dev }) => `${place}${dev ? ' dev' : ''}`)).toEqual([
    'node_modules/@s/c',
    'node_modules/a',
    'node_modules/a/node_modules/b',
    'node_modules/b dev',
    'node_modules/d dev',
    'node_modules/e dev',
  ])
  expect(inventory.requesters.get('node_modules/a/node_modules/b')).toEqual([{ by: 'a@1.0.0', range: '^1' }])
  expect(inventory.requesters.get('node_modules/b')).toEqual([{ by: 'd@1.0.0', range: '2' }])
  expect(inventory.findings.map(({ rule, title }) => `${rule}: ${title}`)).toEqual([
    'lockfile.missing: The project has no npm lockfile',
    'package.missing: `gone` is not installed',
  ])
})

test("given pnpm's store, when read, then each package is one, and links are names for it", async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', dependencies: { a: '1' } },
    'pnpm-lock.yaml': '',
    ...soundPackage('node_modules/.pnpm/a@1.0.0/node_modules/a', { dependencies: { b: '1' } }),
    ...soundPackage('node_modules/.pnpm/b@1.0.0/node_modules/b'),
    'node_modules/.pnpm/a@1.0.0/node_modules/b': { link: '../../b@1.0.0/node_modules/b' },
    'node_modules/a': { link: '.pnpm/a@1.0.0/node_modules/a' },
  })
  const { entries, requesters, unexamined } = await inventoryOf(folder)
  expect(entries.map(({ name }) => name)).toEqual(['a', 'b'])
  expect(requesters.get('node_modules/.pnpm/b@1.0.0/node_modules/b')).toEqual([{ by: 'a@1.0.0', range: '1' }])
  expect(unexamined.map(({ path: place }) => place)).toEqual(['pnpm-lock.yaml'])
})

test('given workspaces, when read, then they are the project itself, and what they ask for is reviewed', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT', workspaces: ['packages/*', '!packages/vendored'] },
    'package-lock.json': lockfileOf(
      {
        'node_modules/w': { resolved: 'packages/w', link: true, version: undefined },
        'node_modules/v': { resolved: 'packages/vendored', link: true, version: undefined },
        'packages/w': { name: 'w', resolved: undefined, dependencies: { a: '^1' } },
        'packages/vendored': { name: 'v', resolved: undefined },
        'packages/w/node_modules/a': {},
      },
      {},
    ),
    'packages/w/package.json': { name: 'w', version: '1.0.0' },
    ...Object.fromEntries(
      Object.entries(soundPackage('packages/vendored/node_modules/v')).map(([file, content]) => [
        file.replace('/node_modules/v', ''),
        content,
      ]),
    ),
    ...soundPackage('packages/w/node_modules/a'),
    'node_modules/w': { link: '../packages/w' },
    'node_modules/v': { link: '../packages/vendored' },
  })
  const inventory = await inventoryOf(folder)
  expect(inventory.own).toEqual(['packages/w'])
  expect(inventory.entries.map(({ path: place, name }) => `${place} ${name}`)).toEqual([
    'node_modules/v v',
    'packages/w/node_modules/a a',
  ])
  expect(inventory.requesters.get('packages/w/node_modules/a')).toEqual([{ by: 'w@1.0.0', range: '^1' }])
  const report = await reviewQuietly(folder.root)
  expect(rulesOf(report)).toEqual([])
  expect(report.packages.find((row) => row.package === 'v')?.facts.files).toBe(4)
})

test('given workspaces and no lockfile, when read, then links tell what is the project itself', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', workspaces: ['packages/*'] },
    'packages/w/package.json': { name: 'w', version: '1.0.0', dependencies: { a: '1' } },
    ...soundPackage('packages/w/node_modules/a'),
    ...soundPackage('node_modules/b'),
    'node_modules/w': { link: '../packages/w' },
  })
  const inventory = await inventoryOf(folder)
  expect(inventory.own).toEqual(['packages/w'])
  expect(inventory.entries.map(({ path: place }) => place)).toEqual(['node_modules/b', 'packages/w/node_modules/a'])
  expect(inventory.requesters.get('packages/w/node_modules/a')).toEqual([{ by: 'w@1.0.0', range: '1' }])
})

test('given a link to a folder beside the project, when reviewed, then it is not followed, and that is no fault', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo' },
    'package-lock.json': lockfileOf({
      'node_modules/x': { resolved: '../x', link: true },
      '../x': {},
      'node_modules/a': {},
    }),
    ...soundPackage('node_modules/a'),
    'node_modules/x': { link: '../../x' },
  })
  await mkdir(path.join(folder.outside, 'x'))
  await writeFile(
    path.join(folder.outside, 'x', 'package.json'),
    '{"name":"x","version":"1.0.0","license":"GPL-3.0-only"}',
  )
  const report = await reviewQuietly(folder.root)
  expect(report.findings).toEqual([])
  expect(report.unexamined).toEqual([
    {
      package: 'x',
      version: '1.0.0',
      path: 'node_modules/x',
      aspect: 'package',
      reason: 'it is a link to `../x`, which is not a folder of the project',
    },
  ])
})

test('given packages that are not there, when reviewed, then reasons differ from faults', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': lockfileOf({
      'node_modules/a': {},
      'node_modules/mac': { optional: true, os: ['darwin'], cpu: ['arm64'] },
      'node_modules/maybe': { optional: true },
      'node_modules/lost': {},
      'node_modules/tool': { dev: true },
    }),
    ...soundPackage('node_modules/a'),
  })
  const report = await reviewQuietly(folder.root)
  expect(rulesOf(report)).toEqual(['medium package.missing lost', 'low package.missing tool'])
  expect(report.unexamined.map(({ package: name, aspect, reason }) => `${name} ${aspect}: ${reason}`)).toEqual([
    'lost package: it is not installed',
    'mac package: it is for os `darwin`, cpu `arm64` only, and not installed here',
    'maybe package: it is optional, and not installed here',
    'tool package: it is not installed',
  ])
  expect(report.summary).toMatchObject({ packages: 5, examined: 1 })
})

test('given nothing installed, when reviewed, then that is one finding and not one for each package', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo' },
    'package-lock.json': lockfileOf({ 'node_modules/a': {}, 'node_modules/b': { deprecated: 'no' } }),
  })
  const report = await reviewQuietly(folder.root)
  expect(rulesOf(report)).toEqual(['high project.not-installed demo', 'medium package.deprecated b'])
  expect(report.summary.examined).toBe(0)
})

test('given a malformed lockfile, when reviewed, then that is a finding, and the disk tells the rest', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': '{"lockfileVersion": 3,',
    ...soundPackage('node_modules/a'),
  })
  const report = await reviewQuietly(folder.root)
  expect(rulesOf(report)).toEqual(['high lockfile.malformed demo'])
  expect(report.packages.map((row) => row.package)).toEqual(['a'])
})

test('given a malformed package.json, when reviewed, then that is a finding, and the lockfile tells the rest', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': '{',
    'package-lock.json': lockfileOf({ 'node_modules/a': {} }),
    ...soundPackage('node_modules/a'),
  })
  expect(rulesOf(await reviewQuietly(folder.root))).toEqual(['high project.manifest unnamed project'])
})

test('given a package that no lockfile promises, when reviewed, then it is found and examined', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': lockfileOf({ 'node_modules/host': { hasInstallScript: true, dev: true } }),
    ...soundPackage('node_modules/host'),
    ...soundPackage('node_modules/host/node_modules/guest', { license: undefined }),
    ...soundPackage('node_modules/stray'),
  })
  const report = await reviewQuietly(folder.root)
  expect(rulesOf(report)).toEqual([
    'medium package.extraneous guest',
    'medium package.extraneous stray',
    'low licence.field-missing guest',
  ])
  expect(report.findings[0]?.detail).toContain('The install script of `host` may have put it there')
  expect(report.packages.find((row) => row.package === 'guest')?.dev).toBe(true)
})

test('given a lockfile that lacks what package.json asks for, when reviewed, then the line is named', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': {
      name: 'demo',
      license: 'MIT',
      dependencies: { a: '1', fresh: '1' },
      peerDependencies: { peer: '1' },
      peerDependenciesMeta: { peer: { optional: true } },
    },
    'package-lock.json': lockfileOf({ 'node_modules/a': {} }),
    ...soundPackage('node_modules/a'),
  })
  const [finding, ...others] = (await reviewQuietly(folder.root)).findings
  expect(others).toEqual([])
  expect(finding).toMatchObject({ rule: 'lockfile.out-of-date', evidence: [{ file: 'package.json', line: 6 }] })
})

test('given several copies, when reviewed, then versions, who asks and the loss are told', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT', dependencies: { a: '1', b: '1', c: '^2' } },
    'package-lock.json': lockfileOf(
      {
        'node_modules/a': { dependencies: { c: '^1' } },
        'node_modules/a/node_modules/c': { version: '1.5.0' },
        'node_modules/b': { dependencies: { c: '>=1' } },
        'node_modules/b/node_modules/c': { version: '1.5.0' },
        'node_modules/c': { version: '2.0.0' },
      },
      {},
    ),
    ...soundPackage('node_modules/a'),
    ...soundPackage('node_modules/b'),
    ...soundPackage('node_modules/a/node_modules/c', { version: '1.5.0' }),
    ...soundPackage('node_modules/b/node_modules/c', { version: '1.5.0' }),
    ...soundPackage('node_modules/c', { version: '2.0.0' }),
  })
  const [finding] = (await reviewQuietly(folder.root)).findings
  expect(finding).toMatchObject({
    id: 'duplicate.versions:c',
    severity: 'low',
    title: '2 versions in 3 copies',
    evidence: [{ line: 15 }, { line: 28 }, { line: 33 }],
  })
  expect(finding?.detail).toContain('`1.5.0` at `node_modules/a/node_modules/c`')
  expect(finding?.detail).toContain('for `a@1.0.0` (`^1`)')
  expect(finding?.detail).toContain('for `the project` (`^2`)')
  expect(finding?.advice).toContain('No version suits everybody')
})

test.each([
  [['packages/*'], 'packages/a', true],
  [['packages/*'], 'packages/a/b', false],
  [['packages/**'], 'packages/a/b', true],
  [['./apps/*-web/'], 'apps/my-web', true],
  [['apps/*-web'], 'apps/my-webs', false],
  [['**/lib'], 'a/b/lib', true],
  [['packages/*', '!packages/x'], 'packages/x', false],
  [['!packages/x', 'packages/*'], 'packages/x', true],
  [['exact'], 'exact', true],
  [['a.c'], 'abc', false],
  [[], 'packages/a', false],
  [[`${'*a'.repeat(240)}*b`], 'a'.repeat(2_000), false],
  [[`${'**/a/'.repeat(100)}b`], 'a/'.repeat(500), false],
])("given workspaces (%#), when a folder is looked at, then npm's globs decide", (workspaces, path, is) => {
  expect(workspaceMatcher({ workspaces })(path)).toBe(is)
  expect(workspaceMatcher({ workspaces: { packages: workspaces } })(path)).toBe(is)
})
