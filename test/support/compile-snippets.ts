import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { codeBlocks, repositoryRoot } from './markdown.ts'

/**
 * One module per page: the imports of all its blocks, the first block as it is, and each other block in a scope of its
 * own, so that a page defines once and then shows many uses.
 */
export function moduleOf(page: string): string {
  const imports = new Set<string>()
  const bodies = codeBlocks(page, 'ts').map((block) =>
    block.replaceAll(/^import [^']*'[^']+'\n/gm, (statement) => {
      imports.add(statement)
      return ''
    }),
  )
  const [first = '', ...others] = bodies
  return [...imports, first, ...others.map((body) => `{\n${body}}\n`), 'export {}\n'].join('')
}

/** What the compiler says about the snippets of these pages, line by line; nothing when it likes them. */
export function complaints(pages: readonly string[]): Promise<string> {
  // Inside the package, so that `echelon` is found, and ignored by git.
  const folder = path.join(repositoryRoot, 'reports/snippets')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const compilerOptions = {
    incremental: false,
    tsBuildInfoFile: null,
    noUnusedLocals: false,
    noUnusedParameters: false,
  }
  const config = { extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'], exclude: [] }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config))
  for (const page of pages) writeFileSync(path.join(folder, `${page.replaceAll('/', '-')}.ts`), moduleOf(page))
  const compiler = path.join(repositoryRoot, 'node_modules/.bin/tsc')
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], (error, stdout, stderr) => {
      if (error !== null && stdout === '') reject(new Error(stderr || error.message))
      else resolve(stdout)
    })
  })
}
