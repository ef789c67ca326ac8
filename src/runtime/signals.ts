import { exits, type ExitReason } from '../core/exit.ts'

/** Signals that ask a process to end. */
export type StopSignal = 'SIGTERM' | 'SIGINT'

/** The port for the process around a runtime: its signals and its end. */
export interface ProcessPort {
  on(signal: StopSignal, listener: () => void): void
  off(signal: StopSignal, listener: () => void): void
  /** Ends the process in good order: `exit` handlers run, and what the thread pool is at is waited for. */
  exit(code: number): void
  /** Ends the process at once, as if nobody listened to `signal`. */
  endBy(signal: StopSignal): void
}

export const systemProcess: ProcessPort = {
  on: (signal, listener) => {
    process.on(signal, listener)
  },
  off: (signal, listener) => {
    process.off(signal, listener)
  },
  exit: (code) => {
    process.exit(code)
  },
  endBy: (signal) => {
    process.kill(process.pid, signal)
  },
}

/** What a signal stops. */
interface Stoppable {
  shutdown(options: { readonly reason: ExitReason }): Promise<unknown>
}

/** Exit codes after a shutdown in good order. A process that a second signal ended is reported as 128 + its number. */
const codes: Readonly<Record<StopSignal, number>> = { SIGTERM: 0, SIGINT: 130 }

// The keys of an object literal are exactly its type's keys.
const stopSignals = Object.keys(codes) as readonly StopSignal[]

/** All runtimes of one process that stop on signals: the process ends when the last of them has. */
class SignalHandling {
  readonly #process: ProcessPort
  readonly #runtimes = new Set<Stoppable>()
  readonly #listeners = stopSignals.map((signal) => ({
    signal,
    listener: () => {
      this.#received(signal)
    },
  }))
  #state: 'off' | 'listening' | 'stopping' = 'off'

  constructor(process: ProcessPort) {
    this.#process = process
  }

  add(runtime: Stoppable): void {
    this.#runtimes.add(runtime)
    if (this.#state !== 'off') return
    this.#state = 'listening'
    for (const { signal, listener } of this.#listeners) this.#process.on(signal, listener)
  }

  /** While a signal is being obeyed the listeners stay: a second one still counts. */
  remove(runtime: Stoppable): void {
    this.#runtimes.delete(runtime)
    if (this.#runtimes.size === 0 && this.#state === 'listening') this.#release()
  }

  #release(): void {
    this.#state = 'off'
    for (const { signal, listener } of this.#listeners) this.#process.off(signal, listener)
  }

  #received(signal: StopSignal): void {
    if (this.#state !== 'stopping') {
      void this.#stop(signal)
      return
    }
    this.#release()
    this.#process.endBy(signal)
  }

  async #stop(signal: StopSignal): Promise<void> {
    this.#state = 'stopping'
    await Promise.all(Array.from(this.#runtimes, (runtime) => runtime.shutdown({ reason: exits.shutdown(signal) })))
    // A second signal may have come first. It is read again, since it changes while the runtimes stop.
    if ((this.#state as string) !== 'stopping') return
    this.#release()
    this.#process.exit(codes[signal])
  }
}

const handlings = new WeakMap<ProcessPort, SignalHandling>()

/**
 * Shuts `runtime` down at the first SIGTERM or SIGINT and then ends the process; a second signal ends it at once. The
 * result takes the runtime off.
 */
export function stopOnSignals(runtime: Stoppable, process: ProcessPort): () => void {
  const handling = handlings.get(process) ?? new SignalHandling(process)
  handlings.set(process, handling)
  handling.add(runtime)
  return () => {
    handling.remove(runtime)
  }
}
