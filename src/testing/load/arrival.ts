import { DefinitionInvalidError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'

/** A stretch of time in which the rate goes in a straight line from one value to another. */
export interface RatePiece {
  readonly fromMs: number
  readonly toMs: number
  /** Arrivals per second at `fromMs` and at `toMs`. */
  readonly from: number
  readonly to: number
}

/**
 * When requests arrive, decided before the first is sent: a plan that waits for answers would go slow just when the
 * system does, and miss what users see then.
 */
export interface Arrival {
  /** As it is written, for reports. */
  readonly name: string
  /** The rate from 0 to `durationMs`: pieces that ascend and do not overlap. Nothing arrives between and after them. */
  pieces(durationMs: number): readonly RatePiece[]
  /** `even` spaces arrivals as the rate says; `random` draws the gaps, as many independent users make them. */
  readonly spacing: 'even' | 'random'
  /** Where the points of the goodput curve begin; without, they are of equal length. */
  readonly edgesMs?: readonly number[]
  /** When what the plan puts the system through is over: `recoverWithinMs` counts from here. */
  readonly calmFromMs?: number
}

/** One step of `steps`. */
export interface Step {
  readonly perSecond: number
  readonly forMs: number
}

/** `perSecond` arrivals each second, evenly spaced, the first at once. */
export function constant(perSecond: number): Arrival {
  aboveZero('constant', 'perSecond', perSecond)
  return even(`constant(${perSecond}/s)`, (toMs) => [flat(0, toMs, perSecond)])
}

/** Arrivals with random gaps whose rate is `rate`: a number per second, or that of another plan. */
export function poisson(rate: number | Arrival): Arrival {
  if (typeof rate === 'object') return { ...rate, name: `poisson(${rate.name})`, spacing: 'random' }
  aboveZero('poisson', 'perSecond', rate)
  return { ...constant(rate), name: `poisson(${rate}/s)`, spacing: 'random' }
}

/** A rate that goes from `from` to `to` per second over the whole duration. */
export function ramp({ from, to }: { readonly from: number; readonly to: number }): Arrival {
  notBelowZero('ramp', 'from', from)
  notBelowZero('ramp', 'to', to)
  if (from + to === 0) throw new DefinitionInvalidError('ramp', 'goes from 0 to 0: nothing would arrive')
  return even(`ramp(${from}/s to ${to}/s)`, (toMs) => [{ fromMs: 0, toMs, from, to }])
}

/** One rate after the other. The goodput curve has one point a step. Nothing arrives after the last. */
export function steps(all: readonly Step[]): Arrival {
  if (all.length === 0) throw new DefinitionInvalidError('steps', 'has no step: give { perSecond, forMs }')
  let atMs = 0
  const pieces = all.map(({ perSecond, forMs }, index) => {
    notBelowZero('steps', `[${index}].perSecond`, perSecond)
    aboveZero('steps', `[${index}].forMs`, forMs)
    const fromMs = atMs
    atMs += forMs
    return flat(fromMs, atMs, perSecond)
  })
  const name = `steps(${all.map(({ perSecond, forMs }) => `${perSecond}/s for ${forMs} ms`).join(', ')})`
  return { ...even(name, () => pieces), edgesMs: pieces.map(({ fromMs }) => fromMs) }
}

/** `base` per second, but `peak` per second for `lastsMs` from `atMs` on. */
export function spike(shape: {
  readonly base: number
  readonly peak: number
  readonly atMs: number
  readonly lastsMs: number
}): Arrival {
  const { base, peak, atMs, lastsMs } = shape
  notBelowZero('spike', 'base', base)
  aboveZero('spike', 'peak', peak)
  notBelowZero('spike', 'atMs', atMs)
  aboveZero('spike', 'lastsMs', lastsMs)
  const calmFromMs = atMs + lastsMs
  const name = `spike(${base}/s, ${peak}/s from ${atMs} ms for ${lastsMs} ms)`
  const pieces = (toMs: number): readonly RatePiece[] => [
    flat(0, atMs, base),
    flat(atMs, calmFromMs, peak),
    flat(calmFromMs, Math.max(calmFromMs, toMs), base),
  ]
  return { ...even(name, pieces), calmFromMs }
}

/**
 * When each request of a plan is due, in milliseconds from the start, ascending. The same `random` gives the same times.
 *
 * Arrivals are put on a line on which the rate is 1 (the k-th at k, or with exponential gaps) and carried over to time by
 * the inverse of how many have arrived by then.
 */
export function* arrivalTimes(plan: Arrival, durationMs: number, random: Random): Generator<number, undefined> {
  const gap = plan.spacing === 'even' ? () => 1 : () => -Math.log(1 - random.next())
  let at = plan.spacing === 'even' ? 0 : gap()
  let before = 0
  for (const piece of plan.pieces(durationMs)) {
    const within = ((piece.from + piece.to) / 2) * ((piece.toMs - piece.fromMs) / 1000)
    for (; at < before + within; at += gap()) {
      const ms = piece.fromMs + msUntil(at - before, piece)
      if (ms >= durationMs) return undefined
      yield ms
    }
    before += within
  }
  return undefined
}

/** After how many milliseconds of a piece `count` have arrived: the root of a quadratic, in the form that loses no digits. */
function msUntil(count: number, { fromMs, toMs, from, to }: RatePiece): number {
  if (count === 0) return 0
  if (from === to) return (count * 1000) / from
  const growth = (to - from) / ((toMs - fromMs) / 1000)
  return (2000 * count) / (from + Math.sqrt(Math.max(0, from * from + 2 * growth * count)))
}

const flat = (fromMs: number, toMs: number, rate: number): RatePiece => ({ fromMs, toMs, from: rate, to: rate })

const even = (name: string, pieces: Arrival['pieces']): Arrival => ({ name, pieces, spacing: 'even' })

function aboveZero(plan: string, what: string, value: number): void {
  if (value > 0 && Number.isFinite(value)) return
  throw new DefinitionInvalidError(plan, `${what} is ${value}: give a number above 0`)
}

function notBelowZero(plan: string, what: string, value: number): void {
  if (value >= 0 && Number.isFinite(value)) return
  throw new DefinitionInvalidError(plan, `${what} is ${value}: give a number of 0 or more`)
}

/** Plans of when requests arrive. */
export const arrivals = { constant, poisson, ramp, spike, steps } as const
