import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { erlang as program } from '../support/programs.ts'
import type { OtpCase } from './case.ts'
import { findMismatch, sideBySide, type Comparison } from './compare.ts'
import { startErlang } from './erlang.ts'
import { sectionOf, suiteRows } from './suite.ts'

/** `npm run oracle:otp -- --cases 10000` runs fresh ones. */
const cases = 800
const seed = 20_240_521

/** What the cases must reach for the comparison to mean anything. */
const mustReach = [
  ...['start', 'start_failed', 'start_ignored', 'sup_start', 'stop', 'ignores_signal', 'exits', 'killed', 'orphaned'],
  ...['sup_exit: shutdown', 'sup_exit: killed', 'sup_exit: failed_to_start'],
  ...['start: ok', 'start: failed_to_start', 'exit: ok', 'kill: ok', 'together: ok', 'stop: ok', 'advance: ok'],
  ...['start_child: ok', 'start_child: already_started', 'start_child: bad_combination', 'start_child: start_failed'],
  ...['start_dynamic: ok', 'start_dynamic: start_failed', 'terminate_dynamic: ok', 'terminate_child: ok'],
  ...['restart_child: ok', 'restart_child: running', 'restart_child: not_found', 'delete_child: ok'],
]

test('given a few hundred generated trees and scripts, when OTP and Echelon run them, then the traces are equal', async (context) => {
  program.orSkip(context)
  const reached = new Set<string>()
  await using erlang = startErlang()
  const mismatch = await findMismatch(erlang, {
    cases,
    seed,
    onCompared: (otpCase, comparison) => {
      for (const what of whatIsIn(otpCase, comparison)) reached.add(what)
    },
  })
  expect(mismatch === undefined ? 'all equal' : `${JSON.stringify(mismatch.otpCase)}\n${sideBySide(mismatch)}`).toBe(
    'all equal',
  )
  expect(mustReach.filter((what) => !reached.has(what))).toEqual([])
}, 120_000)

test('given the cases of supervisor_SUITE, when the Erlang at hand runs them, then the traces are those on record', async (context) => {
  program.orSkip(context)
  await using erlang = startErlang()
  const sections = await Promise.all(suiteRows.map(async (row) => sectionOf(row, await erlang.run(row.case))))
  expect(sections.join('\n').split('\n')).toEqual(
    readFileSync(new URL('./suite-traces.txt', import.meta.url), 'utf8')
      .trimEnd()
      .split('\n'),
  )
})

function* whatIsIn({ steps }: OtpCase, { otp }: Comparison): Iterable<string> {
  const asked = ['start', ...steps.map((step) => step.do)].values()
  for (const line of otp) {
    const [, answer] = /^(?:start|step \d+): (\w+)/.exec(line) ?? []
    if (answer !== undefined) yield `${asked.next().value ?? ''}: ${answer}`
    const [, kind = '', reason = ''] = /^ {2}(\w+) \S+ ?(\w*)/.exec(line) ?? []
    yield kind
    yield `${kind}: ${reason}`
  }
}
