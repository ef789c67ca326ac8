import { expect, test } from 'vitest'

import { dutyOf, readExpression } from '../../../examples/dependency-review/examine/licence-policy.ts'
import { isLicenceFile, recogniseLicences } from '../../../examples/dependency-review/examine/licence-text.ts'
import { GPL3, lockfileOf, MIT, ProjectFolder, soundPackage, type Content } from './project-folder.ts'
import { reviewQuietly } from './review-quietly.ts'

const ISC = `ISC License
Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.`
const BSD3 = `Redistribution and use in source and binary forms, with or without modification, are permitted.
Neither the name of the copyright holder may be used to endorse or promote products.`
const APACHE = `                                 Apache License
                           Version 2.0, January 2004`

test.each([
  [MIT, ['MIT']],
  [MIT.replaceAll('\n', '\r\n').toUpperCase(), ['MIT']],
  [MIT.replace(/^/gm, ' * '), ['MIT']],
  [MIT.replace(/The above copyright[^.]*\./, ''), ['MIT-0']],
  [ISC, ['ISC']],
  [ISC.replace(/, provided[^.]*/, ''), ['0BSD']],
  [BSD3, ['BSD-3-Clause']],
  [BSD3.split('\n')[0] ?? '', ['BSD-2-Clause']],
  [APACHE, ['Apache-2.0']],
  [GPL3, ['GPL-3.0']],
  ['GNU LESSER GENERAL PUBLIC LICENSE Version 2.1, February 1999', ['LGPL-2.1']],
  ['GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007', ['AGPL-3.0']],
  [
    'Mozilla Public License Version 2.0\n"Secondary License" means the GNU General Public License, Version 2.0, the GNU Affero General Public License, Version 3.0',
    ['MPL-2.0'],
  ],
  ['Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International', ['CC-BY-NC-SA-4.0']],
  ['This is free and unencumbered software released into the public domain.', ['Unlicense']],
  [`${MIT}\n\n${APACHE}`, ['MIT', 'Apache-2.0']],
  ['All rights reserved.', []],
  ['', []],
])('given a licence text (%#), when recognised, then its SPDX id is named', (text, ids) => {
  expect(recogniseLicences(text).map(({ id }) => id)).toEqual(ids)
})

test('given two texts in one file, when recognised, then each has the line where it starts', () => {
  expect(recogniseLicences(`${MIT}\n${GPL3}`)).toEqual([
    { id: 'MIT', line: 5 },
    { id: 'GPL-3.0', line: 12 },
  ])
})

test.each([
  'LICENSE',
  'licence.md',
  'LICENSE-MIT',
  'MIT-LICENSE.txt',
  'COPYING',
  'COPYING.LESSER',
  'UNLICENSE',
  'license.txt',
])('%s holds a licence', (name) => expect(isLicenceFile(name)).toBe(true))
test.each(['license.js', 'licenses.json', 'README.md', 'relicense', 'LICENSE.map'])('%s does not', (name) =>
  expect(isLicenceFile(name)).toBe(false),
)

test.each([
  ['MIT', 'permissive'],
  ['(MIT OR GPL-3.0-only)', 'permissive'],
  ['MIT AND GPL-3.0-or-later', 'copyleft'],
  ['GPL-2.0-only WITH Classpath-exception-2.0', 'weak-copyleft'],
  ['AGPL-3.0-only OR LGPL-2.1+', 'weak-copyleft'],
  ['MPL-2.0', 'weak-copyleft'],
  ['BUSL-1.1', 'restricted'],
  ['MIT AND LicenseRef-x', 'unknown'],
  ['GPL-3.0-only AND LicenseRef-x', 'copyleft'],
  ['LicenseRef-x OR MIT', 'permissive'],
])('%s asks: %s', (expression, duty) => {
  expect(readExpression(expression)?.duty).toBe(duty)
})

test.each(['', 'BSD', 'Apache 2.0', 'MIT/X11', 'mit', '('.repeat(900), 'x'.repeat(5_000)])(
  '%# is no expression',
  (text) => {
    expect(readExpression(text)).toBeNull()
  },
)

test('given LGPL, then it is not taken for GPL', () => {
  expect([dutyOf('LGPL-3.0'), dutyOf('GPL-3.0'), dutyOf('AGPL-3.0')]).toEqual([
    'weak-copyleft',
    'copyleft',
    'network-copyleft',
  ])
})

/** Findings about the licence of one package `p` in an otherwise sound project. */
async function licenceFindings(
  manifest: object,
  files: Readonly<Record<string, Content>> = {},
  root: object = { license: 'MIT' },
  locked: object = {},
) {
  const sound = soundPackage('node_modules/p', manifest)
  await using folder = await ProjectFolder.make({
    'package.json': { name: 'demo', dependencies: { p: '1' }, ...root },
    'package-lock.json': lockfileOf({ 'node_modules/p': locked }),
    ...Object.fromEntries(Object.entries(sound).filter(([name]) => !name.endsWith('LICENSE'))),
    ...Object.fromEntries(Object.entries(files).map(([name, content]) => [`node_modules/p/${name}`, content])),
  })
  const report = await reviewQuietly(folder.root)
  return report.findings.filter(({ rule }) => rule.startsWith('licence.'))
}

