/**
 * `npm run oracle:otp -- --suite` prints what real Erlang does with the cases of supervisor_SUITE: `suite-traces.txt`.
 *
 * `npm run oracle:otp -- --cases N --seed S`: fresh supervision trees and scripts, on real Erlang/OTP and on Echelon.
 * Ends with 1 at the first case that differs, shrunk, with both traces; with 2 when it cannot run.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { systemClock } from 'echelon'
import { erlang as program } from '../support/programs.ts'
import { findMismatch, sideBySide } from './compare.ts'
import { startErlang } from './erlang.ts'
import { sectionOf, suiteRows } from './suite.ts'

const usage = 'Usage: npm run oracle:otp -- [--cases 1000] [--seed NUMBER] | --suite'

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '1000' },
      seed: { type: 'string' },
      suite: { type: 'boolean', default: false },
    },
  })
  const cases = Number(values.cases)
  const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
  if (!Number.isSafeInteger(cases) || cases < 1 || !Number.isSafeInteger(seed)) {
    console.error(usage)
    return 2
  }
  if (!program.installed) {
    console.error('Erlang is not installed: apt-get install erlang-base')
    return 2
  }
  await using erlang = startErlang()
  if (values.suite) {
    for (const row of suiteRows) console.log(sectionOf(row, await erlang.run(row.case)))
    return 0
  }
  const startMs = systemClock.now()
  const perSecond = (done: number): string => ((done * 1_000) / (systemClock.now() - startMs)).toFixed(0)
  console.log(`${cases} cases of seed ${seed}`)
  const mismatch = await findMismatch(erlang, {
    cases,
    seed,
    onProgress: (done) => {
      if (done % 1_000 === 0 && done < cases) console.log(`${done} cases, ${perSecond(done)} cases/s`)
    },
  })
  if (mismatch === undefined) {
    console.log(`${cases} cases: every trace equals OTP's, ${perSecond(cases)} cases/s`)
    return 0
  }
  console.log(`case ${mismatch.index} differs; shrunk:\n${JSON.stringify(mismatch.otpCase)}\n\n${sideBySide(mismatch)}`)
  console.log(`\nagain: npm run oracle:otp -- --cases ${mismatch.index + 1} --seed ${seed}`)
  return 1
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? `${error.message}\n${usage}` : error)
  process.exitCode = 2
}
