import type { SimulatedWorld } from './simulated-world.ts'
import type { Zone } from './zone.ts'

/** What the patched globals need from the world that runs. */
export interface GlobalsHost {
  /** Whose code runs; undefined between steps, when the globals are the real ones. */
  readonly current: Zone | undefined
  /** Whether code of the user may not even ask for virtual time and randomness by global names. */
  readonly isStrict: boolean
  readonly world: SimulatedWorld
  /** Something real was reached for. */
  escaped(what: string, stack: string): void
}

/** The world that runs in this thread: globals are shared, so there is one at a time. */
export const active: { host: GlobalsHost | undefined } = { host: undefined }

/** The zone whose code runs here, in a step of a simulated world. */
export const currentZone = (): Zone | undefined => active.host?.current
