import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { linesOf, readSections, suiteRows, titleOf } from '../otp/suite.ts'
import { runCase } from '../otp/runner.ts'

// The cases of OTP's supervisor_SUITE, by name, with the traces that real OTP 25 gave for them. Those that need words
// beside the language of cases are in `otp-suite-specs.test.ts`. Left out: what is about Erlang itself (code_change*,
// significant_upgrade_*, format_log_*, child_unlink, simple_one_for_one_corruption, get_callback_module).

const traces = readSections(readFileSync(new URL('../otp/suite-traces.txt', import.meta.url), 'utf8'))

test.each(suiteRows.map((row) => [titleOf(row), row] as const))('%s', async (title, row) => {
  expect(linesOf(row, await runCase(row.case))).toEqual(traces.get(title))
})

test('given the traces of supervisor_SUITE, when all rows are counted, then each row has one and each has a row', () => {
  expect([...traces.keys()]).toEqual(suiteRows.map(titleOf))
})
