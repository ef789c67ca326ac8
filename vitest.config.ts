import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Tests import `echelon` and `echelon/testing` as a user does, and get the source.
  ssr: { resolve: { conditions: ['echelon-source', 'node', 'import', 'module', 'default'] } },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000, // a bound for slow machines: tests run in virtual time
    typecheck: { include: ['test/types/**/*.test-d.ts'], checker: 'tsc' },
    reporters: ['default', './test/support/loud-skips.ts'],
  },
})
