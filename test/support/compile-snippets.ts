import ts from 'typescript'
import { codeBlocks, repositoryRoot } from './markdown.ts'

/**
 * One module per page: the imports of all its blocks, the first block as it is, and each other block in a scope of its
 * own, so that a page defines once and then shows many uses.
 */
export function moduleOf(page: string): string {
  const imports = new Set<string>()
  const bodies = codeBlocks(page, 'ts').map((block) =>
    block.replaceAll(/^import .*\n/gm, (line) => {
      imports.add(line)
      return ''
    }),
  )
  const [first = '', ...others] = bodies
  return [...imports, first, ...others.map((body) => `{\n${body}}\n`), 'export {}\n'].join('')
}

/** What the compiler says about the snippets of these pages, one line each. Nothing is written. */
export function complaints(pages: readonly string[]): readonly string[] {
  const path = `${repositoryRoot}tsconfig.json`
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path, ts.sys.readFile.bind(ts.sys)).config,
    ts.sys,
    repositoryRoot,
  )
  const virtual = new Map(pages.map((page) => [`${repositoryRoot}${page.replaceAll('/', '-')}.ts`, moduleOf(page)]))
  const relaxed = { ...options, incremental: false, noUnusedLocals: false, noUnusedParameters: false }
  const host = ts.createCompilerHost(relaxed)
  const { fileExists, getSourceFile } = host
  host.fileExists = (file) => virtual.has(file) || fileExists(file)
  host.getSourceFile = (file, version, ...rest) => {
    const code = virtual.get(file)
    return code === undefined ? getSourceFile(file, version, ...rest) : ts.createSourceFile(file, code, version)
  }
  const program = ts.createProgram([...virtual.keys()], relaxed, host)
  return [...virtual.keys()].flatMap((file) => {
    const source = program.getSourceFile(file)
    return ts.getPreEmitDiagnostics(program, source).map((diagnostic) => {
      const { line } = source?.getLineAndCharacterOfPosition(diagnostic.start ?? 0) ?? { line: 0 }
      const code = source?.text.split('\n')[line]?.trim() ?? ''
      return `${file.slice(repositoryRoot.length)}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')} at: ${code}`
    })
  })
}
