/** The import rule of `docs/architecture.md`: imports go down only, neighbours do not know each other, nothing is circular. */
import { expect, test } from 'vitest'
import { importsOf, importsUnder, type Import } from './support/imports.ts'

const rows = [
  ['core'],
  ['actors', 'transport', 'journal', 'resilience', 'models'],
  ['supervisors'],
  ['runtime'],
  ['agents', 'orchestration'],
  ['platform'],
  ['inspector', 'testing'],
  ['cli'],
]
const rowOf = new Map(rows.flatMap((folders, row) => folders.map((folder) => [folder, row] as const)))

/** What is wrong with these imports of files under `src/`, one line each. */
function broken(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, to }) => {
    if (from === 'src/index.ts' || !/^(\.|src\/|test\/|examples\/|bench\/|echelon)/.test(to)) return []
    const [mine, theirs] = [folderOf(from), folderOf(to)]
    const [myRow, theirRow] = [rowOf.get(mine), rowOf.get(theirs)]
    if (myRow === undefined) return [`${from}: the folder ${mine} is on no row`]
    if (theirRow === undefined) return [`${from}: imports ${to}, which is on no row`]
    if (mine === theirs || theirRow < myRow) return []
    return [`${from}: ${mine} imports ${theirRow === myRow ? 'its neighbour' : 'upwards,'} ${to}`]
  })
}

/** The folder of `src/` that a file is in; the file itself when it is in none. */
function folderOf(file: string): string {
  return /^src\/([^/]+)\//.exec(file)?.[1] ?? file
}

/** Groups of files that wait for each other to be evaluated, each as `a -> b -> a`. */
function cycles(imports: readonly Import[]): string[] {
  const edges = Map.groupBy(
    imports.filter(({ typeOnly }) => !typeOnly),
    ({ from }) => from,
  )
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) found.push([...trail.slice(trail.indexOf(file)), file].join(' -> '))
    if (done.has(file) || trail.includes(file)) return
    for (const { to } of edges.get(file) ?? []) visit(to, [...trail, file])
    done.add(file)
  }
  for (const file of edges.keys()) visit(file, [])
  return found
}

const source = importsUnder('src')

test('given the source, then imports go down only', () => {
  expect(source.length).toBeGreaterThan(50)
  expect(broken(source)).toEqual([])
})

test('given the source, then no modules wait for each other', () => {
  expect(cycles(source)).toEqual([])
})

test('given examples and benches, then they import what is published, as a user does', () => {
  const inside = [...importsUnder('examples'), ...importsUnder('bench')].filter(({ to }) =>
    // A bench may start a server as the tests do.
    /^(src|test(?!\/support))\/|^echelon\/(?!(testing|journal)$)/.test(to),
  )
  expect(inside.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
})

test.each([
  ['an import upwards', 'src/core/ids.ts', `import { cell } from '../actors/cell.ts'`, /core imports upwards/],
  [
    'a type from above',
    'src/actors/cell.ts',
    `import type { Runtime } from '../runtime/runtime.ts'`,
    /actors imports upwards/,
  ],
  [
    'an import of a type in a type',
    'src/core/ids.ts',
    `type Cell = import('../actors/cell.ts').Cell`,
    /core imports upwards/,
  ],
  ['a re-export from above', 'src/core/ids.ts', `export { cell } from '../actors/cell.ts'`, /core imports upwards/],
  [
    'a lazy import of a neighbour',
    'src/actors/cell.ts',
    `await import('../journal/entry.ts')`,
    /actors imports its neighbour/,
  ],
  ['a folder that has no row', 'src/helpers/all.ts', `import { id } from '../core/ids.ts'`, /helpers is on no row/],
  ['the front door', 'src/actors/cell.ts', `import { child } from '../index.ts'`, /src\/index.ts, which is on no row/],
  ['the package itself', 'src/testing/world.ts', `import { child } from 'echelon'`, /echelon, which is on no row/],
  [
    'code that is not shipped',
    'src/testing/world.ts',
    `import { erlang } from '../../test/support/programs.ts'`,
    /on no row/,
  ],
])('given %s, then the rule names it', (_what, file, text, complaint) => {
  expect(broken(importsOf(file, text))).toEqual([expect.stringMatching(complaint)])
})

test('given imports that go down, to packages or within a folder, then the rule is silent', () => {
  const text = `import { id } from '../core/ids.ts'; import { z } from 'zod'; import { ref } from './ref.ts'; import 'node:path'`
  expect(importsOf('src/actors/cell.ts', text)).toHaveLength(4)
  expect(broken(importsOf('src/actors/cell.ts', text))).toEqual([])
})

test('given three modules in a ring, then the cycle is named, and a type closes none', () => {
  const ring = [
    ...importsOf('src/core/a.ts', `import { b } from './b.ts'`),
    ...importsOf('src/core/b.ts', `export { c } from './c.ts'`),
  ]
  const closing = `import { a } from './a.ts'`
  expect(cycles([...ring, ...importsOf('src/core/c.ts', closing)])).toEqual([
    'src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts',
  ])
  expect(cycles([...ring, ...importsOf('src/core/c.ts', closing.replace('import', 'import type'))])).toEqual([])
})
