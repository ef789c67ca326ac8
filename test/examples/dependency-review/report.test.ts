import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { Disk } from '../../../examples/dependency-review/disk.ts'
import { examine } from '../../../examples/dependency-review/examine/examine.ts'
import { compareFindings, severities, type Finding } from '../../../examples/dependency-review/finding.ts'
import { readInventory } from '../../../examples/dependency-review/inventory/inventory.ts'
import { planReview } from '../../../examples/dependency-review/plan.ts'
import { renderMarkdown } from '../../../examples/dependency-review/report/markdown.ts'
import { buildReport, renderJson } from '../../../examples/dependency-review/report/report.ts'
import { ReportFolder } from '../../../examples/dependency-review/report/write.ts'
import { lockfileOf, ProjectFolder, soundPackage } from './project-folder.ts'
import { reviewQuietly } from './review-quietly.ts'

test('given examinations in any order, when put together, then both texts are the same', async () => {
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': lockfileOf({
      'node_modules/a': { deprecated: 'old' },
      'node_modules/b': {},
      'node_modules/b/node_modules/a': { version: '2.0.0' },
      'node_modules/gone': {},
    }),
    ...soundPackage('node_modules/a', { license: 'GPL-3.0-only', main: 'x.js' }),
    ...soundPackage('node_modules/b', { scripts: { install: 'node x.js' } }),
    ...soundPackage('node_modules/b/node_modules/a', { version: '2.0.0', license: undefined }),
  })
  const disk = await Disk.open(folder.root)
  const inventory = await readInventory(disk)
  const done: { path: string; examination: Awaited<ReturnType<typeof examine>> }[] = []
  for (const [concern, planned] of planReview(inventory)) {
    for (const { assignment } of planned)
      done.push({ path: assignment.entry.path, examination: await examine(disk, concern, assignment) })
  }
  const textsOf = (order: typeof done): string => {
    const report = buildReport(inventory, order)
    return renderMarkdown(report) + renderJson(report)
  }
  const expected = textsOf(done)
  expect(expected).not.toContain(folder.root)
  fc.assert(
    fc.property(fc.shuffledSubarray(done, { minLength: done.length }), (order) => {
      expect(textsOf(order)).toBe(expected)
    }),
  )
})

test('given any findings, when compared, then the order is total and worst comes first', () => {
  const finding = fc.record<Finding>({
    id: fc.string({ maxLength: 3 }),
    rule: fc.constantFrom('a', 'b'),
    severity: fc.constantFrom(...severities),
    package: fc.constantFrom('p', 'q'),
    version: fc.constantFrom('1', null),
    title: fc.constant(''),
    detail: fc.constant(''),
    evidence: fc.constant([]),
    advice: fc.constant(''),
  })
  fc.assert(
    fc.property(fc.array(finding), fc.infiniteStream(fc.nat()), (findings, random) => {
      const sorted = [...findings].sort(compareFindings)
      const again = findings
        .map((one) => ({ one, key: Number(random.next().value) }))
        .sort((a, b) => a.key - b.key)
        .map(({ one }) => one)
        .sort(compareFindings)
      expect(again.map(({ id, severity }) => `${severity} ${id}`)).toEqual(
        sorted.map(({ id, severity }) => `${severity} ${id}`),
      )
      const ranks = sorted.map(({ severity }) => severities.indexOf(severity))
      expect(ranks).toEqual([...ranks].sort((a, b) => a - b))
    }),
  )
})

