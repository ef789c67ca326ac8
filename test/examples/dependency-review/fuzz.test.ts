import fc from 'fast-check'
import { expect, test } from 'vitest'

import { Disk } from '../../../examples/dependency-review/disk.ts'
import { concerns } from '../../../examples/dependency-review/examine/concern.ts'
import { examine } from '../../../examples/dependency-review/examine/examine.ts'
import { readLockfile } from '../../../examples/dependency-review/inventory/lockfile.ts'
import { blankEntry } from '../../../examples/dependency-review/inventory/package-entry.ts'
import { renderMarkdown } from '../../../examples/dependency-review/report/markdown.ts'
import { ProjectFolder } from './project-folder.ts'
import { reviewQuietly } from './review-quietly.ts'

/** What a field may be, whatever it should be. */
const anything = fc.oneof(
  { depthSize: 'small' },
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    '.',
    './',
    '../x',
    './*',
    './x.js',
    'MIT',
    'SEE LICENSE IN x',
    'node x.js',
    '__proto__',
    'sh -c "',
    '>=18',
    'npm:a@1',
    'file:..',
  ),
)
const manifestKeys = [
  'name',
  'version',
  'license',
  'licenses',
  'main',
  'module',
  'bin',
  'types',
  'exports',
  'scripts',
  'engines',
  'dependencies',
  'workspaces',
  'repository',
  'author',
  'gypfile',
  'os',
]
const scriptKeys = [
  'preinstall',
  'install',
  'postinstall',
  'node',
  '.',
  './x',
  'import',
  'type',
  '__proto__',
  'toString',
]
const member = fc.oneof(
  anything,
  fc.dictionary(fc.constantFrom(...scriptKeys), anything, { maxKeys: 4 }),
  fc.array(anything, { maxLength: 3 }),
)
const manifest = fc.dictionary(fc.constantFrom(...manifestKeys), member, { maxKeys: 8 })

test('given any package.json, when a package is examined, then each concern answers, and never throws', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': {},
    'node_modules/p/x.js': "require('./y')",
    'node_modules/p/LICENSE': 'x',
  })
  const disk = await Disk.open(folder.root)
  const entry = {
    ...blankEntry,
    path: 'node_modules/p',
    name: 'p',
    version: '1.0.0',
    declaredAt: { file: 'package-lock.json', line: 1 },
  }
  const project = { name: 'demo', version: null, licence: 'MIT', enginesNode: '>=20', installed: true }
  await fc.assert(
    fc.asyncProperty(fc.oneof(manifest, anything), async (value) => {
      await folder.put('node_modules/p/package.json', JSON.stringify(value))
      for (const concern of concerns) {
        const { findings } = await examine(disk, concern, { project, entry, copies: [{ entry, requesters: [] }] })
        for (const { detail, title } of findings) expect(detail + title).not.toMatch(/\[object|undefined/)
      }
    }),
  )
})

test('given any lockfile and any package.json, when reviewed, then there is a report', async () => {
  await using folder = await ProjectFolder.make({ 'node_modules/p/package.json': { name: 'p', version: '1.0.0' } })
  const places = fc.oneof(
    fc.constantFrom(
      '',
      'node_modules/p',
      'node_modules/p/node_modules/p',
      '../x',
      'packages/a',
      'node_modules/@s/p',
      '__proto__',
      'node_modules/',
    ),
    fc.string({ maxLength: 8 }),
  )
  const fields = [
    'version',
    'resolved',
    'link',
    'name',
    'dev',
    'optional',
    'requires',
    'dependencies',
    'os',
    'cpu',
    'deprecated',
    'integrity',
    'inBundle',
  ]
  const entry = fc.oneof(fc.dictionary(fc.constantFrom(...fields), member, { maxKeys: 5 }), anything)
  const lockfile = fc.record(
    {
      lockfileVersion: anything,
      packages: fc.option(fc.dictionary(places, entry)),
      dependencies: fc.option(fc.dictionary(places, entry)),
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(fc.oneof(lockfile, anything), manifest, async (lock, own) => {
      await folder.put('package-lock.json', JSON.stringify(lock))
      await folder.put('package.json', JSON.stringify(own))
      expect(renderMarkdown(await reviewQuietly(folder.root))).toContain('## Packages')
    }),
    { numRuns: 60 },
  )
})

test('given any bytes, when read as a lockfile, then the answer is a lockfile or a reason', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(['lockfile', 'malformed']).toContain(readLockfile('package-lock.json', text).kind)
    }),
  )
})
