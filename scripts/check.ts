/** `npm run check`: everything that a machine can say about the source without running it. Fails when anything is said. */
import { runAll } from './tools.ts'

process.exitCode = await runAll([
  ['format', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['types', 'tsc'],
  ['lint', 'eslint', '--max-warnings', '0', '.'],
  ['layers', 'vitest', 'run', 'test/layers.test.ts'],
  ['dead code', 'knip', '--no-config-hints'],
])
