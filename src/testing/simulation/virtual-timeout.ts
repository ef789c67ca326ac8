import type { TimerHandle } from '../../core/clock.ts'
import type { Zone } from './zone.ts'

/** What `setTimeout` and its like give to code of a simulated world: as Node's, on the clock of its zone. */
export class VirtualTimeout {
  readonly #zone: Zone
  readonly #fn: (...args: never[]) => unknown
  readonly #ms: number
  readonly #args: readonly never[]
  readonly #repeats: boolean
  #handle: TimerHandle | undefined

  constructor(zone: Zone, fn: (...args: never[]) => unknown, ms: number, args: readonly never[], repeats: boolean) {
    this.#zone = zone
    this.#fn = fn
    // As Node: whatever is no delay is one millisecond.
    this.#ms = ms >= 1 && ms <= 2 ** 31 - 1 ? Math.trunc(ms) : repeats ? 1 : Math.max(0, ms > 0 ? 1 : 0)
    this.#args = args
    this.#repeats = repeats
    this.refresh()
  }

  refresh(): this {
    this.close()
    this.#handle = this.#zone.setTimeout(() => {
      this.#handle = undefined
      if (this.#repeats) this.refresh()
      this.#fn(...this.#args)
    }, this.#ms)
    return this
  }

  close(): this {
    this.#zone.clearTimeout(this.#handle)
    this.#handle = undefined
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return this.#handle !== undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
