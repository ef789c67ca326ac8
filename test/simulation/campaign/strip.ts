import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Writes the sources without their types into a new folder, for `stripped.mjs`, and gives that. */
export function stripSources(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'echelon-stripped-'))
  for (const part of ['src', 'test/simulation']) {
    const files = readdirSync(path.join(root, part), { recursive: true, encoding: 'utf8' })
    for (const file of files) {
      if (!file.endsWith('.ts')) continue
      const target = path.join(folder, part, file)
      mkdirSync(path.dirname(target), { recursive: true })
      writeFileSync(target, stripTypeScriptTypes(readFileSync(path.join(root, part, file), 'utf8')))
    }
  }
  return folder
}

export const strippedFlags: readonly string[] = ['--import', new URL('stripped.mjs', import.meta.url).href]
