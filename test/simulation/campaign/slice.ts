import { runWorld, type RunOptions, type WorldResult } from '../../../src/testing/simulation/run-world.ts'
import { simulate } from '../../../src/testing/simulation/simulate.ts'
import { standardInvariants } from '../../../src/testing/simulation/invariants/standard.ts'
import type { Law } from '../laws/law.ts'

/** Which part of a campaign: rounds `first`, `first + step`, … below `rounds`; each runs one world of every law. */
export interface Slice {
  readonly rounds: number
  readonly seed: number
  readonly first: number
  readonly step: number
  /** Each world is run again, and has to go the same way. */
  readonly twice: boolean
  /** Where failures are written to. */
  readonly folder: string | false
}

/** A world that broke something. */
export interface Finding {
  readonly law: string
  readonly seed: number
  readonly invariant: string
  readonly message: string
  /** For people: shrunk, with its last steps. */
  readonly report: string
}

/** What came of a slice: plain data, so that it can be sent between processes. */
export interface Tally {
  worlds: number
  faults: number
  steps: number
  delivered: number
  virtualMs: number
  /** By law: how many worlds came by each of what a campaign has to come by. */
  readonly sometimes: Record<string, Record<string, number>>
  readonly findings: Finding[]
  /** Sum of all trace hashes, in hexadecimal: the same for the same worlds, whoever runs them in whatever order. */
  digest: string
}

/** Findings that are shrunk; of the others the seed is enough. */
const shrunk = 3
const digestBits = 256n

export const emptyTally = (laws: readonly Law[]): Tally => ({
  worlds: 0,
  faults: 0,
  steps: 0,
  delivered: 0,
  virtualMs: 0,
  sometimes: Object.fromEntries(
    laws.map(({ scenario: { name, sometimes } }) => [name, Object.fromEntries(sometimes.map((one) => [one, 0]))]),
  ),
  findings: [],
  digest: '0',
})

const sum = (a: string, b: string): string => ((BigInt(`0x${a}`) + BigInt(`0x${b}`)) % (1n << digestBits)).toString(16)

/** Adds what another process has come to. */
export function add(into: Tally, other: Tally): void {
  into.worlds += other.worlds
  into.faults += other.faults
  into.steps += other.steps
  into.delivered += other.delivered
  into.virtualMs += other.virtualMs
  into.digest = sum(into.digest, other.digest)
  into.findings.push(...other.findings)
  for (const [law, counts] of Object.entries(other.sometimes))
    for (const [name, worlds] of Object.entries(counts)) {
      const own = (into.sometimes[law] ??= {})
      own[name] = (own[name] ?? 0) + worlds
    }
}

/** Runs a slice, and calls `onRound` with what there is so far after each round. */
export async function runSlice(
  laws: readonly Law[],
  slice: Slice,
  onRound: (tally: Tally) => void = () => undefined,
): Promise<Tally> {
  const tally = emptyTally(laws)
  for (let round = slice.first; round < slice.rounds; round += slice.step) {
    for (const law of laws) await runOne(law, slice.seed + round, slice, tally)
    onRound(tally)
  }
  return tally
}

async function runOne({ scenario, faults }: Law, seed: number, { twice, folder }: Slice, tally: Tally): Promise<void> {
  const options: RunOptions = { faults, invariants: standardInvariants() }
  const result = await runWorld(scenario, { seed }, options)
  count(tally, scenario.name, result)
  const { violation } = result
  if (violation !== undefined) {
    const { invariant, message } = violation
    const report =
      tally.findings.length < shrunk
        ? await reportOf(() => simulate(scenario, { seeds: [seed], faults, folder, twiceEvery: 0 }))
        : message
    tally.findings.push({ law: scenario.name, seed, invariant, message, report })
  }
  if (!twice) return
  const again = await runWorld(scenario, { seed }, options)
  if (again.traceHash === result.traceHash) return
  const report = await reportOf(() => simulate(scenario, { seeds: [seed], faults, folder: false, twiceEvery: 1 }))
  tally.findings.push({ law: scenario.name, seed, invariant: 'I9 determinism', message: 'another trace', report })
}

function count(
  tally: Tally,
  law: string,
  { faults, steps, delivered, virtualMs, reached, traceHash }: WorldResult,
): void {
  tally.worlds += 1
  tally.faults += faults
  tally.steps += steps
  tally.delivered += delivered
  tally.virtualMs += virtualMs
  tally.digest = sum(tally.digest, traceHash)
  const counts = (tally.sometimes[law] ??= {})
  for (const name of reached) if (name in counts) counts[name] = (counts[name] ?? 0) + 1
}

/** What a simulation says of what it finds. */
async function reportOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
    return 'it did not come again'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
