import { seededRandom } from 'echelon'

import type { Concern } from '../examine/concern.ts'

/** Injected crashes: with probability `rate` (0 to 1) an examiner fails at an examination, for no reason at all. */
export interface Chaos {
  readonly rate: number
  readonly seed: number
}

/**
 * Most crashes that are injected into one examination, so that a review ends even at a rate of 1, and so that there is a
 * bound that the supervisors can be set to bear. At 0.9 the hundredth would come once in 40,000 examinations.
 */
export const MAX_INJECTED_CRASHES = 100

/** A crash that was asked for. Nothing catches it but the supervisor. */
export class InjectedCrash extends Error {
  constructor(concern: Concern, key: string, attempt: number) {
    super(`Injected crash: ${concern} of ${key}, attempt ${attempt}`)
    this.name = 'InjectedCrash'
  }
}

/** When an attempt at an examination is to crash: before it looks at the disk, after it, or not at all. */
export type CrashPoint = 'before' | 'after' | 'never'

/** Depends on what is examined and on how often that was tried, never on when or by whom: so a seed repeats a run. */
export function crashPoint({ rate, seed }: Chaos, concern: Concern, key: string, attempt: number): CrashPoint {
  if (rate === 0 || attempt > MAX_INJECTED_CRASHES) return 'never'
  const random = seededRandom(`${seed}/${concern}/${key}/${attempt}`)
  if (random.next() >= rate) return 'never'
  return random.next() < 0.75 ? 'before' : 'after' // the later ones cost a second look at the disk
}