describe('hostile text', () => {
  const payloads = [
    '<img src=x onerror=alert(1)>PWN',
    '[PWN](https://evil.example)',
    '![PWN](https://evil.example/leak)',
    '`PWN` **bold** # heading',
    '``` PWN',
    '| PWN | cell |',
    '\u001b[31mPWN\u001b]0;t\u0007',
    'PWN\n# heading\n- item',
    'PWN\u202etxt.exe',
    '@PWN https://evil.example www.evil.example',
  ]

  test.each(payloads)('given %j in every field, when reviewed, then it stands in code spans only', async (text) => {
    await using folder = await ProjectFolder.make({
      'package.json': { name: text, version: text, license: text, workspaces: [text], engines: { node: text } },
      'package-lock.json': lockfileOf({
        'node_modules/p': {
          name: text,
          version: text,
          deprecated: text,
          resolved: `http://x/${text}`,
          integrity: text,
          hasInstallScript: true,
        },
        'node_modules/p/node_modules/q': { optional: true, os: [text], cpu: [text] },
        [`../${text}`]: {},
      }),
      ...soundPackage('node_modules/p', {
        name: text,
        version: text,
        license: text,
        main: text,
        bin: { [text]: text },
        exports: { [text]: text },
        scripts: { install: text, [text]: 1 },
        engines: { node: text },
      }),
    })
    const report = await reviewQuietly(folder.root)
    expect(report.findings.length).toBeGreaterThan(5)
    const markdown = renderMarkdown(report)
    expect(markdown).toContain('PWN')
    expect(markdown.replace(/`[^`\n]*`/g, '')).not.toMatch(/PWN|evil|<img|heading/)
    expect(markdown + renderJson(report)).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u)
    const rows = markdown.split('\n').filter((line) => line.startsWith('| `'))
    for (const row of rows) expect([5, 12]).toContain(row.replaceAll('\\|', '').split('|').length - 1)
  })

  test('given a name that no file system has, when reviewed, then it is refused and told harmlessly', async () => {
    await using folder = await ProjectFolder.make({
      'package.json': { name: 'demo', license: 'MIT' },
      'package-lock.json': lockfileOf({
        'node_modules/a\0b': {},
        [`node_modules/${'x'.repeat(3_000)}`]: {},
        'node_modules/__proto__': {},
        [`node_modules/${'y'.repeat(300)}`]: {},
      }),
      'node_modules/.keep': '',
    })
    const report = await reviewQuietly(folder.root)
    expect(report.findings.filter(({ rule }) => rule === 'lockfile.path')).toHaveLength(2)
    expect(report.unexamined.map(({ package: name }) => name)).toContain('__proto__')
    expect(renderMarkdown(report).length).toBeLessThan(20_000)
  })
})

test('given links out of the project in all places, when reviewed, then nothing outside is read', async () => {
  const secret = 'TOP-SECRET'
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': lockfileOf({
      'node_modules/a': { hasInstallScript: true },
      'node_modules/b': {},
      'node_modules/c': {},
    }),
    ...soundPackage('node_modules/a', { license: 'SEE LICENSE IN terms', scripts: { install: 'node x.js' } }),
    'node_modules/a/terms': { link: '../../../outside/terms' },
    'node_modules/a/x.js': { link: '../../../outside/x.js' },
    'node_modules/b/package.json': { link: '../../../outside/package.json' },
    'node_modules/c': { link: '../../outside' },
  })
  await mkdir(path.join(folder.outside, 'outside'))
  for (const name of ['terms', 'x.js']) await writeFile(path.join(folder.outside, 'outside', name), `eval('${secret}')`)
  await writeFile(
    path.join(folder.outside, 'outside', 'package.json'),
    JSON.stringify({ name: secret, license: secret, version: secret }),
  )
  const report = await reviewQuietly(folder.root)
  expect(JSON.stringify(report)).not.toMatch(/TOP-SECRET|run time/)
  expect(report.findings.map(({ rule, package: name }) => `${name} ${rule}`)).toEqual(
    expect.arrayContaining(['a package.link-outside', 'b package.malformed', 'c package.malformed']),
  )
})

describe('writing', () => {
  const texts = new Map([
    ['a.md', 'one'],
    ['b.json', '{}'],
  ])

  test('given a folder that does not exist, when written, then it is made and holds the files and nothing else', async () => {
    await using project = await ProjectFolder.make({})
    const folder = await ReportFolder.open(path.join(project.root, 'x/y'))
    await folder.write(texts)
    expect(await readdir(folder.path)).toEqual(['a.md', 'b.json'])
    expect(await readFile(path.join(folder.path, 'a.md'), 'utf8')).toBe('one')
  })

  test('given files of these names, when written, then they are replaced, and a link is not written through', async () => {
    await using project = await ProjectFolder.make({ 'out/b.json': 'old', 'elsewhere.txt': 'mine' })
    await symlink('../elsewhere.txt', path.join(project.root, 'out/a.md'))
    await (await ReportFolder.open(path.join(project.root, 'out'))).write(texts)
    expect(await readFile(path.join(project.root, 'elsewhere.txt'), 'utf8')).toBe('mine')
    expect(await readFile(path.join(project.root, 'out/a.md'), 'utf8')).toBe('one')
  })

  test('given a name that cannot be taken, when written, then it fails with a code and leaves no temporary file', async () => {
    await using project = await ProjectFolder.make({ 'out/b.json/in-the-way': '' })
    const folder = await ReportFolder.open(path.join(project.root, 'out'))
    await expect(folder.write(texts)).rejects.toMatchObject({ code: 'OUTPUT_FAILED', exitCode: 1 })
    expect(await readdir(folder.path)).toEqual(['a.md', 'b.json'])
    expect(await readdir(path.join(folder.path, 'b.json'))).toEqual(['in-the-way'])
  })

  test('given a write under way, when abandoned, then nothing half written is left', async () => {
    await using project = await ProjectFolder.make({ 'out/a.md': 'old' })
    const folder = await ReportFolder.open(path.join(project.root, 'out'))
    const big = new Map([
      ['a.md', 'x'.repeat(20_000_000)],
      ['b.json', '{}'],
    ])
    const writing = folder.write(big)
    const settled = writing.then(
      () => 'written',
      () => 'failed',
    )
    while (!(await readdir(folder.path)).some((name) => name.endsWith('.tmp'))) await Promise.resolve()
    folder.abandon()
    expect(await settled).toBe('failed')
    expect(await readdir(folder.path)).toEqual(['a.md'])
    expect(await readFile(path.join(folder.path, 'a.md'), 'utf8')).toBe('old')
  })
})
