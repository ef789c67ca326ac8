import { AsyncLocalStorage } from 'node:async_hooks'
import type { SimulationKernel } from './kernel.ts'
import type { Zone } from './zone.ts'

/**
 * Code of a world that a test calls between the steps: it begins there, and goes on after an `await` when no step runs.
 * The test itself goes on at the same time and is not of the world, so whose code it is follows the promises.
 */
const begun = new AsyncLocalStorage<Zone>()

/** Begins `code` as that of `zone`. */
export const beginIn = <T>(zone: Zone, code: () => T): T => begun.run(zone, code)

/** The zone in which the code that runs here was begun, if it is one of this world. */
export function begunIn(kernel: SimulationKernel): Zone | undefined {
  const zone = begun.getStore()
  return zone?.kernel === kernel && zone.isAlive ? zone : undefined
}
