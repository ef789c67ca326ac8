import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'

import { Disk } from '../../../examples/dependency-review/disk.ts'
import { ProjectFolder } from './project-folder.ts'

test('given a file within the bound, when read, then its text comes without a byte order mark', async () => {
  await using folder = await ProjectFolder.make({ 'a.txt': '\ufeffhello' })
  const disk = await Disk.open(folder.root)
  expect(await disk.readText('a.txt', 100)).toEqual({
    kind: 'text',
    text: 'hello',
    bytes: 8,
    truncated: false,
    byteOrderMark: true,
  })
})

test('given a file beyond the bound, when read, then only its beginning comes, and it says so', async () => {
  await using folder = await ProjectFolder.make({ 'a.txt': 'x'.repeat(1_000) })
  const disk = await Disk.open(folder.root)
  expect(await disk.readText('a.txt', 10)).toMatchObject({ text: 'x'.repeat(10), bytes: 1_000, truncated: true })
})

test('given links that lead outside, when read, then they are refused, whatever shape they have', async () => {
  await using folder = await ProjectFolder.make({
    file: { link: '../secret.txt' },
    folder: { link: '..' },
    absolute: { link: '/etc/passwd' },
    twice: { link: 'folder' },
    'inside.txt': 'fine',
    good: { link: 'inside.txt' },
  })
  await writeFile(path.join(folder.outside, 'secret.txt'), 'secret')
  const disk = await Disk.open(folder.root)
  for (const name of [
    'file',
    'folder/secret.txt',
    'absolute',
    'twice/secret.txt',
    '../secret.txt',
    '/etc/passwd',
    'a/../../secret.txt',
    'a\0b',
  ]) {
    expect(await disk.readText(name, 100), name).toEqual({ kind: 'outside' })
    expect(await disk.presence(name), name).toBe('outside')
  }
  expect(await disk.readText('good', 100)).toMatchObject({ text: 'fine' })
})

test('given a sibling folder whose name starts like the root, when read through a link, then it is outside', async () => {
  await using folder = await ProjectFolder.make({ link: { link: '../project-b/x.txt' } })
  execFileSync('mkdir', [path.join(folder.outside, 'project-b')])
  await writeFile(path.join(folder.outside, 'project-b', 'x.txt'), 'x')
  expect(await (await Disk.open(folder.root)).readText('link', 100)).toEqual({ kind: 'outside' })
})

test('given a link to itself, a folder and a missing file, when read, then each has its own answer', async () => {
  await using folder = await ProjectFolder.make({ loop: { link: 'loop' }, 'd/x': '' })
  const disk = await Disk.open(folder.root)
  expect(await disk.readText('loop', 100)).toEqual({
    kind: 'unreadable',
    reason: 'a symbolic link that leads to itself',
  })
  expect(await disk.readText('d', 100)).toMatchObject({ kind: 'unreadable' })
  expect(await disk.readText('nope', 100)).toEqual({ kind: 'missing' })
  expect(await disk.readText('d/x/y', 100)).toEqual({ kind: 'missing' })
})

test.skipIf(process.platform === 'win32')(
  'given a pipe without a writer, when read, then it does not wait',
  async () => {
    await using folder = await ProjectFolder.make({ 'd/x': '' })
    execFileSync('mkfifo', [path.join(folder.root, 'pipe')])
    expect(await (await Disk.open(folder.root)).readText('pipe', 100)).toEqual({
      kind: 'unreadable',
      reason: 'it is not a regular file',
    })
  },
)

test('given a package with nested packages, when walked, then its own files count and theirs do not', async () => {
  await using folder = await ProjectFolder.make({
    'p/package.json': '12345',
    'p/lib/a.js': '123',
    'p/lib/node_modules/q/index.js': 'x'.repeat(1_000),
    'p/node_modules/r/index.js': 'x'.repeat(1_000),
    'p/out': { link: '../../..' },
    'p/in': { link: 'lib/a.js' },
  })
  const listing = await (await Disk.open(folder.root)).walk('p')
  expect(listing).toEqual({
    files: ['in', 'lib/a.js', 'package.json'],
    bytes: 8,
    truncated: false,
    linksOutside: ['out'],
    unreadable: [],
  })
})

test('given more files than the bound, when walked twice, then both listings are truncated alike', async () => {
  const files = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`p/${index % 7}/${index}.js`, 'x']))
  await using folder = await ProjectFolder.make(files)
  const disk = await Disk.open(folder.root)
  const first = await disk.walk('p', 20)
  expect(first.truncated).toBe(true)
  expect(first.files.length).toBeLessThanOrEqual(20)
  expect(await disk.walk('p', 20)).toEqual(first)
})
