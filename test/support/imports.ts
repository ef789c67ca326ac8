import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

export interface Import {
  /** Both relative to the repository, posix; `to` is a bare specifier when it is a package. */
  readonly from: string
  readonly to: string
  /** Gone when the types are stripped, so it cannot make modules wait for each other. */
  readonly typeOnly: boolean
}

/** All imports and re-exports, static, dynamic and in types, of the `.ts` files under `folder`. */
export function importsUnder(folder: string): Import[] {
  return globSync(`${folder}/**/*.ts`, { exclude: (name) => name === 'node_modules' }).flatMap((file) =>
    importsOf(file.split(path.sep).join('/'), readFileSync(file, 'utf8')),
  )
}

/** The imports of one file with the content `text`. */
export function importsOf(from: string, text: string): Import[] {
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return
    const to = specifier.text.startsWith('.')
      ? path.posix.join(path.posix.dirname(from), specifier.text)
      : specifier.text
    found.push({ from, to, typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(from, text, ts.ScriptTarget.Latest))
  return found
}
