import { readFileSync, globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The repository's root, with a slash at its end. */
export const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url))

/** Every page that people read, by its path from the root. */
export const pages: readonly string[] = globSync(['*.md', 'docs/**/*.md', 'examples/*/README.md'], {
  cwd: repositoryRoot,
  exclude: (path) => path.startsWith('docs/api'),
}).sort()

export const readPage = (page: string): string => readFileSync(repositoryRoot + page, 'utf8')

/** The fenced blocks of a page that are marked as `language`, in their order. */
export function codeBlocks(page: string, language: string): readonly string[] {
  const found = readPage(page).matchAll(/^```(\S+)\n(.*?)^```$/gms)
  return [...found].flatMap(([, marked, code = '']) => (marked === language ? [code] : []))
}