const shapes = (findings: Awaited<ReturnType<typeof licenceFindings>>) =>
  findings.map(({ severity, rule }) => `${severity} ${rule}`)

test.each<[string, object, Readonly<Record<string, Content>>, readonly string[]]>([
  ['field and text agree', { license: 'MIT' }, { LICENSE: MIT }, []],
  [
    'either of two, both texts',
    { license: '(MIT OR Apache-2.0)' },
    { 'LICENSE-MIT': MIT, 'LICENSE-APACHE': APACHE },
    [],
  ],
  ['nothing at all', { license: undefined }, {}, ['high licence.missing']],
  ['a text that nobody knows', { license: undefined }, { LICENSE: 'Be nice.' }, ['high licence.missing']],
  ['a text and no field', { license: undefined }, { LICENSE: MIT }, ['low licence.field-missing']],
  [
    'a text in the README alone',
    { license: undefined },
    { 'README.md': `# p\n\n## License\n\n${MIT}` },
    ['low licence.field-missing'],
  ],
  ['a field, and the text in the README', { license: 'MIT' }, { 'README.md': `# p\n\n${MIT}` }, []],
  ['a field and no text', { license: 'MIT' }, {}, ['info licence.no-text']],
  [
    'an old list',
    { license: undefined, licenses: [{ type: 'MIT' }, { type: 'Apache-2.0' }] },
    { LICENSE: MIT },
    ['info licence.old-form'],
  ],
  ['an old object', { license: { type: 'ISC', url: 'x' } }, { LICENSE: ISC }, ['info licence.old-form']],
  ['UNLICENSED', { license: 'UNLICENSED' }, {}, ['high licence.unlicensed']],
  ['no expression, but clear', { license: 'Apache 2.0' }, { LICENSE: APACHE }, ['low licence.invalid']],
  ['no expression, and unclear', { license: 'my own words' }, { LICENSE: MIT }, ['medium licence.invalid']],
  ['a file that exists', { license: 'SEE LICENSE IN TERMS.txt' }, { 'TERMS.txt': MIT }, []],
  ['a file that does not', { license: 'SEE LICENSE IN TERMS.txt' }, {}, ['high licence.file-missing']],
  ['a file that is elsewhere', { license: 'SEE LICENSE IN ../../../../etc/passwd' }, {}, ['high licence.file-missing']],
  ['another permissive text', { license: 'MIT' }, { LICENSE: ISC }, ['low licence.mismatch']],
  ['a copyleft text behind a permissive field', { license: 'MIT' }, { LICENSE: GPL3 }, ['high licence.mismatch']],
  [
    'a copyleft text beside a permissive one',
    { license: 'MIT' },
    { LICENSE: `${MIT}${GPL3}` },
    ['medium licence.mismatch'],
  ],
  ['a choice whose both texts are there', { license: '(MIT OR GPL-3.0-or-later)' }, { LICENSE: `${MIT}${GPL3}` }, []],
  ['copyleft in a permissive project', { license: 'GPL-3.0-only' }, { LICENSE: GPL3 }, ['high licence.obligations']],
  [
    'copyleft by text alone',
    { license: undefined },
    { LICENSE: GPL3 },
    ['high licence.obligations', 'low licence.field-missing'],
  ],
  ['a text that is unknown', { license: 'MIT' }, { LICENSE: 'see the web' }, ['info licence.text-unknown']],
  ['a number for a field', { license: 42 }, {}, ['high licence.missing']],
])('given %s, when examined, then it finds %#', async (_, manifest, files, expected) => {
  expect(shapes(await licenceFindings(manifest, files))).toEqual(expected)
})

test('given a copyleft project, when a package has the same licence, then nothing is added to what is asked', async () => {
  expect(
    shapes(await licenceFindings({ license: 'GPL-3.0-only' }, { LICENSE: GPL3 }, { license: 'GPL-3.0-or-later' })),
  ).toEqual([])
})

test('given a package for development only, when it is copyleft, then it matters less', async () => {
  expect(
    shapes(await licenceFindings({ license: 'GPL-3.0-only' }, { LICENSE: GPL3 }, { license: 'MIT' }, { dev: true })),
  ).toEqual(['low licence.obligations'])
})

test('given a mismatch, when reported, then field and text are both named with their lines', async () => {
  const [finding] = await licenceFindings({ license: 'MIT' }, { LICENSE: `\n\n${GPL3}` })
  expect(finding?.evidence).toEqual([
    { file: 'node_modules/p/package.json', line: 4 },
    { file: 'node_modules/p/LICENSE', line: 3 },
  ])
})

test('given a word about the licence in the README, when there is none elsewhere, then it is told with its line', async () => {
  const [finding] = await licenceFindings({ license: undefined }, { 'README.md': '# p\n\n## Licence ##\n\nBe nice.\n' })
  expect(finding).toMatchObject({
    rule: 'licence.missing',
    evidence: [{ line: 1 }, { file: 'node_modules/p/README.md', line: 3 }],
  })
  expect(finding?.detail).toContain('Its README says: `Be nice.`')
})
