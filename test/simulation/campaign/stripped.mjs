/**
 * Lets a process without WebAssembly (`node --jitless`) run TypeScript: types are stripped by that. Whoever starts it
 * has done it before, into the folder that STRIPPED names; this gives those files in the place of the sources.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = process.env['STRIPPED'] ?? ''

registerHooks({
  load: (url, context, next) => {
    if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context)
    const source = readFileSync(path.join(folder, path.relative(root, fileURLToPath(url))), 'utf8')
    return { format: 'module', shortCircuit: true, source }
  },
})
