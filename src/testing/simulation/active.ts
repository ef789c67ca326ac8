import { AsyncLocalStorage } from 'node:async_hooks'
import type { SimulatedWorld } from './simulated-world.ts'
import type { Zone } from './zone.ts'

/** What the patched globals need from the world that runs. */
export interface GlobalsHost {
  /** Whose code runs; undefined between steps and for code that is let through, when the globals are the real ones. */
  readonly current: Zone | undefined
  /** Whether code of the user may not even ask for virtual time and randomness by global names. */
  readonly isStrict: boolean
  readonly world: SimulatedWorld
  /** Something real was reached for. */
  escaped(what: string, stack: string): void
}

/** The world that runs in this thread: globals are shared, so there is one at a time. */
export const active: { host: GlobalsHost | undefined } = { host: undefined }

const letThrough = new AsyncLocalStorage<true>()

/** Runs code that is let through to what is real: also what comes after an `await` of it, and in its callbacks. */
export const outsideOfWorlds = <T>(code: () => T): T => letThrough.run(true, code)

/** Whether code runs that was let through. */
export const isLetThrough = (): boolean => letThrough.getStore() === true

/** The zone whose code runs here, in a step of a simulated world. */
export const currentZone = (): Zone | undefined => active.host?.current
