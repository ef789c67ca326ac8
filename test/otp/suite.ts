import { dynamicSupervisors, type OtpCase } from './case.ts'
import { restartRows } from './suite-restart.ts'
import { significantRows } from './suite-significant.ts'
import { startStopRows } from './suite-start-stop.ts'
import { brief, type Trace } from './trace.ts'

/** One case of OTP's supervisor_SUITE, in the language of cases. */
export interface SuiteRow {
  /** As supervisor_SUITE calls it. */
  readonly name: string
  readonly says: string
  readonly case: OtpCase
}

/** @see https://github.com/erlang/otp/blob/master/lib/stdlib/test/supervisor_SUITE.erl */
export const suiteRows: readonly SuiteRow[] = [...startStopRows, ...restartRows, ...significantRows]

export const titleOf = ({ name, says }: SuiteRow): string => `${name}: ${says}`

/** A trace of a row as lines of text. */
export function linesOf(row: SuiteRow, trace: Trace): readonly string[] {
  const dynamic = dynamicSupervisors(row.case)
  return brief(trace, (id) => dynamic.has(id))
}

/**
 * What real OTP 25 does with the rows: `suite-traces.txt`, which `npm run oracle:otp -- --suite` prints. One line per
 * step, then one per supervisor that is still there.
 */
export const sectionOf = (row: SuiteRow, trace: Trace): string =>
  ['## ' + titleOf(row), ...linesOf(row, trace)].join('\n')

export function readSections(text: string): ReadonlyMap<string, readonly string[]> {
  const sections = `\n${text.trimEnd()}`.split('\n## ').slice(1)
  return new Map(sections.map((section) => [section.split('\n')[0] ?? '', section.trimEnd().split('\n').slice(1)]))
}
