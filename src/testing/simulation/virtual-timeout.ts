import type { TimerHandle } from '../../core/clock.ts'
import type { SimulationKernel } from './kernel.ts'
import type { Zone } from './zone.ts'

/** Numbers of timers begin here: no timer of Node gets that far. */
const firstNumber = 2 ** 40
/** Timers that were asked for their number, while they run. */
const numbered = new WeakMap<SimulationKernel, Map<number, VirtualTimeout>>()

/** The timer of a world with this number, as `clearTimeout` takes it. */
export const timeoutOf = (kernel: SimulationKernel | undefined, number: unknown): VirtualTimeout | undefined =>
  kernel === undefined ? undefined : numbered.get(kernel)?.get(Number(number))

/** Milliseconds after which Node fires: whatever is no delay is one. */
export const delayOf = (ms: unknown): number => {
  const given = Number(ms)
  return given >= 1 && given <= 2 ** 31 - 1 ? Math.trunc(given) : 1
}

/** What `setTimeout` and its like give to code of a simulated world: as Node's, on the clock of its zone. */
export class VirtualTimeout {
  readonly #zone: Zone
  readonly #fn: (...args: never[]) => unknown
  readonly #ms: number
  readonly #args: readonly never[]
  readonly #repeats: boolean
  #handle: TimerHandle | undefined
  #number: number | undefined

  /** @throws TypeError `ERR_INVALID_ARG_TYPE`, as Node, when there is nothing to call. */
  constructor(zone: Zone, fn: (...args: never[]) => unknown, ms: number, args: readonly never[], repeats: boolean) {
    if (typeof fn !== 'function')
      throw Object.assign(new TypeError(`The "callback" argument must be of type function. Received ${typeof fn}`), {
        code: 'ERR_INVALID_ARG_TYPE',
      })
    this.#zone = zone
    this.#fn = fn
    this.#ms = ms
    this.#args = args
    this.#repeats = repeats
    this.refresh()
  }

  refresh(): this {
    this.#zone.clearTimeout(this.#handle)
    this.#handle = this.#zone.setTimeout(() => {
      this.#handle = undefined
      if (this.#repeats) this.refresh()
      else this.#forget()
      this.#fn(...this.#args)
    }, this.#ms)
    return this
  }

  close(): this {
    this.#zone.clearTimeout(this.#handle)
    this.#handle = undefined
    this.#forget()
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

  /** Its number, by which it can be cleared. */
  [Symbol.toPrimitive](): number {
    const { kernel } = this.#zone
    this.#number ??= firstNumber + kernel.nextOrder()
    const timers = numbered.get(kernel) ?? new Map<number, VirtualTimeout>()
    numbered.set(kernel, timers.set(this.#number, this))
    return this.#number
  }

  #forget(): void {
    if (this.#number !== undefined) numbered.get(this.#zone.kernel)?.delete(this.#number)
  }
}
