import { expect, test } from 'vitest'

import { readLockfile } from '../../../examples/dependency-review/inventory/lockfile.ts'

function read(lockfile: object) {
  const result = readLockfile('package-lock.json', JSON.stringify(lockfile, null, 2))
  if (result.kind !== 'lockfile') throw new Error(result.reason)
  return result.lockfile
}

test('given version 3, when read, then each place is an entry with its line', () => {
  const { entries } = read({
    lockfileVersion: 3,
    packages: {
      '': { name: 'demo' },
      'node_modules/a': {
        version: '1.0.0',
        resolved: 'https://registry.example/a/-/a-1.0.0.tgz',
        integrity: 'sha512-x',
        dev: true,
      },
      'node_modules/a/node_modules/@s/b': {
        version: '2.0.0',
        optional: true,
        os: ['darwin'],
        hasInstallScript: true,
        dependencies: { c: '^1' },
      },
    },
  })
  expect(entries.map(({ path, name, version, dev, optional }) => ({ path, name, version, dev, optional }))).toEqual([
    { path: 'node_modules/a', name: 'a', version: '1.0.0', dev: true, optional: false },
    { path: 'node_modules/a/node_modules/@s/b', name: '@s/b', version: '2.0.0', dev: false, optional: true },
  ])
  expect(entries[1]).toMatchObject({
    os: ['darwin'],
    promisedInstallScript: true,
    requires: { c: '^1' },
    declaredAt: { line: 13 },
  })
})

test('given version 2, when read, then the packages map wins over the old tree', () => {
  const { entries, lockfileVersion } = read({
    lockfileVersion: 2,
    packages: { 'node_modules/a': { version: '2.0.0' } },
    dependencies: { a: { version: '1.0.0' } },
  })
  expect(lockfileVersion).toBe(2)
  expect(entries.map(({ version }) => version)).toEqual(['2.0.0'])
})

test('given version 1, when read, then the tree gives places, aliases, links and git addresses', () => {
  const { entries } = read({
    lockfileVersion: 1,
    dependencies: {
      a: { version: '1.0.0', requires: { b: '^1' }, dependencies: { b: { version: '1.1.0', bundled: true } } },
      alias: { version: 'npm:@real/name@3.0.0' },
      here: { version: 'file:packages/here' },
      archive: { version: 'file:archive.tgz' },
      forge: { version: 'git+ssh://git@github.com/x/forge.git#0123456789012345678901234567890123456789' },
    },
  })
  const byPath = Object.fromEntries(entries.map((entry) => [entry.path, entry]))
  expect(byPath['node_modules/a']).toMatchObject({
    version: '1.0.0',
    requires: { b: '^1' },
    source: 'registry',
    declaredAt: { line: 4 },
  })
  expect(byPath['node_modules/a/node_modules/b']).toMatchObject({
    version: '1.1.0',
    bundled: true,
    declaredAt: { line: 10 },
  })
  expect(byPath['node_modules/alias']).toMatchObject({ name: '@real/name', alias: 'alias', version: '3.0.0' })
  expect(byPath['node_modules/here']).toMatchObject({ source: 'link', resolved: 'packages/here' })
  expect(byPath['node_modules/archive']).toMatchObject({ source: 'file', version: null })
  expect(byPath['node_modules/forge']).toMatchObject({ source: 'git', version: null })
})

test('given an alias in version 3, when read, then the real name counts and the folder is remembered', () => {
  const { entries } = read({
    lockfileVersion: 3,
    packages: { 'node_modules/nick': { name: 'real', version: '1.0.0' } },
  })
  expect(entries[0]).toMatchObject({ name: 'real', alias: 'nick', path: 'node_modules/nick' })
})

test.each([
  '../../etc',
  '/etc/passwd',
  'node_modules/../../x',
  'C:/x',
  'node_modules/a\0b',
  'node_modules//a',
  'node_modules/a\\..\\..\\b',
])('given the place %j, when read, then it is refused with its line', (path) => {
  const { entries, refused } = read({ lockfileVersion: 3, packages: { [path]: { version: '1.0.0' } } })
  expect(entries).toEqual([])
  expect(refused).toEqual([{ path, line: 4 }])
})

test('given a place that climbs out in version 1, when read, then it is refused', () => {
  const { entries, refused } = read({ lockfileVersion: 1, dependencies: { '../../../x': { version: '1.0.0' } } })
  expect(entries).toEqual([])
  expect(refused).toHaveLength(1)
})

test('given keys that mean something to JavaScript, when read, then they are names like any other', () => {
  const text =
    '{"lockfileVersion":3,"packages":{"node_modules/__proto__":{"version":"1.0.0","dependencies":{"__proto__":"1","constructor":"2"}}}}'
  const result = readLockfile('package-lock.json', text)
  if (result.kind !== 'lockfile') throw new Error(result.reason)
  expect(result.lockfile.entries[0]?.name).toBe('__proto__')
  expect(Object.keys(result.lockfile.entries[0]?.requires ?? {})).toEqual(['__proto__', 'constructor'])
  expect({}).not.toHaveProperty('version')
})

test('given wrong types everywhere, when read, then what is no text is nothing', () => {
  const { entries } = read({
    lockfileVersion: 'three',
    packages: {
      'node_modules/a': {
        version: 7,
        resolved: [],
        integrity: {},
        os: 'linux',
        cpu: [1, 'x64'],
        dependencies: { b: 1, c: '2' },
        dev: 'yes',
      },
      'node_modules/b': 'text',
      'node_modules/c': null,
    },
  })
  expect(entries).toHaveLength(3)
  expect(entries[0]).toMatchObject({
    version: null,
    resolved: null,
    integrity: null,
    os: ['linux'],
    cpu: ['x64'],
    requires: { c: '2' },
    dev: false,
  })
})

test.each(['', '{', '[]', 'null', '"x"', '{}', '{"packages": 3}'])(
  'given the text %j, when read, then it is malformed',
  (text) => {
    expect(readLockfile('package-lock.json', text).kind).toBe('malformed')
  },
)

test('given a tree of 20,000 levels, when read, then it ends, one way or the other', () => {
  const depth = 20_000
  const text = `{"lockfileVersion":1,"dependencies":${'{"a":{"version":"1.0.0","dependencies":'.repeat(depth)}{}${'}}'.repeat(depth)}}`
  const result = readLockfile('package-lock.json', text)
  if (result.kind === 'lockfile') expect(result.lockfile.entries.length).toBeGreaterThan(0)
  else expect(result.reason).toBe('it is not valid JSON')
})
