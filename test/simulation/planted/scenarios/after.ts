import type { Clock } from 'echelon'

/** Resolves after a while of a clock: what an actor waits for outside. */
export const after = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.setTimeout(resolve, ms)
  })
