/**
 * What nobody catches, a throw in a microtask or a rejection that nobody handles, ends the process. While a world is open
 * it is the end of that world instead, when it came from a step of it; everything else goes where it went before.
 */

/** Whether it is taken care of; `what` is how it came up. */
type Claim = (what: string, error: unknown) => boolean

/** Asks `claim` about all that nobody catches, until the result is called. */
export function catchUncaught(claim: Claim): () => void {
  const releaseThrows = catchThrows(claim)
  const releaseRejections = catchRejections(claim)
  return () => {
    releaseRejections()
    releaseThrows()
  }
}

/** A listener would be one of several; the callback for captures comes before all of them. */
function catchThrows(claim: Claim): () => void {
  const onThrow = (error: unknown): void => {
    if (claim('uncaught', error)) return
    // As Node does when nobody has captured it.
    if (process.listenerCount('uncaughtException') === 0) throw error
    // The types of `emit` know events without the arguments of this one only.
    const emit = process.emit as (event: string, ...args: unknown[]) => boolean
    Reflect.apply(emit, process, ['uncaughtException', error, 'uncaughtException'])
  }
  // Somebody else's callback goes before: theirs are the throws then.
  if (process.hasUncaughtExceptionCaptureCallback()) return () => undefined
  process.setUncaughtExceptionCaptureCallback(onThrow)
  return () => {
    process.setUncaughtExceptionCaptureCallback(null)
  }
}

/** Stands in for the listeners of the process: they would take a rejection of a world for one of theirs. */
function catchRejections(claim: Claim): () => void {
  // They were listeners of just this.
  const others = process.rawListeners('unhandledRejection') as NodeJS.UnhandledRejectionListener[]
  const onRejection = (error: unknown, promise: Promise<unknown>): void => {
    if (claim('unhandled rejection', error)) return
    for (const other of others) Reflect.apply(other, process, [error, promise])
    if (process.listenerCount('unhandledRejection') > 1 || others.length > 0) return
    // As Node does when nobody listens: it is thrown.
    // eslint-disable-next-line no-restricted-globals -- this is about the process, outside of all worlds
    queueMicrotask(() => {
      throw error
    })
  }
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', onRejection)
  return () => {
    const since = process.rawListeners('unhandledRejection').filter((listener) => listener !== onRejection)
    process.removeAllListeners('unhandledRejection')
    for (const listener of [...others, ...(since as NodeJS.UnhandledRejectionListener[])])
      process.on('unhandledRejection', listener)
  }
}
