import fc from 'fast-check'
import { dynamicSupervisors, type OtpCase } from './case.ts'
import { otpCaseArb } from './cases.ts'
import type { Erlang } from './erlang.ts'
import { runCase } from './runner.ts'
import { canonical, type Trace } from './trace.ts'

export interface Comparison {
  readonly otp: readonly string[]
  readonly echelon: readonly string[]
  readonly isSame: boolean
}

/** Runs one case on both sides. */
export async function compare(erlang: Erlang, otpCase: OtpCase): Promise<Comparison> {
  const [otp, echelon] = await Promise.all([erlang.run(otpCase), runCase(otpCase)])
  const first = comparison(otpCase, otp, echelon)
  // Real Erlang has real time, and a busy machine may fire a timer before a message that should have won the race.
  return first.isSame ? first : comparison(otpCase, await erlang.run(otpCase), echelon)
}

function comparison(otpCase: OtpCase, otp: Trace, echelon: Trace): Comparison {
  const dynamic = dynamicSupervisors(otpCase)
  const [ours, theirs] = [echelon, otp].map((trace) => canonical(trace, (id) => dynamic.has(id)))
  if (ours === undefined || theirs === undefined) throw new Error('two traces give two texts')
  return { otp: theirs, echelon: ours, isSame: ours.join('\n') === theirs.join('\n') }
}

export interface Mismatch extends Comparison {
  readonly otpCase: OtpCase
  /** Which of the generated cases it was, before it was shrunk. */
  readonly index: number
}

export interface Search {
  readonly cases: number
  readonly seed: number
  readonly onProgress?: (done: number) => void
  readonly onCompared?: (otpCase: OtpCase, comparison: Comparison) => void
}

/** How many cases are under way at once: while one waits for a stubborn child, others go on. */
const lanes = 16

/** Compares `cases` cases of a seed; the first that differs is shrunk. */
export async function findMismatch(erlang: Erlang, search: Search): Promise<Mismatch | undefined> {
  const { cases, seed } = search
  const all = fc.sample(otpCaseArb, { numRuns: cases, seed })
  let next = 0
  let failed = cases
  const lane = async (): Promise<void> => {
    while (next < failed) {
      const index = next
      next += 1
      const otpCase = all[index]
      if (otpCase === undefined) return
      const compared = await compare(erlang, otpCase)
      search.onCompared?.(otpCase, compared)
      search.onProgress?.(next)
      if (!compared.isSame) failed = Math.min(failed, index)
    }
  }
  const giveUp = (error: unknown): never => {
    failed = 0 // the other lanes end
    throw error
  }
  const ends = await Promise.allSettled(Array.from({ length: lanes }, () => lane().catch(giveUp)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  const found = all[failed]
  return found === undefined ? undefined : await shrink(erlang, seed, failed, found)
}

async function shrink(erlang: Erlang, seed: number, index: number, found: OtpCase): Promise<Mismatch> {
  const property = fc.asyncProperty(otpCaseArb, async (otpCase) => (await compare(erlang, otpCase)).isSame)
  const { counterexample } = await fc.check(property, { seed, path: String(index), numRuns: 1 })
  const otpCase = counterexample?.[0] ?? found
  return { ...(await compare(erlang, otpCase)), otpCase, index }
}

/** The two traces side by side; lines that differ are marked. */
export function sideBySide({ otp, echelon }: Comparison): string {
  const width = Math.max(...otp.map((line) => line.length), 10) + 2
  const row = (mark: string, left: string, right: string): string => `${mark} ${left.padEnd(width)}${right}`.trimEnd()
  const lines = Array.from({ length: Math.max(otp.length, echelon.length) }, (_, line) => {
    const [left = '', right = ''] = [otp[line], echelon[line]]
    return row(left === right ? ' ' : '!', left, right)
  })
  return [row(' ', 'OTP', 'Echelon'), ...lines].join('\n')
}
