/** `npm run build`: JavaScript and types into `dist/`, checked as a package that others install. */
import { rmSync } from 'node:fs'
import { runAll } from './tools.ts'

rmSync('dist', { recursive: true, force: true })
process.exitCode = await runAll([
  ['compile', 'tsc', '-p', 'tsconfig.build.json'],
  ['package', 'publint', '--strict', '--pack', 'false'],
])
