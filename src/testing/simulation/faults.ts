import { DefinitionInvalidError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'

/**
 * How often each kind of fault happens, per opportunity: 0 never, 0.01 about each hundredth time.
 *
 * An opportunity is a step of a node (`crash`, `pause`, `replace`, `stall`, `clock`), a commit or a read of its disk
 * (`diskSlow`, `diskFull`, `diskFails`, `crashAtCommit`, `readFails`), a restart (`corrupt`, `loseDisk`), a call of a
 * simulated service (`call`), or a frame or connection of the network (`net`).
 */
export interface FaultRates {
  /** The process is gone, as after `kill -9`, and comes back. */
  readonly crash: number
  /** The process stands still for a while, clocks run on: SIGSTOP, a hypervisor, a long collection. */
  readonly pause: number
  /** It is taken for dead while it is paused: another process takes its journal, and then it wakes up. */
  readonly replace: number
  /** One step of a node takes long: its timers are late. */
  readonly stall: number
  /** The wall clock jumps, or both clocks of a node run at another rate. */
  readonly clock: number
  /** A commit or a read takes long. */
  readonly diskSlow: number
  /** Nothing is written, and nothing can be for a while. */
  readonly diskFull: number
  /** A write fails for good; what it wrote may be there or not. */
  readonly diskFails: number
  /** The process dies at a commit: before it, in it, or after it and before its acknowledgement. */
  readonly crashAtCommit: number
  readonly readFails: number
  /** After a crash an entry is damaged. */
  readonly corrupt: number
  /** After a crash the disk is empty. */
  readonly loseDisk: number
  /** A service is slow, refuses, answers nothing, or does it and answers nothing. */
  readonly call: number
  /** Delay, loss of a connection, half-open, partition. */
  readonly net: number
}

export type FaultKind = keyof FaultRates

const none: FaultRates = {
  ...{ crash: 0, pause: 0, replace: 0, stall: 0, clock: 0 },
  ...{ diskSlow: 0, diskFull: 0, diskFails: 0, crashAtCommit: 0, readFails: 0, corrupt: 0, loseDisk: 0 },
  ...{ call: 0, net: 0 },
}

/** What everybody has to live with: no damage to what is on disk, which nobody survives unharmed. */
const standard: FaultRates = {
  ...none,
  ...{ crash: 0.01, pause: 0.005, stall: 0.01, clock: 0.003 },
  ...{ diskSlow: 0.05, diskFull: 0.02, diskFails: 0.02, crashAtCommit: 0.05, readFails: 0.01 },
  ...{ call: 0.1, net: 0.03 },
}

export interface FaultPlan {
  readonly kind: 'faults'
  readonly rates: FaultRates
  /** Each seed goes without a random half of the kinds, so that frequent ones do not hide rare ones. */
  readonly swarm: boolean
  /** In one world at most. */
  readonly max: number
}

const plan = (rates: FaultRates, { swarm = true, max = 20 }: Partial<FaultPlan> = {}): FaultPlan => ({
  kind: 'faults',
  rates,
  swarm,
  max,
})

type PlanTerms = { readonly [Kind in FaultKind]?: number } & { readonly swarm?: boolean; readonly max?: number }

const fromTerms = (base: FaultRates, { swarm, max, ...rates }: PlanTerms): FaultPlan =>
  plan({ ...base, ...rates }, { ...(swarm === undefined ? {} : { swarm }), ...(max === undefined ? {} : { max }) })

/** Plans of what fails in a world. `standardFaults({ crash: 0.05 })` changes one rate; `only({ call: 0.2 })` has no others. */
export const faults = {
  none: (): FaultPlan => plan(none),
  standard: (terms: PlanTerms = {}): FaultPlan => fromTerms(standard, terms),
  only: (terms: PlanTerms): FaultPlan => fromTerms(none, terms),
  /** Everything, damage and loss of disks too. */
  all: (terms: PlanTerms = {}): FaultPlan =>
    fromTerms({ ...standard, replace: 0.003, corrupt: 0.05, loseDisk: 0.03 }, terms),
} as const

export const standardFaults = faults.standard

/** The rates of one world. */
export function ratesOf({ rates, swarm }: FaultPlan, random: Random): FaultRates {
  if (!swarm) return rates
  const kept = Object.entries(rates).map(([kind, rate]) => [kind, random.next() < 0.6 ? rate : 0] as const)
  // The same keys as before.
  return Object.fromEntries(kept) as unknown as FaultRates
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for what is no plan, or has a rate that is none. */
export function checkFaults(plan: FaultPlan): void {
  // Untyped code gives anything.
  const { kind, rates } = plan as { readonly kind?: unknown; readonly rates?: object }
  if (kind !== 'faults' || rates === undefined)
    throw new DefinitionInvalidError(
      'faults',
      'give a plan: faults.standard(), faults.only({ crash: 0.01 }), faults.none()',
    )
  for (const [name, rate] of Object.entries(rates) as [string, unknown][]) {
    if (!(name in none)) throw new DefinitionInvalidError(`faults.${name}`, `there are ${Object.keys(none).join(', ')}`)
    if (typeof rate !== 'number' || !(rate >= 0 && rate <= 1))
      throw new DefinitionInvalidError(`faults.${name}`, `${String(rate)} is no rate from 0 to 1`)
  }
}
