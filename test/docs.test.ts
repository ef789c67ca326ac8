import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { complaints } from './support/compile-snippets.ts'
import { codeBlocks, pages, readPage, repositoryRoot } from './support/markdown.ts'

test('given every TypeScript snippet of the docs, when it is compiled, then the compiler has nothing to say', async () => {
  expect(await complaints(pages.filter((page) => codeBlocks(page, 'ts').length > 0))).toBe('')
}, 60_000)

test('given every link between pages, when it is followed, then something is there', () => {
  const broken = pages.flatMap((page) =>
    [...readPage(page).matchAll(/\]\((?!https?:)([^)#]+)/g)]
      .map(([, target = '']) => path.join(path.dirname(page), target))
      .filter((target) => !existsSync(repositoryRoot + target))
      .map((target) => `${page} -> ${target}`),
  )
  expect(broken).toEqual([])
})

test('given every promise in the semantics, when its tests are looked up, then each is there by its name', () => {
  const promises = readPage('docs/semantics.md').split(/^### /m).slice(1)
  const problems = promises.flatMap((promise) => {
    const [title = ''] = promise.split('\n')
    const tests = [...promise.matchAll(/^- `(test\/[^`]+)`: (.+)$/gm)]
    if (tests.length === 0) return [`${title} names no test`]
    return tests.flatMap(([, file = '', name = '']) => {
      if (!existsSync(repositoryRoot + file)) return [`${title}: there is no ${file}`]
      return readFileSync(repositoryRoot + file, 'utf8').includes(name) ? [] : [`${title}: ${file} has no '${name}'`]
    })
  })
  expect(promises.length).toBeGreaterThan(20)
  expect(problems).toEqual([])
})

test('given every error code and dead letter reason of the source, when it is looked up in docs/errors.md, then it has an entry', () => {
  const source = globSync('src/**/*.ts', { cwd: repositoryRoot }).map((file) =>
    readFileSync(repositoryRoot + file, 'utf8'),
  )
  const codes = source.flatMap((text) => [...text.matchAll(/readonly code = '([A-Z_]+)'/g)].map(([, code]) => code))
  const [, refusals = ''] = /const refusals = \{(.*?)^\}/ms.exec(source.join('\n')) ?? []
  const refused = [...refusals.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, code]) => code)
  const [, letters = ''] = /type DeadLetterReason =\n(.*?)\n\n/s.exec(source.join('\n')) ?? []
  const reasons = [...letters.matchAll(/'([a-z-]+)'/g)].map(([, reason]) => reason)
  const entries = [...readPage('docs/errors.md').matchAll(/^### `([^`]+)`/gm)].map(([, entry]) => entry)

  expect(codes.length).toBeGreaterThan(15)
  expect(refused.length).toBeGreaterThan(5)
  expect(reasons.length).toBeGreaterThan(8)
  expect(entries.toSorted()).toEqual([...new Set([...codes, ...refused, ...reasons])].toSorted())
})
